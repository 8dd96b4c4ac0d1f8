import re
from datetime import date
from typing import Any
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import claim_checks
from contracts.discovery import ReportInputs
from contracts.planning import Wave
from contracts.report import Report
from services.agent_runner.reporting.html import render_html
from services.agent_runner.reporting.landscape import capacity, counts, operating_system_families, operating_systems
from services.agent_runner.reporting.summary import APPLICATION_ROWS
from services.agent_runner.reporting.wording import counted, listed, percent, size
from tests.agent_runner.estates import recognised
from tests.agent_runner.sample_plan import SamplePlan, frame, quality_of, sample_plan

ATTACK = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"
TODAY = date(2026, 11, 20)


def assets(*rows: dict[str, Any]) -> pl.DataFrame:
    named = [{"asset_uid": f"asset-{number}", "name": f"srv{number}", **row} for number, row in enumerate(rows)]
    return recognised(frame(claim_checks.ASSETS, named))


def small_plan(**changes: Any) -> SamplePlan:
    """Three applications: billing (2 assets) moves in wave 1, portal (1) in wave 2, archive (1) is retired."""
    own = assets(
        {"storage_gb": 100.0, "environment": "production"},
        {"storage_gb": 50.0, "environment": "production"},
        {"storage_gb": None, "environment": "test"},
        {"storage_gb": 10.0},
    )
    apps = [("billing", ["asset-0", "asset-1"]), ("portal", ["asset-2"]), ("archive", ["asset-3"])]
    applications = [
        {"application_uid": name, "name": name, "asset_uids": members, "asset_count": len(members), "inferred": False}
        for name, members in apps
    ]
    assessments = [
        {"application_uid": name, "name": name, "strategy": strategy, "confidence": confidence, "rule": rule,
         "reason": f"because {rule}", "risk": risk, "complexity": 0.1, "engine": "rules"}
        for name, strategy, confidence, rule, risk in [
            ("billing", "rehost", 0.9, "r1", 0.2),
            ("portal", "rehost", 0.5, "r2", 0.6),
            ("archive", "retire", 0.8, "r3", 0.1),
        ]
    ]  # fmt: skip
    plan = [
        {
            "wave": wave,
            "move_group": wave,
            "application_uid": name,
            "name": name,
            "strategy": "rehost",
            "reason": "order",
        }
        for wave, name in ((1, "billing"), (2, "portal"))
    ]
    links = [
        ("portal", "billing", 443),
        ("portal", "billing", 1433),
        ("billing", "archive", 22),
        ("portal", "portal", 80),
    ]
    dependencies = [
        {"source_application_uid": source, "target_application_uid": target, "source_name": source,
         "target_name": target, "kind": "connection", "port": port, "observations": 1, "evidence": "seen"}
        for source, target, port in links
    ]  # fmt: skip
    parts: dict[str, Any] = {
        "assets": own,
        "applications": frame(claim_checks.APPLICATIONS, applications),
        "dependencies": frame(claim_checks.DEPENDENCIES, dependencies),
        "assessments": frame(claim_checks.ASSESSMENTS, assessments),
        "plan": frame(claim_checks.PLAN, plan),
        "waves": [
            Wave(number=n, name=name, application_ids=[UUID(int=n)], application_names=[app], asset_count=count,
                 risk=risk, move_groups=1, reason="order")
            for n, name, app, count, risk in [(1, "Pilot", "billing", 2, 0.2), (2, "Wave 2", "portal", 1, 0.6)]
        ],
        "unplanned": {"retire": 1},
        "report": ReportInputs(quality=quality_of(own), mappings=[], files=["servers.csv"]),
    }  # fmt: skip
    return SamplePlan(**{**parts, **changes})


def finding_codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


# Figures


def test_the_headline_counts_what_the_frames_hold() -> None:
    head = small_plan().summarise().headline
    assert (head.assets, head.applications, head.dependencies, head.waves) == (4, 3, 4, 2)
    assert head.applications_in_waves == 2


def test_treatments_tell_applications_assets_and_average_confidence() -> None:
    rehost, retire = small_plan().summarise().treatments
    assert (rehost.strategy, rehost.applications, rehost.assets) == ("rehost", 2, 3)
    assert rehost.average_confidence == pytest.approx(0.7)
    assert [(example.rule, example.example) for example in rehost.examples] == [("r1", "billing"), ("r2", "portal")]
    assert (retire.strategy, retire.applications, retire.assets) == ("retire", 1, 1)


def test_a_wave_tells_its_storage_and_mix() -> None:
    first, second = small_plan().summarise().waves
    assert (first.storage_gb, second.storage_gb) == (150.0, 0.0)
    assert first.strategies == {"rehost": 1}
    assert first.examples == ["billing"]


def test_a_pair_of_applications_counts_once_whatever_the_ports() -> None:
    links = small_plan().summarise().dependencies
    assert (links.pairs, links.same_wave, links.across_waves, links.to_unmoved) == (2, 0, 1, 1)
    assert [(a.name, a.neighbours, a.incoming, a.outgoing) for a in links.most_connected] == [
        ("billing", 2, 1, 1),
        ("archive", 1, 1, 0),
        ("portal", 1, 0, 1),
    ]


def test_applications_come_in_the_order_of_the_plan_and_unmoved_ones_last() -> None:
    rows = small_plan().summarise().applications
    assert [(row.name, row.wave) for row in rows] == [("billing", 1), ("portal", 2), ("archive", None)]


def test_a_report_lists_some_applications_and_counts_all() -> None:
    report = sample_plan(6_000).summarise()
    assert len(report.applications) == APPLICATION_ROWS < report.headline.applications
    assert f"The first 500 of {report.headline.applications:,} applications" in render_html(report)


def test_hosts_of_other_assets_do_not_count_twice() -> None:
    sums = capacity(
        assets(
            {"name": "esx01", "fqdn": "esx01.corp.example", "cpu_cores": 64},
            {"name": "vm1", "cpu_cores": 4, "virtualization_host": "ESX01.corp.example "},
            {"name": "vm2", "cpu_cores": None, "virtualization_host": "esx01.corp.example"},
        )
    )
    assert (sums.assets, sums.hosts_left_out) == (2, 1)
    assert (sums.cpu_cores.total, sums.cpu_cores.known_assets) == (4, 1)


def test_a_version_is_added_only_where_the_name_lacks_it() -> None:
    frame_of = assets(
        {"operating_system": "Ubuntu", "os_version": "22.04"},
        {"operating_system": "Windows Server 2019", "os_version": "2019"},
        {"operating_system": " ", "os_version": "9"},
    )
    assert {count.label for count in operating_systems(frame_of, TODAY)} == {
        "Ubuntu 22.04",
        "Windows Server 2019",
        None,
    }


@pytest.mark.parametrize(
    ("system", "family"),
    [
        ("Microsoft Windows Server 2016 (64-bit)", "Windows"),
        ("Red Hat Enterprise Linux 8", "Linux"),
        ("IBM AIX 7.2", "Unix"),
        ("VMware ESXi 7.0.3", "VMware ESXi"),
        ("z/OS", "z/OS"),
        ("Plan 9", "Other"),
        (None, None),
    ],
)
def test_a_name_tells_the_family_of_a_system(system: str | None, family: str | None) -> None:
    found = operating_system_families(assets({"operating_system": system}), TODAY)
    assert [count.label for count in found] == [family]


def test_spellings_of_one_system_are_counted_together_and_judged_by_the_vendors_date() -> None:
    spelled = assets(*({"operating_system": name} for name in ("Win2012R2", "windows server 2012 R2", "Plan 9")))
    report = small_plan(assets=spelled).summarise()
    assert [(count.label, count.assets) for count in report.operating_systems] == [
        ("Windows Server 2012 R2", 2),
        ("Plan 9", 1),
    ]
    assert report.headline.past_end_of_life == 2


def test_a_date_in_the_data_beats_the_vendors() -> None:
    extended = assets({"operating_system": "Windows Server 2012 R2", "eol_date": date(2030, 1, 1)})
    assert small_plan(assets=extended).summarise().headline.past_end_of_life == 0


def test_without_any_known_date_nothing_is_called_out_of_support() -> None:
    plan = small_plan(assets=assets({"operating_system": "Plan 9"}))
    report = plan.summarise()
    assert report.headline.past_end_of_life is None
    assert report.operating_systems[0].past_end_of_life is None
    assert "past_end_of_life" not in finding_codes(report)
    assert "this report does not judge it" in render_html(report)


def test_an_asset_is_past_its_end_of_life_from_the_day_after() -> None:
    ends = assets({"eol_date": date(2026, 11, 19)}, {"eol_date": TODAY}, {"eol_date": None})
    assert small_plan(assets=ends).summarise().headline.past_end_of_life == 1


@given(st.lists(st.one_of(st.none(), st.sampled_from([f"site {n}" for n in range(40)])), max_size=300))
def test_counts_add_up_whatever_is_counted_together(values: list[str | None]) -> None:
    found = counts(pl.DataFrame({"datacenter": values}, schema={"datacenter": pl.String}))
    assert sum(count.assets for count in found) == len(values)
    assert len(found) <= 13
    assert sum(count.assets for count in found if count.label is None) == values.count(None)


def test_the_same_frames_give_the_same_report() -> None:
    plan = sample_plan(300)
    assert plan.summarise() == plan.summarise()


def test_a_report_survives_json() -> None:
    report = sample_plan(200).summarise()
    assert Report.model_validate_json(report.model_dump_json()) == report


# Findings


def test_an_application_to_retire_that_others_use_is_an_open_point() -> None:
    report = small_plan().summarise()
    found = next(finding for finding in report.findings if finding.code == "retired_but_used")
    assert (found.count, found.examples, found.severity) == (1, ["archive"], "high")


def test_applications_without_owner_are_counted_by_either_owner() -> None:
    plan = small_plan()
    owned = plan.applications.with_columns(
        business_owner=pl.Series(["Ada", " ", None]), technical_owner=pl.Series([None, None, "Ops"])
    )
    report = small_plan(applications=owned).summarise()
    found = next(finding for finding in report.findings if finding.code == "applications_without_owner")
    assert found.examples == ["portal"]


def test_a_moving_application_that_no_wave_has_is_an_open_point() -> None:
    report = small_plan(plan=small_plan().plan.head(1)).summarise()
    found = next(finding for finding in report.findings if finding.code == "unplanned_applications")
    assert found.examples == ["portal"]


def test_an_application_that_was_not_assessed_is_kept_and_reported() -> None:
    report = small_plan(assessments=small_plan().assessments.tail(2)).summarise()
    assert report.headline.applications == 3
    found = next(finding for finding in report.findings if finding.code == "applications_without_treatment")
    assert found.examples == ["billing"]


def test_open_points_come_by_severity() -> None:
    severities = [finding.severity for finding in sample_plan(400).summarise().findings]
    assert severities == sorted(severities, key=["high", "medium", "low"].index)


def test_doubtful_and_unused_columns_are_open_points() -> None:
    codes = finding_codes(sample_plan(50).summarise())
    assert {"doubtful_mappings", "unmapped_columns", "invalid_values", "incomplete_required_fields"} <= set(codes)


# Sentences


def test_the_summary_tells_computed_figures() -> None:
    told = small_plan().summarise().summary
    assert told.situation[0] == "4 assets of 3 applications were found in 4 rows in 1 file."
    assert told.meaning[0] == "2 of 3 applications move to the cloud in 2 waves; 1 application can be switched off."
    assert "Pilot comes first with 1 application on 2 assets at low risk (20%)" in told.meaning[1]
    assert told.next_steps[-1] == "Start with Pilot: agree on dates and tests with the owners of billing."


def test_a_plan_without_waves_says_that_nothing_moves() -> None:
    plan = small_plan()
    report = small_plan(plan=plan.plan.clear(), waves=[], unplanned={"retain": 3}).summarise()
    assert (
        report.summary.meaning[0]
        == "None of the 3 applications moves to the cloud in this plan; 3 applications stay in place."
    )
    assert "there are no waves" in render_html(report)


def test_an_empty_inventory_makes_a_report_that_says_so() -> None:
    report = sample_plan(0).summarise()
    assert report.summary.situation == ["No assets were found in 0 rows in 2 files."]
    assert not re.search(r"\bnan\b", render_html(report), re.IGNORECASE)


@pytest.mark.parametrize(
    ("part", "words"), [(0, "0%"), (0.001, "<1%"), (0.006, "1%"), (0.5, "50%"), (0.999, ">99%"), (1, "100%")]
)
def test_a_share_is_never_rounded_to_none_or_all(part: float, words: str) -> None:
    assert percent(part) == words


def test_amounts_are_told_in_the_unit_that_fits() -> None:
    assert [size(value) for value in (0, 512, 2048, 3 * 1024**2)] == ["0 GB", "512 GB", "2.0 TB", "3.0 PB"]


def test_names_are_told_with_how_many_there_are_more() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b"], 9) == "a, b and 7 more"
    assert (counted(1, "asset"), counted(1200, "asset")) == ("1 asset", "1,200 assets")
