"""Numbers as people and tools write them, in the canonical unit of a field; 1 GB is 1,024 MB, as in the catalogue."""

import re

import polars as pl

_BINARY = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_WORDS = {
    "kilo": "k",
    "mega": "m",
    "giga": "g",
    "tera": "t",
    "peta": "p",
    "kibi": "k",
    "mebi": "m",
    "gibi": "g",
    "tebi": "t",
}


def _sizes_in_gb() -> dict[str, float]:
    sizes = {"bytes": 1024.0**-3, "byte": 1024.0**-3}
    for prefix, power in _BINARY.items():
        # "mo" and "go" are the French octets, "Mi" and "Gi" are Kubernetes'.
        names = [prefix] if prefix == "b" else [prefix, *(f"{prefix}{end}" for end in ("b", "ib", "i", "o", "bytes"))]
        names += [f"{word}{end}" for word, short in _WORDS.items() if short == prefix for end in ("byte", "bytes")]
        sizes |= dict.fromkeys(names, 1024.0 ** (power - 3))
    return sizes


# Canonical unit of the catalogue: unit as written, in lower case: factor to the canonical unit.
FACTORS: dict[str, dict[str, float]] = {
    "GB": _sizes_in_gb(),
    "MHz": {"hz": 1e-6, "khz": 1e-3, "mhz": 1.0, "ghz": 1e3},
    "%": {"%": 1.0, "percent": 1.0, "pct": 1.0, "ratio": 100.0, "fraction": 100.0},
    "count": dict.fromkeys(("count", "x", "cpu", "cpus", "vcpu", "vcpus", "core", "cores", "socket", "sockets"), 1.0),
    "ops/s": dict.fromkeys(("ops/s", "iops", "io/s", "ops", "iop/s"), 1.0),
    "hours": {
        **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1 / 3600),
        **dict.fromkeys(("min", "mins", "minute", "minutes", "m", "minuten"), 1 / 60),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "std", "stunde", "stunden", "heures"), 1.0),
        **dict.fromkeys(("d", "day", "days", "tag", "tage", "jours"), 24.0),
        **dict.fromkeys(("w", "wk", "week", "weeks", "woche", "wochen"), 168.0),
    },
    "currency": dict.fromkeys(("currency", "€", "$", "£", "eur", "usd", "gbp", "chf"), 1.0),
}

# An optional currency, the number with any grouping, an optional unit, and a remark that changes neither.
_QUANTITY = (
    r"^(?:[€$£]|EUR|USD|GBP|CHF|~|ca\.?|approx\.?)?\s*(?<number>[+-]?[.,]?\d(?:[\d.,'’\s]*\d)?(?:[eE][+-]?\d+)?)"
    r"\s*(?<unit>[A-Za-z%€$£][A-Za-z/]*)?\.?(?:\s*\([^()]*\)|\s+(?:RAM|ECC|SSD|HDD|DDR\d))?$"
)
_WHOLE = r"^[+-]?\d+$"
_DOT_DECIMAL = r"^[+-]?\d+(?:\.\d+)?$"
_EITHER_WAY = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"
_GROUPED_BY_COMMA = r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?$"
_GROUPED_BY_DOT = r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?$"
_GROUPED_BY_SPACE = r"^[+-]?[1-9]\d{0,2}(?:[\s'’]\d{3})+(?:[.,]\d+)?$"
_DURATION_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)")
_CLOCK = re.compile(r"^(\d{1,4}):([0-5]\d)(?::([0-5]\d))?$")


def factor(unit: str | None, canonical: str) -> float | None:
    """How many of the canonical unit one `unit` is; 1 where none is named, null for a unit of something else."""
    if unit is None or unit == canonical:
        return 1.0
    return FACTORS.get(canonical, {}).get(unit.strip().lower())


def decimal_is_comma(numbers: pl.Series) -> bool:
    """Whether a column means decimals by the comma in "1,024" and groups by the dot in "1.024".

    Its unmistakable values decide: one separator that groups of three cannot explain ("1,5") is decimal; of two
    ("1.234,5") the last is. Where nothing decides, a dot is decimal and a comma groups, unless the dot can only group:
    three different values such as "1.024", with whole numbers beside them and none of those of four digits or more,
    which a column that groups never writes.
    """
    numbers = numbers.unique()
    either_way = numbers.str.contains(_EITHER_WAY)
    sure = numbers.filter(~either_way & numbers.str.contains(r"[.,]"))
    by_comma, by_dot = sure.str.contains(_GROUPED_BY_COMMA), sure.str.contains(_GROUPED_BY_DOT)
    comma = by_dot | (sure.str.contains(r"^[^,]*,\d*$") & ~by_comma)
    dot = by_comma | (sure.str.contains(r"^[^.]*\.\d*$") & ~by_dot)
    if comma.any() or dot.any():
        return int(comma.sum()) > int(dot.sum())
    dotted = either_way & numbers.str.contains(".", literal=True)
    whole = numbers.filter(numbers.str.contains(_WHOLE))
    groups_only = dotted.sum() == either_way.sum() and dotted.sum() >= 3
    return groups_only and whole.len() > 0 and not whole.str.contains(r"\d{4}").any()


def _dots_are_decimal(text: pl.Series) -> bool:
    """A quick look that spares most columns the slow one: a decimal dot for sure, and nothing against it."""
    against = text.str.contains(",", literal=True).any() or text.str.contains(r"\..*\.").any()
    return not against and bool(text.str.contains(r"^[+-]?\d+\.(?:\d{1,2}|\d{4,})$").any())


def _as_floats(numbers: pl.Series, comma: bool) -> pl.Series:
    """Numbers without their grouping; null where the grouping makes no sense ("1.2.3")."""
    n = pl.col("n")
    decimal = pl.coalesce(
        pl.when(n.str.contains(r",.*\.")).then(pl.lit(".")),
        pl.when(n.str.contains(r"\..*,")).then(pl.lit(",")),
        pl.when(n.str.contains(r",.*,")).then(pl.lit(".")),
        pl.when(n.str.contains(r"\..*\.")).then(pl.lit(",")),
        pl.when(~n.str.contains(_EITHER_WAY)).then(n.str.extract(r"([.,])")),
        pl.lit("," if comma else "."),
    )
    sensible = (
        pl.when(n.str.contains(r"[\s'’]"))
        .then(n.str.contains(_GROUPED_BY_SPACE))
        .when((pl.col("decimal") == ".") & n.str.contains(",", literal=True))
        .then(n.str.contains(_GROUPED_BY_COMMA))
        .when((pl.col("decimal") == ",") & n.str.contains(".", literal=True))
        .then(n.str.contains(_GROUPED_BY_DOT))
        .otherwise(pl.lit(True))
    )
    digits = n.str.replace_all(r"[\s'’]", "")
    plain = (
        pl.when(pl.col("decimal") == ",")
        .then(digits.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
        .otherwise(digits.str.replace_all(",", "", literal=True))
    )
    frame = pl.DataFrame({"n": numbers}).with_columns(decimal=decimal)
    return frame.select(pl.when(sensible).then(plain).cast(pl.Float64, strict=False)).to_series()


def _hours(text: str) -> float | None:
    """Durations of several parts ("1 hr 30 min") and clock notation ("4:30")."""
    if clock := _CLOCK.match(text):
        hours, minutes, seconds = clock.groups(default="0")
        return int(hours) + int(minutes) / 60 + int(seconds) / 3600
    parts = _DURATION_PART.findall(text.lower())
    factors = [FACTORS["hours"].get(unit) for _, unit in parts]
    left = _DURATION_PART.sub("", text.lower()).replace("and", "").strip(" ,")
    if not parts or left or None in factors:
        return None
    return sum(
        float(number.replace(",", ".")) * scale for (number, _), scale in zip(parts, factors, strict=True) if scale
    )


def spell_out_memory_units(text: pl.Series, unit: str | None) -> tuple[pl.Series, pl.Series]:
    """Text in which bare numbers carry a unit where a column of memory mixes two, and which cells were changed.

    A column mixes when it holds bare numbers below 512, as gigabytes are written, and others of 1,024 and more, as
    megabytes are. A column whose unit is neither, or whose numbers all lie on one side, is left as it is.
    """
    nothing = pl.Series([False]).new_from_index(0, text.len())
    size = {"gb": "GB", "gib": "GB", "mb": "MB", "mib": "MB"}.get((unit or "GB").lower())
    number = text.set(~text.str.contains(_WHOLE), None).cast(pl.Float64, strict=False)
    as_gigabytes, as_megabytes = (number > 0) & (number < 512), number >= 1024
    if size is None or not (as_gigabytes.any() and as_megabytes.any()):
        return text, nothing
    other, changed = ("MB", as_megabytes) if size == "GB" else ("GB", as_gigabytes)
    changed = changed.fill_null(False)
    return (text + f" {other}").zip_with(changed, text), changed


def read_numbers(text: pl.Series, canonical: str, unit: str | None = None) -> pl.DataFrame:
    """Numbers of one column in the canonical unit: `value` (Float64) and, where it could not be read, `reason`.

    `text` is trimmed and may hold nulls. A unit in the cell wins ("16 GB"); a bare number is in `unit`, or in the
    canonical unit. Raises `ValueError` when `unit` is none of the canonical one's.
    """
    bare = factor(unit, canonical)
    if bare is None:
        raise ValueError(f"{unit!r} cannot be converted to {canonical}")
    plain = text.str.contains(_DOT_DECIMAL if _dots_are_decimal(text) else _WHOLE)
    value = text.set(~plain, None).cast(pl.Float64, strict=False) * bare
    reason = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, text.len())
    pending = (~plain).fill_null(False).arg_true()
    if pending.len():
        read = _read_quantities(text.gather(pending), text, canonical, bare)
        value = value.scatter(pending, read["value"])
        reason = reason.scatter(pending, read["reason"])
    return pl.DataFrame({"value": value, "reason": reason})


def _read_quantities(text: pl.Series, column: pl.Series, canonical: str, bare: float) -> pl.DataFrame:
    """What is no plain whole number; `column` is the whole column, which decides what its separators mean."""
    parts = text.str.extract_groups(_QUANTITY).struct.unnest()
    whole = column.filter(column.str.contains(_WHOLE))
    comma = decimal_is_comma(pl.concat([parts["number"].drop_nulls(), whole], rechunk=True))
    units = {unit: factor(unit, canonical) for unit in parts["unit"].drop_nulls().unique()}
    scale = (
        parts["unit"].replace_strict(units, default=None, return_dtype=pl.Float64)
        if units
        else pl.lit(None, pl.Float64)
    )
    frame = parts.with_columns(text=text, value=_as_floats(parts["number"], comma), scale=scale).with_columns(
        value=pl.col("value") * pl.when(pl.col("unit").is_null()).then(pl.lit(bare)).otherwise(pl.col("scale"))
    )
    if canonical == "hours":
        composite = frame.filter(pl.col("value").is_null())["text"].unique()
        hours = {written: _hours(written) for written in composite}
        frame = frame.with_columns(
            pl.coalesce("value", pl.col("text").replace_strict(hours, default=None, return_dtype=pl.Float64))
        )
    unknown_unit = pl.col("number").is_not_null() & pl.col("unit").is_not_null() & pl.col("scale").is_null()
    return frame.select(
        pl.when(pl.col("value").is_finite()).then(pl.col("value")).alias("value"),
        pl.when(pl.col("value").is_finite())
        .then(None)
        .when(unknown_unit)
        .then(pl.format("'{}' is not a unit that converts to " + canonical, "unit"))
        .otherwise(pl.lit("not a number"))
        .alias("reason"),
    )
