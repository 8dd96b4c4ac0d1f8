"""Follows a flow and the flows that it starts, shows how far each phase is, and stops where a person has to decide."""

import time
from collections.abc import Callable
from uuid import UUID

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from contracts.flows import PhaseView
from contracts.rest import FlowDetail
from services.cli.rest_client import RestClient
from services.cli.terminal import CommandFailed, err
from services.cli.wording import moment, summary_of, took, waiting, words

ENDED = {"completed", "failed", "cancelled"}
# Nothing moves a flow on from here but a person.
STANDING = {"created", "paused"}
NOT_BEGUN = {"scheduled", "queued"}
_PHASE_ENDS = {"completed": "[green]✓[/]", "failed": "[red]✗[/]", "cancelled": "[red]✗[/]", "skipped": "[dim]↷[/]"}
# One person looks on, at one row: oftener than the interval that is advised to programs.
LOOK_SECONDS = 0.3
# How long after a flow's end another may still appear that it started, where it is not known whether one will.
AFTERMATH_SECONDS = 3.0
# How long a flow that is to follow may take to appear before something is wrong.
APPEAR_SECONDS = 60.0

Decide = Callable[[FlowDetail], None]


class FlowDisplay:
    """One line a phase: ended ones stay, the running one is live on a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("   "),
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", style="dim"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._tasks: dict[tuple[UUID, str], TaskID] = {}
        self._ended: set[tuple[UUID, str, int]] = set()
        self._titled: set[UUID] = set()
        self._said: set[tuple[UUID, str]] = set()

    def __enter__(self) -> "FlowDisplay":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def pause(self) -> None:
        """Take the live part away while something else is printed."""
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()
        self._progress.refresh()

    def show(self, flow: FlowDetail) -> None:
        """Bring the lines of a flow up to date."""
        if flow.flow_id not in self._titled and flow.phases:
            self._titled.add(flow.flow_id)
            self._progress.console.print(f"[bold]{words(flow.flow_type).capitalize()}[/] [dim]{flow.flow_id}[/]")
        if flow.status in NOT_BEGUN and flow.revision > 0 and (flow.flow_id, flow.status) not in self._said:
            self._said.add((flow.flow_id, flow.status))
            self._progress.console.print(f"  [dim]…[/] waits for {waiting(flow.waits_for or '', flow.waits_until)}")
        for phase in flow.phases:
            if phase.status in _PHASE_ENDS:
                self._end(flow, phase)
            elif phase.status != "pending":
                self._update(flow, phase)

    def _end(self, flow: FlowDetail, phase: PhaseView) -> None:
        key = (flow.flow_id, phase.name)
        if key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))
        if (*key, phase.attempt) in self._ended:
            return
        self._ended.add((*key, phase.attempt))
        mark = _PHASE_ENDS[phase.status]
        again = f" (attempt {phase.attempt})" if phase.attempt > 1 else ""
        name = f"{words(phase.name)}{again}"
        duration = took(phase.started_at, phase.finished_at)
        self._progress.console.print(f"  {mark} {name:<22} [dim]{duration:>8}[/]  {summary_of(phase.summary)}")

    def _update(self, flow: FlowDetail, phase: PhaseView) -> None:
        key = (flow.flow_id, phase.name)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(f"{words(phase.name):<22}", total=None, note="")
        current = flow.progress if flow.current_phase == phase.name else None
        note = current.message if current else ""
        if phase.status == "backing_off" and phase.due is not None:
            why = f" after: {phase.problem.detail}" if phase.problem else ""
            note = f"tried again at {moment(phase.due)}{why}"
        if phase.status == "waiting":
            note = f"waits for {flow.waits_for}" if flow.waits_for else "waits for a person"
        self._progress.update(
            self._tasks[key],
            total=current.total if current else None,
            completed=current.done if current else 0,
            note=note,
        )


def follow(client: RestClient, flow_id: UUID, expected: int | None, decide: Decide | None = None) -> list[FlowDetail]:
    """Watch a flow and those that follow it to the end, and return them.

    `expected` is how many flows there will be, None where that is not known. At a human gate `decide` is called, or,
    without one, watching ends there. It also ends at a flow that stands still until somebody starts or resumes it.
    """
    followed: list[FlowDetail] = []
    pending = [flow_id]
    with FlowDisplay() as display:
        while pending:
            flow = _to_its_end(client, pending.pop(0), display, decide)
            followed.append(flow)
            if flow.status == "completed" and (expected is None or len(followed) < expected):
                flow = _with_next_flows(client, flow, wait_for_them=expected is not None)
            pending += flow.next_flow_ids
    return followed


def raise_for_failed(flows: list[FlowDetail]) -> None:
    """Raise `CommandFailed` with the problem if one of the flows did not end well."""
    for flow in flows:
        if flow.status == "failed" and flow.problem is not None:
            place = flow.problem.model_dump(exclude={"detail"}, exclude_none=True)
            message = f"The {words(flow.flow_type)} failed: {flow.problem.detail}"
            raise CommandFailed(message, flow_id=str(flow.flow_id), **place)
        if flow.status in {"failed", "cancelled"}:
            why = f": {flow.problem.detail}" if flow.problem is not None else "."
            raise CommandFailed(f"The {words(flow.flow_type)} {flow.flow_id} was {flow.status}{why}", code=flow.status)


def _to_its_end(client: RestClient, flow_id: UUID, display: FlowDisplay, decide: Decide | None) -> FlowDetail:
    while True:
        flow = client.get(f"/flows/{flow_id}", FlowDetail)
        display.show(flow)
        if flow.status in ENDED | STANDING:
            return flow
        # The task is known a moment before the flow says that it waits for it, or while a branch beside it still runs.
        if flow.status == "waiting" and flow.pending_approval_ids:
            if decide is None:
                return flow
            display.pause()
            decide(flow)
        time.sleep(LOOK_SECONDS)


def _with_next_flows(client: RestClient, flow: FlowDetail, *, wait_for_them: bool) -> FlowDetail:
    """The flow once the flows that it starts are known: they appear a moment after its end."""
    begun = time.monotonic()
    while not flow.next_flow_ids:
        waited = time.monotonic() - begun
        if not wait_for_them and waited > AFTERMATH_SECONDS:
            break
        if waited > APPEAR_SECONDS:
            raise CommandFailed(
                f"The {words(flow.flow_type)} {flow.flow_id} ended well, but the flow that follows it has not appeared "
                f"for {APPEAR_SECONDS:.0f} s. Look at `modernize dead-letters list`, and whether all services run.",
                code="next_flow_missing",
            )
        time.sleep(LOOK_SECONDS)
        flow = client.get(f"/flows/{flow.flow_id}", FlowDetail)
    return flow
