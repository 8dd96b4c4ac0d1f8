"""Whatever the database's owner does to a log is found, online and in an export, at its place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.audit_log import AuditCheckpointSigned
from contracts.envelope import Tenant
from services.audit.chain import entry_hash, genesis
from services.audit.notes import VerifierKey
from services.audit.offline import verified
from services.audit.tree_rows import LogBroken
from services.chassis.testing import some_tenant
from tests.audit.logs import Log

# Entries 1 to 3, 4 to 7 and 8 to 12 were signed; then nothing happened but the attack.
SIZES = (3, 4, 5)
LAST = 12


@dataclass
class Kept:
    """What an auditor has elsewhere: the public keys, and the newest checkpoint."""

    keys: list[VerifierKey]
    checkpoints: list[AuditCheckpointSigned]

    @property
    def newest(self) -> str:
        return self.checkpoints[-1].note


async def signed_log(log: Log) -> Kept:
    checkpoints = await log.signed(*SIZES)
    return Kept(await log.keys(), checkpoints)


async def rewrite(log: Log, at: int = 5) -> None:
    """Change an entry and compute all that follows anew, so that the chain fits."""
    previous = genesis(log.tenant)
    for row in await log.rows():
        record = row.record.replace('"q"', '"other"') if row.seq == at else row.record
        previous = entry_hash(previous, row.seq, record)
        await log.tamper(
            "update audit.entries set record = :record, hash = :hash where seq = :seq",
            record=record,
            hash=previous,
            seq=row.seq,
        )
    await log.tamper("update audit.heads set hash = :hash", hash=previous)


async def forget_what_was_signed(log: Log) -> None:
    await log.tamper("delete from audit.checkpoints", "update audit.heads set signed_seq = 0, unsigned = seq")


async def rewrite_and_sign_again(log: Log) -> None:
    """The owner makes the service itself sign what was rewritten."""
    await rewrite(log)
    await forget_what_was_signed(log)
    assert await log.sign()


async def truncate_and_sign_again(log: Log) -> None:
    await set_back(log)
    await forget_what_was_signed(log)
    assert await log.sign()


async def set_back(log: Log) -> None:
    """Cut the end off, and make the newest entry the one before."""
    await log.tamper(
        "delete from audit.entries where seq > 9",
        "update audit.heads set seq = 9, hash = (select hash from audit.entries where seq = 9)",
    )


async def swap_checkpoints(log: Log) -> None:
    await log.tamper(
        "update audit.checkpoints set note = other.note from audit.checkpoints other"
        " where checkpoints.size in (3, 7) and other.size = 10 - checkpoints.size"
    )


async def take_a_neighbours_checkpoint(log: Log) -> None:
    neighbour = log.of(some_tenant())
    [foreign] = await neighbour.signed(7)
    await log.tamper(
        "update audit.checkpoints set note = :note where size = 7 and client_account_id = :client",
        note=foreign.note,
        client=log.tenant.client_account_id,
    )


async def forge_a_signature(log: Log) -> None:
    [_, second, _] = await log.checkpoints()
    line = second.note.splitlines()[-1]
    forged = line[:-6] + ("A" if line[-6] != "A" else "B") + line[-5:]
    await log.tamper(
        "update audit.checkpoints set note = replace(note, :line, :forged) where size = 7", line=line, forged=forged
    )


async def sign_with_another_key(log: Log) -> None:
    """A key of the owner's own, under the log's name, in the table of keys."""
    await rewrite(log)
    await forget_what_was_signed(log)
    await log.tamper("delete from audit.signing_keys")
    assert await log.sign()


def sql(*statements: str) -> Callable[[Log], Awaitable[None]]:
    async def attack(log: Log) -> None:
        await log.tamper(*statements)

    return attack


Attack = Callable[[Log], Awaitable[None]]
# What is done, at which place it must be found, and by whom: online, in an export made after it, or only by who kept
# the newest checkpoint.
FOUND_IN_ITSELF: dict[str, tuple[Attack, int]] = {
    "an edited record": (sql("update audit.entries set record = replace(record, 'me', 'you') where seq = 5"), 5),
    "an edited hash": (sql("update audit.entries set hash = repeat('0', 64) where seq = 5"), 5),
    "a hash of another length": (sql("update audit.entries set hash = 'x' where seq = 5"), 5),
    "a deletion": (sql("delete from audit.entries where seq = 5"), 5),
    "a deletion that is closed by new numbers": (
        sql(
            "delete from audit.entries where seq = 5",
            "update audit.entries set seq = -seq where seq > 5",
            "update audit.entries set seq = -seq - 1 where seq < 0",
            "update audit.heads set seq = seq - 1",
        ),
        5,
    ),
    "an insertion": (
        sql(
            "update audit.entries set seq = -seq where seq > 5",
            "update audit.entries set seq = 1 - seq where seq < 0",
            "insert into audit.entries select client_account_id, engagement_id, 6, event_id, event_type, record, hash"
            " from audit.entries where seq = 5",
            "update audit.heads set seq = seq + 1",
        ),
        6,
    ),
    "a new order": (
        sql(
            "update audit.entries set record = other.record, event_id = other.event_id, happened_at = other.happened_at"
            " from audit.entries other where entries.seq in (5, 9) and other.seq = 14 - entries.seq"
        ),
        5,
    ),
    "everything deleted": (sql("delete from audit.entries"), 1),
    "a truncation": (sql("delete from audit.entries where seq > 9"), 10),
    "a truncation with the head set back": (set_back, 10),
    "a rewrite of everything": (rewrite, 4),
    "a forged signature": (forge_a_signature, 7),
    "a swapped checkpoint": (swap_checkpoints, 3),
    "a checkpoint of another log": (take_a_neighbours_checkpoint, 7),
    "a deleted checkpoint": (sql("delete from audit.checkpoints where size = 7"), 7),
}
FOUND_BY_WHO_KEPT_A_CHECKPOINT: dict[str, tuple[Attack, int]] = {
    "a rewrite that the service signed again": (rewrite_and_sign_again, 1),
    "a truncation that the service signed again": (truncate_and_sign_again, 10),
}


@pytest.mark.parametrize("name", FOUND_IN_ITSELF)
async def test_an_attack_is_found_online_and_in_an_export(log: Log, name: str, tmp_path: Path) -> None:
    kept = await signed_log(log)
    assert (await log.check()).valid
    attack, place = FOUND_IN_ITSELF[name]
    await attack(log)
    online = await log.check()
    assert (online.valid, online.broken_at) == (False, place), online.detail
    offline = verified(await log.export(tmp_path), kept.keys, [kept.newest])
    assert (offline.valid, offline.broken_at) == (False, place), offline.detail


@pytest.mark.parametrize("name", FOUND_BY_WHO_KEPT_A_CHECKPOINT)
async def test_who_kept_a_checkpoint_finds_what_the_database_hides(log: Log, name: str, tmp_path: Path) -> None:
    kept = await signed_log(log)
    attack, place = FOUND_BY_WHO_KEPT_A_CHECKPOINT[name]
    await attack(log)
    export = await log.export(tmp_path)
    # Without what was kept elsewhere nothing contradicts it: the service itself signed it.
    assert (await log.check()).valid
    assert verified(export, kept.keys).valid
    online, offline = await log.check(kept.newest), verified(export, kept.keys, [kept.newest])
    assert (online.valid, online.broken_at) == (False, place), online.detail
    assert (offline.valid, offline.broken_at) == (False, place), offline.detail


async def test_a_log_signed_with_the_owners_own_key_is_found_by_who_kept_the_right_one(
    log: Log, tmp_path: Path
) -> None:
    kept = await signed_log(log)
    await sign_with_another_key(log)
    assert (await log.check()).valid
    found = verified(await log.export(tmp_path), kept.keys)
    assert (found.valid, found.broken_at) == (False, LAST)
    assert "no key that is trusted" in found.detail
    # And the true checkpoint does not verify with the false key.
    online = await log.check(kept.newest)
    assert (online.valid, online.broken_at) == (False, LAST)


async def test_a_log_given_to_another_tenant_is_found(log: Log, tmp_path: Path) -> None:
    kept = await signed_log(log)
    other = log.of(some_tenant())
    for table in ("entries", "heads", "checkpoints", "signing_keys"):
        await log.tamper(
            f"update audit.{table} set client_account_id = :client, engagement_id = :engagement",
            client=other.tenant.client_account_id,
            engagement=other.tenant.engagement_id,
        )
    online = await other.check()
    assert (online.valid, online.broken_at) == (False, 1)
    offline = verified(await other.export(tmp_path), kept.keys, [kept.newest])
    assert (offline.valid, offline.broken_at) == (False, 1)


@pytest.mark.parametrize(
    "change",
    [
        "event_type = 'flow.updated'",
        "actor = null",
        "actor = 'you'",
        "flow_id = gen_random_uuid()",
        "event_id = gen_random_uuid()",
        "happened_at = happened_at + interval '1 microsecond'",
        "happened_at = null",
    ],
)
async def test_an_entry_that_would_not_be_found_any_more_is_found(log: Log, change: str) -> None:
    await signed_log(log)
    await log.tamper(f"update audit.entries set {change} where seq = 6")
    found = await log.check()
    assert (found.valid, found.broken_at) == (False, 6)
    assert "listed under another" in found.detail


SIGNED_NO_MORE: dict[str, Attack] = {
    "what is new was edited": sql("update audit.entries set record = replace(record, 'me', 'you') where seq = 14"),
    "what is new was cut": sql("delete from audit.entries where seq > 13"),
    "what was signed is gone": sql("delete from audit.entries where seq < 13"),
    "what was signed was rewritten": rewrite,
    "the newest checkpoint is gone": sql("delete from audit.checkpoints where size = 12"),
    "the newest checkpoint is another": sql("update audit.checkpoints set note = replace(note, '12', '11')"),
    "the log was set back": set_back,
}


@pytest.mark.parametrize("name", SIGNED_NO_MORE)
async def test_nothing_is_signed_on_top_of_what_was_tampered_with(log: Log, name: str) -> None:
    await signed_log(log)
    await log.grow(3)
    await SIGNED_NO_MORE[name](log)
    before = await log.checkpoints()
    with pytest.raises(LogBroken, match=r"Nothing was signed|is missing"):
        await log.sign()
    assert len(await log.checkpoints()) == len(before)


async def test_a_log_of_three_hundred_entries_is_signed_and_checked_like_a_short_one(log: Log, tmp_path: Path) -> None:
    checkpoints = await log.signed(255, 1, 1, 300, 211, 1)
    kept = Kept(await log.keys(), checkpoints)
    found = await log.check(*(one.note for one in checkpoints))
    assert (found.valid, found.entries, found.checkpoints, found.signed) == (True, 769, 12, 769)
    await rewrite(log, at=600)
    assert (await log.check()).broken_at == 558
    offline = verified(await log.export(tmp_path), kept.keys)
    assert (offline.valid, offline.broken_at) == (False, 558)


def test_the_tenant_is_in_what_is_hashed() -> None:
    one = some_tenant()
    neighbour = Tenant(client_account_id=one.client_account_id, engagement_id=some_tenant().engagement_id)
    assert genesis(one) != genesis(neighbour)
