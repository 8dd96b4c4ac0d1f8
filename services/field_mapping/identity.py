"""What tells one machine from another: the names and numbers of each row, and which of them can be trusted.

A key that rows with different UUIDs and different names share (cloned templates, same host name in two domains) does
not join them.
"""

import polars as pl

from services.field_mapping.compact_columns import Each, in_slices

# The column that says where a row stands, "<file name>[/<sheet>]:<row>".
SOURCE = "_source"
# The column of the table that a row stands in, "<file name>[/<sheet>]:".
TABLE = "_table"
# Every field that can tell one asset from another, strongest first.
IDENTITY_FIELDS = ("uuid", "serial_number", "fqdn", "hostname", "vm_name", "asset_id")

# Stands between a doubtful key and the UUID that sets its rows apart; no cell has it.
APART = "\x1f"
_KEYS = ("uuid", "serial", "fqdn", "name")
_FALLBACK = "fallback"
# The names that contradict a key which rows with different UUIDs share; the first is also what one machine has few of.
_CONTRADICTING = {"uuid": ["name"], "serial": ["name", "vm_name"], "fqdn": ["vm_name"], "name": ["vm_name", "domain"]}
# A machine gets renamed a few times; a key on more differently named rows than this is a chassis's or a placeholder.
_MOST_NAMES = 4
# Labels of which the last has a letter, so no IP address.
_FQDN = r"^[^\s.]+\.(?:[^\s.]+\.)*[^\s.]*[a-z][^\s.]*$"
# Values that firmware ships with where nobody set one (seen in SMBIOS tables of many vendors).
_NO_UUID = ("03000200040005000006000700080009", "123456781234567890abcddeefaabbcc")  # pragma: allowlist secret
_NO_SERIAL = (
    r"^.{0,3}$|^(?:0+|1+|9+|f+|x+|-+|\*+)$|^vmware.{0,24}$|o\.?e\.?m\.?$|^(?:to ?be ?filled.*|default.*"
    r"|system ?serial.*|chassis.*|base ?board.*|serial.*|not ?(?:specified|available|applicable|set).*|invalid"
    r"|none.*|null|empty|unknown|virtual.*|0?123456789(?:0|a.*)?)$"
)


def may_repeat(values: pl.Series) -> pl.Series:
    """Whether each row has a value that another has, too; of a billion rows that have none one may be called so.

    Hashes are sorted eight times faster than texts are grouped; whoever asks compares the few that are left.
    """
    return _repeat(values.hash().set(values.is_null(), None))


def _repeat(hashes: pl.Series) -> pl.Series:
    ordered = hashes.drop_nulls().sort()
    twice = ordered.filter(ordered == ordered.shift(1)).unique()
    if twice.is_empty():
        return pl.Series([False]).new_from_index(0, hashes.len())
    return hashes.is_in(twice.implode()).fill_null(False)


def with_identity_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with every column that this module reads, empty where the files have none."""
    absent = {*IDENTITY_FIELDS, "domain", "mac_address", "ip_address"} - set(rows.columns)
    return rows.with_columns(pl.lit(None, pl.String).alias(field) for field in sorted(absent))


def split_names(rows: pl.DataFrame) -> pl.DataFrame:
    """Short host name, FQDN and domain from whichever of them each row has.

    Names are in lower case, for DNS compares them so (RFC 4343). "CORP\\web01" and "web01.corp.example." are
    understood; an IP address in place of a name stays whole.
    """
    names = rows.select(
        host=pl.col("hostname").str.to_lowercase().str.strip_chars_end("."),
        fqdn=pl.col("fqdn").str.to_lowercase().str.strip_chars_end("."),
        domain=pl.col("domain"),
        vm_name=pl.col("vm_name").str.to_lowercase(),
    )
    if names["host"].str.contains("\\", literal=True).any():
        names = names.with_columns(
            host=pl.col("host").str.extract(r"([^\\]+)$"),
            domain=pl.coalesce("domain", pl.col("host").str.extract(r"^([^\\]+)\\")),
        )
    names = names.with_columns(
        long_host=pl.when(pl.col("host").str.contains(_FQDN)).then("host"),
        long_fqdn=pl.when(pl.col("fqdn").str.contains(_FQDN)).then("fqdn"),
        # A VM is named as people like; with two dots and no blank that is its host name.
        long_vm=pl.when(pl.col("vm_name").str.contains(_FQDN) & pl.col("vm_name").str.contains(r"\..+\.")).then(
            "vm_name"
        ),
    )
    names = names.with_columns(
        long_fqdn=pl.coalesce("long_fqdn", pl.when(pl.col("host").is_null() & pl.col("fqdn").is_null()).then("long_vm"))
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
        mac=pl.col("mac_address"),
        ip=pl.col("ip_address"),
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
    shared = keys.filter(may_repeat(keys[key]))
    if shared.is_empty():
        return keys
    differ = pl.any_horizontal(_differ(name) for name in names)
    # Rows with one UUID under two names are a machine that was renamed, or clones: these have addresses of their own.
    other_address = _differ("mac") | ((pl.col("table").n_unique() == 1) & _differ("ip"))
    doubtful = (
        shared.group_by(pl.col(key).alias("key"))
        .agg(
            split=differ & (other_address if key == "uuid" else _differ("uuid")),
            none=pl.col(names[0]).n_unique() > _MOST_NAMES,
        )
        .filter(pl.col("split") | pl.col("none"))
    )
    if doubtful.is_empty():
        return keys
    joined = keys.join(doubtful, left_on=key, right_on="key", how="left", maintain_order="left")
    what_tells_apart = pl.col("name" if key == "uuid" else "uuid").fill_null("")
    apart = pl.when(pl.col("split").fill_null(False)).then(pl.concat_str(pl.col(key), pl.lit(APART), what_tells_apart))
    return joined.with_columns(
        pl.when(pl.col("none").fill_null(False)).then(None).otherwise(apart.otherwise(pl.col(key))).alias(key)
    ).drop("split", "none")


def _differ(name: str) -> pl.Expr:
    return (pl.col(name).min() != pl.col(name).max()).fill_null(False)


class TrustedKeys:
    """The keys that join rows: of those that only one row has little is kept.

    `rows` have split names and `_table`. Where a row has none of `uuid`, `serial`, `fqdn` and `name`, it has the key
    `fallback`: VM name, asset id, or whatever it has.
    """

    def __init__(self, rows: pl.DataFrame, each: Each = map) -> None:
        looked_at = in_slices(_looked_at, rows, each)
        self._rows, self._has_number = rows, looked_at["has_number"]
        self.identities = looked_at["identity"]
        """The strongest key of each row, which nobody but this row may have."""
        repeated = pl.DataFrame(each(_repeat, looked_at.select(*_KEYS, _FALLBACK)))
        self.shared = repeated.select(pl.any_horizontal(pl.all())).to_series().arg_true()
        """The rows that have a key of another row."""
        keys = identity_keys(rows[self.shared]).with_columns(rows[TABLE].gather(self.shared).alias("table"))
        written = keys.select(written_name=pl.col("name"))
        for key in _KEYS:
            keys = _trusted(keys, key)
        self.of_shared = _with_fallback(keys.with_columns(written))
        """The keys of these rows."""

    def of(self, rows: pl.Series) -> pl.DataFrame:
        """The keys of these rows, by their positions."""
        alone = rows.filter(~rows.is_in(self.shared.implode()))
        known = pl.concat([self.shared, alone])
        keys = pl.concat([self.of_shared, _plain_keys(self._rows[alone])])
        places = pl.DataFrame({"at": known}).with_row_index("place")
        found = pl.DataFrame({"at": rows}).join(places, on="at", how="left", maintain_order="left")["place"]
        return keys[found]

    def all_have_a_number(self) -> bool:
        """Whether every row has a serial number or a UUID."""
        trusted = self.of_shared.select(_has_number()).to_series()
        return bool(self._has_number.scatter(self.shared, trusted).all())


def _has_number() -> pl.Expr:
    return pl.col("uuid").is_not_null() | pl.col("serial").is_not_null()


def _looked_at(rows: pl.DataFrame) -> pl.DataFrame:
    """Hashes of the keys, `has_number`, and `identity`."""
    keys = _plain_keys(rows)
    hashes = (key.hash().set(key.is_null(), None) for key in keys.iter_columns())
    return pl.DataFrame([*hashes, *keys.select(has_number=_has_number(), identity=strongest()).get_columns()])


def _plain_keys(rows: pl.DataFrame) -> pl.DataFrame:
    keys = identity_keys(rows)
    return _with_fallback(keys.with_columns(written_name=pl.col("name")))


def _with_fallback(keys: pl.DataFrame) -> pl.DataFrame:
    fallbacks = ("vm_name", "asset_id", "written_serial", "written_uuid", "written_name")
    last = pl.coalesce(pl.concat_str(pl.lit(f"{field}:"), pl.col(field)) for field in fallbacks)
    has_none = pl.all_horizontal(pl.col(key).is_null() for key in _KEYS)
    return keys.select(*_KEYS, pl.when(has_none).then(last).alias(_FALLBACK))


def strongest() -> pl.Expr:
    """The strongest key of a row, which says of what kind it is."""
    return pl.coalesce(pl.concat_str(pl.lit(f"{key}:"), pl.col(key)) for key in (*_KEYS, _FALLBACK))
