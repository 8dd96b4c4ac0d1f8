"""What can be learned from what people decided about columns: where they agree, and where they do not."""

from collections import Counter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.catalog import CATALOG, CONNECTION_FIELDS
from services.agent_runner.agents.definition import Answers, Judgement, Question
from services.agent_runner.analysis.phrases import counted, listed

# One source's people may call a column as nobody else does, so two have to agree before all files are taught.
SOURCES_THAT_AGREE = 2


class Decision(BaseModel):
    """What somebody decided about a column of a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str = Field(min_length=1, max_length=500)
    source: str = Field(max_length=300, description="The source whose file it was in")
    proposed: str | None = Field(default=None, description="The field that was proposed")
    decided: str | None = Field(description="The field that it was decided to be; null: none")


class Decisions(Question):
    """Decisions to learn from."""

    items: list[Decision] = Field(min_length=1, max_length=5000)


class Learned(Judgement):
    """What is to be taught about columns of one name, which is the key."""

    field: str | None = Field(description="The field that they mean; null: none")
    for_all_files: bool = Field(description="Whether that holds for the files of all sources, also new ones")


class Lessons(Answers):
    """What is to be taught, by columns' names."""

    answers: list[Learned]


def column_key(name: str) -> str:
    """A column's name without case and punctuation: 'RAM_GB' and 'Ram (GB)' are 'ram gb'."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split()) or name


def generalise(question: Decisions) -> Lessons:
    """For each name of a column the field that most sources decided on, by Laplace's rule of succession.

    It is for all files where at least two sources decided so and none otherwise. The confidence is
    (sources that agree + 1) / (sources + 2).
    """
    decided: dict[str, dict[str, str | None]] = {}
    for decision in question.items:
        # The last decision of a source is the one that counts there.
        decided.setdefault(column_key(decision.column), {})[decision.source] = decision.decided
    return Lessons(answers=[_lesson(key, by_source) for key, by_source in sorted(decided.items())])


def _lesson(key: str, by_source: dict[str, str | None]) -> Learned:
    votes = Counter(by_source.values())
    field, agree = min(votes.items(), key=lambda vote: (-vote[1], vote[0] or ""))
    rest = len(by_source) - agree
    reason = (
        f"{counted(agree, 'source')} ({listed(_sources(by_source, field))}) decided that it is {field or 'nothing'}"
    )
    if rest:
        others = sorted({other or "nothing" for other in votes if other != field})
        reason += f", {counted(rest, 'other')} that it is {listed(others)}: it depends on the source."
    else:
        reason += "." if agree >= SOURCES_THAT_AGREE else "; one source alone says little of others."
    return Learned(
        key=key,
        field=field,
        for_all_files=agree >= SOURCES_THAT_AGREE and not rest,
        confidence=round((agree + 1) / (len(by_source) + 2), 3),
        rationale=reason,
    )


def _sources(by_source: dict[str, str | None], field: str | None) -> list[str]:
    return sorted(source for source, decided in by_source.items() if decided == field)


def impossible(question: Decisions, answer: Learned) -> str | None:
    """Why this cannot be taught: nobody decided so, and no such field is known."""
    known = {*CATALOG, *CONNECTION_FIELDS, *(each.decided for each in question.items if each.decided)}
    if answer.field is not None and answer.field not in known:
        return f"there is no field {answer.field!r}"
    return None


def decisions_about(question: Decisions, key: str) -> dict[str, Any]:
    """What was decided about columns of this name."""
    found = [each.model_dump(mode="json") for each in question.items if column_key(each.column) == key]
    return {"decisions": found[:20]}
