"""One record for each machine out of the rows that are it.

Rows are joined, transitively, by hardware UUID, serial number, FQDN and short host name, and where no key joins them by
what `linkage` finds probable.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import polars as pl
import polars_hash as plh

from contracts.catalog import CATALOG
from contracts.learning import OWN_PREFIX
from services.field_mapping.cleaned_rows import ORDER, Rows
from services.field_mapping.compact_columns import Each, count, in_slices, rows_of
from services.field_mapping.identity import (
    APART,
    IDENTITY_FIELDS,
    SOURCE,
    TrustedKeys,
    may_repeat,
    split_names,
    strongest,
    with_identity_columns,
)
from services.field_mapping.known_machines import decided_pairs, known_rows, known_uids, set_apart, undecided
from services.field_mapping.linkage import BLOCKED_BY, link

# Rows of few machines are merged in the time that those of many are, so the merged ones of several pieces are together.
_PIECES_MERGED = 10


def group_rows(keys: TrustedKeys, rows: int, each: Each = map) -> pl.Series:
    """For each row the index of the first row of its group: the connected components of rows that share any key."""
    found = pl.concat(each(_with_first, keys.of_shared.get_columns())).unique()
    pairs = found.select(keys.shared.gather(found["row"]), keys.shared.gather(found["first"]).alias("first"))
    return unite(pl.Series("group", range(rows), dtype=pl.UInt32), pairs)


def _with_first(key: pl.Series) -> pl.DataFrame:
    """Each row that shares its key with an earlier one, and the first that has it."""
    rows = may_repeat(key).arg_true()
    shared = pl.DataFrame({"row": rows, "key": key.gather(rows)})
    return shared.select("row", first=pl.col("row").min().over("key")).filter(pl.col("row") != pl.col("first"))


def unite(group: pl.Series, pairs: pl.DataFrame) -> pl.Series:
    """The groups with those of each pair made one; both are numbered by the first row of a group."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (above := parent.get(row, row)) != row:
            parent[row] = row = parent.get(above, above)
        return row

    for one, other in pairs.iter_rows():
        low, high = sorted((root(one), root(other)))
        if low != high:
            parent[high] = low
    if not parent:
        return group
    joined = pl.Series("joined", sorted(parent), dtype=pl.UInt32)
    roots = pl.Series([root(row) for row in joined], dtype=pl.UInt32)
    # A group's number is the row that carries it, so each row looks up its group's.
    own = pl.Series("own", range(group.len()), dtype=pl.UInt32).scatter(joined, roots)
    return own.gather(group).alias("group")


def merge_groups(rows: pl.DataFrame, group: pl.Series) -> pl.DataFrame:
    """One record for each group, in the order of its first row, with `source_rows`.

    `group` holds for each row the index of its group's first row. Each field has the first value, looking at the row
    with the most filled cells first and then in source order; lists are united. `rows` have `_order` (position among
    all rows read, ascending) and `_source` (where the row stands).
    """
    leads = group == pl.Series(range(rows.height), dtype=group.dtype)
    several = group.is_duplicated()
    if not several.any():
        return rows.rename({SOURCE: "source_rows"})
    fields = [name for name in rows.columns if name in CATALOG or name.startswith(OWN_PREFIX)]
    lists = [name for name in fields if name in CATALOG and CATALOG[name].type == "list"]
    filled = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int16) for name in fields)
    multiple = rows.filter(several).with_columns(group.filter(several).alias("_group"), _filled=filled)
    merged = (
        multiple.sort("_group", -pl.col("_filled"), ORDER)
        .group_by("_group", maintain_order=True)
        .agg(
            *(pl.col(name).first(ignore_nulls=True) for name in fields if name not in lists),
            *(pl.col(name).drop_nulls().str.join("; ") for name in lists),
            pl.col(SOURCE).sort_by(ORDER).str.join("; "),
        )
    )
    entries = [pl.col(name).str.split("; ").list.unique(maintain_order=True).list.join("; ") for name in lists]
    merged = merged.with_columns(pl.when(entry != "").then(entry) for entry in entries)
    # Both are in the order of the groups' first rows.
    places = several.filter(leads).arg_true()
    # Column by column, so that there is never a third copy of all of them.
    records = (rows[name].filter(leads) for name in rows.columns)
    changed = {*fields, SOURCE}
    return pl.DataFrame(
        record.scatter(places, merged[record.name]) if record.name in changed else record for record in records
    ).rename({SOURCE: "source_rows"})


def name_based_uuids(namespace: UUID, names: pl.Series) -> pl.Series:
    """The version 5 UUID of each name, as text (RFC 9562, section 5.5)."""
    return names.to_frame("name").select(plh.col("name").uuidhash.uuid5(str(namespace))).to_series()


@dataclass(frozen=True)
class Known:
    """What is known of an engagement's machines before an import.

    `assets` has `asset_uid` and what tells machines apart (`KNOWN_FIELDS`); `decisions` has `asset_uid`, `other_uid`
    and whether people decided that the two are the `same`.
    """

    assets: pl.DataFrame
    decisions: pl.DataFrame


class Merged:
    """One asset for each machine, with `asset_uid`, `name` and `source_rows`, put together when it is asked for.

    Assets are numbered from 0 in the order of their first rows.
    """

    def __init__(self, rows: Rows, group: pl.Series, uids: pl.Series, doubtful: pl.DataFrame) -> None:
        """`group` has the first row of each row's group, `uids` the uid of each asset, `doubtful` are groups."""
        self._rows, self._group, self._uids, self._doubtful = rows, group, uids, doubtful
        is_lead = group == pl.Series(range(rows.height), dtype=group.dtype)
        self._leads, followers = is_lead.arg_true(), (~is_lead).arg_true()
        self._followers = pl.DataFrame({"group": group.gather(followers), "row": followers})
        self._of_several = self._leads.is_in(self._followers["group"].unique().implode())

    @property
    def count(self) -> int:
        """How many assets there are."""
        return self._leads.len()

    @property
    def fields(self) -> list[str]:
        """The fields that some asset may have."""
        return [name for name, column in self._rows.columns.items() if count(column)]

    def pieces(self, size: int) -> Iterator[pl.DataFrame]:
        """All assets, so many at a time, by how their uids begin: a database fills its key's index much faster so."""
        # Numbers are sorted ten times faster than texts.
        ordered = self._uids.str.head(8).str.to_integer(base=16).arg_sort()
        for start in range(0, self.count, size * _PIECES_MERGED):
            numbers = ordered.slice(start, size * _PIECES_MERGED)
            places, merged = self._merged(numbers)
            for at in range(0, numbers.len(), size):
                here = places.is_between(at, at + size, closed="left")
                piece = numbers.slice(at, size)
                yield self._named(piece, self._with(piece, places.filter(here) - at, merged.filter(here)))

    def take(self, numbers: pl.Series) -> pl.DataFrame:
        """These assets, by their numbers."""
        return self._named(numbers, self.records(numbers))

    def records(self, numbers: pl.Series) -> pl.DataFrame:
        """These assets as far as their rows tell them: without uids and names."""
        return self._with(numbers, *self._merged(numbers))

    def _merged(self, numbers: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
        """Those of these assets that are made of several rows, and where each stands among `numbers`."""
        places = rows_of(self._of_several, numbers).arg_true()
        groups = rows_of(self._leads, rows_of(numbers, places))
        followers = self._followers.filter(self._followers["group"].is_in(groups.implode()))["row"]
        rows = pl.concat([groups, followers]).sort()
        # A group is numbered by its first row, here among these rows.
        merged = merge_groups(self._rows.take(rows), rows.search_sorted(rows_of(self._group, rows)))
        order = groups.arg_sort()
        return rows_of(places, order), merged

    def _with(self, numbers: pl.Series, places: pl.Series, merged: pl.DataFrame) -> pl.DataFrame:
        """These assets, with the merged ones in their places."""
        records = self._rows.take(rows_of(self._leads, numbers)).rename({SOURCE: "source_rows"})
        if places.is_empty():
            return records
        return records.with_columns(column.scatter(places, merged[column.name]) for column in records.iter_columns())

    def _named(self, numbers: pl.Series, records: pl.DataFrame) -> pl.DataFrame:
        return named(with_identity_columns(records.with_columns(rows_of(self._uids, numbers).alias("asset_uid"))))

    @property
    def doubtful(self) -> pl.DataFrame:
        """The pairs of assets that might be one machine (`DUPLICATES` of the claim checks)."""
        groups = pl.concat([self._doubtful["first"], self._doubtful["second"]]).unique().sort()
        assets = self.take(self._leads.search_sorted(groups)).select("asset_uid", "name").with_columns(group=groups)
        return (
            self._doubtful.join(assets, left_on="first", right_on="group")
            .join(assets.rename({"asset_uid": "other_uid", "name": "other_name"}), left_on="second", right_on="group")
            .unique(("asset_uid", "other_uid"), keep="first", maintain_order=True)
            .select("asset_uid", "other_uid", "name", "other_name", "probability", "evidence")
        )


def merge_assets(rows: Rows, namespace: UUID, known: Known | None = None, each: Each = map) -> Merged:
    """One asset for each machine.

    Every row has a value in one of `IDENTITY_FIELDS`. A known machine keeps its uid. That of a new one comes from its
    strongest key alone, so the same machine has the same one whatever else the file says and in whatever order. `each`
    is `map`, or one that compares several columns at a time.
    """
    new, uids = rows.height, None
    compared = with_identity_columns(rows.whole((*IDENTITY_FIELDS, "domain", *BLOCKED_BY)))
    earlier = pl.DataFrame()
    if known is not None and known.assets.height:
        # Behind the new rows, so that no group is numbered by a known machine that one of them is.
        earlier = known_rows(known.assets, pl.Schema({**rows.schema, **compared.schema}))
        compared = pl.concat(
            [compared, earlier.select(name for name in compared.columns if name in earlier)], how="diagonal"
        )
        uids = pl.concat([pl.Series([None], dtype=pl.String).new_from_index(0, new), known.assets["asset_uid"]])
    names = in_slices(_split_names, compared, each)
    compared = compared.with_columns(names)
    rows = rows.with_columns(names.head(new))
    if uids is not None:
        earlier = earlier.with_columns(names.slice(new))

    def take(positions: pl.Series, fields: Sequence[str]) -> pl.DataFrame:
        taken = rows.take(positions.filter(positions < new), fields)
        if uids is None:
            return taken
        others = earlier[positions.filter(positions >= new) - new]
        return pl.concat([taken, others.select(name for name in taken.columns if name in others)], how="diagonal")

    keys = TrustedKeys(compared, each)
    group = group_rows(keys, compared.height, each)
    found = link(compared, keys, group, take, each)
    same, doubtful = found.same, found.doubtful
    if known is not None and uids is not None and known.decisions.height:
        same, doubtful = (undecided(pairs, group, uids, known.decisions) for pairs in (same, doubtful))
        group = unite(group, decided_pairs(group, uids, known.decisions))
    group = unite(group, same.select("first", "second"))
    if known is not None and uids is not None and known.decisions.height:
        group = set_apart(group, compared, uids, known.decisions)
    identities = _identities(keys, group.head(new)).to_frame()
    del keys, compared
    own_uids = in_slices(lambda names: name_based_uuids(namespace, names.to_series()).to_frame(), identities, each)
    own, doubtful = own_uids.to_series(), _of_new(doubtful, group, new)
    merged = Merged(rows, group.head(new), own, doubtful)
    if uids is None:
        return merged
    given = known_uids(own, group, uids, lambda numbers: merged.records(numbers)["source_rows"])
    return Merged(rows, group.head(new), given, doubtful)


def _split_names(rows: pl.DataFrame) -> pl.DataFrame:
    return split_names(rows).select("hostname", "fqdn", "domain")


def named(assets: pl.DataFrame) -> pl.DataFrame:
    """Assets with the `name` that people call them by."""
    names = [pl.col(field) for field in ("hostname", "vm_name", "asset_id", "serial_number", "uuid")]
    return assets.with_columns(name=pl.coalesce(names))


def _identities(keys: TrustedKeys, group: pl.Series) -> pl.Series:
    """The strongest key of each group, which gives its uid, in the order of the groups' first rows."""
    leads = group == pl.Series(range(group.len()), dtype=group.dtype)
    together = group.filter(~leads).unique()
    shared = keys.shared.filter(keys.shared < group.len())
    rows = pl.concat([shared, group.is_in(together.implode()).arg_true()]).unique().sort()
    # A key that was set apart by UUID names its row again by itself: at most one group without a UUID has it.
    plain = keys.of(rows).with_columns(pl.exclude("fallback").str.strip_suffix(APART))
    found = plain.with_columns(group.gather(rows).alias("group")).group_by("group").agg(pl.all().min()).sort("group")
    # Groups are numbered by their first row, so they and the merged records stand in the same order.
    numbers = leads.arg_true().search_sorted(found["group"])
    return keys.identities.head(group.len()).filter(leads).scatter(numbers, found.select(strongest()).to_series())


def _of_new(pairs: pl.DataFrame, group: pl.Series, new: int) -> pl.DataFrame:
    """Pairs of groups as far as they are still two of the new rows: one or both may have joined others since."""
    both = pairs.with_columns(first=group.gather(pairs["first"]), second=group.gather(pairs["second"]))
    return both.filter(pl.col("first") != pl.col("second"), pl.max_horizontal("first", "second") < new)
