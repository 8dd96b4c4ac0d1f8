"""What becomes of a model's answers: only what was asked counts, only what is possible, and both are told."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.agent_runner.agents.comparing import asked, compare, doubtful, mean_confidence, together, told
from services.agent_runner.agents.migration_strategist.rules import Portfolio, Treatment, Treatments
from services.agent_runner.agents.registry import AGENTS

AGENT = AGENTS["migration_strategist"]
confidences = st.floats(0, 1, allow_nan=False)


def portfolio(*confidences: float, **changes: Any) -> Portfolio:
    items = [
        {"key": f"{number}", "name": f"app {number}", "strategy": "rehost", "confidence": confidence, **changes}
        for number, confidence in enumerate(confidences)
    ]
    return Portfolio.model_validate({"items": items})


def says(key: str, strategy: str = "refactor", confidence: float = 0.8) -> Treatment:
    return Treatment.model_validate({"key": key, "strategy": strategy, "confidence": confidence, "rationale": "so"})


def test_a_model_is_asked_only_what_the_rules_were_unsure_about() -> None:
    question = portfolio(0.9, 0.5, 0.2)
    doubts = doubtful(AGENT, AGENT.rules(question))
    assert [doubt.key for doubt in doubts] == ["2", "1"]
    shown = asked(AGENT, question, doubts)
    assert [doubt["rules_answer"]["strategy"] for doubt in shown["doubts"]] == ["rehost", "rehost"]
    assert shown["doubts"][0]["evidence"]["name"] == "app 2"
    assert "app 0" not in str(shown)


def test_where_a_model_differs_both_answers_are_kept() -> None:
    question = portfolio(0.9, 0.5, 0.4)
    ruled = AGENT.rules(question)
    doubts = doubtful(AGENT, ruled)
    compared = compare(AGENT, question, ruled, doubts, Treatments(answers=[says("1"), says("2", "rehost")]))
    assert [getattr(answer, "strategy") for answer in compared.answers] == ["rehost", "refactor", "rehost"]  # noqa: B009
    assert [answer.key for answer in compared.overruled] == ["1"]
    assert "confirmed 1 of them and answered 1 otherwise" in told(ruled, doubts, compared)


def test_what_nobody_asked_and_what_cannot_be_does_not_count() -> None:
    question = portfolio(0.9, 0.5, migration_strategy="rehost")
    ruled = AGENT.rules(question)
    said = Treatments(answers=[says("0"), says("1"), says("7"), says("1", "retire")])
    compared = compare(AGENT, question, ruled, doubtful(AGENT, ruled), said)
    assert compared.answers == list(ruled.answers)
    assert compared.taken == 0
    assert len(compared.refused) == 4


@given(confidences, confidences)
def test_two_who_agree_are_surer_than_two_who_differ(rules: float, model: float) -> None:
    agreed, differed = (together(rules, model, agrees=agrees) for agrees in (True, False))
    assert 0 < differed < 1
    assert 0 < agreed < 1
    if rules >= 0.5:
        assert differed <= agreed


@given(st.lists(st.tuples(st.sampled_from("0123x"), st.sampled_from(["retire", "rehost"]), confidences), max_size=8))
def test_whatever_a_model_says_every_question_has_one_answer(said: list[tuple[str, str, float]]) -> None:
    question = portfolio(0.9, 0.5, 0.3, 0.1)
    ruled = AGENT.rules(question)
    compared = compare(
        AGENT, question, ruled, doubtful(AGENT, ruled), Treatments(answers=[says(*each) for each in said])
    )
    assert [answer.key for answer in compared.answers] == ["0", "1", "2", "3"]
    assert compared.answers[0] == ruled.answers[0]
    assert compared.taken + len(compared.refused) == len(said)
    assert 0 <= mean_confidence(compared.answers) <= 1
