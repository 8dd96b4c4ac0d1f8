"""What must hold of messages, tenants and the log: nothing lost, nothing twice, nobody else's."""

from collections import defaultdict
from collections.abc import AsyncIterator
from uuid import UUID

from contracts.envelope import PLATFORM, Tenant
from services.audit.checking import LogCheck
from services.chassis.service import Service
from services.chassis.tenancy import service_role
from services.chassis.work import MAX_ATTEMPTS
from tests.chaos.promises import JOURNAL, Evidence, dead_letters, promise


@promise("outboxes, work tables and queues are empty")
async def _nothing_is_left(evidence: Evidence) -> AsyncIterator[str]:
    for name in evidence.services:
        for table in ("outbox", "work"):
            count = await evidence.sql.fetchval(f"select count(*) from {name}.{table}")
            if count:
                yield f"{count} rows are left in {name}.{table}"
    for queue, count in evidence.queued.items():
        if count:
            yield f"{count} messages are left in {queue}"


@promise("every message is consumed or dead-lettered")
async def _nothing_is_lost(evidence: Evidence) -> AsyncIterator[str]:
    dead = {(row["queue"], row["event_id"]) for row in await dead_letters(evidence)}
    audited: dict[str, set[str]] = defaultdict(set)
    for row in await evidence.rows("select event_type, event_id from audit.entries"):
        audited[row["event_type"]].add(str(row["event_id"]))
    for name, service in evidence.services.items():
        taken = {str(row["event_id"]) for row in await evidence.rows(f"select event_id from {name}.inbox")}
        for event_class in service.heard():
            queue, wanted = service.queue_of(event_class), audited.get(event_class.type_name, set())
            for event_id in wanted - taken:
                if (queue, event_id) not in dead:
                    yield f"{event_class.type_name} {event_id} never reached {name}"


@promise("every message is consumed or dead-lettered, poison too")
async def _poison_is_kept(evidence: Evidence) -> AsyncIterator[str]:
    dead = {(row["queue"], row["event_id"]) for row in await dead_letters(evidence)}
    logged = {str(row["event_id"]) for row in await evidence.rows("select event_id from audit.entries")}
    for event_id, kind in evidence.accepted.poison.items():
        if ("chaos_worker.report.requested", str(event_id)) not in dead:
            yield f"the poison {event_id} ({kind}) is no dead letter of who should have understood it"
        # What can be told from its envelope is written down, whatever is in it.
        if str(event_id) not in logged and ("audit.all", str(event_id)) not in dead:
            yield f"the poison {event_id} ({kind}) is neither in the audit log nor a dead letter of it"
    listed = {(row["queue"], row["event_id"]) for row in await evidence.rows("select * from gateway.dead_letters")}
    for queue, event_id in dead - listed:
        yield f"the dead letter {event_id} of {queue} is not listed"


@promise("only what cannot be done is dead-lettered")
async def _the_dead_had_to_die(evidence: Evidence) -> AsyncIterator[str]:
    for row in await dead_letters(evidence):
        known = UUID(row["event_id"]) in evidence.accepted.poison
        if not known and row["code"] not in ("handler_failed", "work_failed"):
            yield f"{row['event_id']} of {row['queue']} was set aside as {row['code']}"
    query = """
        select record from audit.entries where event_type = 'event.dead_lettered'
            and record::jsonb -> 'data' ->> 'code' in ('handler_failed', 'work_failed')
            and record::jsonb -> 'data' ->> 'reason' not like 'Misbehaved: always%'
            and not ($1 and record::jsonb -> 'data' ->> 'reason' like 'WorkCrashes:%')
    """
    # Work in whose midst the process was killed at every attempt is rightly taken for what kills it.
    for row in await evidence.rows(query, evidence.kills >= MAX_ATTEMPTS):
        yield f"a failure that nobody asked for was given up on: {row['record'][:600]}"


@promise("a flow's news arrive in order")
async def _news_arrive_in_order(evidence: Evidence) -> AsyncIterator[str]:
    if not evidence.ordered:
        return
    query = """
        select flow_id, revision, before from (
            select record::jsonb ->> 'flowid' as flow_id, (record::jsonb -> 'data' ->> 'revision')::int as revision,
                lag((record::jsonb -> 'data' ->> 'revision')::int) over (
                    partition by record::jsonb ->> 'flowid' order by seq) as before
            from audit.entries where event_type = 'flow.updated'
        ) news where revision < before
    """
    for row in await evidence.rows(query):
        yield f"revision {row['revision']} of the flow {row['flow_id']} arrived after revision {row['before']}"


@promise("the audit log has everything once and its chain holds")
async def _the_audit_chain_holds(evidence: Evidence) -> AsyncIterator[str]:
    for row in await evidence.rows("select event_id, count(*) from audit.entries group by 1 having count(*) > 1"):
        yield f"the event {row['event_id']} is logged {row['count']} times"
    missing = f"""
        select j.flow_id, j.event_type, j.event_id from {JOURNAL} j
        left join audit.entries a on a.event_id = j.event_id where j.event_id is not null and a.event_id is null
    """
    for row in await evidence.rows(missing):
        yield f"{row['event_type']} {row['event_id']} moved the flow {row['flow_id']} and is not logged"
    for head in await evidence.rows("select * from audit.heads"):
        tenant = Tenant(client_account_id=head["client_account_id"], engagement_id=head["engagement_id"])
        rows = await evidence.rows(
            "select seq, record, hash from audit.entries where client_account_id = $1 and engagement_id = $2"
            " order by seq",
            tenant.client_account_id,
            tenant.engagement_id,
        )
        check = LogCheck(tenant)
        check.check((row["seq"], row["record"].encode(), row["hash"].encode(), None) for row in rows)
        finding = check.finding(head["seq"], head["hash"])
        if not finding.valid:
            yield f"the log of {tenant.engagement_id}: {finding.detail}"


@promise("nobody sees another tenant's rows")
async def _tenants_are_apart(evidence: Evidence) -> AsyncIterator[str]:
    owners = {**evidence.accepted.doubtful, **evidence.accepted.flows}
    tenants = [*set(owners.values()), PLATFORM]
    for name, service in evidence.services.items():
        for table in service.metadata.sorted_tables:
            if "flow_id" in table.c:
                rows = await evidence.rows(f"select flow_id, client_account_id from {table.fullname}")
                for row in rows:
                    owner = owners.get(row["flow_id"])
                    if owner is not None and row["client_account_id"] != owner.client_account_id:
                        yield f"a row of the flow {row['flow_id']} in {table.fullname} is another tenant's"
        async for detail in _seen_by(evidence, name, service, tenants):
            yield detail
    query = "select event_id from audit.entries where (record::jsonb ->> 'clientaccountid')::uuid <> client_account_id"
    for row in await evidence.rows(query):
        yield f"the event {row['event_id']} is in another tenant's log"


async def _seen_by(evidence: Evidence, name: str, service: Service, tenants: list[Tenant]) -> AsyncIterator[str]:
    for tenant in [None, *tenants]:
        async with evidence.sql.transaction():
            await evidence.sql.execute(f"set local role {service_role(name)}")
            if tenant is not None:
                enter = (
                    "select set_config('app.client_account_id', $1, true), set_config('app.engagement_id', $2, true)"
                )
                await evidence.sql.execute(enter, str(tenant.client_account_id), str(tenant.engagement_id))
            for table in service.metadata.sorted_tables:
                if "client_account_id" not in table.c:
                    continue
                query = f"select count(*) from {table.fullname} where client_account_id is distinct from $1"
                foreign = await evidence.sql.fetchval(query, tenant and tenant.client_account_id)
                if foreign:
                    yield f"{name} sees {foreign} rows of others in {table.fullname}"
