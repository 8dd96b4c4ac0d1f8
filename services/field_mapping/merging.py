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

_KEYS = ("uuid", "serial", "fqdn", "name")
# The names that contradict a key which rows with different UUIDs share; the first is also what one machine has few of.
_CONTRADICTING = {"uuid": ["name"], "serial": ["name", "vm_name"], "fqdn": ["vm_name"], "name": ["vm_name", "domain"]}
# A machine gets renamed a few times; a key on more differently named rows than this is a chassis's or a placeholder.
_MOST_NAMES = 4
_ADDRESS = r"^\d{1,3}(?:\.\d{1,3}){3}$|^[0-9a-f]*:[0-9a-f:]+$"
# Values that firmware ships with where nobody set one (seen in SMBIOS tables of many vendors).
_NO_UUID = ("03000200040005000006000700080009", "12345678123456789 0abcddeefaabbcc".replace(" ", ""))
_NO_SERIAL = (
    r"^.{0,3}$|^vmware.{0,24}$|o\.?e\.?m\.?$|^(?:to ?be ?filled.*|default.*|system ?serial.*|chassis.*|base ?board.*|serial.*|"
    r"not ?(?:specified|available|applicable|set).*|invalid|none.*|null|empty|unknown|virtual.*|0?123456789(?:0|a.*)?)$"
)


def _text(frame: pl.DataFrame, field: str) -> pl.Expr:
    """The field as an expression, null where the frame does not have it."""
    return pl.col(field) if field in frame.columns else pl.lit(None, pl.String)


def split_names(rows: pl.DataFrame) -> pl.DataFrame:
    """Short host name, FQDN and domain from whichever of them each row has.

    Names are in lower case, for DNS compares them so (RFC 4343). "CORP\\web01" and "web01.corp.example." are understood;
    an IP address in place of a name stays whole.
    """
    host, fqdn = (_text(rows, field).str.to_lowercase().str.strip_chars_end(".") for field in ("hostname", "fqdn"))
    host, workgroup = host.str.replace(r"^[^\\]+\\", ""), host.str.extract(r"^([^\\]+)\\")
    rows = rows.with_columns(hostname=host, fqdn=fqdn, _workgroup=workgroup)
    host, fqdn = pl.col("hostname"), pl.col("fqdn")
    is_name = [~name.str.contains(_ADDRESS) & ~name.str.contains(r"\s") for name in (host, fqdn)]
    dotted = [name.str.contains(".", literal=True) for name in (host, fqdn)]
    rows = rows.with_columns(
        hostname=pl.when(is_name[0] & dotted[0]).then(host.str.extract(r"^([^.]+)")).otherwise(host),
        fqdn=pl.coalesce(pl.when(is_name[1] & dotted[1]).then(fqdn), pl.when(is_name[0] & dotted[0]).then(host)),
        _other_name=pl.when(is_name[1] & dotted[1]).then(fqdn.str.extract(r"^([^.]+)")).otherwise(fqdn),
    )
    return rows.with_columns(
        hostname=pl.coalesce("hostname", "_other_name"),
        domain=pl.coalesce(_text(rows, "domain"), "_workgroup", pl.col("fqdn").str.extract(r"^[^.]+\.(.+)$")),
    ).drop("_workgroup", "_other_name")


def identity_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """For each row the keys `uuid`, `serial`, `fqdn` and `name`, null where it has none that tells machines apart.

    A UUID and its byte-swapped twin are one: SMBIOS stores the first three groups little-endian, and tools differ in
    turning them (DMTF DSP0134, 7.2.1). Serial numbers that firmware ships with are none.
    """
    digits = _text(rows, "uuid").str.to_lowercase().str.replace_all(r"[{}\s-]", "")
    real = digits.str.contains(r"^[0-9a-f]{32}$") & ~digits.is_in(_NO_UUID) & ~digits.str.contains(r"^(?:0+|f+)$")
    serial = _text(rows, "serial_number").str.to_lowercase()
    compact = serial.str.replace_all(r"\s", "")
    placeholder = serial.str.contains(_NO_SERIAL) | compact.str.replace_all(
        compact.str.slice(0, 1), "", literal=True
    ).eq("")
    keys = rows.select(
        digits=pl.when(real).then(digits),
        serial=pl.when(~placeholder).then(compact),
        fqdn=_text(rows, "fqdn"),
        name=pl.coalesce(_text(rows, "hostname"), _text(rows, "vm_name").str.to_lowercase()),
        vm_name=_text(rows, "vm_name").str.to_lowercase(),
        domain=_text(rows, "fqdn").str.extract(r"^[^.]+\.(.+)$"),
        asset_id=_text(rows, "asset_id").str.to_lowercase(),
        written_serial=serial,
        written_uuid=_text(rows, "uuid").str.to_lowercase(),
    )
    swapped = pl.col("digits").str.replace(r"^(..)(..)(..)(..)(..)(..)(..)(..)", "$4$3$2$1$6$5$8$7")
    return keys.with_columns(uuid=pl.min_horizontal("digits", swapped)).drop("digits")


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
        pl.concat_str(pl.col(key), pl.lit("|"), pl.col("uuid").fill_null(""))
    )
    return joined.with_columns(
        pl.when(pl.col("none").fill_null(False)).then(None).otherwise(apart.otherwise(pl.col(key))).alias(key)
    ).drop("split", "none")


def trusted_keys(rows: pl.DataFrame) -> pl.DataFrame:
    """The keys that join rows, and `fallback` for a row that has none of them: VM name, asset id, or whatever it has."""
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

    Each field has the first value, looking at the row with the most filled cells first and then in source order; lists are
    united. `rows` have `_order` (position among all rows read) and `_source` (where the row stands).
    """
    rows = rows.with_columns(_group=group)
    several = pl.col("_group").is_duplicated()
    single, multiple = rows.filter(~several), rows.filter(several)
    single = single.rename({SOURCE: "source_rows"})
    if multiple.is_empty():
        return single.drop("_group").sort(ORDER)
    fields = [name for name in rows.columns if name in CATALOG]
    filled = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int16) for name in fields)
    ranked = multiple.with_columns(_filled=filled).sort("_group", -pl.col("_filled"), ORDER, maintain_order=True)
    lists = [name for name in fields if CATALOG[name].type == "list"]
    merged = ranked.group_by("_group", maintain_order=True).agg(
        *(pl.col(name).first(ignore_nulls=True) for name in fields if name not in lists),
        *(pl.col(name).drop_nulls().str.join("; ") for name in lists),
        pl.col(SOURCE).sort_by(ORDER).str.join("; ").alias("source_rows"),
        pl.col(ORDER).min(),
    )
    entries = [pl.col(name).str.split("; ").list.unique(maintain_order=True).list.join("; ") for name in lists]
    merged = merged.with_columns(pl.when(entry != "").then(entry) for entry in entries)
    return pl.concat([single, merged], how="diagonal").drop("_group").sort(ORDER)


def name_based_uuids(namespace: UUID, names: pl.Series) -> pl.Series:
    """The version 5 UUID of each name, as text (RFC 9562, section 5.5)."""
    start, variant = (
        hashlib.sha1(namespace.bytes, usedforsecurity=False),
        dict(zip("0123456789abcdef", "89ab" * 4, strict=True)),
    )

    def uuid5(name: str) -> str:
        digest = start.copy()
        digest.update(name.encode())
        h = digest.hexdigest()
        return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{variant[h[16]]}{h[17:20]}-{h[20:32]}"

    return pl.Series([uuid5(name) for name in names.to_list()], dtype=pl.String)


def merge_assets(rows: pl.DataFrame, namespace: UUID) -> pl.DataFrame:
    """One asset for each machine, with `asset_uid`, `name` and `source_rows`.

    Every row has a value in one of `IDENTITY_FIELDS`. The uid comes from the strongest key of the group alone, so the same
    machine has the same one whatever else the file says and in whatever order.
    """
    rows = split_names(rows)
    keys = trusted_keys(rows)
    group = group_rows(keys)
    # A key that was set apart by UUID names its row again by itself: at most one group without a UUID has it.
    plain = [pl.col(key).str.replace(r"\|$", "") if key != "fallback" else pl.col(key) for key in keys.columns]
    found = keys.select(plain).with_columns(_group=group)
    several = pl.col("_group").is_duplicated()
    strongest = pl.concat(
        [
            found.filter(~several),
            found.filter(several).group_by("_group").agg(pl.col(key).min() for key in keys.columns),
        ],
        how="diagonal",
    ).select("_group", identity=pl.coalesce(pl.concat_str(pl.lit(f"{key}:"), pl.col(key)) for key in keys.columns))
    uids = strongest.sort("_group").select(asset_uid=name_based_uuids(namespace, strongest.sort("_group")["identity"]))
    # Groups are numbered by their first row, so they and the merged records stand in the same order.
    assets = merge_groups(rows, group).with_columns(uids)
    names = [_text(assets, field) for field in ("hostname", "vm_name", "asset_id", "serial_number", "uuid")]
    return assets.with_columns(name=pl.coalesce(names))
