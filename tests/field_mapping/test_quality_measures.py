"""Figures of data quality, the rows behind each, and what an inventory is ready for."""

from datetime import date
from types import MappingProxyType

import polars as pl
import pytest
from pydantic import ValidationError

from contracts.catalog import CATALOG
from contracts.configuration import READINESS_THRESHOLDS
from contracts.discovery import FieldQuality, PhaseReadiness, QualityReport
from contracts.readiness import Thresholds
from services.field_mapping.asset_changes import source_of
from services.field_mapping.quality_measures import Measured, measure
from services.field_mapping.readiness import Lacking, readiness
from tests.field_mapping.source_tables import Cells, inventory_of, source_table

TODAY = date(2026, 6, 1)
CMDB = source_table(
    {
        "hostname": ["web01", "web02", "db01", "old01"],
        "asset_type": ["vm", "vm", "server", None],
        "ip_address": ["10.0.0.1", "10.0.0.1", "10.0.0.3", "nowhere"],
        "memory_gb": ["16", "lots", "64", None],
        "memory_used_gb": ["8", "8", "80", None],
        "lifecycle_status": ["active", "active", "active", "retired"],
        "power_state": ["on", "off", "on", "running"],
        "last_seen": ["2026-05-30", "2026-05-30", "2025-01-01", None],
    },
    file_name="cmdb_2026-05-31.csv",
)
AGENT = source_table({"hostname": ["web01", "mail01"], "memory_gb": ["16", None]}, file_name="agent.csv")


def measured() -> Measured:
    tables = [CMDB, AGENT]
    return measure(inventory_of(tables).assets, tables, TODAY)


def figure(name: str, of: str, asset_type: str | None = None, source: str | None = None) -> tuple[int, int]:
    wanted = pl.struct("measure", "of", "asset_type", "source").eq_missing(
        pl.struct(
            measure=pl.lit(name),
            of=pl.lit(of),
            asset_type=pl.lit(asset_type, pl.String),
            source=pl.lit(source, pl.String),
        )
    )
    found = measured().figures.filter(wanted)
    assert found.height == 1
    return found["good"][0], found["total"][0]


def failures(name: str, of: str) -> list[tuple[str, str | None]]:
    found = measured().failures.filter(pl.col("measure") == name, pl.col("of") == of)
    return sorted(found.select("source_rows", "value").iter_rows())


def test_completeness_is_told_of_all_of_a_type_and_of_a_source() -> None:
    assert figure("completeness", "memory_gb") == (2, 5)
    assert figure("completeness", "memory_gb", asset_type="vm") == (1, 2)
    assert figure("completeness", "memory_gb", asset_type="unknown") == (0, 2)
    assert figure("completeness", "memory_gb", source="cmdb.csv") == (2, 4)
    assert figure("completeness", "memory_gb", source="agent.csv") == (1, 2)


def test_validity_counts_the_cells_of_a_source_and_lists_those_that_could_not_be_read() -> None:
    assert figure("validity", "memory_gb", source="cmdb.csv") == (2, 3)
    assert failures("validity", "memory_gb") == [("cmdb_2026-05-31.csv:3", "lots")]
    assert failures("validity", "ip_address") == [("cmdb_2026-05-31.csv:5", "nowhere")]


def test_uniqueness_lists_the_assets_that_share_a_value() -> None:
    assert figure("uniqueness", "ip_address") == (1, 3)
    assert [value for _, value in failures("uniqueness", "ip_address")] == ["10.0.0.1", "10.0.0.1"]


def test_consistency_lists_the_values_that_contradict_each_other() -> None:
    rule = "memory_used_gb is at most memory_gb"
    assert figure("consistency", rule) == (1, 2)
    assert failures("consistency", rule) == [("cmdb_2026-05-31.csv:4", "80.0, 64.0")]
    switched_on = failures("consistency", "a retired or decommissioned asset is not switched on")
    assert switched_on == [("cmdb_2026-05-31.csv:5", "retired, on")]


def test_timeliness_lists_what_was_not_seen_for_long() -> None:
    assert figure("timeliness", "last_seen") == (2, 3)
    assert [where for where, _ in failures("timeliness", "last_seen")] == ["cmdb_2026-05-31.csv:4"]


def test_every_figure_is_backed_by_as_many_rows_as_it_lacks() -> None:
    found = measured()
    lacking = found.figures.filter(
        pl.col("measure") != "completeness",
        pl.col("asset_type").is_null(),
        pl.col("source").is_null() | (pl.col("measure") == "validity"),
    )
    for row in lacking.iter_rows(named=True):
        listed = found.failures.filter(pl.col("measure") == row["measure"], pl.col("of") == row["of"])
        of_source = [where for where in listed["source_rows"] if row["source"] in (None, source_of(where))]
        assert len(of_source) == row["total"] - row["good"]


def report(completeness: float, validity: float = 1.0, rejected: int = 0) -> QualityReport:
    fields = set(CATALOG)
    return QualityReport(
        rows_read=100,
        assets=100 - rejected,
        duplicates_merged=0,
        rows_rejected=rejected,
        completeness=completeness,
        validity=validity,
        uniqueness=1,
        fields=[
            FieldQuality(field=field, filled=0, invalid=0, completeness=completeness, validity=1)
            for field in sorted(fields)
        ],
    )


def judged(
    quality: QualityReport, filled: int = 20, thresholds: Thresholds = MappingProxyType({})
) -> list[PhaseReadiness]:
    """The readiness of 20 assets, of which so many have every field, with an application list that says nothing."""
    cells = [None if row >= filled else "x" for row in range(20)]
    assets = pl.DataFrame({"name": "web", "source_rows": [f"a.csv:{row}" for row in range(20)]}).with_columns(
        pl.Series(field, cells, dtype=pl.String) for field in CATALOG
    )
    lacking = Lacking(thresholds, assets.head(0))
    for piece in assets.iter_slices(7):
        lacking.add(piece)
    return readiness(None, quality, lacking, thresholds)


def test_a_complete_inventory_is_ready_for_every_phase() -> None:
    assert [(phase.phase, phase.ready, phase.failures) for phase in judged(report(1.0))] == [
        ("assessment", True, []),
        ("planning", True, []),
    ]


def test_what_is_missing_is_named_with_how_many_lack_it_some_of_them_and_what_to_do() -> None:
    assessment, planning = judged(report(0.65), filled=13)
    [low] = assessment.failures
    assert (low.figure, low.of, low.lacking, low.total) == (
        "completeness of Operating system", "operating_system", 7, 20,
    )  # fmt: skip
    assert [example.source_rows for example in low.examples] == [f"a.csv:{row}" for row in range(13, 18)]
    assert "import a file that has it" in low.advice
    assert [failure.of for failure in planning.failures] == ["cpu_cores", "memory_gb", "storage_gb"]


def test_rejected_rows_and_unreadable_cells_hold_every_phase_back() -> None:
    for quality, figure in (
        (report(1, rejected=20), "rows that could be used"),
        (report(1, 0.9), "cells that could be read"),
    ):
        assert [[failure.figure for failure in phase.failures] for phase in judged(quality)] == [[figure]] * 2


def test_an_engagement_has_thresholds_of_its_own() -> None:
    own = {"assessment": {"operating_system": 0.6, "environment": 0}, "planning": {"business_owner": 0.9}}
    assessment, planning = judged(report(0.6), filled=12, thresholds=own)
    assert [failure.of for failure in assessment.failures] == []
    assert planning.failures[-1].of == "business_owner"
    assert planning.failures[-1].advice.startswith("This engagement asks for it.")


@pytest.mark.parametrize(
    "thresholds", [{"discovery": {}}, {"planning": {"memory": 0.5}}, {"planning": {"memory_gb": 1.1}}]
)
def test_a_threshold_of_something_unknown_is_refused(thresholds: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValidationError):
        READINESS_THRESHOLDS.value_of(thresholds)


def test_what_an_application_list_says_of_an_application_holds_for_its_assets() -> None:
    rows = [("Shop", None), ("shop ", None), ("Mail", None), (None, None), ("Wiki", "low")]
    assets = pl.DataFrame(
        {"name": "web", "source_rows": "a.csv:2", **dict.fromkeys(CATALOG, "x")}
        | {"application_name": [r[0] for r in rows]}
    ).with_columns(criticality=pl.Series([row[1] for row in rows], dtype=pl.String))
    listed = pl.DataFrame({"application_name": ["SHOP", "Mail"], "criticality": ["high", None]})
    listed = listed.with_columns(
        pl.lit(None, pl.String).alias(name)
        for name in ("lifecycle_status", "environment", "business_owner", "technical_owner")
    )
    thresholds = {"planning": {"criticality": 1}}
    lacking = Lacking(thresholds, listed)
    lacking.add(assets)
    _, planning = readiness(None, report(1.0), lacking, thresholds)
    [low] = [failure for failure in planning.failures if failure.of == "criticality"]
    assert (low.lacking, low.total) == (2, 5)


def test_an_inventory_without_assets_of_a_field_has_no_figure_of_it() -> None:
    cells: dict[str, Cells] = {"hostname": ["a"]}
    table = source_table(cells)
    found = measure(inventory_of([table]).assets, [table], TODAY)
    assert set(found.figures["measure"]) == {"completeness", "validity"}
    assert found.failures.is_empty()
