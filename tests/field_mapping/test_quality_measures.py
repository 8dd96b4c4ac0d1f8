"""Figures of data quality, the rows behind each, and what an inventory is ready for."""

from datetime import date
from uuid import UUID

import polars as pl

from contracts.discovery import FieldQuality, QualityReport
from services.field_mapping.asset_changes import source_of
from services.field_mapping.inventory import build_inventory
from services.field_mapping.quality_measures import Measured, measure
from services.field_mapping.readiness import NEEDS, readiness
from tests.field_mapping.source_tables import Cells, source_table

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
    return measure(build_inventory(tables, UUID(int=7)).assets, tables, TODAY)


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
    fields = {need.field for needs in NEEDS.values() for need in needs}
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


def test_a_complete_inventory_is_ready_for_every_phase() -> None:
    assert [(phase.phase, phase.ready, phase.failures) for phase in readiness(report(1.0))] == [
        ("assessment", True, []),
        ("planning", True, []),
    ]


def test_what_is_missing_is_named_with_what_to_do() -> None:
    assessment, planning = readiness(report(0.65))
    assert [failure.figure for failure in assessment.failures] == ["completeness of Operating system"]
    assert "import a file that has it" in assessment.failures[0].advice
    assert [failure.figure for failure in planning.failures] == [
        "completeness of CPU cores",
        "completeness of Memory",
        "completeness of Storage",
    ]


def test_rejected_rows_and_unreadable_cells_hold_every_phase_back() -> None:
    for quality, figure in (
        (report(1, rejected=20), "rows that could be used"),
        (report(1, 0.9), "cells that could be read"),
    ):
        assert [[failure.figure for failure in phase.failures] for phase in readiness(quality)] == [[figure]] * 2


def test_an_inventory_without_assets_of_a_field_has_no_figure_of_it() -> None:
    cells: dict[str, Cells] = {"hostname": ["a"]}
    table = source_table(cells)
    found = measure(build_inventory([table], UUID(int=7)).assets, [table], TODAY)
    assert set(found.figures["measure"]) == {"completeness", "validity"}
    assert found.failures.is_empty()
