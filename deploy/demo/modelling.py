"""Builds the estate block by block, so that a million servers never have to be in memory at once."""

from collections.abc import Iterator
from datetime import date, timedelta

from deploy.demo import company, sizing, traffic
from deploy.demo.company import OperatingSystem, Site
from deploy.demo.dice import Dice, spread
from deploy.demo.estate import ENVIRONMENT_LETTERS, Application, Asset, Block, Environment, Role
from deploy.demo.virtualization import HostPool

TIERS: tuple[tuple[Role, ...], ...] = spread({("app",): 2, ("app", "db"): 5, ("web", "app", "db"): 6})
SIZES = spread({"small": 7, "medium": 6, "large": 3})
PRODUCTION_SERVERS: dict[str, dict[Role, tuple[int, int]]] = {
    "small": {"web": (1, 1), "app": (1, 2), "db": (1, 1)},
    "medium": {"web": (2, 2), "app": (2, 4), "db": (1, 2)},
    "large": {"web": (3, 4), "app": (4, 7), "db": (2, 3)},
}
# How many applications move together; one means it stands alone.
GROUP_SIZES = spread({1: 11, 2: 4, 3: 3, 4: 1, 5: 1})
LIFECYCLES = spread({"Active": 80, "Phase out": 11, "Retired": 4, "In development": 5})
CRITICALITIES = spread({1: 2, 2: 5, 3: 8, 4: 5})
CLASSIFICATIONS = spread({"Public": 1, "Internal": 5, "Confidential": 3, "Restricted": 1})
SOURCINGS = spread({"Standard software": 6, "Custom development": 5, "Open source": 1})
SHARED_SERVICES = ("Active Directory", "Infrastructure Monitoring", "Enterprise Backup")
ORPHANS_PER_APPLICATION = 0.3
SAAS_PER_APPLICATION = 0.05


class EstateModel:
    """An endless, seeded sequence of blocks; the first holds the shared services that the others use."""

    def __init__(self, seed: int, *, expected_assets: int, decommissioned: float, virtual_only: bool = False) -> None:
        """`decommissioned` is the share of servers that are listed but gone, beside those of retired applications.

        `virtual_only` leaves physical machines out, as an export of a vCenter does.
        """
        self._dice = Dice("estate", seed)
        self._traffic = traffic.Traffic(Dice("traffic", seed))
        self._hosts = HostPool(Dice("hosts", seed))
        self._expected_assets = expected_assets
        self._decommissioned = decommissioned
        self._virtual_only = virtual_only
        self._applications = 0
        self._assets = 0
        self._addresses = dict.fromkeys(company.SITES, 0)
        self._first_name = self._dice.between(0, 10_000)

    def blocks(self) -> Iterator[Block]:
        """The estate, shared services first; stop whenever there is enough."""
        yield self._shared_services()
        while True:
            yield self._business_block(self._dice.pick(GROUP_SIZES))

    def _shared_services(self) -> Block:
        block = Block()
        for name in SHARED_SERVICES:
            application = self._application(name, "inf", shared=True)
            sites = company.SITES if name == "Active Directory" else (company.HAMBURG, company.MUNICH)
            servers = [
                self._server(block, application, site, "production", "infra", company.WINDOWS[-1], number)
                for site in sites
                for number in range(1, 2 + min(self._expected_assets // 20_000, 24))
            ]
            self._traffic.register_shared(name, servers)
            block.applications.append(application)
        return block

    def _business_block(self, size: int) -> Block:
        block = Block(coupled=size > 1)
        site = self._dice.pick(company.HOME_SITES)
        members = [self._application_with_servers(block, site) for _ in range(size)]
        self._traffic.connect(block, members)
        for _ in range(size):
            if self._dice.roll() < ORPHANS_PER_APPLICATION:
                system = self._dice.pick(company.WINDOWS)
                self._server(block, None, site, None, "infra", system, self._assets)
            if self._dice.roll() < SAAS_PER_APPLICATION:
                hosted = self._application(self._next_name(), "sas")
                hosted.sourcing = "SaaS"
                block.applications.append(hosted)
        return block

    def _application_with_servers(self, block: Block, site: Site) -> tuple[Application, list[Asset]]:
        dice = self._dice
        name = self._next_name()
        application = self._application(name, name[:3].lower())
        block.applications.append(application)
        size, roles = dice.pick(SIZES), dice.pick(TIERS)
        systems = {role: self._family() for role in roles}
        servers = []
        for environment in self._environments(application):
            place = company.RECOVERY_SITE if environment == "disaster_recovery" else site
            for role in roles:
                low, high = (
                    PRODUCTION_SERVERS[size][role] if environment == "production" else (1, 1 + (size == "large"))
                )
                family = systems[role]
                release = dice.pick(family)
                for number in range(1, dice.between(low, high) + 1):
                    system = release if dice.roll() < 0.9 else dice.pick(family)
                    servers.append(self._server(block, application, place, environment, role, system, number))
        return application, servers

    def _environments(self, application: Application) -> list[Environment]:
        environments: list[Environment] = ["production"]
        chances: tuple[tuple[Environment, float], ...] = (
            ("staging", 0.3),
            ("test", 0.85),
            ("development", 0.6),
            ("disaster_recovery", 0.4 if application.criticality <= 2 else 0.0),
        )
        environments += [environment for environment, chance in chances if self._dice.roll() < chance]
        return environments

    def _family(self) -> tuple[OperatingSystem, ...]:
        roll = self._dice.roll()
        if roll < 0.04 and not self._virtual_only:
            return company.UNIX
        return company.WINDOWS if roll < 0.55 else company.LINUX

    def _next_name(self) -> str:
        """A name that no other application has; regions and numbers are added when the plain ones are used up."""
        plain = len(company.SUBJECTS) * len(company.PURPOSES)
        index = self._applications
        subject, purpose = divmod((self._first_name + index * 389) % plain, len(company.PURPOSES))
        region = company.REGIONS[index // plain % len(company.REGIONS)]
        series = index // (plain * len(company.REGIONS))
        words = (company.SUBJECTS[subject], company.PURPOSES[purpose], region, str(series + 1) if series else "")
        return " ".join(word for word in words if word)

    def _application(self, name: str, code: str, *, shared: bool = False) -> Application:
        dice = self._dice
        self._applications += 1
        criticality = 1 if shared else dice.pick(CRITICALITIES)
        return Application(
            number=self._applications,
            name=name,
            code=f"{code}{self._applications}",
            department="Group IT" if shared else dice.pick(company.DEPARTMENTS),
            business_owner=self._person(),
            technical_owner=self._person(),
            criticality=criticality,
            classification=dice.pick(CLASSIFICATIONS),
            lifecycle="Active" if shared else dice.pick(LIFECYCLES),
            sourcing="Infrastructure" if shared else dice.pick(SOURCINGS),
            rto_hours=(2, 8, 24, 72)[criticality - 1],
            rpo_hours=(1, 4, 24, 24)[criticality - 1],
            cost_center=f"CC-{dice.between(1000, 9899)}",
            went_live=date(dice.between(2006, 2025), dice.between(1, 12), dice.between(1, 28)),
            yearly_cost=dice.between(5, 600) * 1000,
            shared=shared,
        )

    def _person(self) -> str:
        return f"{self._dice.pick(company.FIRST_NAMES)} {self._dice.pick(company.LAST_NAMES)}"

    def _server(
        self,
        block: Block,
        application: Application | None,
        site: Site,
        environment: Environment | None,
        role: Role,
        system: OperatingSystem,
        number: int,
    ) -> Asset:
        dice = self._dice
        self._assets += 1
        size = sizing.size_server(dice, role, production=environment == "production")
        bare_metal = system in company.UNIX or (role == "db" and size.memory_gb >= 64 and dice.roll() < 0.35)
        physical = bare_metal and not self._virtual_only
        retired = application is not None and application.lifecycle == "Retired"
        gone = retired or (not (application and application.shared) and dice.roll() < self._decommissioned)
        days_unseen = dice.between(60, 900) if gone else dice.between(0, 6)
        databases = company.WINDOWS_DATABASES if system.is_windows else company.LINUX_DATABASES
        cluster = host = ""
        if not physical:
            cluster, host, created = self._hosts.place(
                site, production=environment in ("production", "disaster_recovery")
            )
            if created:
                self._assets += 1
                block.assets.append(self._hosts.as_asset(created, self._assets, self._address(site)))
        asset = Asset(
            number=self._assets,
            kind="physical" if physical else "virtual",
            name=self._host_name(application, site, environment, role, number),
            ip=self._address(site),
            application=application,
            environment=environment,
            role=role,
            os=system,
            cpus=size.cpus,
            memory_gb=size.memory_gb,
            storage_gb=size.storage_gb,
            used_gb=size.used_gb,
            cpu_percent=0 if gone else size.cpu_percent,
            memory_percent=0 if gone else size.memory_percent,
            site=site,
            cluster=cluster,
            host=host,
            database=dice.pick(databases) if role == "db" else None,
            database_gb=size.used_gb * 3 // 5 if role == "db" else 0,
            decommissioned=gone,
            installed=_install_date(dice, system),
            last_seen=company.TODAY - timedelta(days=days_unseen),
        )
        block.assets.append(asset)
        return asset

    @staticmethod
    def _host_name(
        application: Application | None, site: Site, environment: Environment | None, role: Role, number: int
    ) -> str:
        if application is None or environment is None:
            return f"{site.code}x-srv{number}"
        return f"{site.code}{ENVIRONMENT_LETTERS[environment]}-{application.code}-{role}{number:02d}"

    def _address(self, site: Site) -> str:
        """The next free address of the site; no two assets share one."""
        index = self._addresses[site]
        self._addresses[site] = index + 1
        subnet, host = divmod(index, 240)
        return f"10.{site.network + subnet // 250}.{subnet % 250 + 1}.{host + 10}"


def _install_date(dice: Dice, system: OperatingSystem) -> date:
    newest = min(system.year + 6, company.TODAY.year - 1)
    return date(dice.between(system.year, newest), dice.between(1, 12), dice.between(1, 28))
