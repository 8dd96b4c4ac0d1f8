"""The main job on the exports of other sources: RVTools' workbook and ServiceNow's server list."""

from collections import Counter
from pathlib import Path

import pytest

from deploy.demo.generate import generate
from tests.e2e.main_job import ENVIRONMENTS, GONE, finish
from tests.e2e.platform import Platform

ROWS, SEED = 300, 11


@pytest.mark.parametrize("dialect", ["rvtools", "servicenow"])
async def test_an_export_of_another_source_gives_what_is_true(dialect: str, embedded: Platform, tmp_path: Path) -> None:
    export = tmp_path / dialect
    generate(export, rows=ROWS, seed=SEED, dialect=dialect)

    job = await finish(embedded, export)

    truth, assets = job.truth["inventory"], job.outcome.assets
    machines = truth["distinct_assets"] + truth["hosts_in_sheet_of_their_own"]
    assert len(assets) == machines
    assert job.outcome.summary("discovery", "inventory")["duplicates_merged"] == truth["duplicate_rows"]
    assert len(job.outcome.rejected_rows) == truth["rows_without_name"]
    # Sheets of hosts do not say their environment.
    unknown = Counter({None: truth["hosts_in_sheet_of_their_own"]})
    environments = Counter({ENVIRONMENTS[name]: count for name, count in truth["by_environment"].items()})
    assert Counter(asset["environment"] for asset in assets.values()) == environments + unknown
    if dialect == "servicenow":
        assert sum(asset["lifecycle_status"] in GONE for asset in assets.values()) == truth["decommissioned"]
    assert job.outcome.dead_letters == []
    assert job.unfinished == {}
    assert job.audit["valid"]
    wrong = {
        (true["name"], field): (assets[true["name"]][field], true[field])
        for true in job.truth["reference_assets"]
        for field in ("cpu_cores", "memory_gb", "storage_gb")
        if assets[true["name"]][field] != true[field]
    }
    assert not wrong
