"""Machines that are known from earlier imports, and what people decided of them: same or different.

Known machines stand behind the rows of an import as rows of their own, so the keys and the linkage that join rows also
find what a row is already known as. They give their uids and none of their values.
"""

from collections.abc import Callable
from uuid import UUID, uuid5

import polars as pl

from services.field_mapping.identity import IDENTITY_FIELDS, TABLE

# What tells whether a row is a known machine.
KNOWN_FIELDS = (
    *IDENTITY_FIELDS,
    *("domain", "mac_address", "ip_address", "operating_system", "os_version", "cpu_cores", "memory_gb", "storage_gb"),
)
_COMPARED = (*IDENTITY_FIELDS, "mac_address", "ip_address")


def known_rows(assets: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Known machines as rows of an import; only in columns that it has, for the others compare with nothing."""
    fields = [pl.col(name).cast(schema[name]) for name in assets.columns if name in schema]
    return assets.select(*fields, pl.lit("known machines:").alias(TABLE))


def _groups_of(group: pl.Series, uids: pl.Series) -> pl.DataFrame:
    """The group of each known machine."""
    return pl.DataFrame({"uid": uids, "group": group}).drop_nulls("uid")


def decided_pairs(group: pl.Series, uids: pl.Series, decisions: pl.DataFrame) -> pl.DataFrame:
    """Pairs of groups that people said are one machine."""
    groups = _groups_of(group, uids)
    return (
        decisions.filter("same")
        .join(groups, left_on="asset_uid", right_on="uid")
        .join(groups, left_on="other_uid", right_on="uid", suffix="_other")
        .select(first="group", second="group_other")
    )


def undecided(pairs: pl.DataFrame, group: pl.Series, uids: pl.Series, decisions: pl.DataFrame) -> pl.DataFrame:
    """The pairs of groups without those that people said are different machines."""
    groups = _groups_of(group, uids)
    apart = (
        decisions.filter(~pl.col("same"))
        .join(groups, left_on="asset_uid", right_on="uid")
        .join(groups, left_on="other_uid", right_on="uid", suffix="_other")
        .select(first=pl.min_horizontal("group", "group_other"), second=pl.max_horizontal("group", "group_other"))
    )
    return pairs.join(apart, on=("first", "second"), how="anti", maintain_order="left")


def set_apart(group: pl.Series, rows: pl.DataFrame, uids: pl.Series, decisions: pl.DataFrame) -> pl.Series:
    """The groups with those divided that hold two machines of which people said that they are different.

    Each row goes to the one that it agrees with in more of its names, numbers and addresses, else to the first.
    """
    groups = dict(_groups_of(group, uids).iter_rows())
    torn: dict[int, list[str]] = {}
    for one, other in decisions.filter(~pl.col("same")).select("asset_uid", "other_uid").iter_rows():
        if one in groups and groups.get(other) == groups[one]:
            torn.setdefault(groups[one], []).extend((one, other))
    if not torn:
        return group
    # The other known machines of such a group stay with themselves, too: each is the seed of a part.
    numbered = pl.DataFrame({"row": range(group.len()), "group": group, "uid": uids})
    numbered = numbered.filter(pl.col("group").is_in(list(torn)))
    lower = [pl.col(name).cast(pl.String).str.to_lowercase() for name in _COMPARED]
    written = dict(zip(numbered["row"], rows[numbered["row"].to_list()].select(lower).iter_rows(), strict=True))
    parts: dict[tuple[int, int], list[int]] = {}
    for number, members in numbered.partition_by("group", as_dict=True).items():
        seeds = members.filter(pl.col("uid").is_in(torn[int(number[0])]))["row"].to_list()
        for row in members["row"]:
            seed = row if row in seeds else max(seeds, key=lambda seed: _agreement(written[row], written[seed]))
            parts.setdefault((int(number[0]), seed), []).append(row)
    moved = [(row, min(part)) for part in parts.values() for row in part]
    return group.scatter([row for row, _ in moved], [first for _, first in moved])


def _agreement(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True) if a is not None)


def known_uids(
    own: pl.Series, group: pl.Series, uids: pl.Series, places: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """The uid of each asset: that of the machine it is known as, else the one it has.

    `own` are the uids that the assets have by themselves, `group` those of the rows and then of the known machines,
    whose `uids` stand at the end; `places` gives the source rows of assets by their indices. Of several known machines
    that turn out to be one the first lives on. A new machine whose own uid a known one has, as it is called what that
    one was called before, gets another one.
    """
    numbers = group.unique(maintain_order=True).head(own.len())
    known = _groups_of(group, uids).unique("group", keep="first", maintain_order=True)
    both = pl.DataFrame({"group": numbers, "own": own}).join(known, on="group", how="left", maintain_order="left")
    given = both.select(pl.coalesce("uid", "own")).to_series()
    taken = both.select(pl.col("uid").is_null() & pl.col("own").is_in(uids.drop_nulls().implode())).to_series()
    indices = taken.arg_true()
    others = [str(uuid5(UUID(uid), place)) for uid, place in zip(own.gather(indices), places(indices), strict=True)]
    return given.scatter(indices, pl.Series(others, dtype=pl.String))
