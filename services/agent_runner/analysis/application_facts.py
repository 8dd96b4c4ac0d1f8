"""What is known about each application, gathered from its assets and dependencies: the input of the 6R rules."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

import polars as pl

from contracts.assessment import SixR
from services.agent_runner.analysis.operating_systems import OperatingSystem, identify
from services.agent_runner.analysis.products import DATABASES, Replacement, find_replacement
from services.agent_runner.analysis.scales import (
    criticality_level,
    environment_rank,
    is_powered_off,
    is_retired,
    sensitivity_level,
)

_TREATMENTS: dict[str, SixR] = {
    "relocate": "rehost",
    "lift and shift": "rehost",
    "rearchitect": "refactor",
    "re-architect": "refactor",
    "rebuild": "refactor",
}
_TREATMENTS |= {name: name for name in get_args(SixR)}
_NON_X86 = re.compile(r"power|ppc|sparc|itanium|ia-?64|s/?390|pa-?risc|alpha|mips|zarch")
_NOT_A_SERVER = re.compile(
    r"switch|router|firewall|load.?balancer|network|storage|\bsan\b|\bnas\b|printer|ups\b|appliance|camera|phone|tape|^device$"
)
_HYPERVISOR = re.compile(r"hypervisor|esx|virtuali[sz]ation host|vm host|^host$")
_GATHERED = (
    "name", "lifecycle_status", "power_state", "operating_system_product", "operating_system_release", "architecture",
    "cpu_utilization_pct", "memory_utilization_pct", "database_engine", "database_version", "is_virtual",
    "eol_date", "instance_type", "cloud_account", "cloud_region", "asset_type", "server_role", "migration_strategy",
    "database_engine_product", "server_role_product", "server_role_release",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ApplicationFacts:
    """The facts of one application. Counts are of its live assets: those that no lifecycle status calls gone."""

    application_uid: str
    name: str
    asset_count: int
    retired_assets: int
    live: int
    lifecycle_status: str | None
    environment: str | None
    environment_rank: int | None
    criticality: str | None
    criticality_level: float | None
    data_classification: str | None
    sensitivity: float | None
    owner: str | None
    powered_off: int
    power_known: int
    cpu_pct: float | None
    memory_pct: float | None
    operating_systems: tuple[OperatingSystem, ...]
    unsupported_assets: int
    unknown_systems: int
    non_x86: tuple[str, ...]
    engines: tuple[str, ...]
    engine_products: tuple[str, ...]
    physical: int
    virtual: int
    eol_date: date | None
    cloud_assets: int
    hypervisor_hosts: int
    devices: tuple[str, ...]
    replacement: Replacement | None
    recorded_treatments: tuple[SixR, ...]
    depends_on: int
    used_by: int
    neighbours: int
    today: date

    @property
    def unsupported(self) -> tuple[OperatingSystem, ...]:
        """Its operating systems whose vendor support is over, the oldest first."""
        ended = [
            system for system in self.operating_systems if system.end_of_support and system.end_of_support <= self.today
        ]
        return tuple(sorted(ended, key=lambda system: (system.end_of_support or date.max, system.name)))

    @property
    def next_end_of_support(self) -> OperatingSystem | None:
        """Of the supported operating systems with a known date, the one that ends first."""
        dated = [s for s in self.operating_systems if s.end_of_support and s.end_of_support > self.today]
        return min(dated, key=lambda system: (system.end_of_support or date.max, system.name), default=None)

    @property
    def families(self) -> frozenset[str]:
        """The families of its operating systems."""
        return frozenset(system.family for system in self.operating_systems)

    @property
    def known(self) -> dict[str, bool]:
        """Which facts are known, by the words that a reason uses for them."""
        return {
            "operating system": bool(self.operating_systems) and not self.unknown_systems,
            "end of support": bool(self.operating_systems) and all(s.end_of_support for s in self.operating_systems),
            "environment": self.environment_rank is not None,
            "criticality": self.criticality_level is not None,
            "utilisation": self.cpu_pct is not None and self.memory_pct is not None,
            "power state": self.power_known == self.live > 0,
            "virtual or physical": self.live > 0 and self.physical + self.virtual == self.live,
            "dependencies": self.neighbours > 0,
            "owner": self.owner is not None,
            "data classification": self.sensitivity is not None,
        }


def gather_facts(
    assets: pl.DataFrame, applications: pl.DataFrame, dependencies: pl.DataFrame, today: date
) -> list[ApplicationFacts]:
    """One `ApplicationFacts` an application, in the order of their ids."""
    grouped = (
        applications.select("application_uid", pl.col("asset_uids").alias("asset_uid"))
        .explode("asset_uid")
        .join(assets.select("asset_uid", *_GATHERED), on="asset_uid")
        .sort("application_uid", "asset_uid")
        .group_by("application_uid", maintain_order=True)
        .agg(*_GATHERED)
        .rename({"name": "asset_names", "lifecycle_status": "asset_statuses"})
    )
    rows = applications.join(grouped, on="application_uid", how="left").join(
        _neighbours(dependencies), on="application_uid", how="left"
    )
    return [_facts(row, today) for row in rows.sort("application_uid").iter_rows(named=True)]


def _neighbours(dependencies: pl.DataFrame) -> pl.DataFrame:
    """Of each application: how many it depends on, how many use it, how many different ones together."""
    forward = dependencies.select(
        pl.col("source_application_uid").alias("application_uid"), other="target_application_uid", out=True
    )
    backward = dependencies.select(
        pl.col("target_application_uid").alias("application_uid"), other="source_application_uid", out=False
    )
    return (
        pl.concat([forward, backward])
        .group_by("application_uid")
        .agg(
            pl.col("other").filter(pl.col("out")).n_unique().alias("depends_on"),
            pl.col("other").filter(~pl.col("out")).n_unique().alias("used_by"),
            pl.col("other").n_unique().alias("neighbours"),
        )
    )


def _facts(row: dict[str, Any], today: date) -> ApplicationFacts:
    statuses: list[str | None] = row["asset_statuses"] or []
    alive = [index for index, status in enumerate(statuses) if not is_retired(status)]
    counted = alive or list(range(len(statuses)))

    def of(column: str) -> list[Any]:
        values = row[column] or []
        return [values[index] for index in counted]

    def named(column: str) -> tuple[str, ...]:
        return tuple(sorted({value.strip() for value in of(column) if value and value.strip()}))

    systems = list(map(identify, of("operating_system_product"), of("operating_system_release")))
    known_systems = {system for system in systems if system}
    power = [state for state in of("power_state") if state]
    recorded = {_TREATMENTS.get(text.lower()) for text in named("migration_strategy")}
    engines = [
        *zip(of("database_engine"), of("database_version"), strict=True),
        # A server whose role is a database product has that engine, where its list of engines is empty.
        *(
            (role, release)
            for engine, role, release in zip(
                of("database_engine"), of("server_role_product"), of("server_role_release"), strict=True
            )
            if not engine and role in DATABASES
        ),
    ]
    hosts = sum(
        bool(_HYPERVISOR.search((kind or "").lower())) or (system is not None and system.family == "hypervisor")
        for kind, system in zip(of("asset_type"), systems, strict=True)
    )
    return ApplicationFacts(
        application_uid=row["application_uid"],
        name=row["name"],
        asset_count=len(statuses),
        retired_assets=len(statuses) - len(alive),
        live=len(counted),
        lifecycle_status=row["lifecycle_status"],
        environment=row["environment"],
        environment_rank=environment_rank(row["environment"]),
        criticality=row["criticality"],
        criticality_level=criticality_level(row["criticality"]),
        data_classification=row["data_classification"],
        sensitivity=sensitivity_level(row["data_classification"]),
        owner=row["business_owner"] or row["technical_owner"],
        powered_off=sum(is_powered_off(state) for state in power),
        power_known=len(power),
        cpu_pct=_highest(of("cpu_utilization_pct")),
        memory_pct=_highest(of("memory_utilization_pct")),
        operating_systems=tuple(sorted(known_systems, key=lambda system: system.name)),
        unsupported_assets=sum(bool(s and s.end_of_support and s.end_of_support <= today) for s in systems),
        unknown_systems=systems.count(None),
        non_x86=tuple(text for text in named("architecture") if _NON_X86.search(text.lower())),
        engines=tuple(sorted({f"{engine} {version or ''}".strip() for engine, version in engines if engine})),
        engine_products=named("database_engine_product"),
        physical=of("is_virtual").count(False),
        virtual=of("is_virtual").count(True),
        eol_date=min((day for day in of("eol_date") if day), default=None),
        cloud_assets=sum(
            bool(instance and (account or region))
            for instance, account, region in zip(
                of("instance_type"), of("cloud_account"), of("cloud_region"), strict=True
            )
        ),
        hypervisor_hosts=hosts,
        devices=tuple(kind for kind in named("asset_type") if _NOT_A_SERVER.search(kind.lower())),
        replacement=find_replacement(row["name"], *named("server_role"), *named("server_role_product")),
        recorded_treatments=tuple(sorted(treatment for treatment in recorded if treatment)),
        depends_on=row["depends_on"] or 0,
        used_by=row["used_by"] or 0,
        neighbours=row["neighbours"] or 0,
        today=today,
    )


def _highest(values: list[float | None]) -> float | None:
    """The busiest asset's figure; None when any of them is not known, since that one may be the busiest."""
    measured = [value for value in values if value is not None]
    return max(measured) if measured and len(measured) == len(values) else None
