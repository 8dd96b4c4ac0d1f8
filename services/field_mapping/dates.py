"""Dates and times as tools, spreadsheets and people write them, read into one naive UTC timestamp."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from uuid import UUID

import polars as pl

# Tried first on whole values, for they are what tools write and many times faster than the patterns below.
_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%.fZ",
    "%d.%m.%Y", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M",
)  # fmt: skip
_SLASHED = {
    day_first: [f"{date}{time}" for time in ("", " %H:%M", " %H:%M:%S")]
    for day_first, date in ((True, "%d/%m/%Y"), (False, "%m/%d/%Y"))
}
_TIME = (
    r"(?:[T,\s]+(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,]\d+)?)?\s*(?<half>[AaPp])?(?:\.?[Mm]\.?)?)?"
    r"\s*(?<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?$"
)
# The first three letters in English, German, French, Spanish, Italian and Turkish; French June and July need four.
_MONTH_NUMBERS = {
    "jan": "1", "ene": "1", "gen": "1", "oca": "1", "feb": "2", "fév": "2", "fev": "2", "şub": "2", "sub": "2",
    "mar": "3", "mär": "3", "apr": "4", "avr": "4", "abr": "4", "nis": "4", "may": "5", "mai": "5", "mag": "5",
    "jun": "6", "juin": "6", "giu": "6", "haz": "6", "jul": "7", "juil": "7", "lug": "7", "tem": "7",
    "aug": "8", "aoû": "8", "aou": "8", "ago": "8", "ağu": "8", "agu": "8", "sep": "9", "set": "9", "eyl": "9",
    "oct": "10", "okt": "10", "ott": "10", "eki": "10", "nov": "11", "kas": "11", "dec": "12", "dez": "12",
    "déc": "12", "dic": "12", "ara": "12",
}  # fmt: skip
_YEAR_FIRST = r"^(?<year>\d{4})[-/.](?<month>\d{1,2})[-/.](?<day>\d{1,2})" + _TIME
_YEAR_LAST = r"^(?<first>\d{1,2})(?<separator>[-/.])(?<second_part>\d{1,2})[-/.](?<year>\d{4}|\d{2})" + _TIME
_DAY_MONTH_NAME = (
    r"^(?<day>\d{1,2})(?:st|nd|rd|th|\.)?[-/\s]+(?<name>\p{L}{3,9})\.?[-/,\s]+(?<year>\d{4}|\d{2})" + _TIME
)
_MONTH_NAME_DAY = (
    r"^(?:\p{L}{3,9}, )?(?<name>\p{L}{3,9})\.?\s+(?<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?<year>\d{4})" + _TIME
)
# As C's ctime writes it: "Wed Jan 31 10:00:00 2024".
_CTIME = (
    r"^\p{L}{2,3} (?<name>\p{L}{3}) +(?<day>\d{1,2}) (?<hour>\d{1,2}):(?<minute>\d{2}):(?<second>\d{2}) "
    r"(?:(?<zone>UTC|GMT) )?(?<year>\d{4})$"
)
# "15y 0m ago", "2 years, 3 months ago", "45 days ago".
_AGE = re.compile(
    r"(?:(\d+) ?y(?:ears?|rs?)?)?,? ?(?:(\d+) ?m(?:onths?|os?)?)?,? ?(?:(\d+) ?w(?:eeks?)?)?,? ?"
    r"(?:(\d+) ?d(?:ays?)?)? (?:ago|old)",
    re.IGNORECASE,
)
# Parts of the calendar longer than a day. "Jan-24" is how Excel shows a month.
_MONTHS = (
    r"^(?<year>\d{4})[-/.](?<month>\d{1,2})$",
    r"^(?<month>\d{1,2})[-/.](?<year>\d{4})$",
    r"^(?<name>\p{L}{3,9})\.?[-/,\s]+(?<year>\d{4})$",
    r"^(?<name>\p{L}{3})[-/'’](?<year>\d{2})$",
)
_QUARTERS = (r"^[Qq](?<quarter>[1-4])[-/\s]*(?<year>\d{4})$", r"^(?<year>\d{4})[-/\s]*[Qq](?<quarter>[1-4])$")
_YEAR = r"^(?<year>(?:19[7-9]|20\d)\d)$"
_COMPACT = r"^(?<year>(?:19|20)\d{2})(?<month>\d{2})(?<day>\d{2})(?:(?<hour>\d{2})(?<minute>\d{2})(?<second>\d{2}))?$"
_EITHER_ORDER = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](?:\d{4}|\d{2})(?!\d)")
_SERIAL = r"^\d{5}(?:\.\d+)?$"
_EPOCH = r"^\d{10}(?:\d{3})?$"

# 1970-01-01 is a clock that was never set; years beyond 2100 say "never".
EARLIEST, LATEST = pl.datetime(1970, 1, 2), pl.datetime(2100, 1, 1)
# Two-digit years follow POSIX strptime: 69 to 99 are 19xx.
_CENTURY_PIVOT = 69


def _components(text: pl.Series, pattern: str) -> pl.DataFrame:
    """The named groups of `pattern`, all of them as integers but the separator, the month's name, half day and zone."""
    frame = text.str.extract_groups(pattern).struct.unnest()
    words = {"separator", "name", "half", "zone"}
    frame = frame.with_columns(two_digits=pl.col("year").str.len_bytes() == 2)
    frame = frame.with_columns(pl.col(name).cast(pl.Int64) for name in frame.columns if name not in words)
    century = pl.when(pl.col("year") >= _CENTURY_PIVOT).then(1900).otherwise(2000)
    return frame.with_columns(year=pl.col("year") + pl.when(pl.col("two_digits") == 1).then(century).otherwise(0))


def _timestamps(parts: pl.DataFrame) -> pl.Series:
    """Timestamps of year, month, day and, if the pattern has them, time and zone; null where there is no such day."""
    absent = {"hour", "minute", "second", "half", "zone"} - set(parts.columns)
    parts = parts.with_columns(
        pl.lit(None, pl.String if name in {"half", "zone"} else pl.Int64).alias(name) for name in absent
    )
    half = pl.col("half").str.to_lowercase()
    hour = (
        pl.when(half.is_null())
        .then(pl.col("hour").fill_null(0))
        .otherwise(pl.col("hour") % 12 + pl.when(half == "p").then(12).otherwise(0))
    )
    written = pl.format(
        "{}-{}-{} {}:{}:{}", "year", "month", "day", hour, pl.col("minute").fill_null(0), pl.col("second").fill_null(0)
    )  # fmt: skip
    zone = pl.col("zone").str.extract_groups(r"^([+-])(\d{2}):?(\d{2})$")
    minutes = (zone.struct[1].cast(pl.Int64) * 60 + zone.struct[2].cast(pl.Int64)) * pl.when(
        zone.struct[0] == "-"
    ).then(-1).otherwise(1)
    naive = written.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    return parts.select(naive - pl.duration(minutes=minutes.fill_null(0))).to_series()


def _parse(text: pl.Series, form: str) -> pl.Series:
    """Values in exactly this format; null for the others, and all null where a look at the first ones finds none."""
    if not text.head(100).str.to_datetime(form, time_unit="us", strict=False).count():
        return _nothing(text)
    read = text.str.to_datetime(form, time_unit="us", strict=False)
    # "%Y" also takes "21" for the year 21: such values are left to the patterns, which know the century.
    return read.set(read.dt.year() < 100, None)


def _nothing(text: pl.Series) -> pl.Series:
    return pl.Series("value", [None], dtype=pl.Datetime("us")).new_from_index(0, text.len())


def _matching(text: pl.Series, pattern: str) -> pl.Series:
    """Timestamps of the values that `pattern` fits."""
    parts = _components(text, pattern)
    if "day" not in parts.columns:
        parts = parts.with_columns(day=pl.when(pl.col("year").is_not_null()).then(1))
    if "quarter" in parts.columns:
        parts = parts.with_columns(month=pl.col("quarter") * 3 - 2)
    elif not {"month", "name"} & set(parts.columns):
        parts = parts.with_columns(month=pl.col("day"))
    if "name" in parts.columns:
        lower = pl.col("name").str.to_lowercase()
        four, three = (lower.str.slice(0, n).replace_strict(_MONTH_NUMBERS, default=None, return_dtype=pl.Int64)
                       for n in (4, 3))  # fmt: skip
        parts = parts.with_columns(month=pl.coalesce(four, three))
    return _timestamps(parts) if parts["day"].count() else _nothing(text)


def _year_last(text: pl.Series, day_first: bool) -> pl.Series:
    """Timestamps of dates such as 03/04/2021; one that proves its own order is read in it, despite `day_first`."""
    first, second = pl.col("first"), pl.col("second_part")
    in_order = (pl.col("separator") == ".") | (first > 12) | ((second <= 12) & pl.lit(day_first))
    parts = _components(text, _YEAR_LAST).with_columns(
        day=pl.when(in_order).then(first).otherwise(second), month=pl.when(in_order).then(second).otherwise(first)
    )
    return _timestamps(parts)


@dataclass(frozen=True)
class DateOrder:
    """How a column's dates with "/" or "-" are read: `proof` is a value that says so, `agreed` that none denies it.

    `left_open` is an example of one that could be read either way and is not proven by the column.
    """

    day_first: bool
    agreed: bool
    proof: str | None
    left_open: str | None


def date_order(text: pl.Series) -> DateOrder:
    """What the values of one column say about the order of day and month: day first only if some value proves it."""
    parts = text.str.extract_groups(r"^(?<first>\d{1,2})[-/](?<last>\d{1,2})[-/]\d").struct.unnest().cast(pl.Int64)
    proves_day, proves_month = parts["first"] > 12, parts["last"] > 12
    if proves_day.any() != proves_month.any():
        proof = text.filter(proves_day | proves_month).min()
        return DateOrder(bool(proves_day.any()), True, proof if isinstance(proof, str) else None, None)
    example = text.filter((parts["first"] <= 12) & (parts["last"] <= 12) & (parts["first"] != parts["last"])).min()
    votes = text.filter(proves_day).n_unique() - text.filter(proves_month).n_unique()
    return DateOrder(votes > 0, not proves_day.any(), None, example if isinstance(example, str) else None)


def is_ambiguous(text: str) -> bool:
    """Whether day and month of a date could be the other way round, as far as the text itself says."""
    match = _EITHER_ORDER.match(text)
    return match is not None and match[1] != match[2] and int(match[1]) <= 12 and int(match[2]) <= 12


def coarse_period(text: pl.Series) -> pl.Series:
    """What each value names instead of a day, "month", "quarter" or "year"; null for all others."""
    value = pl.col("text")
    kinds = [
        pl.when(value.str.contains(pattern)).then(pl.lit(kind))
        for kind, patterns in (("month", _MONTHS), ("quarter", _QUARTERS), ("year", (_YEAR,)))
        for pattern in patterns
    ]
    return pl.DataFrame({"text": text}).select(pl.coalesce(kinds)).to_series()


def day_of(import_id: UUID) -> date | None:
    """The day on which a file arrived, as its id tells (UUID version 7, RFC 9562, section 5.7); None of another id."""
    seconds = (import_id.int >> 80) / 1000
    # 48 bits reach beyond the years that dates have.
    return datetime.fromtimestamp(seconds, UTC).date() if import_id.version == 7 and seconds < 2**32 else None


def _ages(text: pl.Series, day: date) -> pl.Series:
    """The day that each age of `day` goes back to; of one in years and months the first day of the month."""
    ages = {
        written: _that_long_before(day, match)
        for written in text.unique()
        if (match := _AGE.fullmatch(written)) and any(match.groups())
    }
    return text.replace_strict(ages, default=None, return_dtype=pl.Date).cast(pl.Datetime("us"))


def _that_long_before(day: date, match: re.Match[str]) -> date | None:
    years, months, weeks, days = (int(part) if part else 0 for part in match.groups())
    if weeks or days:
        back = day.toordinal() - weeks * 7 - days - round((years * 12 + months) * 30.44)
        return date.fromordinal(back) if back > 0 else None
    year, month = divmod(day.year * 12 + day.month - 1 - years * 12 - months, 12)
    return date(year, month + 1, 1) if year > 0 else None


def read_dates(text: pl.Series, day: date | None = None) -> tuple[pl.DataFrame, str | None]:
    """Timestamps of one column: `value` (Datetime, UTC where a zone is given) and, where unreadable, `reason`.

    Read are ISO 8601, year-first and year-last dates with any of "-/.", month names, 12- and 24-hour times, Excel day
    numbers (days since 1899-12-30), Unix seconds or milliseconds, ages ("15y 0m ago") before `day`, and months,
    quarters and years as their first day. Dots mean day first; with "/" or "-" the column is day first only if some
    value proves it. The second result is a value left open by the column: no value proves either order, or some each.
    """
    value, pending, example = _nothing(text), text.is_not_null().arg_true(), None

    def settle(read: Callable[[pl.Series], pl.Series]) -> None:
        nonlocal value, pending
        if pending.len():
            found = read(text.gather(pending))
            value = value.scatter(pending.filter(found.is_not_null()), found.drop_nulls())
            pending = pending.filter(found.is_null())

    for form in _FORMATS:
        settle(partial(_parse, form=form))
    settle(partial(_matching, pattern=_YEAR_FIRST))
    if pending.len():
        order = date_order(text.gather(pending))
        example = order.left_open
        for form in _SLASHED[order.day_first] if order.agreed else ():
            settle(partial(_parse, form=form))
        settle(partial(_year_last, day_first=order.day_first))
    for pattern in (_DAY_MONTH_NAME, _MONTH_NAME_DAY, _CTIME, _COMPACT, *_MONTHS, *_QUARTERS, _YEAR):
        settle(partial(_matching, pattern=pattern))
    settle(_numeric)
    if day is not None:
        settle(partial(_ages, day=day))
    plausible = pl.col("value").is_between(EARLIEST, LATEST)
    return pl.DataFrame({"text": text, "value": value}).select(
        pl.when(plausible).then(pl.col("value")).alias("value"),
        pl.when(pl.col("text").is_null() | plausible)
        .then(None)
        .when(pl.col("value").is_null())
        .then(pl.lit("not a date"))
        .otherwise(pl.lit("outside 1970-01-02 to 2100-01-01, so a placeholder rather than a date"))
        .alias("reason"),
    ), example


def _numeric(text: pl.Series) -> pl.Series:
    """Excel day numbers and Unix times."""
    t = pl.col("t")
    days = pl.when(t.str.contains(_SERIAL)).then(t).cast(pl.Float64)
    unix = pl.when(t.str.contains(_EPOCH)).then(t).cast(pl.Int64)
    milliseconds = pl.when(unix >= 10**12).then(unix).otherwise(unix * 1000)
    # Rounded to the second: a day number's fraction is a binary one.
    serial = pl.datetime(1899, 12, 30) + pl.duration(seconds=(days * 86_400).round().cast(pl.Int64))
    return (
        pl.DataFrame({"t": text})
        .select(pl.coalesce(serial, pl.from_epoch(milliseconds, time_unit="ms").cast(pl.Datetime("us"))))
        .to_series()
    )
