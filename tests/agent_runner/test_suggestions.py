"""From tables to what an agent is asked, and back: decisions stay the rules', suggestions stand beside them."""

from datetime import date
from typing import Any
from uuid import UUID

from contracts.agents import AgentResult
from contracts.planning import WaveLimits
from services.agent_runner.agents.risk_assessor.crew import AGENT as RISK_ASSESSOR
from services.agent_runner.agents.risk_assessor.rules import judge
from services.agent_runner.agents.suggestions import (
    moves_in_doubt,
    plan_in_doubt,
    portfolio_in_doubt,
    suggested,
    with_risk_suggestions,
    with_risks,
    with_suggestions,
)
from services.agent_runner.analysis.six_r import assess
from services.agent_runner.analysis.waves import plan_waves
from tests.agent_runner.estates import applications, assessments, assets, dependencies, uid

SERVERS = [{"name": f"srv{number}", "operating_system": "RHEL 9", "cpu_utilization_pct": 40.0} for number in range(3)]
NAMES = ("Ledger", "Shop", "Mail")
APPLICATIONS = applications(
    *({"name": name, "asset_uids": [f"asset-srv{number}"], "environment": "test"} for number, name in enumerate(NAMES))
)
TIES = dependencies(("Shop", "Ledger", "connection", 443, 9))


def differing(key: str, **said: Any) -> AgentResult:
    """A model that would decide otherwise about one thing."""
    answer = {"key": key, "confidence": 0.7, "rationale": "It is small.", **said}
    return AgentResult(
        agent="a", engine="model", model="stub/stub", prompt_version="1-0", confidence=0.7, differs=True,
        output={"answers": [answer]}, rules_output={"answers": [{"key": key}]},
    )  # fmt: skip


def test_an_agent_is_told_of_the_applications_that_rules_were_unsure_about() -> None:
    decided = assessments(*((name, "rehost", 0.3) for name in NAMES))
    decided = decided.with_columns(confidence=decided["risk"], reason=decided["name"])
    decided[0, "confidence"] = 0.9
    portfolio = portfolio_in_doubt(APPLICATIONS, assets(*SERVERS), TIES, decided)
    assert portfolio is not None
    by_name = {item.name: item for item in portfolio.items}
    assert set(by_name) == {"Shop", "Mail"}
    assert by_name["Shop"].uses == ["Ledger"]
    assert by_name["Shop"].cpu_utilization_pct == 40.0
    assert "Red Hat" in (by_name["Shop"].operating_system_product or "")


def test_where_the_rules_are_sure_no_agent_is_asked() -> None:
    decided = assessments(("Ledger", "rehost", 0.3)).with_columns(confidence=0.9)
    assert portfolio_in_doubt(APPLICATIONS, assets(*SERVERS), TIES, decided) is None


def test_a_suggestion_stands_beside_the_decision_and_changes_nothing_of_it() -> None:
    decided = assessments(("Ledger", "rehost", 0.3), ("Shop", "retain", 0.3))
    shown = with_suggestions(decided, differing(uid("Shop"), strategy="retire"))
    assert shown["strategy"].to_list() == ["rehost", "retain"]
    assert shown["suggestion"].to_list() == [None, "retire"]
    assert shown["suggestion_reason"][1] == "It is small. (stub/stub, prompts 1-0, sure to 70%)"


def test_a_wave_tells_what_would_rather_move_elsewhere() -> None:
    decided = assessments(*((name, "rehost", 0.2) for name in NAMES))
    planned = plan_waves(APPLICATIONS, TIES, decided, assets(*SERVERS), WaveLimits(max_assets=2, pilot_assets=1))
    question = plan_in_doubt(planned, APPLICATIONS, TIES, WaveLimits())
    assert question is not None
    assert {item.name for item in question.items} == set(NAMES)
    assert [(tie.source, tie.target) for tie in question.ties] == [(uid("Shop"), uid("Ledger"))]
    waves = suggested(planned.waves, differing(uid("Mail"), wave=2))
    (told,) = [wave for wave in waves if wave.suggestions]
    assert UUID(uid("Mail")) in told.application_ids
    assert told.suggestions[0].startswith("Mail in wave 2. It is small.")
    assert [wave.model_copy(update={"suggestions": []}) for wave in waves] == planned.waves


def test_a_risk_that_stands_on_little_is_put_to_the_assessor_as_the_rules_judged_it() -> None:
    decided = assess(assets(*SERVERS), APPLICATIONS, TIES, date(2026, 11, 20))
    moves = moves_in_doubt(APPLICATIONS, assets(*SERVERS), TIES, decided)
    assert moves is not None
    known = {row["application_uid"]: row for row in decided.iter_rows(named=True)}
    for judged in judge(moves).answers:
        row = known[judged.key]
        assert (judged.level, judged.risk) == (row["risk_level"], row["risk"])
        assert judged.confidence == row["risk_confidence"]
        assert judged.rationale == row["risk_reason"]
        assert judged.confidence < RISK_ASSESSOR.sure
    sure = decided.with_columns(risk_confidence=0.9)
    assert moves_in_doubt(APPLICATIONS, assets(*SERVERS), TIES, sure) is None


def test_who_approves_waves_sees_what_drives_their_risks_and_what_a_model_thinks_of_them() -> None:
    decided = assess(assets(*SERVERS), APPLICATIONS, TIES, date(2026, 11, 20))
    advice = differing(uid("Shop"), level="high", risk=0.9)
    shown = with_risk_suggestions(decided, advice)
    assert shown.drop("risk_suggestion", "risk_suggestion_reason").equals(
        decided.drop("risk_suggestion", "risk_suggestion_reason")
    ), "a suggestion changes nothing of what the rules judged"
    planned = plan_waves(APPLICATIONS, TIES, shown, assets(*SERVERS), WaveLimits())
    told = [risk for wave in with_risks(planned.waves, shown) for risk in wave.risks]
    (shop,) = [risk for risk in told if risk.startswith("Shop: ")]
    assert "Suggested: high. It is small. (stub/stub, prompts 1-0, sure to 70%)" in shop
    assert "Not known:" in shop
    assert [wave.model_copy(update={"risks": []}) for wave in with_risks(planned.waves, shown)] == planned.waves
