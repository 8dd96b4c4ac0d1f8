"""The modelled estate: what truly runs at the company, before any export spoils it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

from deploy.demo.company import DOMAIN, Database, OperatingSystem, Site

Environment = Literal["production", "staging", "test", "development", "disaster_recovery"]
Kind = Literal["virtual", "physical", "hypervisor"]
Role = Literal["web", "app", "db", "infra", "host"]

ENVIRONMENT_LETTERS: dict[Environment, str] = {
    "production": "p",
    "staging": "s",
    "test": "t",
    "development": "d",
    "disaster_recovery": "r",
}


@dataclass(slots=True, eq=False)
class Application:
    """A business or infrastructure application, and who answers for it."""

    number: int
    name: str
    code: str
    department: str
    business_owner: str
    technical_owner: str
    criticality: int  # 1, the most critical, to 4
    classification: str
    lifecycle: str
    sourcing: str
    rto_hours: int
    rpo_hours: int
    cost_center: str
    went_live: date
    yearly_cost: int
    dependencies: list[str] = field(default_factory=list)  # names, so that a kept application keeps no others alive
    shared: bool = False


@dataclass(slots=True, eq=False)
class Asset:
    """A server or a hypervisor host with its true values; sizes in GB of 1,024 MB, utilisation in percent."""

    number: int
    kind: Kind
    name: str
    ip: str
    application: Application | None
    environment: Environment | None
    role: Role
    os: OperatingSystem
    cpus: int
    memory_gb: int
    storage_gb: int
    used_gb: int
    cpu_percent: int
    memory_percent: int
    site: Site
    cluster: str
    host: str
    database: Database | None
    database_gb: int
    decommissioned: bool
    installed: date
    last_seen: date

    @property
    def fqdn(self) -> str:
        """The host name in the site's DNS zone."""
        return f"{self.name}.{self.site.code}.{DOMAIN}"


class Connection(NamedTuple):
    """Traffic seen between two ends; an end outside the estate is an address only."""

    source: Asset
    source_process: str
    target: Asset | str
    target_process: str
    port: int
    protocol: str
    observations: int


@dataclass(slots=True)
class Block:
    """Applications that belong together (a move group, or one that stands alone) and all that runs for them."""

    applications: list[Application] = field(default_factory=list)
    assets: list[Asset] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    coupled: bool = False

    def cut(self, assets: int) -> "Block":
        """The block with its first `assets` assets, and the connections between what is left."""
        kept = self.assets[:assets]
        dropped = {asset.number for asset in self.assets[assets:]}
        left = {id(asset.application) for asset in kept}
        applications = [application for application in self.applications if id(application) in left]
        lost = {application.name for application in self.applications} - {
            application.name for application in applications
        }
        for application in applications:
            application.dependencies = [name for name in application.dependencies if name not in lost]
        connections = [seen for seen in self.connections if not _numbers(seen) & dropped]
        return Block(applications, kept, connections, self.coupled and len(applications) > 1)


def _numbers(connection: Connection) -> set[int]:
    ends: Iterable[Asset | str] = (connection.source, connection.target)
    return {end.number for end in ends if isinstance(end, Asset)}
