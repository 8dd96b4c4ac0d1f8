"""Checks a whole log, piece by piece: its chain, the columns beside it, and every checkpoint that was signed of it."""

from binascii import hexlify
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from contracts.envelope import Tenant
from services.audit.chain import Places, genesis
from services.audit.merkle import Node, Tree
from services.audit.notes import Checkpoint, NoteRefused, VerifierKey, opened, origin_of, stated_size

# Sequence number, record, hash (hex), and the row's other columns where it comes from the database.
Row = tuple[int, bytes, bytes, bytes | None]


@dataclass(frozen=True)
class Finding:
    """What a check of a log found; `checkpoints` agree with it, and the newest of them covers `signed` entries."""

    valid: bool
    entries: int
    head: str
    broken_at: int | None
    detail: str
    checkpoints: int
    signed: int


class LogCheck:
    """Checks a log of any length in bounded memory: entries in order, checkpoints by rising size.

    Without `keys` no checkpoint is believed. Of what is wrong that is told which stands first in the log. It begins at
    the first entry, or after those of a `tree`, the last of which has the hash `head`.
    """

    def __init__(
        self, tenant: Tenant, keys: Sequence[VerifierKey] = (), tree: Tree | None = None, head: str | None = None
    ) -> None:
        self.tree = tree or Tree()
        self.nodes: dict[Node, bytes] = {}
        self._keys = keys
        self._origin = origin_of(tenant)
        self._places = Places()
        self._head = (head or genesis(tenant)).encode()
        self._seq = self.tree.size
        self._broken: tuple[int, str] | None = None
        self._expected: deque[Checkpoint] = deque()
        self._listed = 0
        self._agreed = 0
        self._signed = 0

    @property
    def broken(self) -> bool:
        """Whether something was wrong by now, so that nothing more needs to be read."""
        return self._broken is not None and self._broken[0] <= self._seq + 1

    def expect(self, note: str, size: int | None = None, previous_size: int | None = None) -> None:
        """Hold the log to a checkpoint; `size` is the one it is listed under, after the one of `previous_size`.

        Give them in the order of their sizes, each before the entries that it covers.
        """
        try:
            checkpoint = opened(note, self._origin, self._keys)
        except NoteRefused as refused:
            at = size or stated_size(note) or self._seq + 1
            self._break(at, f"The checkpoint {_of(size)}is not to be believed: {refused}.")
            return
        if previous_size is not None:
            if previous_size != self._listed:
                self._break(previous_size, f"The checkpoint {_of(previous_size)}is missing.")
            self._listed = checkpoint.size
        last = self._expected[-1].size if self._expected else self._seq
        if size not in (None, checkpoint.size) or checkpoint.size < last:
            detail = f"The checkpoint {_of(size)}was exchanged for one {_of(checkpoint.size)}"
            self._break(size or checkpoint.size, f"{detail.rstrip()}.")
        elif checkpoint.size == self._seq:
            self._compare(checkpoint)
        else:
            self._expected.append(checkpoint)

    def check(self, rows: Iterable[Row]) -> None:
        """Check the next entries."""
        if self.broken:
            return
        seq, head, leaves, is_found_by = self._seq, self._head, list[bytes](), self._places.is_found_by
        stop = self._expected[0].size if self._expected else -1
        for number, record, stored, columns in rows:
            if number != seq + 1:
                self._break(seq + 1, f"Entry {seq + 1} is missing: the next one there is {number}.")
                break
            digest = sha256(b"%b\n%d\n%b" % (head, number, record)).digest()
            if hexlify(digest) != stored:
                self._break(number, f"Entry {number} is not what was written: its hash does not fit.")
                break
            if columns is not None and not is_found_by(record, columns):
                self._break(number, f"Entry {number} is listed under another time, type, flow or person than it has.")
                break
            seq, head = number, stored
            leaves.append(sha256(b"\0" + digest).digest())
            if seq == stop:
                self.nodes.update(self.tree.extend(leaves))
                leaves.clear()
                self._seq, self._head = seq, head
                while self._expected and self._expected[0].size == seq:
                    self._compare(self._expected.popleft())
                if self.broken:
                    return
                stop = self._expected[0].size if self._expected else -1
        self.nodes.update(self.tree.extend(leaves))
        self._seq, self._head = seq, head

    def signed_up_to(self, size: int) -> None:
        """Hold the log to what it says is the size of its newest checkpoint."""
        if size > self._listed:
            self._break(size, f"The checkpoint {_of(size)}is missing.")

    def signed_to_the_end(self) -> None:
        """Hold the log to being covered by its newest checkpoint wholly."""
        # Where a checkpoint asks for more entries than there are, that says it better.
        if self._broken is None and not self._expected and self._signed < self._seq:
            self._break(self._signed + 1, f"No checkpoint covers the entries from {self._signed + 1} on.")

    def finding(self, stored_seq: int, stored_head: str) -> Finding:
        """The result, given the newest sequence number and hash that the log claims to have."""
        if self._seq < stored_seq:
            self._break(self._seq + 1, f"The log ends at entry {self._seq}, but {stored_seq} had been written.")
        elif self._seq > stored_seq:
            self._break(stored_seq + 1, f"Entry {stored_seq + 1} was added: only {stored_seq} had been written.")
        elif self._head.decode() != stored_head:
            self._break(stored_seq, f"Entry {stored_seq} is not the one that had been written last: its hash differs.")
        return self.result()

    def result(self) -> Finding:
        """The result where nothing but entries and checkpoints says how long the log is."""
        if self._expected:
            missing = self._expected[0]
            self._break(
                self._seq + 1,
                f"The log ends at entry {self._seq}, but a checkpoint of {missing.size} was signed at"
                f" {missing.signed_at:%Y-%m-%d %H:%M:%S} UTC.",
            )
        at, detail = self._broken or (None, f"All {self._seq} entries are as they were written.")
        return Finding(
            at is None, self._seq, self._head.decode(), at, detail, checkpoints=self._agreed, signed=self._signed
        )

    def _compare(self, checkpoint: Checkpoint) -> None:
        if checkpoint.root == self.tree.root():
            self._agreed, self._signed = self._agreed + 1, checkpoint.size
            return
        place = f"Entry {self._signed + 1}" if self._signed + 1 == checkpoint.size else "At least one entry"
        self._break(
            min(self._signed + 1, checkpoint.size),
            f"{place} from {self._signed + 1} to {checkpoint.size} is not what was signed at"
            f" {checkpoint.signed_at:%Y-%m-%d %H:%M:%S} UTC, though the chain fits: it was rewritten.",
        )

    def _break(self, at: int, detail: str) -> None:
        if self._broken is None or at < self._broken[0]:
            self._broken = (at, detail)


def _of(size: int | None) -> str:
    return "" if size is None else f"of {size} entries "
