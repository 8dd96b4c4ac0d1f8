"""The Merkle tree over a log's entries as RFC 6962, section 2.1, defines it: roots, proofs, and how they are checked.

A node is named by its height and number: it stands for the leaves from `number << height`, `1 << height` of them.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()
Node = tuple[int, int]
# Of every eighth height the nodes are kept: a 256th of the leaves, and no proof needs more than 255 a height.
KEPT_HEIGHTS = 8


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds `data`."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of what stands above two nodes."""
    return sha256(b"\1" + left + right).digest()


class Tree:
    """The right edge of a tree: what a root is made of, and all that is needed to append. O(log n) in memory."""

    def __init__(self) -> None:
        self.size = 0
        # The root of the perfect subtree of each height, where the size has that bit.
        self._peaks: list[bytes | None] = []

    def extend(self, hashes: Iterable[bytes], height: int = 0) -> dict[Node, bytes]:
        """Append nodes of a height, leaves unless it is said; returns those to keep that are complete by now.

        Nodes may be appended only where the size so far is a multiple of what one stands for.
        """
        row = list(hashes)
        made: dict[Node, bytes] = {}
        first = self.size >> height
        self.size += len(row) << height
        while row:
            if height and height % KEPT_HEIGHTS == 0:
                made.update(((height, first + place), node) for place, node in enumerate(row))
            while len(self._peaks) <= height:
                self._peaks.append(None)
            peak, self._peaks[height] = self._peaks[height], None
            if peak is not None:
                row.insert(0, peak)
                first -= 1
            if len(row) % 2:
                self._peaks[height] = row.pop()
            pairs = iter(row)
            row = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            first, height = first >> 1, height + 1
        return made

    def root(self) -> bytes:
        """The tree hash of all that was appended."""
        return folded([peak for peak in reversed(self._peaks) if peak is not None])


def folded(subtrees: Sequence[bytes]) -> bytes:
    """The hash over perfect subtrees of falling size, from left to right."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


def perfect_nodes(start: int, end: int) -> list[Node]:
    """The perfect subtrees of which the tree over the leaves `start` to `end` (exclusive) is made, left to right."""
    nodes = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append((height, start >> height))
        start += 1 << height
    return nodes


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaves under each hash of the audit path of a leaf, lowest first (section 2.1.1)."""
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """The leaves under each hash of the proof that a tree of `new` leaves extends one of `old` (section 2.1.2)."""
    start, end, ranges, whole = 0, new, [], True
    if old == 0:
        return []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, end))
    return ranges[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root of a tree in which `leaf` stands at `index`; None where the path has not the right length."""
    ranges = inclusion_ranges(index, size) if 0 <= index < size else []
    if len(ranges) != len(path) or not 0 <= index < size:
        return None
    root = leaf
    for (start, _), other in zip(ranges, path, strict=True):
        root = node_hash(root, other) if start > index else node_hash(other, root)
    return root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the newer tree begins with all leaves of the older one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and (old_root == new_root if old == new else old_root == EMPTY_ROOT)
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    of_old = of_new = path[0]
    for other in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            of_old, of_new = node_hash(other, of_old), node_hash(other, of_new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            of_new = node_hash(of_new, other)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (of_old, of_new) == (old_root, new_root)


def _split(leaves: int) -> int:
    """The largest power of two below a number of leaves."""
    return 1 << ((leaves - 1).bit_length() - 1)
