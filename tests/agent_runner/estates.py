"""Small estates for the analyses: rows as dictionaries, the rest of each layout filled with nulls."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import polars as pl
from hypothesis import strategies as st

from contracts import claim_checks
from services.agent_runner.analysis.layouts import schema_of
from services.field_mapping.technology_columns import with_technologies

NAMESPACE = UUID("7d9f0c1e-0000-4000-8000-000000000001")


def table(layout: dict[str, str], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    unknown = {name for row in rows for name in row} - set(layout)
    assert not unknown, f"not in the layout: {unknown}"
    return pl.DataFrame([{name: row.get(name) for name in layout} for row in rows], schema=schema_of(layout))


def uid(name: str) -> str:
    return str(uuid5(NAMESPACE, name))


def assets(*rows: Mapping[str, Any]) -> pl.DataFrame:
    filled = [{"asset_uid": f"asset-{row['name']}", "hostname": row["name"], **row} for row in rows]
    return recognised(table(claim_checks.ASSETS, filled))


def recognised(table_of_assets: pl.DataFrame) -> pl.DataFrame:
    """Assets with what their texts of technologies mean, as the inventory that field mapping makes has them."""
    meanings = [f"{field}_{part}" for field in claim_checks.TECHNOLOGY_FIELDS for part in ("product", "release")]
    return with_technologies(table_of_assets.drop(meanings)).select(table_of_assets.columns)


def application_list(*rows: Mapping[str, Any]) -> pl.DataFrame:
    return table(claim_checks.APPLICATION_LIST, rows)


def connections(*rows: tuple[str, str, int | None, int | None]) -> pl.DataFrame:
    names = ("source", "target", "port", "observations")
    return table(claim_checks.CONNECTIONS, [dict(zip(names, row, strict=True)) for row in rows])


def applications(*rows: Mapping[str, Any]) -> pl.DataFrame:
    filled = [
        {"application_uid": uid(row["name"]), "asset_uids": [], **row, "asset_count": len(row.get("asset_uids", []))}
        for row in rows
    ]
    return table(claim_checks.APPLICATIONS, filled)


def dependencies(*rows: tuple[str, str, str, int | None, int]) -> pl.DataFrame:
    """Rows of source name, target name, kind, port and observations."""
    return table(
        claim_checks.DEPENDENCIES,
        [
            {
                "source_application_uid": uid(source),
                "target_application_uid": uid(target),
                "source_name": source,
                "target_name": target,
                "kind": kind,
                "port": port,
                "observations": observations,
                "evidence": f"{source} → {target}",
            }
            for source, target, kind, port, observations in rows
        ],
    )


def assessments(*rows: tuple[str, str, float]) -> pl.DataFrame:
    """Rows of application name, strategy and risk."""
    names = ("name", "strategy", "risk")
    return table(
        claim_checks.ASSESSMENTS,
        [{"application_uid": uid(row[0]), **dict(zip(names, row, strict=True))} for row in rows],
    )


_ENDS = st.sampled_from([f"host{number}" for number in range(9)] + ["10.0.0.3", "HOST4.corp.local", "8.8.8.8", ""])
_APPLICATION_NAMES = st.sampled_from(
    [None, "CRM", "crm ", "Billing", "Billing; CRM", "Web, Mail", "n/a", "Jira", "host2"]
)


@st.composite
def estates(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Assets, application list and connections with the gaps and spellings that real ones have."""
    rows = [
        {
            "name": f"host{number}",
            "ip_address": f"10.0.0.{number}",
            "application_name": draw(_APPLICATION_NAMES),
            "dependencies": draw(st.sampled_from([None, "Billing", "host1:1433; host2", "nowhere"])),
            "environment": draw(st.sampled_from([None, "production", "test", "dev", "DR", "???"])),
            "criticality": draw(st.sampled_from([None, "low", "1 - most critical", "high"])),
            "operating_system": draw(st.sampled_from([None, "Windows Server 2012", "RHEL 9", "AIX 7.1", "z/OS", "??"])),
            "lifecycle_status": draw(st.sampled_from([None, "in use", "Retired"])),
            "power_state": draw(st.sampled_from([None, "on", "poweredOff"])),
            "database_engine": draw(st.sampled_from([None, None, "Oracle RAC", "MySQL"])),
            "cpu_utilization_pct": draw(st.none() | st.floats(0, 100)),
            "memory_utilization_pct": draw(st.none() | st.floats(0, 100)),
            "is_virtual": draw(st.sampled_from([None, True, False])),
        }
        for number in range(draw(st.integers(0, 9)))
    ]
    listed = [
        {"application_name": name, "criticality": draw(st.sampled_from([None, "low", "high"])), "dependencies": target}
        for name, target in draw(st.lists(st.tuples(_APPLICATION_NAMES, st.sampled_from([None, "CRM"])), max_size=4))
    ]
    seen = draw(
        st.lists(
            st.tuples(_ENDS, _ENDS, st.sampled_from([None, 53, 443]), st.none() | st.integers(1, 900)), max_size=20
        )
    )
    return assets(*rows), application_list(*listed), connections(*seen)
