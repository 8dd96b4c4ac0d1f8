"""Whether an inventory is good enough for the phases that follow: which figure is too low, and what is behind it."""

from collections import Counter
from uuid import UUID

import polars as pl

from contracts.catalog import CATALOG
from contracts.discovery import PhaseReadiness, QualityReport, ReadinessExample, ReadinessFailure
from contracts.readiness import FIGURES, NEEDS, READABLE_CELLS, USABLE_ROWS, Thresholds, needs_of

# What an application list says of an application holds for its assets.
_OF_APPLICATIONS = frozenset({"criticality", "lifecycle_status", "environment", "business_owner", "technical_owner"})
_EXAMPLES = 5
_ADVICE = {
    USABLE_ROWS: "Look at the rejected rows: most often the column of the host name is mapped to something else.",
    READABLE_CELLS: "Look at the cell problems: most often a column has another unit, or means another field.",
}


class Lacking:
    """The assets that lack what phases need, counted piece by piece, and the first of them."""

    def __init__(self, thresholds: Thresholds, applications: pl.DataFrame | None = None) -> None:
        figures = {need.figure for phase in NEEDS for need in needs_of(phase, thresholds)}
        self.assets = 0
        self.counts = Counter[str]()
        self.examples: dict[str, list[ReadinessExample]] = {figure: [] for figure in figures if figure in CATALOG}
        self._told = {} if applications is None else {field: _told(applications, field) for field in _OF_APPLICATIONS}

    def add(self, assets: pl.DataFrame) -> None:
        """Count a piece of the inventory."""
        self.assets += assets.height
        for field, examples in self.examples.items():
            if not assets[field].null_count():
                continue
            # Only what is asked of them: to copy all columns of most assets takes longer than the rest.
            without = assets.select("name", "source_rows", "application_name").filter(assets[field].is_null())
            told = self._told.get(field)
            if told is not None and told.height:
                without = without.join(told, left_on=_key("application_name"), right_on="key", how="anti")
            self.counts[field] += without.height
            first = without.head(_EXAMPLES - len(examples)).select("name", "source_rows")
            examples += [ReadinessExample(**row) for row in first.iter_rows(named=True)]


def _told(applications: pl.DataFrame, field: str) -> pl.DataFrame:
    """The applications of which a list tells this."""
    return applications.filter(pl.col(field).is_not_null()).select(key=_key("application_name")).drop_nulls()


def _key(name: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def readiness(
    flow_id: UUID | None,
    quality: QualityReport,
    lacking: Lacking,
    thresholds: Thresholds,
    rejected_rows: pl.DataFrame | None = None,
) -> list[PhaseReadiness]:
    """For each phase what fails of the figures that it needs; `lacking` has seen all assets."""
    phases = []
    for phase in NEEDS:
        failures = []
        for need in needs_of(phase, thresholds):
            figure = _figure(need.figure, quality, lacking, rejected_rows)
            if figure.value < need.share:
                advice = f"{need.reason} {figure.advice}"
                failures.append(figure.model_copy(update={"needed": need.share, "advice": advice}))
        phases.append(PhaseReadiness(phase=phase, flow_id=flow_id, ready=not failures, failures=failures))
    return phases


def _figure(
    figure: str, quality: QualityReport, lacking: Lacking, rejected_rows: pl.DataFrame | None
) -> ReadinessFailure:
    """A figure, whether or not it is too low for anything."""
    if figure == USABLE_ROWS:
        without, total = quality.rows_rejected, quality.rows_read
        value = 1 - without / total if total else 1.0
        examples = _places(rejected_rows)
    elif figure == READABLE_CELLS:
        without = sum(field.invalid for field in quality.fields)
        # The report has cells as the ratio of readable ones alone; which they are is listed by GET /cell-problems.
        total = round(without / (1 - quality.validity)) if quality.validity < 1 else 0
        value, examples = quality.validity, []
    else:
        without, total, examples = lacking.counts[figure], lacking.assets, lacking.examples[figure]
        value = 1 - without / total if total else 1.0
    advice = _ADVICE.get(figure) or f"Map a column to {CATALOG[figure].label}, or import a file that has it."
    return ReadinessFailure(
        figure=FIGURES[figure], value=value, needed=0, advice=advice, of=figure, lacking=without, total=total,
        examples=examples,
    )  # fmt: skip


def _places(rows: pl.DataFrame | None) -> list[ReadinessExample]:
    """The first rows, with what is wrong with them."""
    if rows is None:
        return []
    place = pl.concat_str("file_name", pl.concat_str(pl.lit("/"), "sheet").fill_null(""), pl.lit(":"), "row")
    first = rows.head(_EXAMPLES).select(name="reason", source_rows=place)
    return [ReadinessExample(**row) for row in first.iter_rows(named=True)]
