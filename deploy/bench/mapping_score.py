"""How good answers for labelled columns are: right, accepted, calibrated, in the right unit, and what is confused."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.discovery import ColumnMapping
from deploy.bench.mapping_sets import Answers, LabelledTable

# Spellings of one unit: 1 GB is 1,024 MB here, as in the catalogue.
_SAME_UNIT = {"MiB": "MB", "GiB": "GB", "KiB": "KB", "TiB": "TB", "B": "bytes", "byte": "bytes"}
_BINS = 10


@dataclass(frozen=True)
class Answer:
    """What was said of one column, with what may be said and the unit that is right; `accepted`: nobody is asked."""

    field: str | None
    confidence: float
    accepted: bool
    unit: str | None
    right: Answers
    right_unit: str | None

    @property
    def hit(self) -> bool:
        """Whether the field, or that there is none, is right."""
        return self.field in self.right


def answers(table: LabelledTable, columns: Iterable[ColumnMapping]) -> list[Answer]:
    """The labelled columns of one table with what a mapping says of them."""
    said = {column.column: column for column in columns}
    return [_answer(said[name], right, table.units.get(name)) for name, right in table.answers.items()]


def _answer(said: ColumnMapping, right: Answers, unit: str | None) -> Answer:
    return Answer(said.field, said.confidence, said.status != "review", said.unit, right, unit)


def share(part: int, whole: int) -> float:
    """`part` of `whole` in per cent; 0 of nothing."""
    return 100 * part / whole if whole else 0.0


def percent_right(given: Sequence[Answer]) -> float:
    """Share of all columns whose field, or that they have none, is right."""
    return share(sum(answer.hit for answer in given), len(given))


def figures(given: Sequence[Answer]) -> dict[str, float]:
    """All figures by name. Of the mapped columns only those count that a field must be found for."""
    accepted = [answer for answer in given if answer.accepted]
    mapped = [answer for answer in accepted if answer.field is not None]
    must = [answer for answer in given if None not in answer.right]
    measured = [answer for answer in given if answer.right_unit and answer.field is not None and answer.hit]
    without = [answer for answer in given if answer.right == {None}]
    return {
        "right_percent": percent_right(given),
        "accepted_right_percent": percent_right(accepted),
        "accepted_fields_right_percent": percent_right(mapped),
        "mapped_accepted_percent": share(sum(answer.hit for answer in mapped if None not in answer.right), len(must)),
        "needless_fields_percent": share(sum(answer.field is not None for answer in without), len(without)),
        "units_right_percent": share(sum(_unit_right(answer) for answer in measured), len(measured)),
        "calibration_error_percent": 100 * calibration_error(given),
    }


def calibration_error(given: Sequence[Answer]) -> float:
    """Expected calibration error over ten bins of confidence (Naeini et al. 2015), nulls included."""
    bins: list[list[Answer]] = [[] for _ in range(_BINS)]
    for answer in given:
        bins[min(_BINS - 1, int(answer.confidence * _BINS))].append(answer)
    gaps = [abs(sum(a.confidence for a in found) - sum(a.hit for a in found)) for found in bins]
    return sum(gaps) / len(given) if given else 0.0


def confusions(given: Iterable[Answer]) -> list[tuple[str, str, int]]:
    """What should have been said, what was said, and how often; the most frequent first."""
    wrong = Counter(
        (" or ".join(sorted(field or "nothing" for field in answer.right)), answer.field or "nothing")
        for answer in given
        if not answer.hit
    )
    return [
        (right, said, count) for (right, said), count in sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    ]


def _unit_right(answer: Answer) -> bool:
    return _SAME_UNIT.get(answer.unit or "", answer.unit) == _SAME_UNIT.get(answer.right_unit or "", answer.right_unit)
