"""What the rules are unsure about, and what becomes of a model's answers: bounded, compared, both shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.agent_runner.agents.definition import Agent, Answers, Judgement
from services.agent_runner.analysis.phrases import counted

# A model that is asked about more at once forgets some; what is left the rules have answered.
MOST_ASKED = 25
# Neither rules nor models are ever quite sure.
LEAST, MOST = 0.01, 0.99


@dataclass(frozen=True)
class Compared:
    """The answers of rules and model together.

    `answers` are the model's where it gave one that can be taken, else the rules'. `overruled` are the rules' answers
    that differ from the model's. `refused` says of answers that could not be taken why.
    """

    answers: list[Judgement]
    overruled: list[Judgement]
    confirmed: int
    refused: list[str]

    @property
    def taken(self) -> int:
        """How many answers of the model count."""
        return self.confirmed + len(self.overruled)


def doubtful(agent: Agent, ruled: Answers) -> list[Judgement]:
    """The rules' answers that a model is asked about: the least sure first, and not more than it can hold."""
    unsure = [answer for answer in ruled.answers if answer.confidence < agent.sure]
    return sorted(unsure, key=lambda answer: answer.confidence)[:MOST_ASKED]


def asked(agent: Agent, question: Any, doubts: Sequence[Judgement]) -> dict[str, Any]:
    """What a model is shown: each doubt with the rules' answer and the evidence, and what is common to all."""
    return {
        "context": dict(agent.context(question)),
        "doubts": [
            {
                "key": doubt.key,
                "rules_answer": doubt.model_dump(mode="json", exclude={"key"}),
                "evidence": dict(agent.evidence(question, doubt.key)),
            }
            for doubt in doubts
        ],
    }


def compare(agent: Agent, question: Any, ruled: Answers, doubts: Sequence[Judgement], said: Answers) -> Compared:
    """Take what a model said about what it was asked about, as far as it is possible; its other words count nothing."""
    before = {doubt.key: doubt for doubt in doubts}
    taken: dict[str, Judgement] = {}
    overruled, refused = [], []
    for answer in said.answers:
        rules = before.get(answer.key)
        if rules is None:
            refused.append(f"{answer.key[:100]}: nobody asked about it")
        elif answer.key in taken:
            refused.append(f"{answer.key[:100]}: it was answered before")
        elif reason := agent.refuses(question, answer):
            refused.append(f"{answer.key[:100]}: {reason}")
        else:
            agrees = agent.decision(answer) == agent.decision(rules)
            taken[answer.key] = answer.model_copy(
                update={"confidence": together(rules.confidence, answer.confidence, agrees=agrees)}
            )
            if not agrees:
                overruled.append(rules)
    answers = [taken.get(answer.key, answer) for answer in ruled.answers]
    return Compared(answers, overruled, len(taken) - len(overruled), refused)


def together(rules: float, model: float, *, agrees: bool) -> float:
    """How sure the model's answer is, given how sure both are of theirs: their odds multiplied, as independent ones."""
    odds = _odds(model) * (_odds(rules) if agrees else 1 / _odds(rules))
    return round(min(MOST, max(LEAST, odds / (1 + odds))), 3)


def _odds(confidence: float) -> float:
    bounded = min(MOST, max(LEAST, confidence))
    return bounded / (1 - bounded)


def mean_confidence(answers: Sequence[Judgement]) -> float:
    """Over all answers; 1 where there was nothing to answer."""
    return round(sum(answer.confidence for answer in answers) / len(answers), 3) if answers else 1.0


def told(ruled: Answers, doubts: Sequence[Judgement], compared: Compared | None) -> str:
    """In a sentence or two how the answers came about."""
    total = len(ruled.answers)
    if not doubts:
        return f"The rules were sure of {'it' if total == 1 else f'all {total:,} answers'}."
    sentence = f"The rules were unsure of {len(doubts):,} of {counted(total, 'answer')}."
    if compared is None:
        return sentence
    sentence += (
        f" The model confirmed {compared.confirmed:,} of them and answered {len(compared.overruled):,} otherwise"
    )
    if compared.refused:
        sentence += f"; {counted(len(compared.refused), 'answer')} could not be taken ({compared.refused[0]})"
    return f"{sentence}."
