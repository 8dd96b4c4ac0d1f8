"""The hash chain: whatever is done to a written log afterwards is found, at the place where it was done."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Tenant
from contracts.flows import WorkProgressed
from contracts.operations import DeadLetterDropped
from services.audit.chain import Entry, Places, append, entry_hash, found_by, genesis
from services.audit.checking import Finding, LogCheck
from services.chassis.testing import some_tenant

TENANT = some_tenant()
MESSAGES = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none(), max_size=3),
    min_size=2,
    max_size=8,
)


def chain_of(messages: list[dict[str, Any]], tenant: Tenant = TENANT) -> list[Entry]:
    """A log that holds these messages."""
    entries: list[Entry] = []
    head = genesis(tenant)
    for seq, message in enumerate(messages, start=1):
        entries.append(append(head, seq, json.dumps(message)))
        head = entries[-1].hash
    return entries


def verified(entries: list[Entry], head: Entry, tenant: Tenant = TENANT, page: int = 3) -> Finding:
    """What a check finds that reads these entries, page by page, while `head` is what had been written last."""
    check = LogCheck(tenant)
    for start in range(0, len(entries), page):
        check.check((one.seq, one.record.encode(), one.hash.encode(), None) for one in entries[start : start + page])
    return check.finding(head.seq, head.hash)


def test_the_hashes_are_what_an_auditor_computes_without_us() -> None:
    first = hashlib.sha256(f"audit:{TENANT.client_account_id}:{TENANT.engagement_id}".encode()).hexdigest()
    entry = append(first, 1, '{"a":[1,null],"b":"ü"}')
    assert entry.record == '{"a":[1,null],"b":"ü"}'
    assert entry.hash == hashlib.sha256(f'{first}\n1\n{{"a":[1,null],"b":"ü"}}'.encode()).hexdigest()


def test_an_empty_log_is_valid() -> None:
    found = LogCheck(TENANT).finding(0, genesis(TENANT))
    assert (found.valid, found.entries, found.head) == (True, 0, genesis(TENANT))


@given(MESSAGES, st.integers(1, 9))
def test_an_untouched_log_is_valid_whatever_the_pages(messages: list[dict[str, Any]], page: int) -> None:
    entries = chain_of(messages)
    found = verified(entries, entries[-1], page=page)
    assert (found.valid, found.entries, found.head) == (True, len(entries), entries[-1].hash)
    assert found.broken_at is None


@given(MESSAGES, st.data())
def test_an_edited_record_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    place = data.draw(st.integers(0, len(entries) - 1))
    record = data.draw(st.text().filter(lambda text: text != entries[place].record))
    edited = [*entries[:place], replace(entries[place], record=record), *entries[place + 1 :]]
    found = verified(edited, entries[-1])
    assert (found.valid, found.broken_at, found.entries) == (False, place + 1, place)


@given(MESSAGES, st.data())
def test_an_edited_record_with_a_new_hash_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    place = data.draw(st.integers(0, len(entries) - 1))
    previous = entries[place - 1].hash if place else genesis(TENANT)
    forged = append(previous, place + 1, '{"forged":true}')
    found = verified([*entries[:place], forged, *entries[place + 1 :]], entries[-1])
    # The forged entry fits by itself; the next one, or the head, betrays it.
    assert (found.valid, found.broken_at) == (False, min(place + 2, len(entries)))


@given(MESSAGES, st.data())
def test_an_edited_hash_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    place = data.draw(st.integers(0, len(entries) - 1))
    edited = replace(entries[place], hash=entry_hash("", 0, ""))
    found = verified([*entries[:place], edited, *entries[place + 1 :]], entries[-1])
    assert (found.valid, found.broken_at) == (False, place + 1)


@given(MESSAGES, st.data())
def test_a_deletion_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    place = data.draw(st.integers(0, len(entries) - 1))
    found = verified([*entries[:place], *entries[place + 1 :]], entries[-1])
    assert (found.valid, found.broken_at) == (False, place + 1)


@given(MESSAGES, st.data())
def test_a_deletion_that_is_closed_by_new_numbers_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    place = data.draw(st.integers(0, len(entries) - 2))
    closed = [replace(entry, seq=seq) for seq, entry in enumerate([*entries[:place], *entries[place + 1 :]], start=1)]
    found = verified(closed, entries[-1])
    assert (found.valid, found.broken_at) == (False, place + 1)


@given(MESSAGES, st.data())
def test_an_insertion_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    place = data.draw(st.integers(0, len(entries)))
    previous = entries[place - 1].hash if place else genesis(TENANT)
    inserted = [*entries[:place], append(previous, place + 1, '{"inserted":true}'), *entries[place:]]
    assert not verified(inserted, entries[-1]).valid
    renumbered = [replace(entry, seq=seq) for seq, entry in enumerate(inserted, start=1)]
    assert not verified(renumbered, entries[-1]).valid


@given(MESSAGES, st.data())
def test_a_new_order_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    order = data.draw(st.permutations(range(len(entries))).filter(lambda places: list(places) != sorted(places)))
    moved = [entries[place] for place in order]
    assert not verified(moved, entries[-1]).valid
    first = next(index for index, place in enumerate(order) if index != place)
    renumbered = [replace(entry, seq=seq) for seq, entry in enumerate(moved, start=1)]
    found = verified(renumbered, entries[-1])
    assert (found.valid, found.broken_at) == (False, first + 1)


@given(MESSAGES, st.data())
def test_a_truncation_is_found(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    entries = chain_of(messages)
    kept = data.draw(st.integers(0, len(entries) - 1))
    found = verified(entries[:kept], entries[-1])
    assert (found.valid, found.entries, found.broken_at) == (False, kept, kept + 1)
    assert str(len(entries)) in found.detail


@given(MESSAGES)
def test_entries_beyond_the_newest_are_found(messages: list[dict[str, Any]]) -> None:
    entries = chain_of(messages)
    found = verified(entries, entries[-2])
    assert (found.valid, found.broken_at) == (False, len(entries))


@given(MESSAGES)
def test_a_wholly_rewritten_log_is_found_by_its_head(messages: list[dict[str, Any]]) -> None:
    entries = chain_of(messages)
    rewritten = chain_of([{"rewritten": True}, *messages[1:]] if messages[0] != {"rewritten": True} else [{}, {}])
    found = verified(rewritten, replace(entries[-1], seq=rewritten[-1].seq))
    assert (found.valid, found.broken_at) == (False, len(rewritten))


@given(MESSAGES)
def test_a_log_of_another_tenant_does_not_pass(messages: list[dict[str, Any]]) -> None:
    entries = chain_of(messages)
    neighbours = Tenant(client_account_id=TENANT.client_account_id, engagement_id=some_tenant().engagement_id)
    for other in (some_tenant(), neighbours):
        found = verified(entries, entries[-1], other)
        assert (found.valid, found.broken_at, found.entries) == (False, 1, 0)


@given(MESSAGES, MESSAGES)
def test_an_entry_of_another_tenant_does_not_fit_in(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    entries, foreign = chain_of(mine), chain_of(theirs, some_tenant())
    found = verified([*entries[:-1], replace(foreign[-1], seq=entries[-1].seq)], entries[-1])
    assert (found.valid, found.broken_at) == (False, len(entries))


@pytest.mark.parametrize(("previous", "seq", "record"), [("a\n1", 2, "x"), ("a", 12, "x"), ("a", 1, "2\nx")])
def test_no_two_different_entries_share_what_is_hashed(previous: str, seq: int, record: str) -> None:
    ours = entry_hash(genesis(TENANT), 1, "2\nx")
    assert entry_hash(previous, seq, record) != ours


def test_the_first_break_is_the_one_that_is_told() -> None:
    entries = chain_of([{"n": n} for n in range(6)])
    broken = [replace(e, record="{}") if e.seq in (2, 5) else e for e in entries]
    found = verified(broken, entries[-1], page=2)
    assert (found.broken_at, found.detail) == (2, "Entry 2 is not what was written: its hash does not fit.")


TEXTS = st.sampled_from(["", "Ada", '"_by":', '"flowid":', "a\nb", '\\"subject\\":']) | st.text(max_size=8)


@given(TEXTS, TEXTS, st.none() | st.uuids(), st.datetimes(timezones=st.just(UTC)), st.integers(0, 400), st.booleans())
def test_the_quick_look_at_the_columns_says_what_the_slow_one_says(
    queue: str, actor: str, flow_id: UUID | None, at: datetime, place: int, later: bool
) -> None:
    event = DeadLetterDropped(tenant=TENANT, time=at, flow_id=flow_id, event_id="1", queue=queue, dropped_by=actor)
    quiet = WorkProgressed(tenant=TENANT, time=at, flow_id=flow_id, step=queue, done=1, total=2, message=actor)
    for sent in (event, quiet):
        message = sent.to_cloudevent()
        if later and flow_id is not None:
            message["flowid"] = message.pop("flowid")
        record = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        columns = found_by(record)
        changed = bytearray(columns)
        changed[place % len(columns)] ^= 1
        places = Places()
        for _ in ("slow", "quick"):
            assert places.is_found_by(record, columns)
            assert not places.is_found_by(record, bytes(changed))
            assert not places.is_found_by(record, columns + b"x")
