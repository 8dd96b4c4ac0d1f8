"""The wave plan: who moves together, in which wave, within which limit, and what it says about it."""

from random import Random
from typing import Any
from uuid import UUID

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.claim_checks import PLAN
from contracts.planning import Wave, WaveLimits
from services.agent_runner.analysis.layouts import schema_of
from services.agent_runner.analysis.move_groups import find_hubs, form_move_groups
from services.agent_runner.analysis.waves import WavePlan, plan_waves
from tests.agent_runner.estates import applications, assessments, assets, dependencies, uid

Edge = tuple[str, str, str, int | None, int]


def application(name: str, count: int = 1, environment: str = "production", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "environment": environment,
        "asset_uids": [f"{name}-{number}" for number in range(count)],
        **more,
    }


def plan(
    owners: list[dict[str, Any]],
    edges: list[Edge] | None = None,
    strategies: dict[str, str] | None = None,
    risks: dict[str, float] | None = None,
    limits: WaveLimits | None = None,
) -> WavePlan:
    judged = assessments(
        *(
            (row["name"], (strategies or {}).get(row["name"], "rehost"), (risks or {}).get(row["name"], 0.5))
            for row in owners
        )
    )
    return plan_waves(applications(*owners), dependencies(*edges or []), judged, assets(), limits or WaveLimits())


def wave_of(result: WavePlan, name: str) -> Wave:
    return next(wave for wave in result.waves if name in wave.application_names)


def test_retired_and_retained_applications_move_in_no_wave() -> None:
    owners = [application("A"), application("B"), application("C"), application("D")]
    result = plan(owners, strategies={"A": "retire", "B": "retain", "C": "retain"})
    assert result.plan["name"].to_list() == ["D"]
    assert result.unplanned == {"retain": 2, "retire": 1}


def test_an_application_without_an_assessment_is_counted() -> None:
    result = plan_waves(applications(application("A")), dependencies(), assessments(), assets(), WaveLimits())
    assert (result.waves, result.unplanned) == ([], {"not_assessed": 1})
    assert result.plan.schema == schema_of(PLAN)


def test_dependent_applications_move_together_and_say_why() -> None:
    result = plan([application("A"), application("B"), application("C")], [("A", "B", "connection", 1433, 412)])
    rows = {row["name"]: row for row in result.plan.iter_rows(named=True)}
    assert rows["A"]["move_group"] == rows["B"]["move_group"] != rows["C"]["move_group"]
    assert "Moves together with B: A → B" in rows["A"]["reason"]


def test_infrastructure_protocols_bind_nothing() -> None:
    result = plan([application("A"), application("B")], [("A", "B", "connection", 22, 9999)])
    assert result.plan["move_group"].n_unique() == 2


def test_the_pilot_is_small_and_neither_productive_nor_critical() -> None:
    owners = [
        application("Live", 2),
        application("Test", 3, "test"),
        application("Dev", 4, "dev"),
        application("Vital", 1, "dev", criticality="critical"),
        application("Large", 16, "dev"),
        application("Rebuilt", 1, "dev"),
    ]
    risks = {"Live": 0.1, "Test": 0.2, "Dev": 0.3, "Vital": 0.1, "Rebuilt": 0.1}
    pilot = plan(owners, strategies={"Rebuilt": "refactor"}, risks=risks, limits=WaveLimits(pilot_assets=8)).waves[0]
    assert (pilot.name, pilot.application_names, pilot.asset_count) == ("Pilot", ["Test", "Dev"], 7)
    assert "none of it in production" in pilot.reason


def test_a_pilot_of_production_systems_is_said_to_be_second_best() -> None:
    result = plan([application("A"), application("B")], risks={"A": 0.9, "B": 0.4})
    assert result.waves[0].application_names == ["B"]
    assert "no group is small and known to be" in result.waves[0].reason


def test_a_second_best_pilot_is_filled_with_uncritical_systems_of_low_risk() -> None:
    owners = [application(name, 4) for name in ("A", "B", "C", "D")]
    result = plan(owners, risks={"A": 0.3, "B": 0.4, "C": 0.5, "D": 0.9}, limits=WaveLimits(pilot_assets=9))
    assert result.waves[0].application_names == ["A", "B"]


def test_there_is_no_pilot_when_every_group_is_too_large_for_one() -> None:
    result = plan([application("A", 20), application("B", 30)], limits=WaveLimits(pilot_assets=15))
    assert [wave.name for wave in result.waves] == ["Wave 1"]


def test_risk_rises_after_the_pilot() -> None:
    owners = [application(f"App {number}", 30) for number in range(6)]
    risks = {f"App {number}": (number * 37 % 60) / 60 for number in range(6)}
    waves = plan(owners, risks=risks).waves
    assert [wave.risk for wave in waves] == sorted(wave.risk for wave in waves)
    assert len(waves) == 3


def test_a_component_that_is_too_large_comes_apart_at_its_weakest_tie() -> None:
    owners = [application(name, 25) for name in "ABCD"]
    edges: list[Edge] = [
        ("A", "B", "connection", 443, 900),
        ("B", "C", "connection", 443, 2),
        ("C", "D", "connection", 443, 900),
    ]
    result = plan(owners, edges, limits=WaveLimits(max_assets=60))
    assert [wave.application_names for wave in result.waves] == [["A", "B"], ["C", "D"]]
    assert all("1 dependency reaches into other waves" in wave.reason for wave in result.waves)


def test_applications_that_share_an_asset_are_never_parted() -> None:
    owners = [application(name, 40) for name in "AB"]
    owners[1]["asset_uids"] = [*owners[1]["asset_uids"], "A-0"]
    wave = wave_of(plan(owners, limits=WaveLimits(max_assets=60)), "A")
    assert (wave.application_names, wave.asset_count, wave.move_groups) == (["A", "B"], 80, 1)
    assert "exceeds the limit of 60 assets" in wave.reason


def test_a_shared_service_binds_no_group_and_moves_after_the_pilot() -> None:
    users = [f"App {number}" for number in range(12)]
    owners = [application("AD", 2), application(users[0], 2, "test"), *(application(name, 2) for name in users[1:])]
    edges: list[Edge] = [(name, "AD", "connection", 445, 500) for name in users]
    result = plan(owners, edges, risks={"AD": 0.9}, limits=WaveLimits(max_assets=10))
    assert [wave.name for wave in result.waves][:2] == ["Pilot", "Wave 2: shared services"]
    assert result.waves[1].application_names == ["AD"]
    assert "AD (12 others)" in result.waves[1].reason
    assert result.plan["move_group"].n_unique() == 13


def test_a_business_application_with_few_users_is_no_hub() -> None:
    edges: list[Edge] = [(f"App {number}", "CRM", "connection", 443, 5) for number in range(7)]
    assert find_hubs(8, dependencies(*edges)) == {}


def test_applications_without_assets_take_up_room_too() -> None:
    owners = [application(f"App {number}", 0) for number in range(10)]
    result = plan(owners, limits=WaveLimits(max_assets=4, pilot_assets=1))
    assert max(len(wave.application_ids) for wave in result.waves) <= 4


def test_retired_assets_are_not_moved() -> None:
    inventory = assets(
        {"name": "x", "asset_uid": "A-0", "lifecycle_status": "Retired"}, {"name": "y", "asset_uid": "A-1"}
    )
    judged = assessments(("A", "rehost", 0.5))
    result = plan_waves(applications(application("A", 2)), dependencies(), judged, inventory, WaveLimits())
    assert (result.waves[0].asset_count, result.plan["asset_count"].to_list()) == (1, [1])


def test_what_stays_behind_is_named() -> None:
    result = plan(
        [application("A"), application("Core")], [("A", "Core", "declared", None, 0)], strategies={"Core": "retain"}
    )
    assert "connected with Core, not moving" in result.plan["reason"][0]


NAMES = [f"App {number}" for number in range(12)]
_edges = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.sampled_from(["connection", "declared", "shared_asset"]),
        st.sampled_from([None, 22, 443]),
        st.integers(0, 500),
    ).filter(lambda edge: edge[0] != edge[1]),
    max_size=25,
)


@st.composite
def portfolios(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, WaveLimits]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    pool = [f"asset {number}" for number in range(40)]
    rows = [
        {
            "name": name,
            "asset_uids": draw(st.lists(st.sampled_from(pool), unique=True, max_size=6)),
            "environment": draw(st.sampled_from([None, "production", "test", "dev"])),
            "criticality": draw(st.sampled_from([None, "low", "critical"])),
        }
        for name in names
    ]
    strategies = st.sampled_from(["rehost", "rehost", "replatform", "refactor", "repurchase", "retire", "retain"])
    judged = [(name, draw(strategies), draw(st.floats(0, 1))) for name in names if draw(st.integers(0, 9))]
    edges = [edge for edge in draw(_edges) if edge[0] in names and edge[1] in names]
    limits = WaveLimits(max_assets=draw(st.integers(1, 20)), pilot_assets=draw(st.integers(1, 8)))
    return applications(*rows), dependencies(*edges), assessments(*judged), limits


@settings(deadline=None, max_examples=60)
@given(portfolios(), st.randoms(use_true_random=False))
def test_the_promises_of_a_plan_hold_for_any_portfolio(
    portfolio: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, WaveLimits], random: Random
) -> None:
    owners, edges, judged, limits = portfolio
    result = plan_waves(owners, edges, judged, assets(), limits)
    planned = result.plan["application_uid"].to_list()
    assert len(planned) == len(set(planned))
    assert len(planned) + sum(result.unplanned.values()) == owners.height
    assert not set(planned) & set(judged.filter(pl.col("strategy").is_in(["retire", "retain"]))["application_uid"])
    assert [wave.number for wave in result.waves] == list(range(1, len(result.waves) + 1))
    assert sorted(str(one) for wave in result.waves for one in wave.application_ids) == sorted(planned)
    assert result.plan.group_by("move_group").agg(pl.col("wave").n_unique())["wave"].eq(1).all()
    for wave in result.waves:
        assert wave.asset_count <= limits.max_assets or wave.move_groups == 1
        assert wave.name != "Pilot" or wave.asset_count <= limits.pilot_assets
        assert set(wave.application_ids) == {
            UUID(one) for one in result.plan.filter(pl.col("wave") == wave.number)["application_uid"]
        }
    regular = [wave.risk for wave in result.waves if wave.name == f"Wave {wave.number}"]
    assert regular == sorted(regular)
    assert all(result.plan["reason"].str.len_chars() > 0)
    holders = owners.filter(pl.col("application_uid").is_in(planned)).explode("asset_uids").drop_nulls("asset_uids")
    located = holders.join(result.plan.select("application_uid", "wave"), on="application_uid")
    assert located.group_by("asset_uids").agg(pl.col("wave").n_unique())["wave"].eq(1).all()
    shuffled = [
        frame[random.sample(range(frame.height), frame.height)] if frame.height else frame for frame in portfolio[:3]
    ]
    again = plan_waves(shuffled[0], shuffled[1], shuffled[2], assets(), limits)
    assert again.plan.equals(result.plan)
    assert again.waves == result.waves


@settings(deadline=None, max_examples=60)
@given(_edges, st.integers(1, 12))
def test_groups_within_the_cap_are_the_connected_components(edges: list[Edge], cap: int) -> None:
    moved = {uid(name): frozenset({name}) for name in NAMES}
    groups = form_move_groups(moved, dependencies(*edges), {}, cap)
    assert sorted(one for group in groups for one in group) == sorted(moved)
    assert all(len(group) <= cap for group in groups)
    if cap == len(NAMES):
        group_of = {one: number for number, group in enumerate(groups) for one in group}
        strong = [edge for edge in edges if edge[3] != 22]
        assert all(group_of[uid(source)] == group_of[uid(target)] for source, target, *_ in strong)
