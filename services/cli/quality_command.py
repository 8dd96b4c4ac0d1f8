"""`modernize quality`: how good an inventory is, what it is ready for, and the rows behind each figure."""

from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from services.cli.answering import answered
from services.cli.command import connected
from services.cli.terminal import CommandFailed, out, print_json, program

if TYPE_CHECKING:
    from contracts.rest_quality import QualityFailureView, QualityFigureView, QualityView
    from services.cli.rest_client import RestClient

# A million rows are measured in less than a minute; silence for this long means that nobody measures.
PATIENCE_SECONDS = 300

Measure = Annotated[
    Literal["completeness", "validity", "uniqueness", "consistency", "timeliness"] | None,
    typer.Option(help="Only figures of this measure, with the rows behind them."),
]


@connected
def quality(
    client: "RestClient",
    measure: Measure = None,
    flow: Annotated[UUID | None, typer.Option("--flow", help="Of this discovery; the newest if left out.")] = None,
    as_json: bool = False,
) -> None:
    """Tell how good the inventory is, what it is ready for, and which rows are behind a figure."""
    from contracts.rest_quality import QualityFailureView, QualityFigureView

    asked = {"flow_id": flow, "measure": measure}
    told = _measured(client, flow)
    figures = list(client.items("/quality/figures", QualityFigureView, asked))
    failures = list(client.items("/quality/failures", QualityFailureView, asked)) if measure else []
    if as_json:
        lists = {
            "figures": [figure.model_dump(mode="json") for figure in figures],
            "failures": [failure.model_dump(mode="json") for failure in failures],
        }
        print_json({**told.model_dump(mode="json"), **lists})
        return
    _say(told, figures, failures)


def _say(told: "QualityView", figures: "list[QualityFigureView]", failures: "list[QualityFailureView]") -> None:
    from services.cli.flow_views import new_table

    table = new_table("Measure", "Of", "Assets or cells", "Good")
    for figure in figures:
        if figure.asset_type is None and (figure.source is None or figure.measure == "validity"):
            of = figure.of if figure.source is None else f"{figure.of} ({figure.source})"
            table.add_row(figure.measure, of, f"{figure.total:,}", f"{figure.good / figure.total:.0%}")
    out.print(table)
    if any(figure.lacking for figure in figures):
        out.print(f"The assets that lack a field:  {program()} assets list --missing FIELD --flow {told.flow_id}")
    for failure in failures:
        what = failure.name or "cell"
        line = f"{failure.of}: {what} ({failure.source_rows}): {failure.value!r}, {failure.reason}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    for phase in told.readiness:
        mark = "[green]✓[/]" if phase.ready else "[yellow]![/]"
        out.print(f"{mark} {phase.phase}:", "ready" if phase.ready else "not ready", highlight=False)
        for low in phase.failures:
            behind = f" ({low.lacking:,} of {low.total:,} are without)" if low.total else ""
            line = f"    {low.figure} is {low.value:.0%} and should be {low.needed:.0%}{behind}. {low.advice}"
            out.print(line, markup=False, highlight=False, soft_wrap=True)


def _measured(client: "RestClient", flow: UUID | None) -> "QualityView":
    from contracts.rest_quality import QualityView

    told = answered(
        "Measuring the inventory …",
        lambda: client.get("/quality", QualityView, {"flow_id": flow}),
        lambda found: found.status == "asked",
        PATIENCE_SECONDS,
        CommandFailed(
            f"The inventory was not measured in {PATIENCE_SECONDS // 60} minutes. Look whether the field "
            "mapping service runs, and into `modernize dead-letters list`.",
            code="quality_not_measured",
        ),
    )
    if told.problem is not None:
        raise CommandFailed(told.problem.detail, code=told.problem.code)
    return told


@connected
def readiness(client: "RestClient", as_json: bool = False) -> None:
    """Tell what assessment and planning need of an inventory, why, and whether a person is asked where it lacks."""
    from contracts.rest_quality import NeedsView
    from services.cli.flow_views import new_table

    told = client.get("/readiness", NeedsView)
    if as_json:
        print_json(told.model_dump(mode="json"))
        return
    table = new_table("Phase", "Needs", "At least", "By default", "Because")
    for phase in told.phases:
        for need in phase.needs:
            ours = "–" if need.by_default is None else f"{need.by_default:.0%}"
            table.add_row(phase.phase, f"{need.label} ({need.figure})", f"{need.share:.0%}", ours, need.reason)
    out.print(table)
    asks = "A flow waits for a person where one of these lacks." if told.asks else "Nobody is asked; it is only shown."
    out.print(f"{asks} Change it:  {program()} config set readiness_gate|readiness_thresholds", soft_wrap=True)
