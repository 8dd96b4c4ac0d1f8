"""Clusters of hypervisor hosts that fill up as virtual machines are placed on them."""

from dataclasses import dataclass
from datetime import date

from deploy.demo import company
from deploy.demo.company import DOMAIN, OperatingSystem, Site
from deploy.demo.dice import Dice
from deploy.demo.estate import Asset

HOSTS_PER_CLUSTER = 12


@dataclass(slots=True)
class _Pool:
    hosts: int = 0
    room: int = 0


@dataclass(slots=True, frozen=True)
class NewHost:
    """A host that was opened because the others were full."""

    name: str
    cluster: str
    site: Site
    production: bool
    os: OperatingSystem


class HostPool:
    """Places virtual machines on hosts, a pool for each site and for production or not."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._pools: dict[tuple[Site, bool], _Pool] = {}

    def place(self, site: Site, *, production: bool) -> tuple[str, str, NewHost | None]:
        """Cluster and host FQDN for one more machine, and the host itself if it is new."""
        pool = self._pools.setdefault((site, production), _Pool())
        is_new = pool.room == 0
        if is_new:
            pool.hosts += 1
            pool.room = self._dice.between(16, 28)
        pool.room -= 1
        purpose = "PRD" if production else "TST"
        cluster = f"CL-{site.code.upper()}-{purpose}-{(pool.hosts - 1) // HOSTS_PER_CLUSTER + 1:02d}"
        name = f"{site.code}{purpose[0].lower()}-esx{pool.hosts:03d}"
        created = NewHost(name, cluster, site, production, self._dice.pick(company.ESX)) if is_new else None
        return cluster, f"{name}.{site.code}.{DOMAIN}", created

    def as_asset(self, host: NewHost, number: int, ip: str) -> Asset:
        """The host as an asset of its own: two sockets, local disks for the hypervisor only."""
        dice = self._dice
        return Asset(
            number=number,
            kind="hypervisor",
            name=host.name,
            ip=ip,
            application=None,
            environment="production" if host.production else "test",
            role="host",
            os=host.os,
            cpus=2 * dice.pick((16, 24, 28)),
            memory_gb=dice.pick((384, 512, 768, 1024)),
            storage_gb=480,
            used_gb=dice.between(40, 120),
            cpu_percent=dice.between(15, 60),
            memory_percent=dice.between(40, 85),
            site=host.site,
            cluster=host.cluster,
            host="",
            database=None,
            database_gb=0,
            decommissioned=False,
            installed=date(dice.between(host.os.year, 2024), dice.between(1, 12), dice.between(1, 28)),
            last_seen=company.TODAY,
        )
