"""The hash chain of one tenant's log: each entry holds the hash of the one before, so no past is edited quietly."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.envelope import Tenant


@dataclass(frozen=True)
class Entry:
    """One entry as it is stored; `record` is the exact text that was hashed."""

    seq: int
    record: str
    hash: str


@dataclass(frozen=True)
class Finding:
    """What a check of a chain found."""

    valid: bool
    entries: int
    head: str
    broken_at: int | None
    detail: str


def genesis(tenant: Tenant) -> str:
    """The hash before the first entry: it names the tenant, so that one tenant's log cannot pass as another's."""
    return hashlib.sha256(f"audit:{tenant.client_account_id}:{tenant.engagement_id}".encode()).hexdigest()


def entry_hash(previous: str, seq: int, record: str) -> str:
    """SHA-256 over the hash before, the sequence number and the record, hex."""
    return hashlib.sha256(f"{previous}\n{seq}\n{record}".encode()).hexdigest()


def append(previous: str, seq: int, record: str) -> Entry:
    """The entry that follows `previous` and holds a CloudEvent's JSON."""
    return Entry(seq, record, entry_hash(previous, seq, record))


class Verification:
    """Checks a chain entry by entry, so that its length does not matter."""

    def __init__(self, tenant: Tenant) -> None:
        self._head = genesis(tenant)
        self._seq = 0
        self._broken: tuple[int, str] | None = None

    def check(self, entries: Iterable[Entry]) -> None:
        """Check the next entries, in order."""
        for entry in entries:
            if self._broken is not None:
                return
            expected = self._seq + 1
            if entry.seq != expected:
                self._broken = (expected, f"Entry {expected} is missing: the next one there is {entry.seq}.")
            elif entry.hash != entry_hash(self._head, entry.seq, entry.record):
                self._broken = (entry.seq, f"Entry {entry.seq} is not what was written: its hash does not fit.")
            else:
                self._seq, self._head = entry.seq, entry.hash

    def finding(self, stored_seq: int, stored_head: str) -> Finding:
        """The result, given the newest sequence number and hash that the log claims to have."""
        broken = self._broken
        if broken is None and self._seq < stored_seq:
            broken = (self._seq + 1, f"The log ends at entry {self._seq}, but {stored_seq} had been written.")
        elif broken is None and self._seq > stored_seq:
            broken = (stored_seq + 1, f"Entry {stored_seq + 1} was added: only {stored_seq} had been written.")
        elif broken is None and self._head != stored_head:
            broken = (stored_seq, f"Entry {stored_seq} is not the one that had been written last: its hash differs.")
        if broken is not None:
            return Finding(False, self._seq, self._head, broken[0], broken[1])
        return Finding(True, self._seq, self._head, None, f"All {self._seq} entries are as they were written.")
