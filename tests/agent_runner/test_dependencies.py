"""Applications and their dependencies from assets, application lists and connections."""

from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.claim_checks import APPLICATIONS, DEPENDENCIES
from services.agent_runner.analysis.dependencies import DependencyAnalysis, analyse_dependencies
from services.agent_runner.analysis.layouts import schema_of
from tests.agent_runner.estates import NAMESPACE, application_list, assets, connections, estates

Tables = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def analyse(
    inventory: pl.DataFrame, listed: pl.DataFrame | None = None, seen: pl.DataFrame | None = None
) -> DependencyAnalysis:
    listed = application_list() if listed is None else listed
    return analyse_dependencies(inventory, listed, connections() if seen is None else seen, NAMESPACE)


def by_name(analysis: DependencyAnalysis) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in analysis.applications.iter_rows(named=True)}


def edges(analysis: DependencyAnalysis) -> list[tuple[str, str, str]]:
    return list(analysis.dependencies.select("source_name", "target_name", "kind").iter_rows())


def test_spellings_of_one_name_are_one_application() -> None:
    found = by_name(
        analyse(
            assets({"name": "a", "application_name": "crm"}, {"name": "b", "application_name": " CRM  "}),
            application_list({"application_name": "Crm"}),
        )
    )
    assert list(found) == ["Crm"], "the list's spelling is shown"
    assert found["Crm"]["asset_uids"] == ["asset-a", "asset-b"]
    assert found["Crm"]["inferred"] is False


def test_an_asset_may_name_several_applications() -> None:
    found = by_name(analyse(assets({"name": "a", "application_name": "CRM; Billing, Web"})))
    assert sorted(found) == ["Billing", "CRM", "Web"]
    assert all(row["asset_count"] == 1 for row in found.values())


def test_a_listed_name_with_a_comma_is_not_split() -> None:
    found = by_name(
        analyse(
            assets({"name": "a", "application_name": "Foo, Inc."}), application_list({"application_name": "Foo, Inc."})
        )
    )
    assert list(found) == ["Foo, Inc."]


def test_hosts_of_virtual_machines_are_one_platform_together() -> None:
    found = by_name(
        analyse(
            assets(
                {"name": "esx1", "operating_system": "VMware ESXi 8.0"},
                {"name": "esx2", "asset_type": "host"},
                {"name": "esx3", "asset_type": "host", "application_name": "Lab"},
                {"name": "web1", "operating_system": "Ubuntu 22.04", "application_name": "Shop"},
            )
        )
    )
    assert sorted(found) == ["Lab", "Shop", "Virtualization platform"]
    assert found["Virtualization platform"]["asset_uids"] == ["asset-esx1", "asset-esx2"]


def test_an_asset_of_no_application_forms_one_of_its_own_name() -> None:
    found = by_name(analyse(assets({"name": "db7", "application_name": "n/a"})))
    assert list(found) == ["db7"]
    assert found["db7"]["inferred"] is True


def test_a_listed_application_without_assets_is_kept() -> None:
    found = by_name(analyse(assets(), application_list({"application_name": "Ledger", "criticality": "High"})))
    assert found["Ledger"]["asset_count"] == 0
    assert found["Ledger"]["criticality"] == "High"


def test_a_list_may_name_the_hosts_of_an_application() -> None:
    found = by_name(
        analyse(assets({"name": "a"}, {"name": "b"}), application_list({"application_name": "CRM", "hostname": "A; b"}))
    )
    assert found["CRM"]["asset_uids"] == ["asset-a", "asset-b"]


def test_the_most_productive_environment_prevails() -> None:
    rows = [
        {"name": name, "application_name": "CRM", "environment": environment}
        for name, environment in (("a", "test"), ("b", "Production"), ("c", "pre-production"))
    ]
    assert by_name(analyse(assets(*rows)))["CRM"]["environment"] == "Production"


def test_what_the_list_says_of_criticality_goes_before_what_assets_say() -> None:
    inventory = assets({"name": "a", "application_name": "CRM", "criticality": "high", "business_owner": "Ann"})
    row = by_name(analyse(inventory, application_list({"application_name": "crm", "criticality": "low"})))["crm"]
    assert (row["criticality"], row["business_owner"]) == ("low", "Ann")


def test_an_application_with_one_living_asset_is_not_retired() -> None:
    rows = [
        {"name": "a", "application_name": "CRM", "lifecycle_status": "Retired"},
        {"name": "b", "application_name": "CRM", "lifecycle_status": "Retired"},
        {"name": "c", "application_name": "CRM", "lifecycle_status": "In use"},
    ]
    assert by_name(analyse(assets(*rows)))["CRM"]["lifecycle_status"] == "In use"


def test_the_evidence_of_a_connection_is_a_sentence_with_its_port_and_count() -> None:
    analysis = analyse(
        assets({"name": "app1", "application_name": "App"}, {"name": "db1", "application_name": "Data"}),
        seen=connections(("app1", "db1", 1433, 400), ("app1", "db1", 1433, 12), ("app1", "db1", 443, 3)),
    )
    row = analysis.dependencies.row(0, named=True)
    assert row["evidence"] == "app1 → db1:1433 seen 412 times; 1 more seen between them, ports 443, 1433"
    assert (row["port"], row["observations"]) == (1433, 415)


def test_an_application_port_is_shown_before_a_busier_infrastructure_port() -> None:
    analysis = analyse(assets({"name": "a"}, {"name": "b"}), seen=connections(("a", "b", 22, 900), ("a", "b", 5432, 1)))
    assert analysis.dependencies["port"].to_list() == [5432]


def test_ends_are_found_by_host_name_fqdn_address_and_short_name() -> None:
    inventory = assets(
        {"name": "a", "fqdn": "a.corp.local", "ip_address": "10.0.0.1; fe80::1"},
        {"name": "b", "ip_address": "10.0.0.2"},
    )
    for source, target in (("A", "b"), ("a.corp.local", "10.0.0.2"), ("fe80::1", "B.corp.local"), ("10.0.0.1", "b")):
        assert edges(analyse(inventory, seen=connections((source, target, 80, 1)))) == [("a", "b", "connection")]


def test_a_name_in_another_domain_is_not_taken_for_the_asset() -> None:
    inventory = assets({"name": "a"}, {"name": "b", "fqdn": "b.corp.local"})
    analysis = analyse(inventory, seen=connections(("a", "b.partner.example", 80, 1)))
    assert analysis.dependencies.is_empty()
    assert analysis.unmatched.examples == ("b.partner.example",)


def test_ends_that_match_nothing_are_counted_and_named() -> None:
    analysis = analyse(assets({"name": "a"}), seen=connections(("a", "8.8.8.8", 53, 5), ("1.1.1.1", "a", 80, None)))
    assert (analysis.unmatched.unknown, analysis.unmatched.connections) == (2, 2)
    assert analysis.unmatched.examples == ("1.1.1.1", "8.8.8.8")


def test_an_end_that_means_two_assets_is_not_guessed_at() -> None:
    inventory = assets(
        {"name": "a"},
        {"name": "web", "asset_uid": "1", "ip_address": "10.0.0.9"},
        {"name": "web", "asset_uid": "2", "ip_address": "10.0.0.9"},
    )
    analysis = analyse(inventory, seen=connections(("a", "10.0.0.9", 80, 5)))
    assert analysis.dependencies.is_empty()
    assert analysis.unmatched.ambiguous == 1


def test_connections_inside_one_application_are_no_dependency() -> None:
    inventory = assets({"name": "a", "application_name": "CRM"}, {"name": "b", "application_name": "CRM; Web"})
    assert edges(analyse(inventory, seen=connections(("a", "b", 80, 5)))) == [("CRM", "Web", "shared_asset")]


def test_declared_dependencies_name_applications_or_hosts_with_a_port() -> None:
    analysis = analyse(
        assets({"name": "a", "application_name": "CRM", "dependencies": "billing; db1:1433"}, {"name": "db1"}),
        application_list({"application_name": "Billing", "dependencies": "CRM"}),
    )
    assert edges(analysis) == [
        ("Billing", "CRM", "declared"),
        ("CRM", "Billing", "declared"),
        ("CRM", "db1", "declared"),
    ]
    assert analysis.dependencies["port"].to_list() == [None, None, 1433]
    assert analysis.dependencies["evidence"][2] == "a lists db1 as a dependency"


def test_a_shared_asset_is_said_once_for_a_pair() -> None:
    analysis = analyse(
        assets({"name": "db", "application_name": "CRM;Web"}, {"name": "db2", "application_name": "Web;CRM"})
    )
    assert edges(analysis) == [("CRM", "Web", "shared_asset")]
    assert analysis.dependencies["evidence"][0] == "db, db2 belong to both CRM and Web"


def test_an_asset_of_very_many_applications_is_a_platform_that_they_depend_on() -> None:
    names = [f"App {letter}" for letter in "ABCDEFGHIJKL"]
    analysis = analyse(assets({"name": "sql-cluster", "application_name": ";".join(names)}))
    found = by_name(analysis)
    assert found["sql-cluster"]["asset_count"] == 1
    assert sum(row["asset_count"] for row in found.values()) == 1
    assert edges(analysis) == [(name, "sql-cluster", "shared_asset") for name in names]


def test_the_same_names_give_the_same_ids_and_another_namespace_others() -> None:
    first, second = analyse(assets({"name": "a"})), analyse(assets({"name": "A "}))
    assert first.applications["application_uid"].equals(second.applications["application_uid"])
    other = analyse_dependencies(assets({"name": "a"}), application_list(), connections(), type(NAMESPACE)(int=1))
    assert other.applications["application_uid"][0] != first.applications["application_uid"][0]


def test_empty_input_gives_empty_tables_of_the_layout() -> None:
    analysis = analyse(assets())
    assert analysis.applications.schema == schema_of(APPLICATIONS)
    assert analysis.dependencies.schema == schema_of(DEPENDENCIES)
    assert analysis.applications.is_empty()


@settings(deadline=None, max_examples=30)
@given(estates())
def test_every_asset_belongs_to_an_application(tables: Tables) -> None:
    analysis = analyse(*tables)
    assert set(analysis.applications["asset_uids"].explode().drop_nulls()) == set(tables[0]["asset_uid"])
    assert analysis.applications["application_uid"].is_unique().all()
    assert analysis.applications.schema == schema_of(APPLICATIONS)


@settings(deadline=None, max_examples=30)
@given(estates())
def test_dependencies_join_two_different_known_applications_once_a_kind(tables: Tables) -> None:
    analysis = analyse(*tables)
    found = analysis.dependencies
    known = set(analysis.applications["application_uid"])
    assert found.schema == schema_of(DEPENDENCIES)
    assert set(found["source_application_uid"]) | set(found["target_application_uid"]) <= known
    assert found.filter(pl.col("source_application_uid") == pl.col("target_application_uid")).is_empty()
    assert not found.select("source_application_uid", "target_application_uid", "kind").is_duplicated().any()
    assert found["evidence"].str.len_chars().fill_null(0).gt(0).all()


@settings(deadline=None, max_examples=30)
@given(estates(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(tables: Tables, random: Random) -> None:
    shuffled = tuple(
        frame[random.sample(range(frame.height), frame.height)] if frame.height else frame for frame in tables
    )
    one, other = analyse(*tables), analyse(*shuffled)
    assert one.applications.equals(other.applications)
    assert one.dependencies.equals(other.dependencies)
    assert one.unmatched == other.unmatched
