"""One record for each machine out of the rows that are it.

Rows are joined, transitively, by hardware UUID, serial number, FQDN and short host name, and where no key joins them by
what `linkage` finds probable.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

import polars as pl

from contracts.catalog import CATALOG
from contracts.learning import OWN_PREFIX
from services.field_mapping.identity import APART, SOURCE, split_names, trusted_keys, with_identity_columns
from services.field_mapping.known_machines import decided_pairs, known_rows, known_uids, set_apart, undecided
from services.field_mapping.linkage import link

# The column of the position among all rows read, beside the canonical fields, until rows are merged.
ORDER = "_order"


def group_rows(keys: pl.DataFrame) -> pl.Series:
    """For each row the index of the first row of its group: the connected components of rows that share any key."""
    numbered = keys.with_row_index("row", 0)
    pairs = [
        numbered.filter(pl.col(key).is_not_null() & pl.col(key).is_duplicated())
        .select("row", first=pl.col("row").min().over(key))
        .filter(pl.col("row") != pl.col("first"))
        for key in keys.columns
    ]
    return unite(pl.Series("group", range(keys.height), dtype=pl.UInt32), pl.concat(pairs).unique())


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
    start = hashlib.sha1(namespace.bytes, usedforsecurity=False)
    digests = []
    for name in names.to_list():
        digest = start.copy()
        digest.update(name.encode())
        digests.append(digest.hexdigest())
    variant = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
    # The version takes the place of digit 12, the variant that of the upper bits of digit 16.
    digit = pl.Series("d", digests, dtype=pl.String).str
    fourth = digit.slice(16, 1).replace_strict(variant, return_dtype=pl.String) + digit.slice(17, 3)
    groups = [digit.slice(0, 8), digit.slice(8, 4), "5" + digit.slice(13, 3), fourth, digit.slice(20, 12)]
    return pl.select(pl.concat_str(groups, separator="-")).to_series()


@dataclass(frozen=True)
class Known:
    """What is known of an engagement's machines before an import.

    `assets` has `asset_uid` and what tells machines apart (`KNOWN_FIELDS`); `decisions` has `asset_uid`, `other_uid`
    and whether people decided that the two are the `same`.
    """

    assets: pl.DataFrame
    decisions: pl.DataFrame


@dataclass(frozen=True)
class Merged:
    """One asset for each machine, and the pairs of assets that might be one (`DUPLICATES` of the claim checks)."""

    assets: pl.DataFrame
    doubtful: pl.DataFrame


def merge_assets(rows: pl.DataFrame, namespace: UUID, known: Known | None = None) -> Merged:
    """One asset for each machine, with `asset_uid`, `name` and `source_rows`.

    Every row has a value in one of `IDENTITY_FIELDS`. A known machine keeps its uid. That of a new one comes from its
    strongest key alone, so the same machine has the same one whatever else the file says and in whatever order.
    """
    new, uids = rows.height, None
    rows = with_identity_columns(rows)
    if known is not None and known.assets.height:
        # Behind the new rows, so that no group is numbered by a known machine that one of them is.
        rows = pl.concat([rows, known_rows(known.assets, rows.schema)], how="diagonal")
        uids = pl.concat([pl.Series([None], dtype=pl.String).new_from_index(0, new), known.assets["asset_uid"]])
    rows = split_names(rows)
    keys = trusted_keys(rows)
    group = group_rows(keys)
    found = link(rows, keys, group, rows[SOURCE])
    same, doubtful = found.same, found.doubtful
    if known is not None and uids is not None and known.decisions.height:
        same, doubtful = (undecided(pairs, group, uids, known.decisions) for pairs in (same, doubtful))
        group = unite(group, decided_pairs(group, uids, known.decisions))
    group = unite(group, same.select("first", "second"))
    if known is not None and uids is not None and known.decisions.height:
        group = set_apart(group, rows, uids, known.decisions)
    identity = pl.Series("asset_uid", _identities(keys.head(new), group.head(new), namespace))
    assets = merge_groups(rows.head(new), group.head(new)).with_columns(asset_uid=identity)
    if uids is not None:
        assets = assets.with_columns(asset_uid=known_uids(assets, group, uids))
    assets = named(assets)
    return Merged(assets, _named_pairs(doubtful, group, assets))


def named(assets: pl.DataFrame) -> pl.DataFrame:
    """Assets with the `name` that people call them by."""
    names = [pl.col(field) for field in ("hostname", "vm_name", "asset_id", "serial_number", "uuid")]
    return assets.with_columns(name=pl.coalesce(names))


def _identities(keys: pl.DataFrame, group: pl.Series, namespace: UUID) -> pl.Series:
    """The uid of each group that its strongest key gives, in the order of the groups' first rows."""
    # A key that was set apart by UUID names its row again by itself: at most one group without a UUID has it.
    plain = [pl.col(key).str.strip_suffix(APART) if key != "fallback" else pl.col(key) for key in keys.columns]
    found = keys.select(plain).with_columns(_group=group)
    several = pl.col("_group").is_duplicated()
    strongest = pl.concat(
        [
            found.filter(~several),
            found.filter(several).group_by("_group").agg(pl.col(key).min() for key in keys.columns),
        ],
        how="diagonal",
    ).select("_group", identity=pl.coalesce(pl.concat_str(pl.lit(f"{key}:"), pl.col(key)) for key in keys.columns))
    # Groups are numbered by their first row, so they and the merged records stand in the same order.
    return name_based_uuids(namespace, strongest.sort("_group")["identity"])


def _named_pairs(pairs: pl.DataFrame, group: pl.Series, assets: pl.DataFrame) -> pl.DataFrame:
    """Pairs of groups, one or both of which may have joined others since, as pairs of assets."""
    numbered = pl.DataFrame({"group": group.head(group.len()).unique(maintain_order=True)}).head(assets.height)
    found = numbered.with_columns(assets.select("asset_uid", "name"))
    both = pairs.with_columns(first=group.gather(pairs["first"]), second=group.gather(pairs["second"]))
    return (
        both.filter(pl.col("first") != pl.col("second"))
        .join(found, left_on="first", right_on="group")
        .join(found.rename({"asset_uid": "other_uid", "name": "other_name"}), left_on="second", right_on="group")
        .unique(("asset_uid", "other_uid"), keep="first", maintain_order=True)
        .select("asset_uid", "other_uid", "name", "other_name", "probability", "evidence")
    )
