"""Which rows are the same machine, and one record out of them.

Rows are joined, transitively, by hardware UUID, serial number, FQDN and short host name. A key that rows with different
UUIDs and different names share (cloned templates, same host name in two domains) does not join them.
"""

import hashlib
from uuid import UUID

import polars as pl

from contracts.catalog import CATALOG

# Columns beside the canonical fields that rows carry until they are merged.
ORDER, SOURCE = "_order", "_source"
# Every field that can tell one asset from another, strongest first.
IDENTITY_FIELDS = ("uuid", "serial_number", "fqdn", "hostname", "vm_name", "asset_id")

# Stands between a doubtful key and the UUID that sets its rows apart; no cell has it.
_APART = "\x1f"
_KEYS = ("uuid", "serial", "fqdn", "name")
# The names that contradict a key which rows with different UUIDs share; the first is also what one machine has few of.
_CONTRADICTING = {"uuid": ["name"], "serial": ["name", "vm_name"], "fqdn": ["vm_name"], "name": ["vm_name", "domain"]}
# A machine gets renamed a few times; a key on more differently named rows than this is a chassis's or a placeholder.
_MOST_NAMES = 4
# Labels of which the last has a letter, so no IP address.
_FQDN = r"^[^\s.]+\.(?:[^\s.]+\.)*[^\s.]*[a-z][^\s.]*$"
# Values that firmware ships with where nobody set one (seen in SMBIOS tables of many vendors).
_NO_UUID = ("03000200040005000006000700080009", "123456781234567890abcddeefaabbcc")
_NO_SERIAL = (
    r"^.{0,3}$|^(?:0+|1+|9+|f+|x+|-+|\*+)$|^vmware.{0,24}$|o\.?e\.?m\.?$|^(?:to ?be ?filled.*|default.*"
    r"|system ?serial.*|chassis.*|base ?board.*|serial.*|not ?(?:specified|available|applicable|set).*|invalid"
    r"|none.*|null|empty|unknown|virtual.*|0?123456789(?:0|a.*)?)$"
)


def split_names(rows: pl.DataFrame) -> pl.DataFrame:
    """Short host name, FQDN and domain from whichever of them each row has.

    Names are in lower case, for DNS compares them so (RFC 4343). "CORP\\web01" and "web01.corp.example." are
    understood; an IP address in place of a name stays whole.
    """
    names = rows.select(
        host=pl.col("hostname").str.to_lowercase().str.strip_chars_end("."),
        fqdn=pl.col("fqdn").str.to_lowercase().str.strip_chars_end("."),
        domain=pl.col("domain"),
    )
    if names["host"].str.contains("\\", literal=True).any():
        names = names.with_columns(
            host=pl.col("host").str.extract(r"([^\\]+)$"),
            domain=pl.coalesce("domain", pl.col("host").str.extract(r"^([^\\]+)\\")),
        )
    names = names.with_columns(
        long_host=pl.when(pl.col("host").str.contains(_FQDN)).then("host"),
        long_fqdn=pl.when(pl.col("fqdn").str.contains(_FQDN)).then("fqdn"),
    )
    labels = {name: pl.col(name).str.splitn(".", 2) for name in ("long_host", "long_fqdn")}
    return rows.with_columns(
        names.select(
            hostname=pl.coalesce(labels["long_host"].struct[0], "host", labels["long_fqdn"].struct[0], "fqdn"),
            fqdn=pl.coalesce("long_fqdn", "long_host"),
            domain=pl.coalesce("domain", labels["long_fqdn"].struct[1], labels["long_host"].struct[1]),
        )
    )


def identity_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """For each row the keys `uuid`, `serial`, `fqdn` and `name`, null where it has none that tells machines apart.

    A UUID and its byte-swapped twin are one: SMBIOS stores the first three groups little-endian, and tools differ in
    turning them (DMTF DSP0134, 7.2.1). Serial numbers that firmware ships with are none.
    """
    lower = {field: pl.col(field).str.to_lowercase() for field in ("uuid", "serial_number", "vm_name", "asset_id")}
    keys = rows.select(
        written_uuid=lower["uuid"],
        written_serial=lower["serial_number"],
        fqdn=pl.col("fqdn"),
        name=pl.coalesce(pl.col("hostname"), lower["vm_name"]),
        vm_name=lower["vm_name"],
        domain=pl.col("fqdn").str.splitn(".", 2).struct[1],
        asset_id=lower["asset_id"],
    )
    written = pl.col("written_serial")
    keys = keys.with_columns(
        digits=pl.col("written_uuid").str.strip_chars("{} ").str.replace_all("-", "", literal=True),
        serial=pl.when(~written.str.contains(_NO_SERIAL)).then(written),
    )
    if keys["serial"].str.contains(r"\s").any():
        keys = keys.with_columns(pl.col("serial").str.replace_all(r"\s", ""))
    digits = pl.col("digits")
    real = digits.str.contains(r"^[0-9a-f]{32}$") & ~digits.is_in(_NO_UUID) & ~digits.str.contains(r"^(?:0+|f+)$")
    keys = keys.with_columns(digits=pl.when(real).then(digits))
    swapped = pl.concat_str(
        *(digits.str.slice(start, 2) for start in (6, 4, 2, 0, 10, 8, 14, 12)), digits.str.slice(16)
    )
    return keys.with_columns(uuid=pl.min_horizontal(digits, swapped)).drop("digits")


def _trusted(keys: pl.DataFrame, key: str) -> pl.DataFrame:
    """The keys with those of one kind made to join only rows that do not contradict each other."""
    names = _CONTRADICTING[key]
    shared = keys.filter(pl.col(key).is_not_null() & pl.col(key).is_duplicated())
    differ = pl.any_horizontal(pl.col(name).min() != pl.col(name).max() for name in names)
    doubtful = (
        shared.group_by(pl.col(key).alias("key"))
        .agg(
            split=(pl.col("uuid").min() != pl.col("uuid").max()) & differ,
            none=pl.col(names[0]).n_unique() > _MOST_NAMES,
        )
        .filter(pl.col("split").fill_null(False) | pl.col("none"))
    )
    if doubtful.is_empty():
        return keys
    joined = keys.join(doubtful, left_on=key, right_on="key", how="left", maintain_order="left")
    apart = pl.when(pl.col("split").fill_null(False)).then(
        pl.concat_str(pl.col(key), pl.lit(_APART), pl.col("uuid").fill_null(""))
    )
    return joined.with_columns(
        pl.when(pl.col("none").fill_null(False)).then(None).otherwise(apart.otherwise(pl.col(key))).alias(key)
    ).drop("split", "none")


def trusted_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """The keys that join rows, and `fallback` for a row without any: VM name, asset id, or whatever it has."""
    keys = identity_keys(rows)
    written = keys.select(written_name=pl.col("name"))
    for key in _KEYS:
        keys = _trusted(keys, key)
    keys = keys.with_columns(written)
    fallbacks = ("vm_name", "asset_id", "written_serial", "written_uuid", "written_name")
    last = pl.coalesce(pl.concat_str(pl.lit(f"{field}:"), pl.col(field)) for field in fallbacks)
    return keys.select(*_KEYS, fallback=pl.when(pl.all_horizontal(pl.col(key).is_null() for key in _KEYS)).then(last))


def group_rows(keys: pl.DataFrame) -> pl.Series:
    """For each row the index of the first row of its group: the connected components of rows that share any key."""
    numbered = keys.with_row_index("row", 0)
    pairs = [
        numbered.filter(pl.col(key).is_not_null() & pl.col(key).is_duplicated())
        .select("row", first=pl.col("row").min().over(key))
        .filter(pl.col("row") != pl.col("first"))
        for key in keys.columns
    ]
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (above := parent.get(row, row)) != row:
            parent[row] = row = parent.get(above, above)
        return row

    for row, first in pl.concat(pairs).unique().iter_rows():
        one, other = root(row), root(first)
        if one != other:
            parent[max(one, other)] = min(one, other)
    groups = pl.Series("group", range(keys.height), dtype=pl.UInt32)
    if not parent:
        return groups
    joined = sorted(parent)
    return groups.scatter(joined, [root(row) for row in joined])


def merge_groups(rows: pl.DataFrame, group: pl.Series) -> pl.DataFrame:
    """One record for each group, in the order of its first row, with `source_rows`.

    `group` holds for each row the index of its group's first row. Each field has the first value, looking at the row
    with the most filled cells first and then in source order; lists are united. `rows` have `_order` (position among
    all rows read, ascending) and `_source` (where the row stands).
    """
    numbered = pl.DataFrame({"row": pl.Series(range(rows.height), dtype=pl.UInt32), "group": group})
    records = rows.filter(numbered["row"] == numbered["group"]).rename({SOURCE: "source_rows"})
    several = group.is_duplicated()
    if not several.any():
        return records
    fields = [name for name in rows.columns if name in CATALOG]
    lists = [name for name in fields if CATALOG[name].type == "list"]
    filled = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int16) for name in fields)
    multiple = rows.filter(several).with_columns(group.filter(several).alias("_group"), _filled=filled)
    merged = (
        multiple.sort("_group", -pl.col("_filled"), ORDER)
        .group_by("_group", maintain_order=True)
        .agg(
            *(pl.col(name).first(ignore_nulls=True) for name in fields if name not in lists),
            *(pl.col(name).drop_nulls().str.join("; ") for name in lists),
            pl.col(SOURCE).sort_by(ORDER).str.join("; ").alias("source_rows"),
        )
    )
    entries = [pl.col(name).str.split("; ").list.unique(maintain_order=True).list.join("; ") for name in lists]
    merged = merged.with_columns(pl.when(entry != "").then(entry) for entry in entries)
    # Both are in the order of the groups' first rows.
    places = several.filter(numbered["row"] == numbered["group"]).arg_true()
    return records.with_columns(records[name].scatter(places, merged[name]) for name in [*fields, "source_rows"])


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


def merge_assets(rows: pl.DataFrame, namespace: UUID) -> pl.DataFrame:
    """One asset for each machine, with `asset_uid`, `name` and `source_rows`.

    Every row has a value in one of `IDENTITY_FIELDS`. The uid comes from the strongest key of the group alone, so the
    same machine has the same one whatever else the file says and in whatever order.
    """
    absent = {*IDENTITY_FIELDS, "domain"} - set(rows.columns)
    rows = split_names(rows.with_columns(pl.lit(None, pl.String).alias(field) for field in sorted(absent)))
    keys = trusted_keys(rows)
    group = group_rows(keys)
    # A key that was set apart by UUID names its row again by itself: at most one group without a UUID has it.
    plain = [pl.col(key).str.strip_suffix(_APART) if key != "fallback" else pl.col(key) for key in keys.columns]
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
    uids = name_based_uuids(namespace, strongest.sort("_group")["identity"])
    assets = merge_groups(rows, group).with_columns(asset_uid=uids)
    names = [pl.col(field) for field in ("hostname", "vm_name", "asset_id", "serial_number", "uuid")]
    return assets.with_columns(name=pl.coalesce(names))
