"""Machines that are probably the same though no key says so: record linkage after Fellegi and Sunter.

"A Theory for Record Linkage", JASA 64 (1969): each field of a pair that agrees adds log2(m / u) bits, each that differs
log2((1 - m) / (1 - u)). m, how often the field agrees in rows of one machine, is documented below; u, how often in
rows of two, comes from the rows themselves, value by value (Winkler 2000: what agrees on a rare value counts more).
Only rows that share a block are compared, and a block is bounded, so the cost is linear in the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import log2

import polars as pl

from services.field_mapping.compact_columns import Each, in_slices
from services.field_mapping.identity import TABLE, TrustedKeys, may_repeat
from services.field_mapping.machine_names import blurred_names, compare_names, maybe_misspelled, name_bits
from services.field_mapping.technology_columns import canonical_names, with_technologies

# A pair is one machine from this probability on, and a person's question from that one on. Our figures.
SAME, DOUBTFUL = 0.97, 0.5
# A value on more machines than this tells nobody apart: a template's address, the size of a whole cluster.
LARGEST_BLOCK = 12
# Enough rows to know how common a value is.
_SAMPLE = 5_000
# Bundles of fields that say the same thing twice: of each only what speaks most for and most against a pair counts.
# Each field with its m.
_BUNDLES: dict[str, dict[str, float]] = {
    "mac": {"mac_address": 0.85},
    "ip": {"ip_address": 0.85},
    "system": {"operating_system": 0.85},
    "cores": {"cpu_cores": 0.9},
    "memory": {"memory_gb": 0.9},
    "storage": {"storage_gb": 0.75},
    "hardware": {"model": 0.9, "cpu_model": 0.9, "manufacturer": 0.95},
    "place": {
        "virtualization_host": 0.75, "cluster": 0.9, "datacenter": 0.95, "network_segment": 0.9, "location": 0.9,
        "domain": 0.9,
    },
    "belonging": {
        "application_name": 0.9, "business_owner": 0.85, "technical_owner": 0.85, "server_role": 0.9, "cost_center": 0.9
    },
    "environment": {"environment": 0.93},
    "date": {"install_date": 0.8},
}  # fmt: skip
_FIELDS = {field: m for bundle in _BUNDLES.values() for field, m in bundle.items()}
_COMPARED = (*_FIELDS, "os_version")
# Fields that are looked at in every row.
BLOCKED_BY = ("ip_address", "mac_address", "cpu_cores", "memory_gb")
# Servers of one application are near-twins, and they are what a machine is mistaken for: u is at least this.
_TWINS_SHARE = {"mac": 0.0, "ip": 0.0, "storage": 0.15, "date": 0.1}
_MOST_TWINS_SHARE = 0.25
# Sizes that tools round or measure differently: within this share of the larger one they agree.
_TOLERANCE = {"memory_gb": 0.05, "storage_gb": 0.1}
# Two serial numbers or UUIDs of one machine: seldom, as VMware has an instance's and a BIOS's; in one table, never.
_APART_BITS, _APART_IN_ONE_TABLE_BITS = -6.0, -12.0


@dataclass(frozen=True)
class Links:
    """Pairs of groups, each by the index of its first row: `first` < `second`, `probability` and `evidence`."""

    same: pl.DataFrame
    doubtful: pl.DataFrame


def link(
    rows: pl.DataFrame,
    keys: TrustedKeys,
    group: pl.Series,
    take: Callable[[pl.Series, Sequence[str]], pl.DataFrame],
    each: Each = map,
) -> Links:
    """Pairs of groups that are, or might be, one machine.

    `rows` have names that are split, what blocks are made of, and their tables, `keys` are their trusted keys, `group`
    has the index of the first row of each row's group, and `take` gives fields of some rows.
    """
    blocks = [rows[field] for field in ("ip_address", "mac_address") if field in rows.columns]
    # Where every row has a serial number or a UUID of its own, a name that looks like another is another machine's.
    alike = [] if keys.all_have_a_number() else [_alike(rows, group, each)]
    pairs = pl.concat([*alike, *each(_sharing, blocks, repeat(group))]).unique()
    if pairs.is_empty():
        nothing = pairs.with_columns(probability=pl.lit(0.0), evidence=pl.lit(""))
        return Links(nothing, nothing)
    chosen = group.is_in(pl.concat([pairs["first"], pairs["second"]]).unique().implode()).arg_true()
    machines = _machines(rows, keys, group, chosen, take(chosen, _COMPARED))
    one_each = (group == pl.Series(range(group.len()), dtype=group.dtype)).arg_true()
    sample = take(one_each.gather_every(max(1, one_each.len() // _SAMPLE)), _COMPARED)
    scored, evidence = _scored(pairs, machines, sample, one_each.len())
    scored = scored.filter(pl.col("probability") >= DOUBTFUL).sort("probability", "first", "second", descending=True)
    told = scored.select("first", "second", "probability", evidence=evidence)
    return Links(same=told.filter(pl.col("probability") >= SAME), doubtful=told.filter(pl.col("probability") < SAME))


def _alike(rows: pl.DataFrame, group: pl.Series, each: Each) -> pl.DataFrame:
    """Pairs of groups whose names differ in spelling or by a typing error, and the numbers and sizes in nothing."""
    blocks = in_slices(_name_blocks, rows, each)
    pairs: pl.DataFrame = pl.concat(each(_sharing, blocks, repeat(group))).unique()
    sides = (blurred_names(_names(rows[pairs[side]])) for side in ("first", "second"))
    # A group whose first row has no name was found by another's.
    kept = [one is None or other is None or maybe_misspelled(one, other) for one, other in zip(*sides, strict=True)]
    return pairs.filter(pl.Series(kept, dtype=pl.Boolean))


def _name_blocks(rows: pl.DataFrame) -> pl.DataFrame:
    """Hashes of the blurred name, and of its beginning and of its end with the numbers and sizes; null without a name.

    Two that are alike by accident are compared and found to be different.
    """
    blurred = blurred_names(_names(rows))
    sizes = [
        size.cast(pl.Int64, strict=False)
        for field, size in (("cpu_cores", pl.col("cpu_cores")), ("memory_gb", (pl.col("memory_gb").log(2) * 2).round()))
        if field in rows.columns
    ]
    given = rows.select(pl.lit(blurred.str.replace_all(r"[^0-9]+", ".")).alias("numbers"), *sizes)
    hashes = [given.with_columns(part.alias("part")).hash_rows() for part in (blurred.str.head(4), blurred.str.tail(4))]
    unnamed = blurred.is_null()
    return pl.DataFrame(
        hashed.set(unnamed, None).alias(name)
        for name, hashed in zip(("whole", "begins", "ends"), (blurred.hash(), *hashes), strict=True)
    )


def _names(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.coalesce("hostname", pl.col("vm_name").str.to_lowercase())).to_series()


def _sharing(block: pl.Series, group: pl.Series) -> pl.DataFrame:
    """Every pair of groups that share a value of this block."""
    rows = may_repeat(block).arg_true()
    held = pl.DataFrame({"block": block.gather(rows), "group": group.gather(rows).cast(pl.UInt32)}).unique()
    held = held.filter(pl.len().over("block").is_between(2, LARGEST_BLOCK))
    joined = held.join(held, on="block").filter(pl.col("group") < pl.col("group_right"))
    return joined.select(first="group", second="group_right")


def _machines(
    rows: pl.DataFrame,
    keys: TrustedKeys,
    group: pl.Series,
    chosen: pl.Series,
    fields: pl.DataFrame,
) -> pl.DataFrame:
    """One record for each group of the chosen rows: the first value of each field that is compared."""
    numbers = keys.of(chosen)
    picked = fields.select(name for name in _COMPARED if name in fields.columns).with_columns(
        numbers["uuid"].alias("own_uuid"),
        numbers["serial"].alias("own_serial"),
        _names(rows[chosen]).alias("own_name"),
        rows[TABLE].gather(chosen).alias("table"),
        group.gather(chosen).cast(pl.UInt32).alias("group"),
    )
    first = picked.group_by("group", maintain_order=True).agg(pl.exclude("group").first(ignore_nulls=True))
    return _with_families(first)


def _with_families(frame: pl.DataFrame) -> pl.DataFrame:
    """Operating systems as their family and release, which spellings of one have in common."""
    if "operating_system" not in frame.columns:
        return frame
    texts = frame.select(name for name in ("operating_system", "os_version") if name in frame.columns)
    return frame.with_columns(canonical_names(with_technologies(texts), "operating_system"))


def _scored(
    pairs: pl.DataFrame, machines: pl.DataFrame, sample: pl.DataFrame, groups: int
) -> tuple[pl.DataFrame, pl.Expr]:
    """The pairs with `probability`, and what tells in words what speaks for and against each.

    `sample` has a row of some of the `groups`, to tell how common a value is.
    """
    both = pairs.join(machines, left_on="first", right_on="group").join(
        machines, left_on="second", right_on="group", suffix="_2"
    )
    sample = _with_families(sample.select(name for name in _COMPARED if name in sample.columns))
    bits: dict[str, pl.Expr] = {}
    for bundle, fields in _BUNDLES.items():
        least = max(1 / groups, _TWINS_SHARE.get(bundle, _MOST_TWINS_SHARE))
        for field in fields:
            if field in machines.columns:
                both = both.with_columns(_field_bits(field, both, sample[field], least).alias(f"bits {field}"))
                bits[field] = pl.col(f"bits {field}")
    relations = compare_names(both["own_name"], both["own_name_2"])
    both = both.with_columns(relation=relations)
    # Whoever looks at one pair of N machines expects a match once in N.
    total = [pl.lit(-log2(groups)), pl.col("relation").replace_strict(name_bits(groups), return_dtype=pl.Float64)]
    for alike in _BUNDLES.values():
        given = [bits[field] for field in alike if field in bits]
        if given:
            total += [pl.max_horizontal(0.0, *given), pl.min_horizontal(0.0, *given)]
    same_table = pl.col("table") == pl.col("table_2")
    apart = pl.when(same_table).then(_APART_IN_ONE_TABLE_BITS).otherwise(_APART_BITS)
    total += [
        pl.when(pl.col(own) != pl.col(f"{own}_2")).then(apart).otherwise(0.0).fill_null(0.0)
        for own in ("own_uuid", "own_serial")
    ]
    odds = pl.sum_horizontal(total)
    return both.with_columns(probability=1 / (1 + pl.lit(2.0) ** -odds)), _evidence(list(bits))


def _field_bits(field: str, both: pl.DataFrame, sample: pl.Series, least: float) -> pl.Series:
    """Bits of one field for each pair; nothing where a side has no value. `least` is the least that u can be."""
    one, other, m = both[field], both[f"{field}_2"], _FIELDS[field]
    counted = sample.drop_nulls().alias("value").value_counts()
    # The machine itself is among those that have its value.
    share = counted.select("value", u=(pl.col("count") - 1) / max(sample.count(), 1))
    u = pl.DataFrame({"value": one}).join(share, on="value", how="left", maintain_order="left")["u"]
    u = u.fill_null(least).clip(least, 0.9)
    if field in _TOLERANCE:
        larger = pl.select(pl.max_horizontal(one, other)).to_series()
        agree = (one - other).abs() <= larger * _TOLERANCE[field]
    elif one.dtype == pl.String:
        agree = one.str.to_lowercase() == other.str.to_lowercase()
    else:
        agree = one == other
    known = (one.is_not_null() & other.is_not_null()).fill_null(False)
    frame = pl.DataFrame({"agree": agree.fill_null(False), "known": known, "u": u})
    weight = pl.when("agree").then((m / pl.col("u")).log(2)).otherwise(((1 - m) / (1 - pl.col("u"))).log(2))
    return frame.select(pl.when("known").then(weight).otherwise(0.0)).to_series()


def _evidence(fields: list[str]) -> pl.Expr:
    """What agrees and what differs, such as 'names look alike: web01, wbe01; same ip_address 10.0.0.1; other model'."""
    names = pl.format(
        "{}: {}, {}", "relation", pl.col("own_name").fill_null("none"), pl.col("own_name_2").fill_null("none")
    )
    parts = [
        pl.when(pl.col(f"bits {field}") > 0)
        .then(pl.format(f"same {field} {{}}", pl.col(field).cast(pl.String)))
        .when(pl.col(f"bits {field}") < 0)
        .then(
            pl.format(
                f"other {field} ({{}}, {{}})", pl.col(field).cast(pl.String), pl.col(f"{field}_2").cast(pl.String)
            )
        )
        for field in fields
    ]
    return pl.concat_str([names, *parts], separator="; ", ignore_nulls=True)
