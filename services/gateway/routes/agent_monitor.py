"""What agents do, told while it happens: server-sent events and WebSockets, all from the same numbered news."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select
from starlette.requests import HTTPConnection

from contracts.rest_agents import AgentNews, AgentTaskView
from services.chassis.errors import BadRequest
from services.chassis.runtime import Runtime
from services.gateway.agents.requests import task_of
from services.gateway.agents.tables import AgentNewsRow, AgentTask
from services.gateway.agents.watch import AgentWatch, Missed, News, Wanted, newest
from services.gateway.pagination import LARGEST_NUMBER
from services.gateway.principal import Caller, Principal
from services.gateway.web_sockets import admitted, still_allowed, until_closed

router = APIRouter(tags=["agents"])
sockets = APIRouter()

DEFAULT_SECONDS = 300.0
# How soon a connection ends whose credential does not count any more.
CHECK_SECONDS = 15.0
SHOWN_TASKS = 200
MISSED = "agent_news.missed"
POLICY_VIOLATION = 1008


def watch_of(connection: HTTPConnection) -> AgentWatch:
    """What wakes the watchers of this gateway."""
    watch: AgentWatch = connection.app.state.agent_watch
    return watch


def number(text: str | None) -> int | None:
    """The number that a client goes on from; raises `BadRequest` for what is none of ours."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 10) or int(text) > LARGEST_NUMBER:
        raise BadRequest("bad_event_id", "Go on from the id of an event of this stream: a number.")
    return int(text)


async def beginning(
    connection: HTTPConnection,
    caller: Caller,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="The `id` of the last event that came; what was told since then comes first. Absent: from now",
        ),
    ] = None,
) -> int:
    """Where a stream begins; raises `BadRequest` and `TooManyWatchers`, while there is still an answer to refuse."""
    after = number(last_event_id)
    watch_of(connection).check_room(caller.tenant)
    return await _now(connection, caller) if after is None else after


async def _now(connection: HTTPConnection, caller: Principal) -> int:
    runtime: Runtime = connection.app.state.runtime
    async with runtime.database.transaction(caller.tenant) as session:
        return await newest(session)


@router.get("/agent-events", response_class=EventSourceResponse)
async def follow_agents(
    request: Request,
    caller: Caller,
    after: Annotated[int, Depends(beginning)],
    task_id: Annotated[UUID | None, Query(description="Only of this task")] = None,
    flow_id: Annotated[UUID | None, Query(description="Only of this flow's tasks")] = None,
    seconds: Annotated[
        float, Query(ge=0, le=3600, description="When the stream ends, for the client to come again; 0: what there is")
    ] = DEFAULT_SECONDS,
) -> AsyncIterator[ServerSentEvent]:
    """News of tasks as server-sent events, each with the task as it stood then.

    They are kept for a day. Of what is asked for and not kept any more `agent_news.missed` tells: read the tasks anew.
    """
    async for told in _told(request, caller, after, Wanted(task_id, flow_id), seconds):
        for message in _messages(told):
            yield ServerSentEvent(data=message, event=message["type"], id=str(message["seq"]))


@sockets.websocket("/ws/agent-monitor")
async def watch_agents(socket: WebSocket) -> None:
    """All tasks of an engagement: first those that wait or run, then news."""
    await _serve(socket, Wanted())


@sockets.websocket("/ws/tasks/{task_id}")
async def watch_task(socket: WebSocket, task_id: UUID) -> None:
    """One task: first how it stands, then news."""
    await _serve(socket, Wanted(task_id=task_id))


async def _serve(socket: WebSocket, wanted: Wanted) -> None:
    caller = await admitted(socket, lambda found: _check(socket, found, wanted))
    if caller is None:
        return
    async with until_closed(socket):
        after = number(socket.query_params.get("after"))
        if after is None:
            after, snapshot = await _snapshot(socket, caller, wanted)
            await socket.send_json(snapshot)
        async for told in _told(socket, caller, after, wanted, float("inf")):
            for message in _messages(told):
                await socket.send_json(message)
        await socket.close(POLICY_VIOLATION, "The key or token does not count any more.")


async def _check(socket: WebSocket, caller: Principal, wanted: Wanted) -> None:
    """Raise `ExpectedFailure` for what cannot be watched."""
    number(socket.query_params.get("after"))
    watch_of(socket).check_room(caller.tenant)
    if wanted.task_id is not None:
        runtime: Runtime = socket.app.state.runtime
        async with runtime.database.transaction(caller.tenant) as session:
            await task_of(session, wanted.task_id)


async def _snapshot(socket: WebSocket, caller: Principal, wanted: Wanted) -> tuple[int, dict[str, Any]]:
    """How tasks stand now, and the number of the newest news that this has in it."""
    runtime: Runtime = socket.app.state.runtime
    statement = select(AgentTask).order_by(AgentTask.requested_at.desc()).limit(SHOWN_TASKS)
    if wanted.task_id is not None:
        statement = statement.where(AgentTask.task_id == wanted.task_id)
    else:
        statement = statement.where(AgentTask.ended_at.is_(None))
    async with runtime.database.transaction(caller.tenant) as session:
        after = await newest(session)
        tasks = [AgentTaskView.model_validate(task) for task in await session.scalars(statement)]
    return after, {"type": "snapshot", "seq": after, "tasks": [task.model_dump(mode="json") for task in tasks]}


async def _told(
    connection: HTTPConnection, caller: Principal, after: int, wanted: Wanted, seconds: float
) -> AsyncIterator[News | Missed]:
    """News for so long as was asked for and the caller may hear them."""
    watch, left = watch_of(connection), seconds
    while True:
        async for told in watch.news(caller.tenant, after, wanted, min(left, CHECK_SECONDS)):
            after = told.up_to
            yield told
        left -= CHECK_SECONDS
        if left <= 0 or not await still_allowed(connection):
            return


def _messages(told: News | Missed) -> list[dict[str, Any]]:
    if isinstance(told, Missed):
        return [{"type": MISSED, "seq": told.up_to}]
    return [_message(row) for row in told.rows]


def _message(row: AgentNewsRow) -> dict[str, Any]:
    return AgentNews.model_validate(row).model_dump(mode="json")
