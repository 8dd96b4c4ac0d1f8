"""The ledger of model calls: what may be spent is reserved before a call, what was spent is written after it.

What is written goes out in batches, at most some a second, each with its events in one transaction. A budget cannot be
exceeded by that: its reservation is committed before the call is made. Without a budget a process that is killed can
lose the entries of its last quarter of a second.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from decimal import ROUND_UP, Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.agents import ModelCall, ModelCallsRecorded
from contracts.envelope import Problem, Tenant
from services.agent_runner.models.together import Together
from services.agent_runner.tables import ModelAnswer, ModelCallRow, ModelSpending, Tables
from services.chassis.outbox import add_events
from services.chassis.rows import insert_rows, json_text, replacing
from services.chassis.runtime import Runtime
from services.chassis.tenancy import enter

log = structlog.get_logger()

WRITE_SECONDS = 0.25
PAUSE_SECONDS = 1.0
CALLS_AN_EVENT = 500
# A call is over long before: whoever made it is gone.
LOST_AFTER = timedelta(minutes=15)
OPEN, LOST = "open", "lost"
# The quota of tokens, beside the budgets in USD.
TOKENS = "tokens"
NOTHING_USED: Mapping[str, Any] = {"cost_usd": Decimal(0), "tokens_in": 0, "tokens_out": 0}
_CENTS = Decimal("1e-12")

_SETTLE = (
    "on conflict (client_account_id, engagement_id, scope) do update set"
    " spent_usd = model_spending.spent_usd + excluded.spent_usd,"
    " reserved_usd = model_spending.reserved_usd + excluded.reserved_usd"
)
_LOST = text("update agent_runner.model_calls set outcome = 'lost' where outcome = 'open' and at < :before returning *")


@dataclass(frozen=True)
class Entry:
    """What is written after a call: the call, what was reserved for it, and its answer if that may be used again."""

    tenant: Tenant
    call: ModelCall
    reserved: Decimal = Decimal(0)
    answer: Mapping[str, Any] | None = None


_Asked = tuple[ModelCall, Mapping[str, Decimal]]


def decided(asked: Sequence[_Asked], taken: dict[str, Decimal]) -> list[Problem | None]:
    """Which calls fit into their budgets, in order, and why others do not; `taken` is what each scope has by now."""
    problems: list[Problem | None] = []
    for call, budgets in asked:
        tokens = Decimal(call.tokens_in + call.tokens_out)
        most = {TOKENS: tokens, **dict.fromkeys(scopes(call.at, call.flow_id), call.cost_usd)}
        over = next((name for name, budget in budgets.items() if taken[name] + most[name] > budget), None)
        problems.append(None if over is None else _spent(over, budgets[over], most[over]))
        if over is None:
            for name in taken.keys() & most.keys():
                taken[name] += most[name]
    return problems


def _spent(scope: str, budget: Decimal, most: Decimal) -> Problem:
    if scope == TOKENS:
        detail = (
            f"The engagement's models may take {budget:,} tokens a day, which does not allow a call that may take "
            f"{most:,}, so rules decide. Raise model_tokens_per_day, or wait until midnight UTC."
        )
        return Problem(code="model_tokens_of_day_spent", detail=detail)
    kind = "the engagement's day" if scope.startswith("day:") else "this flow"
    return Problem(
        code="model_budget_spent",
        detail=f"The budget of {kind}, {budget} USD, does not allow a call that may cost {most:.6f} USD, so rules "
        "decide. Raise model_budget_usd_per_day or model_budget_usd_per_flow, or choose a cheaper model.",
    )


def scopes(at: datetime, flow_id: UUID | None) -> tuple[str, ...]:
    """The budgets that a call counts in, in the order in which their rows are locked."""
    day = f"day:{at.astimezone(UTC).date().isoformat()}"
    return (day,) if flow_id is None else (day, f"flow:{flow_id}")


def rounded_up(usd: Decimal) -> Decimal:
    """As the database keeps it; never less."""
    return usd.quantize(_CENTS, rounding=ROUND_UP)


class Ledger:
    """Reserves and writes for every tenant; `run` in the background while it is used."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._committed = runtime.committed
        self._entries: list[Entry] = []
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._reservations = Together(self._reserve_all)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write in the background until the block ends, and then what is left."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.write()

    async def reserve(self, tenant: Tenant, call: ModelCall, budgets: Mapping[str, Decimal]) -> Problem | None:
        """Set aside the most that a call can cost and take, in each of these budgets, or say which is spent.

        What was set aside for whoever is cancelled meanwhile is given back.
        """
        asking = asyncio.ensure_future(self._reservations.ask(tenant, (call, budgets)))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(lambda done: self._give_back(tenant, call, done))
            raise

    def _give_back(self, tenant: Tenant, call: ModelCall, done: "asyncio.Future[Problem | None]") -> None:
        if not done.cancelled() and done.exception() is None and done.result() is None:
            unmade = call.model_copy(update={"outcome": "cancelled", **NOTHING_USED})
            self.record(Entry(tenant, unmade, call.cost_usd))

    async def _reserve_all(self, tenant: Tenant, asked: Sequence[_Asked]) -> list[Problem | None]:
        names = sorted({scope for call, _ in asked for scope in scopes(call.at, call.flow_id)})
        nothing = [{"scope": name, "spent_usd": Decimal(0), "reserved_usd": Decimal(0)} for name in names]
        known = select(ModelSpending.scope, ModelSpending.spent_usd + ModelSpending.reserved_usd)
        known = known.where(ModelSpending.scope.in_(names)).order_by(ModelSpending.scope).with_for_update()
        async with self._database.transaction(tenant) as session:
            await insert_rows(session, _table(ModelSpending), nothing, "on conflict do nothing")
            taken = {scope: Decimal(sum_) for scope, sum_ in await session.execute(known)}
            if any(TOKENS in budgets for _, budgets in asked):
                # After the lock of the day, so that what others set aside meanwhile is counted.
                day = datetime.combine(min(call.at for call, _ in asked).astimezone(UTC), clock.min, UTC)
                used = func.coalesce(func.sum(ModelCallRow.tokens_in + ModelCallRow.tokens_out), 0)
                here = ModelCallRow.at >= day, ModelCallRow.cached.is_(False)
                taken[TOKENS] = Decimal(await session.scalar(select(used).where(*here)) or 0)
            problems = decided(asked, taken)
            made = [call for (call, _), problem in zip(asked, problems, strict=True) if problem is None]
            if made:
                await _settle(session, [Entry(tenant, _free(call), -call.cost_usd) for call in made])
                await insert_rows(session, _table(ModelCallRow), [_row(call, OPEN) for call in made])
        return problems

    def record(self, entry: Entry) -> None:
        """Write this soon."""
        self._entries.append(entry)
        self._wake.set()

    async def write(self) -> None:
        """Write what is there now; what the database did not take is kept and written later."""
        async with self._writing:
            await self._write_all()

    async def _write_all(self) -> None:
        entries, self._entries = self._entries, []
        by_tenant: dict[Tenant, list[Entry]] = {}
        for entry in entries:
            by_tenant.setdefault(entry.tenant, []).append(entry)
        for tenant, own in by_tenant.items():
            try:
                async with self._database.transaction(tenant) as session:
                    await _write(session, tenant, own)
            except Exception:
                self._entries += own
                raise
        if by_tenant:
            self._committed()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except Exception:
                log.exception("model_calls_not_written", calls=len(self._entries), again_in_seconds=PAUSE_SECONDS)
                self._wake.set()
                await asyncio.sleep(PAUSE_SECONDS)

    async def close_lost(self, now: datetime) -> None:
        """Count calls whose process is gone as what they could have cost at most: they may have been made."""
        before = now - LOST_AFTER
        columns = ModelCallRow.client_account_id, ModelCallRow.engagement_id
        async with self._database.dispatch() as connection:
            rows = await connection.execute(
                select(*columns).where(ModelCallRow.outcome == OPEN, ModelCallRow.at < before).distinct()
            )
            tenants = [Tenant(client_account_id=client, engagement_id=engagement) for client, engagement in rows]
        for tenant in tenants:
            async with self._database.session() as session:
                await enter(session, tenant)
                lost = [_call(row) for row in (await session.execute(_LOST, {"before": before})).mappings()]
                await _settle(session, [Entry(tenant, call, call.cost_usd) for call in lost])
                await add_events(session, Tables.metadata, [ModelCallsRecorded(tenant=tenant, calls=lost)])
            self._committed()


async def _write(session: AsyncSession, tenant: Tenant, entries: Sequence[Entry]) -> None:
    rows = [_row(entry.call) for entry in entries]
    await insert_rows(session, _table(ModelCallRow), rows, replacing(_table(ModelCallRow), tuple(rows[0])))
    await _settle(session, entries)
    answers = {entry.answer["digest"]: entry.answer for entry in entries if entry.answer is not None}
    if answers:
        kept = [{**answer, "answer": json_text(answer["answer"])} for _, answer in sorted(answers.items())]
        await insert_rows(session, _table(ModelAnswer), kept, replacing(_table(ModelAnswer), tuple(kept[0])))
    calls = [entry.call for entry in entries]
    packs = [calls[start : start + CALLS_AN_EVENT] for start in range(0, len(calls), CALLS_AN_EVENT)]
    await add_events(session, Tables.metadata, [ModelCallsRecorded(tenant=tenant, calls=pack) for pack in packs])


async def _settle(session: AsyncSession, entries: Sequence[Entry]) -> None:
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for entry in entries:
        if not entry.call.cost_usd and not entry.reserved:
            continue
        for scope in scopes(entry.call.at, entry.call.flow_id):
            spent, reserved = sums.get(scope, (Decimal(0), Decimal(0)))
            sums[scope] = spent + entry.call.cost_usd, reserved - entry.reserved
    rows = [
        {"scope": scope, "spent_usd": spent, "reserved_usd": reserved}
        for scope, (spent, reserved) in sorted(sums.items())
    ]
    if rows:
        await insert_rows(session, _table(ModelSpending), rows, _SETTLE)


def _free(call: ModelCall) -> ModelCall:
    return call.model_copy(update={"cost_usd": Decimal(0)})


def _table(row: type[Tables]) -> Any:
    return row.__table__


def _row(call: ModelCall, outcome: str | None = None) -> dict[str, Any]:
    return {**call.model_dump(), "outcome": outcome or call.outcome}


def _call(row: RowMapping) -> ModelCall:
    return ModelCall.model_validate({name: row[name] for name in ModelCall.model_fields})
