"""The main job on the bundled export, from upload to report: what comes out is what is true."""

import io
import zipfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import deploy.demo
from contracts.report import Report
from services.chassis.testing import TestPostgres
from tests.e2e.main_job import ENVIRONMENTS, GONE, FinishedJob, a_platform_on, files_of, finish
from tests.e2e.outcome import REPORT_FORMATS
from tests.e2e.platform import Platform

EXPORT = Path(next(iter(deploy.demo.__path__))) / "export"
# What a person knows of the doubtful columns; the platform proposes something else for the last two.
EDITS: dict[str, str | None] = {"Owner": "technical_owner", "Tier": "criticality", "Size": "database_size_gb"}
LARGEST_WAVE = 60


@pytest.fixture(scope="module")
async def job(
    a_bus: str | None, postgres: TestPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FinishedJob]:
    """The finished job on each bus in turn."""
    async with a_platform_on(a_bus, postgres, tmp_path_factory.mktemp("job")) as platform:
        yield await finish(platform, EXPORT, EDITS)


def test_every_machine_is_one_asset(job: FinishedJob) -> None:
    truth = job.truth["inventory"]

    assert len(job.outcome.assets) == truth["distinct_assets"]
    assert job.outcome.summary("discovery", "inventory") == {
        "assets": truth["distinct_assets"],
        "duplicates_merged": truth["duplicate_rows"],
        "rows_rejected": truth["rows_without_name"],
        "completeness": job.outcome.report["quality"]["completeness"],
    }


def test_rows_without_a_name_are_listed_and_not_lost(job: FinishedJob) -> None:
    rejected = job.outcome.rejected_rows

    assert len(rejected) == job.truth["inventory"]["rows_without_name"]
    assert {row["file_name"] for row in rejected} == {"inventory.csv"}
    assert all(row["row"] > job.truth["layout"]["header_row"] and row["reason"] and row["raw"] for row in rejected)


def test_environments_are_counted_as_they_are(job: FinishedJob) -> None:
    counted = Counter(asset["environment"] for asset in job.outcome.assets.values())

    assert counted == {ENVIRONMENTS[name]: count for name, count in job.truth["inventory"]["by_environment"].items()}


def test_decommissioned_machines_are_recognised(job: FinishedJob) -> None:
    gone = {name for name, asset in job.outcome.assets.items() if asset["lifecycle_status"] in GONE}
    known = {each["name"] for each in job.truth["reference_assets"] if each["decommissioned"]}

    assert len(gone) == job.truth["inventory"]["decommissioned"]
    assert known <= gone


@pytest.mark.parametrize("field", ["ip_address", "cpu_cores", "memory_gb", "storage_gb", "install_date"])
def test_values_are_those_of_the_machines(job: FinishedJob, field: str) -> None:
    wrong = {}
    for true in job.truth["reference_assets"]:
        asset = job.outcome.assets[true["name"]]
        value = {**asset["attributes"], **asset}[field]
        if value != true[field]:
            wrong[true["name"]] = (value, true[field])

    assert not wrong


def test_assets_belong_to_their_applications(job: FinishedJob) -> None:
    for true in job.truth["reference_assets"]:
        name = job.outcome.assets[true["name"]]["application_name"]
        assert _folded(name) == _folded(true["application_name"])


def test_every_listed_application_is_there_once(job: FinishedJob) -> None:
    truth = job.truth["applications"]
    listed = [each for each in job.outcome.applications.values() if not each["inferred"]]

    assert len(listed) == truth["distinct"]
    assert sum(each["asset_count"] == 0 for each in listed) == truth["without_assets"]


def test_the_gate_asks_for_the_doubtful_columns(job: FinishedJob) -> None:
    task = job.outcome.followed.tasks["field_mapping"]
    asked = {
        table["file_name"]: {column["column"] for column in table["columns"] if column["status"] == "review"}
        for table in task["details"]["mappings"]
    }

    doubtful = {column["header"] for column in job.truth["columns"]["inventory.csv"] if column["doubtful"]}
    # Of two columns of processes, the one of the destination fits better; a time slot is most likely nothing.
    of_connections = {"Source process", "Timeslot"}
    assert asked == {"inventory.csv": doubtful, "applications.csv": set(), "connections.csv": of_connections}
    assert doubtful == {*EDITS, "Database"}


def test_a_decision_with_edits_changes_the_result(job: FinishedJob) -> None:
    decided = {
        column["column"]: column
        for table in job.outcome.mappings
        if table["file_name"] == "inventory.csv"
        for column in table["columns"]
    }
    assets = job.outcome.assets.values()

    for column, field in EDITS.items():
        assert (decided[column]["field"], decided[column]["status"]) == (field, "accepted")
        assert "Decided by" in decided[column]["reason"]
    assert any(asset["criticality"] for asset in assets)
    assert any("database_size_gb" in asset["attributes"] for asset in assets)
    assert not any("dr_tier" in asset["attributes"] for asset in assets)
    assert not any("business_owner" in asset["attributes"] for asset in assets)


def test_a_person_approves_the_plan(job: FinishedJob) -> None:
    task = job.outcome.followed.tasks["wave_plan"]
    planned = [(wave["number"], wave["application_names"]) for wave in task["details"]["waves"]]

    assert planned == [(wave["number"], wave["application_names"]) for wave in job.outcome.waves]


def test_every_application_is_in_one_wave_or_stays(job: FinishedJob) -> None:
    planned = Counter(name for wave in job.outcome.waves for name in wave["application_names"])
    staying = {name for name, each in job.outcome.treatments.items() if each["strategy"] in ("retire", "retain")}

    assert set(planned.values()) == {1}
    assert planned.keys() | staying == job.outcome.applications.keys() == job.outcome.treatments.keys()
    assert not planned.keys() & staying


def test_move_groups_that_fit_into_a_wave_stay_together(job: FinishedJob) -> None:
    wave_of = {_folded(name): wave["number"] for wave in job.outcome.waves for name in wave["application_names"]}
    assets_of = {_folded(name): each["asset_count"] for name, each in job.outcome.applications.items()}
    groups = [[_folded(name) for name in group] for group in job.truth["move_groups"]]
    whole = [
        group
        for group in groups
        if all(name in wave_of for name in group) and sum(assets_of[name] for name in group) <= LARGEST_WAVE
    ]

    assert whole
    assert [group for group in whole if len({wave_of[name] for name in group}) > 1] == []


def test_every_format_of_the_report_opens(job: FinishedJob) -> None:
    files = job.outcome.report_files

    assert files.keys() == REPORT_FORMATS
    assert files["html"].lstrip().lower().startswith(b"<!doctype html>")
    assert zipfile.is_zipfile(io.BytesIO(files["xlsx"]))
    assert len(openpyxl.load_workbook(io.BytesIO(files["xlsx"]), read_only=True).sheetnames) > 1
    assert Report.model_validate_json(files["json"]).files == ["applications.csv", "connections.csv", "inventory.csv"]


def test_the_read_model_says_what_the_report_says(job: FinishedJob) -> None:
    outcome, report = job.outcome, job.outcome.report
    headline = report["headline"]

    assert headline["assets"] == len(outcome.assets)
    assert headline["applications"] == len(outcome.applications)
    assert headline["dependencies"] == len(outcome.dependencies)
    assert headline["rows_rejected"] == len(outcome.rejected_rows)
    assert [(wave["number"], wave["assets"], wave["risk"]) for wave in report["waves"]] == [
        (wave["number"], wave["asset_count"], wave["risk"]) for wave in outcome.waves
    ]
    assert {each["strategy"]: each["applications"] for each in report["treatments"]} == Counter(
        each["strategy"] for each in outcome.treatments.values()
    )
    wave_of = {name: wave["number"] for wave in outcome.waves for name in wave["application_names"]}
    for row in report["applications"]:
        treatment = outcome.treatments[row["name"]]
        assert (row["wave"], row["strategy"], row["reason"]) == (
            wave_of.get(row["name"]),
            treatment["strategy"],
            treatment["reason"],
        )


def test_master_child_and_journal_agree(job: FinishedJob) -> None:
    flows = job.outcome.followed.flows
    masters = {str(row["flow_id"]): row for row in job.masters}

    assert masters.keys() == {flow["flow_id"] for flow in flows.values()}
    for name, flow in flows.items():
        master = masters[flow["flow_id"]]
        (child,) = job.children[name]
        journal = [entry for entry in job.journal if str(entry["flow_id"]) == flow["flow_id"]]
        assert master["status"] == child["status"] == journal[-1]["status"] == flow["status"] == "completed"
        assert master["current_phase"] == child["current_phase"] == flow["current_phase"]
        assert [entry["seq"] for entry in journal] == list(range(1, master["revision"] + 1))
        assert master["waits_until"] is None
    assert job.children["discovery"][0]["asset_count"] == len(job.outcome.assets)
    assert job.children["planning"][0]["wave_count"] == len(job.outcome.waves)


def test_nothing_is_left_over(job: FinishedJob) -> None:
    assert job.unfinished == {}
    assert job.outcome.dead_letters == []


def test_the_audit_log_is_whole(job: FinishedJob) -> None:
    assert job.audit["valid"], job.audit["detail"]
    assert job.audit["entries"] > 0
    expected = {"import.uploaded", "discovery.requested", "discovery.completed", "approval.decided"}
    assert expected | {"assessment.completed", "planning.completed", "report.completed"} <= job.audited_types.keys()


async def test_the_same_files_give_the_same_assets_again(platform: Platform) -> None:
    client = platform.client
    found: list[dict[str, Any]] = []
    for _ in range(2):
        followed = await client.follow(await client.start_with(files_of(EXPORT), then=[]), until="discovery")
        # The newest completed flow is what a list shows that is asked for none.
        await platform.settled()
        assert followed.last["status"] == "completed"
        assets = await client.every("/assets")
        assert {asset["asset_uid"] for asset in await client.every("/assets", flow_id=followed.last["flow_id"])} == {
            asset["asset_uid"] for asset in assets
        }
        found.append({asset["name"]: asset["asset_uid"] for asset in assets})
    stored = await platform.rows("field_mapping", "select asset_uid from field_mapping.assets")

    assert found[0] == found[1]
    assert {str(row["asset_uid"]) for row in stored} == set(found[0].values())


def _folded(name: str | None) -> str | None:
    return None if name is None else " ".join(name.split()).casefold()
