"""The Merkle tree of a log in the database: its leaves are the entries, of its nodes every eighth height is kept."""

import base64
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.audit.merkle import KEPT_HEIGHTS, Node, Tree, folded, leaf_hash, perfect_nodes
from services.chassis.errors import ExpectedFailure

_WANTED = (
    "unnest(cast(:levels as int[]), cast(:firsts as bigint[]), cast(:ends as bigint[])) as wanted(level, first, past)"
)
_NODES = text(
    f"select node.level, node.number, node.hash from {_WANTED} join audit.tree_nodes node"
    " on node.level = wanted.level and node.number >= wanted.first and node.number < wanted.past"
)
_LEAVES = text(
    f"select entry.seq, entry.hash from {_WANTED} join audit.entries entry"
    " on entry.seq > wanted.first and entry.seq <= wanted.past"
)

# Numbers of nodes of a kept level: level, first, and one past the last.
_Span = tuple[int, int, int]


class LogBroken(ExpectedFailure):
    """The log is not as it was written, so nothing is signed or proven of it."""

    status = 409


async def tree_of(session: AsyncSession, size: int) -> Tree:
    """The right edge of the tree over the first `size` entries; raises `LogBroken` where a part of it is missing."""
    spans = []
    level = 0
    while size >> (KEPT_HEIGHTS * level):
        past = size >> (KEPT_HEIGHTS * level)
        spans.append((level, past >> KEPT_HEIGHTS << KEPT_HEIGHTS, past))
        level += 1
    hashes = await _hashes(session, spans, {})
    tree = Tree()
    for level, first, past in reversed(spans):
        tree.extend([hashes[level, number] for number in range(first, past)], KEPT_HEIGHTS * level)
    return tree


async def proof_of(
    session: AsyncSession, ranges: Iterable[tuple[int, int]], made: Mapping[Node, bytes] | None = None
) -> list[str]:
    """The hash over each range of leaves, base64; `made` has nodes by height that are not stored yet."""
    parts = [perfect_nodes(start, end) for start, end in ranges]
    spans = {node: _span(node) for part in parts for node in part}
    unstored = {(height // KEPT_HEIGHTS, number): value for (height, number), value in (made or {}).items()}
    hashes = await _hashes(session, list(spans.values()), unstored)
    roots = {}
    for node, (level, first, past) in spans.items():
        tree = Tree()
        tree.extend(hashes[level, number] for number in range(first, past))
        roots[node] = tree.root()
    return [base64.b64encode(folded([roots[node] for node in part])).decode() for part in parts]


def _span(node: Node) -> _Span:
    """The kept nodes that a perfect subtree is made of."""
    height, number = node
    level, above = divmod(height, KEPT_HEIGHTS)
    return level, number << above, (number + 1) << above


async def _hashes(
    session: AsyncSession, spans: Sequence[_Span], unstored: Mapping[tuple[int, int], bytes]
) -> dict[tuple[int, int], bytes]:
    found = dict(unstored)
    upper = [span for span in spans if span[0]]
    if upper:
        rows = await session.execute(_NODES, _arguments(upper))
        found.update({(row.level, row.number): row.hash for row in rows})
    leaves = [span for span in spans if not span[0]]
    if leaves:
        rows = await session.execute(_LEAVES, _arguments(leaves))
        found.update({(0, row.seq - 1): leaf_hash(bytes.fromhex(row.hash)) for row in rows})
    for level, first, past in spans:
        for number in range(first, past):
            if (level, number) not in found:
                at = (number << (KEPT_HEIGHTS * level)) + 1
                raise LogBroken(
                    "audit_log_broken",
                    f"What the log had from entry {at} on is missing. Check it with `modernize audit verify`.",
                )
    return found


def _arguments(spans: Sequence[_Span]) -> dict[str, list[int]]:
    levels, firsts, ends = zip(*spans, strict=True)
    return {"levels": list(levels), "firsts": list(firsts), "ends": list(ends)}
