"""What is told of tasks, numbered without gaps in each engagement and kept for those who were away."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_unless
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agent_tasks import AgentTaskCompleted, AgentTaskRequested
from contracts.envelope import Tenant
from contracts.rest_agents import AgentTaskView
from services.chassis.encryption import Vault
from services.chassis.inventory_sealing import is_sealed
from services.chassis.sealed_events import opened_answer, opened_request
from services.chassis.sealed_rows import vault_of, write_rows
from services.gateway.agents.tables import AgentNewsHead, AgentNewsRow, AgentTask
from services.gateway.agents.task_state import AgentTaskEvent, id_of, new_task, take
from services.gateway.agents.watch import wake_after_commit
from services.gateway.handlers import service


async def keep(session: AsyncSession, events: Sequence[AgentTaskEvent]) -> list[AgentTask]:
    """Bring the tasks of these events, all of one tenant, up to date and tell what is new; returns the tasks."""
    if not events:
        return []
    tenant = events[0].tenant
    sealed = await sealing_wanted(session, tenant)
    vault = vault_of(session)
    about = [(task_id, opened(vault, each)) for each in events if (task_id := id_of(each)) is not None]
    head = await lock_head(session)
    statement = select(AgentTask).where(AgentTask.task_id.in_({task_id for task_id, _ in about}))
    tasks: dict[UUID, AgentTask] = {task.task_id: task for task in await session.scalars(statement)}
    news: list[dict[str, Any]] = []
    for task_id, each in about:
        if task_id not in tasks:
            tasks[task_id] = new_task(each)
            session.add(tasks[task_id])
        if take(tasks[task_id], each):
            news.append(tell(head, each.type_name, each.time, tasks[task_id]))
    await write_rows(session, tenant, tasks.values(), sealed=sealed)
    if news:
        await session.execute(insert(AgentNewsRow), news)
        wake_after_commit(session, tenant)
    return list(tasks.values())


async def announce(session: AsyncSession, tenant: Tenant, kind: str, at: datetime, task: AgentTask) -> None:
    """Keep one new task, and tell of it what no event tells."""
    sealed = await sealing_wanted(session, tenant)
    head = await lock_head(session)
    session.add(task)
    row = tell(head, kind, at, task)
    await write_rows(session, tenant, [task], sealed=sealed)
    await session.execute(insert(AgentNewsRow), [row])
    wake_after_commit(session, tenant)


async def sealing_wanted(session: AsyncSession, tenant: Tenant) -> bool:
    """Whether what is written of the tenant's tasks is to be sealed."""
    # The question is asked in other tenants, too, where nothing of this one may be written.
    await session.flush()
    return await is_sealed(session, service.metadata, tenant)


def opened(vault: Vault, event: AgentTaskEvent) -> AgentTaskEvent:
    """An event with whatever travelled sealed in it."""
    if isinstance(event, AgentTaskRequested):
        return opened_request(vault, event)
    return opened_answer(vault, event) if isinstance(event, AgentTaskCompleted) else event


async def lock_head(session: AsyncSession) -> AgentNewsHead:
    """The number of the newest news, locked; take this lock before any task's, so that nobody waits in a circle."""
    await session.execute(insert_unless(AgentNewsHead).values(seq=0).on_conflict_do_nothing())
    return (await session.scalars(select(AgentNewsHead).with_for_update())).one()


def tell(head: AgentNewsHead, kind: str, at: datetime, task: AgentTask) -> dict[str, Any]:
    """The next row of news: how a task stands now."""
    head.seq += 1
    view = AgentTaskView.model_validate(task).model_dump(mode="json")
    return {"seq": head.seq, "type": kind, "at": at, "task_id": task.task_id, "flow_id": task.flow_id, "task": view}
