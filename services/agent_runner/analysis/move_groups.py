"""Which applications have to move together: connected components over strong dependencies, capped in size."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from math import log10

import polars as pl

from services.agent_runner.analysis.network_ports import INFRASTRUCTURE_PORTS

# An application that many others use (a directory, DNS), or that uses many (monitoring, backup), serves them all and
# binds none. A hub has that many neighbours in one direction, never fewer than the least nor more than the most; a
# move of forty applications at once helps nobody. Our figures.
HUB_SHARE = 0.2
HUB_LEAST = 8
HUB_MOST = 40
# A declared dependency was thought about: it counts as much as a connection seen 1,000 times.
_DECLARED_STRENGTH = 3.0


def find_hubs(application_count: int, dependencies: pl.DataFrame) -> dict[str, int]:
    """The applications with so many users, or suppliers, that they are shared services, and how many those are."""
    least = min(HUB_MOST, max(HUB_LEAST, round(HUB_SHARE * application_count)))
    ends = dependencies.select(one="source_application_uid", other="target_application_uid").filter(
        pl.col("one") != pl.col("other")
    )
    directions = [ends, ends.select(one="other", other="one")]
    counts = pl.concat([direction.group_by("one").agg(pl.col("other").n_unique()) for direction in directions])
    hubs = counts.group_by("one").agg(pl.col("other").max()).filter(pl.col("other") >= least).sort("one")
    return dict(hubs.iter_rows())


def tie_strengths(dependencies: pl.DataFrame) -> dict[tuple[str, str], float]:
    """How strongly each unordered pair is tied: log10(1 + observations) of its connections, 3 for a declaration.

    Connections on infrastructure ports only tie nothing. Shared assets are not here: those cannot be cut at all.
    """
    strengths: dict[tuple[str, str], float] = defaultdict(float)
    rows = dependencies.filter(pl.col("port").is_null() | ~pl.col("port").is_in(list(INFRASTRUCTURE_PORTS)))
    columns = ("source_application_uid", "target_application_uid", "kind", "observations")
    for source, target, kind, observations in rows.select(columns).sort(columns).iter_rows():
        if source != target:
            pair = (source, target) if source < target else (target, source)
            strengths[pair] += log10(1 + max(1, observations or 1)) if kind == "connection" else _DECLARED_STRENGTH
    return dict(strengths)


def form_move_groups(
    moved: Mapping[str, Set[str]], dependencies: pl.DataFrame, hubs: Mapping[str, int], max_assets: int
) -> tuple[tuple[str, ...], ...]:
    """Group the applications of `moved` (id to its moving assets): groups sorted, in order of their first members.

    Applications that share an asset are always one group. Then ties are taken from the strongest down, and two groups
    become one where both together hold at most `max_assets`: a component that fits stays whole, a larger one comes
    apart at its weakest ties (Kruskal's algorithm with a size cap). Ties of hubs do not count. An application without
    assets counts as one, so that no wave holds any number of them.
    """
    groups = _Groups(moved)
    by_asset: dict[str, str] = {}
    for uid in sorted(moved):
        for asset in sorted(moved[uid]):
            groups.join(by_asset.setdefault(asset, uid), uid, None)
    ties = tie_strengths(dependencies).items()
    between = ((pair, strength) for pair, strength in ties if moved.keys() >= set(pair) and not hubs.keys() & set(pair))
    for (one, other), _ in sorted(between, key=lambda tie: (-tie[1], tie[0])):
        groups.join(one, other, max_assets)
    return groups.sorted()


def size_of(uids: Iterable[str], moved: Mapping[str, Set[str]]) -> int:
    """The assets that a group moves, each once, and one for every application that has none."""
    members = list(uids)
    return len(set().union(*(moved[uid] for uid in members))) + sum(not moved[uid] for uid in members)


class _Groups:
    """Disjoint sets with their sizes; shared assets are joined before any tie, so sizes add up from then on."""

    def __init__(self, moved: Mapping[str, Set[str]]) -> None:
        self._parent = {uid: uid for uid in moved}
        self._members = {uid: {uid} for uid in moved}
        self._moved = moved
        self._size: dict[str, int] = {}

    def _root(self, uid: str) -> str:
        while self._parent[uid] != uid:
            self._parent[uid] = self._parent[self._parent[uid]]
            uid = self._parent[uid]
        return uid

    def _size_of(self, root: str) -> int:
        if root not in self._size:
            self._size[root] = size_of(self._members[root], self._moved)
        return self._size[root]

    def join(self, one: str, other: str, cap: int | None) -> None:
        """Make two groups one, unless that were larger than the cap."""
        keep, gone = self._root(one), self._root(other)
        if keep == gone or (cap is not None and self._size_of(keep) + self._size_of(gone) > cap):
            return
        if len(self._members[keep]) < len(self._members[gone]):
            keep, gone = gone, keep
        self._parent[gone] = keep
        self._members[keep] |= self._members.pop(gone)
        if cap is None:
            self._size.pop(keep, None)
        else:
            self._size[keep] = self._size_of(keep) + self._size.pop(gone)

    def sorted(self) -> tuple[tuple[str, ...], ...]:
        """The groups, each sorted, in order of their first member."""
        return tuple(sorted(tuple(sorted(members)) for members in self._members.values()))
