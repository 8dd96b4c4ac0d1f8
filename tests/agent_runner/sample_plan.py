"""A made-up estate with its assessment and plan, seeded, of any size: what the report is tested and looked at with."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import polars as pl

from contracts import claim_checks
from contracts.assessment import SixR
from contracts.catalog import CATALOG
from contracts.discovery import ColumnMapping, FieldQuality, QualityReport, ReportInputs, TableMapping
from contracts.planning import Wave
from contracts.report import Report
from services.agent_runner.reporting.summary import summarise
from tests.agent_runner.estates import recognised

GENERATED_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

SYSTEMS = [
    ("Windows Server 2019", "10.0.17763", None),
    ("Windows Server 2012 R2", None, date(2023, 10, 10)),
    ("Windows Server 2022", None, date(2031, 10, 14)),
    ("Red Hat Enterprise Linux", "8.6", None),
    ("Red Hat Enterprise Linux", "7.9", date(2024, 6, 30)),
    ("Ubuntu", "22.04", None),
    ("SUSE Linux Enterprise Server", "15 SP4", None),
    ("AIX", "7.2", None),
    ("Oracle Solaris", "11", None),
    (None, None, None),
]
SUBJECTS = [
    "Billing",
    "Claims",
    "Payroll",
    "Customer Portal",
    "Data Warehouse",
    "Intranet",
    "Ledger",
    "Order Entry",
    "Shipping",
    "Document Archive",
    "Identity",
    "Reporting",
    "Mail Relay",
    "Web Shop",
    "Fleet",
    "Treasury",
]
TREATMENTS: list[tuple[SixR, str, str]] = [
    (
        "rehost",
        "default_rehost",
        "Nothing speaks against moving it as it is: virtual, supported and without a licence tie.",
    ),
    ("replatform", "database_to_managed", "It keeps its data in SQL Server, which a managed database can hold."),
    ("rehost", "vm_on_vmware", "All of its machines are virtual and can be replicated block by block."),
    ("refactor", "custom_and_critical", "It is custom code, critical, and changes often enough to pay for a rebuild."),
    ("repurchase", "saas_exists", "A service with the same function is on the market and data can be exported."),
    ("retire", "decommissioned", "Its machines are powered off or marked as decommissioned."),
    ("retain", "unix_hardware", "It runs on AIX or Solaris hardware that no cloud offers."),
]


@dataclass(frozen=True)
class SamplePlan:
    """The arguments of `summarise`."""

    assets: pl.DataFrame
    applications: pl.DataFrame
    dependencies: pl.DataFrame
    assessments: pl.DataFrame
    plan: pl.DataFrame
    waves: list[Wave]
    unplanned: dict[str, int]
    report: ReportInputs

    def summarise(self) -> Report:
        return summarise(
            self.assets, self.applications, self.dependencies, self.assessments, self.plan, self.waves, self.unplanned,
            self.report, GENERATED_AT,
        )  # fmt: skip


def frame(layout: dict[str, str], rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows in a layout of `contracts.claim_checks`; columns that a row does not have are null."""
    types = {name: pl.List(pl.String) if kind == "List(String)" else getattr(pl, kind) for name, kind in layout.items()}
    columns = {name: [row.get(name) for row in rows] for name in layout}
    return pl.DataFrame(columns, schema=types)


def quality_of(assets: pl.DataFrame, invalid: dict[str, int] | None = None, rows_rejected: int = 0) -> QualityReport:
    """The quality of a frame of assets, with invalid values as told."""
    fields = []
    for field in CATALOG:
        filled, wrong = assets[field].count(), (invalid or {}).get(field, 0)
        fields.append(
            FieldQuality(
                field=field,
                filled=filled,
                invalid=wrong,
                completeness=filled / assets.height if assets.height else 0,
                validity=filled / (filled + wrong) if filled + wrong else 1,
            )
        )
    important = [f for f in fields if CATALOG[f.field].importance in ("required", "high")]
    duplicates = assets.height // 20
    return QualityReport(
        rows_read=assets.height + duplicates + rows_rejected,
        assets=assets.height,
        duplicates_merged=duplicates,
        rows_rejected=rows_rejected,
        completeness=sum(f.completeness for f in important) / len(important),
        validity=sum(f.validity for f in important) / len(important),
        uniqueness=assets.height / max(1, assets.height + duplicates),
        fields=fields,
    )


def sample_plan(asset_count: int, seed: int = 7, wave_size: int = 60) -> SamplePlan:
    """A plan for `asset_count` assets, four to an application on average."""
    rng = random.Random(seed)
    assets = [_asset(rng, number) for number in range(asset_count)]
    applications: list[dict[str, Any]] = []
    rest = [str(asset["asset_uid"]) for asset in assets]
    while rest:
        members, rest = rest[: (size := rng.choice([1, 2, 3, 4, 5, 9]))], rest[size:]
        applications.append(_application(rng, len(applications), members))
    assessments = [_assessment(rng, application) for application in applications]
    plan, waves = _plan(rng, applications, assessments, wave_size)
    uids = [application["application_uid"] for application in applications]
    names = {application["application_uid"]: application["name"] for application in applications}
    dependencies = []
    for _ in range(len(uids) * 2 if len(uids) > 1 else 0):
        near = rng.randrange(max(1, len(plan) - 3))
        if plan and rng.random() < 0.6:
            source, target = plan[near]["application_uid"], rng.choice(plan[near : near + 3])["application_uid"]
        else:
            source, target = rng.choice(uids), uids[min(int(rng.expovariate(0.08)), len(uids) - 1)]
        dependencies.append(
            {
                "source_application_uid": source,
                "target_application_uid": target,
                "source_name": names[source],
                "target_name": names[target],
                "kind": rng.choice(["connection", "connection", "declared", "shared_asset"]),
                "port": rng.choice([443, 1433, 1521, 5432, 8080]),
                "observations": rng.randint(1, 4000),
                "evidence": f"{names[source]} was seen connecting to {names[target]}.",
            }
        )
    strategies = [row["strategy"] for row in assessments]
    asset_frame = recognised(frame(claim_checks.ASSETS, assets))
    return SamplePlan(
        assets=asset_frame,
        applications=frame(claim_checks.APPLICATIONS, applications),
        dependencies=frame(claim_checks.DEPENDENCIES, dependencies),
        assessments=frame(claim_checks.ASSESSMENTS, assessments),
        plan=frame(claim_checks.PLAN, plan),
        waves=waves,
        unplanned={name: strategies.count(name) for name in ("retire", "retain") if name in strategies},
        report=ReportInputs(
            quality=quality_of(asset_frame, {"memory_gb": 4, "install_date": 11}, rows_rejected=asset_count // 100),
            mappings=[_mapping()],
            files=["rvtools_export.xlsx", "cmdb_servers.csv"],
        ),
    )


def _uid(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128)))


def _asset(rng: random.Random, number: int) -> dict[str, Any]:
    system, version, ends = rng.choice(SYSTEMS)
    name = f"{rng.choice(['app', 'db', 'web', 'srv'])}{number:05}"
    cores = rng.choice([2, 4, 8, 16])
    return {
        "asset_uid": _uid(rng),
        "name": name,
        "source_rows": f"rvtools_export.xlsx/vInfo:{number + 2}; cmdb_servers.csv:{number + 2}",
        "hostname": name,
        "fqdn": f"{name}.corp.example",
        "ip_address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "operating_system": system,
        "os_version": version,
        "eol_date": ends,
        "cpu_cores": cores,
        "memory_gb": cores * 4.0 if rng.random() < 0.95 else None,
        "storage_gb": round(rng.uniform(40, 2000), 1) if rng.random() < 0.8 else None,
        "storage_used_gb": round(rng.uniform(20, 900), 1) if rng.random() < 0.4 else None,
        "cpu_utilization_pct": round(rng.uniform(1, 90), 1) if rng.random() < 0.55 else None,
        "is_virtual": rng.random() < 0.9,
        "power_state": rng.choice(["on", "on", "on", "off"]),
        "virtualization_host": f"esx{number % 12:02}.corp.example",
        "hypervisor": "VMware ESXi",
        "environment": rng.choice(["production", "production", "production", "test", "development", "staging", None]),
        "datacenter": rng.choice(
            ["Frankfurt", "Frankfurt", "Dublin", "Madrid (colocation, building 4, floor 2)", None]
        ),
        "criticality": rng.choice(["high", "medium", "low", None]),
        "application_name": rng.choice([*SUBJECTS, None]),
        "business_owner": rng.choice(["Ada Byron", "Grace Murray", None]),
        "install_date": date(2012 + number % 12, 1 + number % 12, 1 + number % 28),
        "last_seen": datetime(2026, 11, 1 + number % 19, 4, 30),  # noqa: DTZ001 - the layout has no time zone
        "manufacturer": "VMware, Inc.",
        "serial_number": f"VMW-{number:08}",
        "mac_address": f"00:50:56:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
        "lifecycle_status": rng.choice(["in_use", "in_use", "retired"]),
        "description": "Serves the department's daily work and the nightly batch.",
        "cluster": f"cluster-{number % 6}",
        "support_group": "Server Operations",
        "cost_center": f"CC-{number % 40:03}",
    }


def _application(rng: random.Random, number: int, members: list[str]) -> dict[str, Any]:
    inferred = rng.random() < 0.12
    owner = rng.choice(["Ada Byron", "Grace Murray", "Alan Mathison", None])
    return {
        "application_uid": _uid(rng),
        "name": f"srv{number:05}" if inferred else f"{SUBJECTS[number % len(SUBJECTS)]} {number // len(SUBJECTS) + 1}",
        "asset_uids": members,
        "asset_count": len(members),
        "environment": rng.choice(["production", "production", "test", "development"]),
        "criticality": rng.choice(["high", "medium", "low", None]),
        "business_owner": None if inferred else owner,
        "technical_owner": rng.choice(["Operations", None, None]),
        "lifecycle_status": "in_use",
        "inferred": inferred,
    }


def _assessment(rng: random.Random, application: dict[str, Any]) -> dict[str, Any]:
    strategy, rule, reason = rng.choices(TREATMENTS, weights=[30, 18, 15, 6, 5, 8, 7])[0]
    return {
        "application_uid": application["application_uid"],
        "name": application["name"],
        "strategy": strategy,
        "confidence": round(rng.uniform(0.45, 0.97), 2),
        "rule": rule,
        "reason": reason,
        "risk": round(rng.betavariate(2, 3), 2),
        "complexity": round(rng.betavariate(2, 4), 2),
        "engine": "rules",
    }


def _plan(
    rng: random.Random, applications: list[dict[str, Any]], assessments: list[dict[str, Any]], wave_size: int
) -> tuple[list[dict[str, Any]], list[Wave]]:
    moving = [
        (application, assessment)
        for application, assessment in zip(applications, assessments, strict=True)
        if assessment["strategy"] not in ("retire", "retain")
    ]
    moving.sort(key=lambda pair: pair[1]["risk"])
    rows: list[dict[str, Any]] = []
    waves: list[Wave] = []
    while moving:
        limit = 15 if not waves else wave_size
        batch: list[tuple[dict[str, Any], dict[str, Any]]] = []
        while moving and (not batch or sum(a["asset_count"] for a, _ in batch) + moving[0][0]["asset_count"] <= limit):
            batch.append(moving.pop(0))
        number = len(waves) + 1
        for application, assessment in batch:
            row = {key: assessment[key] for key in ("application_uid", "name", "strategy", "risk")}
            group = len(rows) // 2 + 1
            reason = "Goes with what it talks to most."
            rows.append(
                {
                    **row,
                    "wave": number,
                    "move_group": group,
                    "asset_count": application["asset_count"],
                    "reason": reason,
                }
            )
        waves.append(
            Wave(
                number=number,
                name="Pilot" if number == 1 else f"Wave {number}",
                application_ids=[UUID(application["application_uid"]) for application, _ in batch],
                application_names=[application["name"] for application, _ in batch],
                asset_count=sum(application["asset_count"] for application, _ in batch),
                risk=sum(assessment["risk"] for _, assessment in batch) / len(batch),
                move_groups=max(1, len(batch) // 2),
                reason="Small, low in risk and little connected: it proves the landing zone before more depends on it."
                if number == 1
                else "These groups depend on what earlier waves have moved, and are riskier than those before.",
            )
        )
    return rows, waves


def _mapping() -> TableMapping:
    columns = [
        ("VM", "vm_name", 0.99, "accepted", "The name is a known synonym of VM name."),
        ("DNS Name", "fqdn", 0.93, "accepted", "A known synonym, and the values are domain names."),
        ("CPUs", "cpu_cores", 0.97, "accepted", "A known synonym; the values are small integers."),
        ("Memory", "memory_gb", 0.95, "accepted", "A known synonym; the values are in MB."),
        ("Provisioned MiB", "storage_gb", 0.88, "accepted", "The unit in the name is MiB."),
        ("Folder", "application_name", 0.58, "review", "Folders often name applications, but not always."),
        ("Custom 7", None, 0.0, "unmapped", "Neither the name nor the values tell what it is."),
    ]
    return TableMapping(
        table_id=UUID(int=1),
        file_name="rvtools_export.xlsx",
        sheet="vInfo",
        kind="inventory",
        columns=[
            ColumnMapping.model_validate({"column": c, "field": f, "confidence": p, "status": s, "reason": r})
            for c, f, p, s, r in columns
        ],
    )
