"""What must hold of flows: none lost, none stuck, none decided, done or asked for twice."""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

from tests.chaos.promises import ENDED, JOURNAL, MASTER, Evidence, dead_letters, promise


@promise("accepted starts are flows")
async def _accepted_starts_are_flows(evidence: Evidence) -> AsyncIterator[str]:
    rows = await evidence.rows(f"select flow_id, client_account_id, engagement_id from {MASTER}")
    flows = Counter(row["flow_id"] for row in rows)
    for flow_id in evidence.accepted.flows.keys() - flows.keys():
        yield f"the flow {flow_id} was accepted and does not exist"
    known = evidence.accepted.flows.keys() | evidence.accepted.doubtful.keys()
    for flow_id in flows.keys() - known:
        yield f"nobody asked for the flow {flow_id}"
    for flow_id, count in flows.items():
        if count > 1:
            yield f"the flow {flow_id} exists {count} times"


@promise("every flow has ended or says what it waits for and until when")
async def _every_flow_ended_or_waits(evidence: Evidence) -> AsyncIterator[str]:
    query = (
        f"select flow_id, status, current_phase, waits_until, now() as now, state from {MASTER}"
        f" where status not in {ENDED}"
    )
    excused = {row["flow_id"] for row in await dead_letters(evidence)}
    for row in await evidence.rows(query):
        where = f"the flow {row['flow_id']} is {row['status']} in {row['current_phase']}"
        if row["waits_until"] is None or row["waits_until"] <= row["now"]:
            yield f"{where} and says no time until which it waits"
        elif '"waits_for"' not in row["state"]:
            yield f"{where} and does not say what it waits for"
        elif row["flow_id"] not in excused:
            yield f"{where} and waits for nothing that is still under way"


@promise("journal numbers are dense from 1 to the revision")
async def _journals_are_dense(evidence: Evidence) -> AsyncIterator[str]:
    query = f"""
        select m.flow_id, m.revision, count(j.seq) as entries, min(j.seq) as first, max(j.seq) as last,
            count(distinct j.seq) as numbers
        from {MASTER} m left join {JOURNAL} j using (client_account_id, engagement_id, flow_id)
        group by m.flow_id, m.revision, m.client_account_id, m.engagement_id
        having count(j.seq) <> m.revision or count(distinct j.seq) <> m.revision
            or min(j.seq) <> 1 or max(j.seq) <> m.revision
    """
    for row in await evidence.rows(query):
        yield (
            f"the flow {row['flow_id']} is at revision {row['revision']} and has {row['entries']} entries,"
            f" {row['numbers']} different ones from {row['first']} to {row['last']}"
        )


@promise("every event is decided on at most once")
async def _events_are_decided_once(evidence: Evidence) -> AsyncIterator[str]:
    query = f"""
        select flow_id, event_id, event_type, count(*) from {JOURNAL} where event_id is not null
        group by flow_id, event_id, event_type having count(*) > 1
    """
    for row in await evidence.rows(query):
        yield f"{row['event_type']} {row['event_id']} moved the flow {row['flow_id']} {row['count']} times"


@promise("a phase is asked for once an attempt, and again only after its patience")
async def _time_outs_act_once(evidence: Evidence) -> AsyncIterator[str]:
    asked = """
        select record::jsonb ->> 'flowid' as flow_id, record::jsonb ->> 'step' as step, event_type, event_id,
            (record::jsonb ->> 'time')::timestamptz as at
        from audit.entries where event_type = any($1) and record::jsonb ->> 'source' <> '/poison'
    """
    phases = ["wave_planning.requested", "report.requested"]
    twice = f"select flow_id, step, count(*) from ({asked}) a group by 1, 2 having count(*) > 1"
    for row in await evidence.rows(twice, phases):
        yield f"step {row['step']} of the flow {row['flow_id']} was asked for {row['count']} times"
    early = f"""
        select flow_id, step, at - before as gap from (
            select *, lag(at) over (partition by flow_id, event_type order by at) as before from ({asked}) a
        ) b where at - before < make_interval(secs => $2)
    """
    for row in await evidence.rows(early, phases, evidence.patience_seconds):
        yield f"step {row['step']} of the flow {row['flow_id']} was asked for {row['gap']} after the one before"


@promise("exactly one effect an attempt that counted")
async def _effects_are_single(evidence: Evidence) -> AsyncIterator[str]:
    twice = "select request_id, flow_id, step, count(*) from chaos_worker.effects group by 1, 2, 3 having count(*) > 1"
    for row in await evidence.rows(twice):
        yield f"step {row['step']} of the flow {row['flow_id']} took effect {row['count']} times"
    counted = f"""
        select j.flow_id, j.event_type, j.event_id, count(e.seq) from {JOURNAL} j
        left join chaos_worker.effects e on e.reply_id = j.event_id
        where j.event_type in ('wave_planning.completed', 'report.completed')
        group by 1, 2, 3 having count(e.seq) <> 1
    """
    for row in await evidence.rows(counted):
        yield f"{row['event_type']} of the flow {row['flow_id']} counted, and has {row['count']} effects"
    lost = f"""
        select e.flow_id, e.step from chaos_worker.effects e
        left join {JOURNAL} j on j.event_id = e.reply_id where j.event_id is null
    """
    late = await _asked_again(evidence)
    for row in await evidence.rows(lost):
        if row["flow_id"] not in late:
            yield f"step {row['step']} of the flow {row['flow_id']} was done, and its result was lost"


async def _asked_again(evidence: Evidence) -> set[UUID]:
    """Flows whose answers may be stale: a time-out asked for a step again, or the flow was ended meanwhile."""
    query = f"select distinct flow_id from {JOURNAL} where event_id is null or event_type like 'flow.%'"
    return {row["flow_id"] for row in await evidence.rows(query)}


@promise("one decision a human task")
async def _one_decision_a_task(evidence: Evidence) -> AsyncIterator[str]:
    for task_id, wins in evidence.accepted.wins.items():
        if wins > 1:
            yield f"{wins} deciders of the task {task_id} were told that they had won"
    query = f"""
        select j.flow_id, count(*) from {JOURNAL} j
        where j.event_type = 'approval.decided' group by j.flow_id having count(*) > (
            select count(*) from gateway.approvals a where a.flow_id = j.flow_id)
    """
    for row in await evidence.rows(query):
        yield f"the flow {row['flow_id']} was moved by {row['count']} decisions, more than it has tasks"
    disagreeing = f"""
        select a.task_id, a.status, m.status as flow from gateway.approvals a join {MASTER} m using (flow_id)
        where (a.status = 'rejected') <> (m.status = 'cancelled') and a.status <> 'pending'
    """
    for row in await evidence.rows(disagreeing):
        yield f"the task {row['task_id']} was {row['status']} and its flow is {row['flow']}"


@promise("master, child and read model agree")
async def _rows_agree(evidence: Evidence) -> AsyncIterator[str]:
    for other, columns in (
        ("flow_orchestrator.planning_flows", ("status", "current_phase")),
        ("gateway.flows", ("status", "current_phase", "revision")),
    ):
        differ = " or ".join(f"m.{column} is distinct from o.{column}" for column in columns)
        query = f"""
            select m.flow_id, m.status as here, o.status as there from {MASTER} m
            full join {other} o using (client_account_id, engagement_id, flow_id) where {differ}
        """
        for row in await evidence.rows(query):
            yield f"the flow {row['flow_id']} is {row['here']}, and in {other} {row['there']}"
