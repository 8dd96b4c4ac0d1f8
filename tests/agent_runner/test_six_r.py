"""Treatments by the 6R rule table: which rule decides, what its reason names, and what missing data does."""

from datetime import date
from random import Random
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.assessment import SixR
from contracts.claim_checks import ASSESSMENTS
from services.agent_runner.analysis.application_facts import gather_facts
from services.agent_runner.analysis.dependencies import analyse_dependencies
from services.agent_runner.analysis.layouts import schema_of
from services.agent_runner.analysis.products import DATABASES
from services.agent_runner.analysis.six_r import assess
from services.agent_runner.analysis.six_r_rules import RULES
from services.field_mapping.technology_catalogue import technology_products
from tests.agent_runner.estates import NAMESPACE, applications, assets, dependencies, estates, uid

TODAY = date(2026, 11, 20)
Tables = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
SERVER = {"operating_system": "Windows Server 2022", "is_virtual": True, "power_state": "on"}
BUSY = {"cpu_utilization_pct": 40.0, "memory_utilization_pct": 60.0}


def treat(
    *servers: dict[str, Any],
    name: str = "Ledger",
    today: date = TODAY,
    environment: str = "Production",
    **application: Any,
) -> dict[str, Any]:
    rows = [{"name": f"srv{number}", **SERVER, **server} for number, server in enumerate(servers)]
    owner = {
        "name": name,
        "environment": environment,
        "asset_uids": [f"asset-{row['name']}" for row in rows],
        **application,
    }
    found = assess(assets(*rows), applications(owner), dependencies(), today)
    assert found.height == 1
    return found.row(0, named=True)


@pytest.mark.parametrize(
    ("rule", "treatment", "servers", "application"),
    [
        ("treatment_recorded", "refactor", [{"migration_strategy": "Re-Architect"}], {}),
        ("decommissioned", "retire", [BUSY], {"lifecycle_status": "To be decommissioned"}),
        ("decommissioned", "retire", [{"lifecycle_status": "retired"}, {"lifecycle_status": "Disposed"}], {}),
        ("hypervisor_hosts", "retire", [{"operating_system": "VMware ESXi 7.0.3"}], {}),
        ("already_in_cloud", "retain", [{"instance_type": "m5.large", "cloud_region": "eu-west-1"}], {}),
        ("devices", "retain", [{"operating_system": None, "asset_type": "Network switch"}], {}),
        ("powered_off", "retire", [{"power_state": "poweredOff"}, {"power_state": "stopped"}], {"criticality": "low"}),
        ("zombie", "retire", [{"cpu_utilization_pct": 1.0, "memory_utilization_pct": 3.0}], {"criticality": "medium"}),
        ("idle", "retire", [{"cpu_utilization_pct": 12.0, "memory_utilization_pct": 15.0}], {"criticality": "low"}),
        ("disaster_recovery_copy", "retire", [BUSY], {"environment": "DR"}),
        ("bought_as_a_service", "repurchase", [BUSY], {"name": "Exchange 2016"}),
        ("bought_as_a_service", "repurchase", [{"server_role": "SharePoint"}], {}),
        ("commodity_function", "repurchase", [BUSY], {"name": "Global CRM"}),
        ("no_assets", "retain", [], {}),
        ("mainframe", "retain", [{"operating_system": "z/OS 2.4"}], {}),
        ("low_value_unix", "retain", [{"operating_system": "AIX 7.2"}], {"criticality": "low"}),
        ("unix_porting", "refactor", [{"operating_system": "Solaris 10"}], {"criticality": "high"}),
        ("unix_porting", "refactor", [{"operating_system": "RHEL 8", "architecture": "ppc64le"}], {}),
        ("oracle_rac", "retain", [{"database_engine": "Oracle RAC"}], {}),
        ("restricted_data", "retain", [BUSY], {"data_classification": "Restricted", "criticality": "high"}),
        ("oracle_suite", "rehost", [{"database_engine": "Oracle"}], {"name": "Oracle E-Business Suite"}),
        ("exadata", "replatform", [{"database_engine": "Oracle Exadata"}], {}),
        ("unsupported_system", "replatform", [{"operating_system": "Windows Server 2012 R2"}], {}),
        ("engine_without_service", "replatform", [{"database_engine": "Sybase ASE"}], {}),
        ("managed_database", "replatform", [{"database_engine": "PostgreSQL"}], {}),
        ("managed_database", "replatform", [{"database_engine": "MS SQL 2014 std"}], {}),
        ("managed_database", "replatform", [{"server_role": "Ora 11g"}], {}),
        ("engine_without_service", "replatform", [{"server_role": "Sybase DB"}], {}),
        ("bought_as_a_service", "repurchase", [{"server_role": "MOSS 2010"}], {}),
        ("supported_virtual", "rehost", [{"server_role": "Oracle WebLogic"}], {}),
        ("support_ends_soon", "replatform", [{"operating_system": "Windows Server 2016"}], {}),
        ("old_hardware", "rehost", [{"is_virtual": False, "eol_date": date(2025, 1, 1)}], {}),
        ("supported_virtual", "rehost", [BUSY], {}),
        ("known_system", "rehost", [{"is_virtual": False}], {}),
        ("little_known", "rehost", [{"operating_system": None}], {}),
    ],
)  # fmt: skip
def test_the_rule_that_fits_the_facts_decides(
    rule: str, treatment: str, servers: list[dict[str, Any]], application: dict[str, Any]
) -> None:
    found = treat(*servers, **application)
    assert (found["rule"], found["strategy"]) == (rule, treatment)
    assert found["name"] in found["reason"]


def test_an_engine_that_only_a_role_names_is_told_with_its_release() -> None:
    assert "uses Oracle Database 11g" in treat({"server_role": "Ora 11g"})["reason"]
    assert "uses MySQL, which" in treat({"server_role": "Ora 11g", "database_engine": "MySQL"})["reason"]


def test_databases_that_roles_may_name_are_names_of_the_inventory() -> None:
    assert {product.name for product in technology_products() if product.kind == "database"} >= DATABASES


def test_every_rule_has_an_id_of_its_own_and_says_its_condition_and_source() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.condition and rule.source and 0 < rule.confidence <= 1 for rule in RULES)


def test_rules_weigh_only_facts_that_exist() -> None:
    facts = gather_facts(assets(), applications({"name": "Ledger"}), dependencies(), TODAY)[0]
    assert {fact for rule in RULES for fact in rule.weighs} <= set(facts.known)


def test_support_is_judged_at_the_day_given() -> None:
    server = {"operating_system": "Windows Server 2012 R2"}
    assert treat(server, today=date(2020, 1, 1))["rule"] == "supported_virtual"
    assert treat(server, today=date(2023, 1, 1))["rule"] == "support_ends_soon"
    assert treat(server, today=date(2023, 10, 10))["rule"] == "unsupported_system"


def test_a_reason_names_the_system_its_date_and_how_many_assets_run_it() -> None:
    reason = treat({"operating_system": "RHEL 7.9"}, {}, {})["reason"]
    assert "Red Hat Enterprise Linux 7 (support ended 2024-06-30) on 1 of its 3 assets" in reason


def test_a_critical_application_is_not_retired_for_being_quiet() -> None:
    quiet = {"cpu_utilization_pct": 1.0, "memory_utilization_pct": 1.0}
    assert treat(quiet, criticality="Mission critical")["strategy"] != "retire"
    assert treat({"power_state": "off"}, criticality="high")["strategy"] != "retire"


def test_one_running_or_unmeasured_asset_keeps_an_application() -> None:
    assert treat({"power_state": "off"}, {})["strategy"] == "rehost"
    assert treat({"cpu_utilization_pct": 1.0, "memory_utilization_pct": 1.0}, {})["strategy"] == "rehost"


def test_retired_assets_do_not_speak_for_the_living_ones() -> None:
    old = {"operating_system": "Windows Server 2003", "lifecycle_status": "Retired"}
    assert treat(old, {})["rule"] == "supported_virtual"


def test_missing_data_lowers_the_confidence_and_is_said() -> None:
    known = treat(BUSY, criticality="high")
    unknown = treat({}, environment="???")
    assert known["rule"] == unknown["rule"]
    assert unknown["confidence"] < known["confidence"]
    assert "environment, criticality" in unknown["reason"]


def test_two_different_recorded_treatments_decide_nothing() -> None:
    found = treat({"migration_strategy": "Retire"}, {"migration_strategy": "Rehost"})
    assert found["rule"] != "treatment_recorded"


def test_what_shares_an_asset_with_an_application_that_must_stay_stays_too() -> None:
    rows = assets({"name": "host", "operating_system": "z/OS"}, {"name": "web", **SERVER}, {"name": "far", **SERVER})
    owners = applications(
        {"name": "Core", "asset_uids": ["asset-host"]},
        {"name": "Web", "asset_uids": ["asset-web"]},
        {"name": "Far", "asset_uids": ["asset-far"]},
    )
    ties = dependencies(("Core", "Web", "shared_asset", None, 0), ("Far", "Web", "shared_asset", None, 0))
    found = {row["name"]: row for row in assess(rows, owners, ties, TODAY).iter_rows(named=True)}
    assert (found["Web"]["strategy"], found["Web"]["rule"]) == ("retain", "bound_to_retained")
    assert "Core" in found["Web"]["reason"]
    assert found["Far"]["strategy"] == "rehost"


def test_risk_rises_with_criticality_environment_and_neighbours() -> None:
    low = treat(BUSY, criticality="low", environment="dev")["risk"]
    assert low < treat(BUSY, criticality="low")["risk"] < treat(BUSY, criticality="critical")["risk"]
    ties = dependencies(*(("Ledger", f"App {number}", "connection", 443, 9) for number in range(9)))
    owner = applications({"name": "Ledger", "environment": "dev", "criticality": "low", "asset_uids": ["asset-a"]})
    tied = assess(assets({"name": "a", **SERVER, **BUSY}), owner, ties, TODAY).row(0, named=True)
    assert low < tied["risk"]
    assert treat(BUSY)["complexity"] < tied["complexity"]


def test_unknown_facts_make_nothing_look_safe() -> None:
    assert treat({}, environment="dev", criticality="low")["risk"] < treat({}, environment="???")["risk"]


def test_no_applications_give_an_empty_table_of_the_layout() -> None:
    assert assess(assets(), applications(), dependencies(), TODAY).schema == schema_of(ASSESSMENTS)


@settings(deadline=None, max_examples=30)
@given(estates(), st.randoms(use_true_random=False))
def test_each_application_gets_one_treatment_with_a_reason_whatever_the_order_of_rows(
    tables: Tables, random: Random
) -> None:
    found = analyse_dependencies(*tables, NAMESPACE)
    result = assess(tables[0], found.applications, found.dependencies, TODAY)
    assert sorted(result["application_uid"]) == sorted(found.applications["application_uid"])
    assert set(result["strategy"]) <= set(get_args(SixR))
    for column in ("confidence", "risk", "complexity"):
        assert result[column].is_between(0, 1).all()
    assert all(reason.strip() and "None" not in reason for reason in result["reason"])
    shuffled = [
        frame[random.sample(range(frame.height), frame.height)] if frame.height else frame
        for frame in (tables[0], found.applications, found.dependencies)
    ]
    assert assess(shuffled[0], shuffled[1], shuffled[2], TODAY).equals(result)


def test_ids_are_those_of_the_applications() -> None:
    assert treat(BUSY)["application_uid"] == uid("Ledger")
