"""What the rules behind the agents answer, and what they refuse to take from a model."""

import pytest

from contracts.catalog import CONNECTION_FIELDS
from services.agent_runner.agents.cmdb_analyst.rules import ColumnMeaning, Columns, choices, impossible, name_columns
from services.agent_runner.agents.learning_specialist.rules import Decisions, generalise
from services.agent_runner.agents.migration_strategist import rules as strategist
from services.agent_runner.agents.pattern_recognition.rules import Names, recognise
from services.agent_runner.agents.risk_assessor.rules import Moves, Risk, judge
from services.agent_runner.agents.risk_assessor.rules import impossible as impossible_risk
from services.agent_runner.agents.wave_planner import rules as planner
from tests.agent_runner.estates import uid


@pytest.mark.parametrize(
    ("column", "field"),
    [("hostname", "hostname"), ("Operating System", "operating_system"), ("Memroy", None), ("Zebra", None)],
)
def test_a_column_that_nobody_proposed_for_is_known_by_its_name(column: str, field: str | None) -> None:
    (answer,) = name_columns(Columns.model_validate({"items": [{"key": "1", "column": column}]})).answers
    assert answer.field == field


def test_what_field_mapping_proposed_is_not_decided_again() -> None:
    item = {"key": "1", "column": "hostname", "field": "fqdn", "confidence": 0.6, "reason": "It ends with .local."}
    (answer,) = name_columns(Columns.model_validate({"items": [item]})).answers
    assert (answer.field, answer.confidence, answer.rationale) == ("fqdn", 0.6, "It ends with .local.")


@pytest.mark.parametrize(
    ("field", "unit", "why"),
    [
        ("drop table assets", None, "there is no field"),
        ("hostname", "GB", "has no unit"),
        ("memory_gb", "MB", None),
        ("own_tier", None, None),
        (None, None, None),
    ],
)
def test_a_column_means_only_what_there_is(field: str | None, unit: str | None, why: str | None) -> None:
    question = Columns.model_validate({"items": [{"key": "1", "column": "x"}], "own_fields": {"own_tier": "Tier"}})
    answer = ColumnMeaning(key="1", field=field, unit=unit, confidence=1)
    refused = impossible(question, answer)
    assert (refused is None) if why is None else why in (refused or "")


def test_a_column_of_connections_means_what_a_connection_has() -> None:
    items = [{"key": "1", "column": "Process", "kind": "connections"}, {"key": "2", "column": "Process"}]
    question = Columns.model_validate({"items": items})
    assert [answer.field for answer in name_columns(question).answers] == ["process", None]
    assert impossible(question, ColumnMeaning(key="1", field="process", confidence=1)) is None
    assert "no field 'process'" in (impossible(question, ColumnMeaning(key="2", field="process", confidence=1)) or "")
    assert "no field 'hostname'" in (impossible(question, ColumnMeaning(key="1", field="hostname", confidence=1)) or "")
    assert choices(question)["fields_of_connections"].keys() == CONNECTION_FIELDS.keys()


def test_two_sources_that_agree_teach_all_files() -> None:
    decided = [{"column": c, "source": s, "decided": "criticality"} for c, s in (("Tier", "A"), ("TIER ", "B"))]
    (lesson,) = generalise(Decisions.model_validate({"items": decided})).answers
    assert (lesson.key, lesson.field, lesson.for_all_files, lesson.confidence) == ("tier", "criticality", True, 0.75)


def test_sources_that_differ_teach_nothing_to_all_files() -> None:
    decided = [
        {"column": "Tier", "source": source, "decided": field}
        for source, field in (("A", "criticality"), ("B", "criticality"), ("C", "environment"), ("A", None))
    ]
    (lesson,) = generalise(Decisions.model_validate({"items": decided})).answers
    assert not lesson.for_all_files
    assert "it depends on the source" in lesson.rationale


def test_names_are_read_part_by_part() -> None:
    names = [f"{role}-{stage}-{site}{number:02}" for role in ("web", "db") for stage in ("prd", "dev")
             for site in ("muc", "ham") for number in range(3)]  # fmt: skip
    parts = recognise(Names(names=[*names, "oddball"])).answers
    assert [(part.template, part.meaning) for part in parts] == [
        ("a-a-a9", meaning) for meaning in ("role", "environment", "site", "number")
    ]
    assert parts[1].values == {"prd": 12, "dev": 12}


def test_names_that_nothing_has_in_common_have_no_pattern() -> None:
    assert recognise(Names(names=["alpha", "beta-1", "gamma.local"])).answers == []


def test_an_application_is_treated_by_the_rule_table() -> None:
    item = {"key": "1", "name": "Exchange 2016", "cpu_utilization_pct": 40.0, "memory_utilization_pct": 60.0}
    (answer,) = strategist.treat(strategist.Portfolio.model_validate({"items": [item]})).answers
    assert answer.strategy == "repurchase"


def test_what_the_inventory_records_only_a_person_changes() -> None:
    item = {"key": "1", "name": "Ledger", "migration_strategy": "retire"}
    question = strategist.Portfolio.model_validate({"items": [item]})
    answer = strategist.Treatment(key="1", strategy="refactor", confidence=1)
    assert "only a person" in (strategist.impossible(question, answer) or "")


def test_a_risk_names_what_drives_it_and_what_helps() -> None:
    item = {
        "key": "1", "name": "Ledger", "criticality": "high", "environment": "production",
        "data_classification": "restricted", "uses": [f"app{number}" for number in range(10)],
    }  # fmt: skip
    (answer,) = judge(Moves.model_validate({"items": [item]})).answers
    assert answer.level == "high"
    assert len(answer.drivers) == len(answer.mitigations) == 5
    assert "its operating system is not known" in answer.drivers


def test_a_risk_whose_level_does_not_fit_its_figure_is_refused() -> None:
    question = Moves.model_validate({"items": [{"key": "1", "name": "Ledger"}]})
    answer = Risk(key="1", level="low", risk=0.9, complexity=0.1, confidence=1)
    assert impossible_risk(question, answer) == "a risk of 0.90 is high, not low"


def plan(**changes: object) -> planner.Plan:
    items = [{"key": uid(name), "name": name, "assets": 10, "risk": 0.2} for name in ("A", "B", "C")]
    ties = [{"source": uid("A"), "target": uid("B"), "kind": "shared_asset"}]
    return planner.Plan.model_validate({"items": items, "ties": ties, **changes})


def test_applications_without_a_plan_get_one() -> None:
    waves = {each.key: each.wave for each in planner.place(plan()).answers}
    assert waves[uid("A")] == waves[uid("B")] >= 1


def test_an_application_far_from_its_ties_is_in_doubt() -> None:
    items = [{"key": n, "name": n, "wave": wave} for n, wave in (("A", 1), ("B", 2), ("C", 2), ("D", 2))]
    ties = [{"source": "A", "target": other} for other in ("B", "C")]
    answers = planner.place(planner.Plan.model_validate({"items": items, "ties": ties})).by_key
    assert answers["A"].confidence < 0.6 <= answers["D"].confidence


@pytest.mark.parametrize(("wave", "why"), [(3, "there is no wave 3"), (2, "more than 15 assets"), (1, None)])
def test_an_application_moves_only_where_there_is_a_wave_with_room(wave: int, why: str | None) -> None:
    items = [{"key": n, "name": n, "wave": w, "assets": 10} for n, w in (("A", 1), ("B", 2))]
    question = planner.Plan.model_validate({"items": items, "limits": {"max_assets": 15}})
    refused = planner.impossible(question, planner.Placement(key="A", wave=wave, confidence=1))
    assert (refused is None) if why is None else why in (refused or "")
