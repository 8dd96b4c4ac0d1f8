"""What the sample values of a column look like: the share of them that are addresses, dates, numbers, names of operating systems, …"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from statistics import median

from services.field_mapping.column_names import plain
from services.field_mapping.lexicon import value_words

# Words that say "no value".
PLACEHOLDERS = frozenset(
    {
        "",
        "-",
        "--",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "unknown",
        "tbd",
        "tba",
        "?",
        "not set",
        "not available",
        "#n/a",
        "undefined",
        "[]",
        "[];",
        "(null)",
        "unbekannt",
        "bilinmiyor",
    }
)
_BOOLEANS = frozenset(
    {
        "true",
        "false",
        "yes",
        "no",
        "y",
        "n",
        "ja",
        "nein",
        "oui",
        "non",
        "si",
        "evet",
        "hayir",
        "wahr",
        "falsch",
        "vrai",
        "faux",
    }
)

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:[,. '’]\d{3})+|\d+)(?:[.,]\d+)?")
_MEASURE = re.compile(
    r"([-+]?(?:\d{1,3}(?:[,. ]\d{3})+|\d+)(?:[.,]\d+)?)\s*(bytes|[kmgtp]i?b|[kmgt]o|[mg]hz|%)", re.IGNORECASE
)
_MONEY = re.compile(
    r"(?:[$€£₺]|usd|eur|gbp|try|chf)?\s*-?\d[\d,. ']*\s*(?:[$€£₺]|usd|eur|gbp|try|chf|k)?", re.IGNORECASE
)
_UUID = re.compile(
    r"\{?(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:[0-9a-f]{2} ){7}[0-9a-f]{2}-(?:[0-9a-f]{2} ){7}[0-9a-f]{2})\}?",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|(?:[0-9a-f]{2}){6}", re.IGNORECASE
)
_FQDN = re.compile(
    r"(?=.{4,253}$)(?=.*[a-z])(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}\.?", re.IGNORECASE
)
_HOST_LABEL = re.compile(r"(?=.*[a-z])[a-z0-9_][a-z0-9_$-]{1,62}", re.IGNORECASE)
_EMAIL = re.compile(r"(?:[^<>@]*<)?[\w.+-]+@[\w-]+(?:\.[\w-]+)+>?")
_PERSON = re.compile(
    r"[^\W\d_][^\W\d_.'’-]*\.?(?:[ '’-][^\W\d_]*\.?){1,4}|[^\W\d_]+, [^\W\d_]+(?: [^\W\d_]+)*|[a-z]\.[a-z]{2,}",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})|\d{1,2}[- ][a-z]{3,9}[- ,]+\d{2,4}|[a-z]{3,9} \d{1,2},? \d{4})"
    r"(?:[T ,]+\d{1,2}:\d{2}.*)?",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"[<>~]?\s*\d+(?:[.,]\d+)?\s*(?:s|sec|seconds?|m|min|mins|minutes?|h|hr|hrs|hours?|d|days?|w|weeks?|std|stunden?|heures?|saat|dk|g[uü]n)?\.?",
    re.IGNORECASE,
)
_VERSION = re.compile(
    r"v?\d+(?:\.\d+)+(?:[-+ .][\w.]+)*|\d{1,5}(?:[a-z]\w{0,3}|\.\w+)?|\d{2}h\d|\d+(?:\.\d+)*[ -](?:sp|r|u|update )\d.*|\d+[a-z]?(?:\.\d+)*",
    re.IGNORECASE,
)
_CPU_MODEL = re.compile(
    r"xeon|epyc|opteron|core\s?\(?tm\)?|core i\d|celeron|pentium|ryzen|power\d|sparc|graviton|itanium|intel|\bamd\b|cpu @|\d\.\d+ ?ghz|apple m\d|kunpeng|ampere",
    re.IGNORECASE,
)
_OS = re.compile(
    r"windows|\bwin ?(?:20\d\d|\d+|xp|nt)|linux|red ?hat|\brhel|rehel|cent ?os|ubuntu|debian|suse|sles\b|solaris|\baix\b|hp-?ux|esxi?\b|photon|fedora|rocky"
    r"|\bunix\b|mac ?os|os x|freebsd|oracle ?linux|amazon linux|ibm i\b|os/?400|z/os|\bios\b|junos|nx-os|fortios|pan-os|darwin|proxmox|ontap|vms\b|alma",
    re.IGNORECASE,
)
_INSTANCE_TYPE = re.compile(
    r"(?:[a-z]{1,4}\d[a-z0-9]*(?:-flex)?\.(?:nano|micro|small|medium|large|\d*xlarge|metal\S*))|standard_[a-z]+\d\w*|[a-z]\d[a-z]?-(?:standard|highmem|highcpu|custom|micro|small|medium)\S*|basic_a\d|vm\.standard\S*|db\.\w+\.\w+|[a-z]+\d+-\d+x\d+|m\d\.\w+",
    re.IGNORECASE,
)
_REGION = re.compile(
    r"(?:us|eu|ap|ca|sa|me|af|il|cn|mx)-(?:gov-)?(?:north|south|east|west|central|northeast|southeast|northwest|southwest)+-\d[a-z]?|(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-[a-z]+\d(?:-[a-z])?|(?:north|south|east|west|central|uk|us|france|germany|japan|korea|canada|brazil|australia|norway|uae|switzerland|sweden|poland|italy|qatar|israel|southeast|northcentral|southcentral|westcentral)(?:[a-z]*)(?:us|europe|asia|south|west|north|east|central|india)\d?",
    re.IGNORECASE,
)
_CIDR = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}/\d{1,2}")
_TIER = re.compile(
    r"(?:(?:tier|level|class|dr|t|p|category|stufe)[ -]?)?[0-5a-d]|(?:tier|level|class|stufe)[ -]?[0-5a-d]\b.*|gold|silver|bronze|platinum|[0-5] ?- ?.*",
    re.IGNORECASE,
)
_ASSET_CLASS = re.compile(r"cmdb_ci_\w+|u_cmdb\w+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]")
_NETWORK = re.compile(r"vlan|subnet|network|lan\b|dvpg|\bpg[-_]|net\b|dmz|vpc|vnet|-net-", re.IGNORECASE)
_LIST = re.compile(r"[;,\s|\[\]]+")


@dataclass(frozen=True, slots=True)
class ValueProfile:
    """The samples of a column that are values, how many of them are of each kind, and the numbers among them."""

    samples: tuple[str, ...]
    shares: dict[str, float]
    numbers: tuple[float, ...]
    units: tuple[str, ...]

    def share(self, *kinds: str) -> float:
        """The largest share any of `kinds` has."""
        return max((self.shares.get(kind, 0.0) for kind in kinds), default=0.0)

    @property
    def middle(self) -> float:
        """The median of the numbers, 0 without any."""
        return median(self.numbers) if self.numbers else 0.0


def profile_values(samples: Sequence[str]) -> ValueProfile:
    """Look at up to 20 samples; placeholders such as 'N/A' are no values."""
    values = tuple(value for sample in samples[:20] if plain(value := sample.strip()) not in PLACEHOLDERS)
    counts: dict[str, int] = {}
    numbers: list[float] = []
    units: list[str] = []
    for value in values:
        number, unit = _number(value)
        if number is not None:
            numbers.append(number)
        if unit:
            units.append(unit)
        for kind in _kinds(value, number, unit):
            counts[kind] = counts.get(kind, 0) + 1
    total = len(values) or 1
    return ValueProfile(values, {kind: count / total for kind, count in counts.items()}, tuple(numbers), tuple(units))


def parse_number(text: str) -> float | None:
    """A number as people write it, with thousands separators of either style; None for anything else."""
    compact = re.sub(r"[ '’\u00a0]", "", text.strip())
    if not _NUMBER.fullmatch(text.strip()) and not _NUMBER.fullmatch(compact):
        return None
    last = max(compact.rfind(","), compact.rfind("."))
    if last >= 0:
        mark = compact[last]
        other = "." if mark == "," else ","
        decimals = len(compact) - last - 1
        # One mark before exactly three digits groups thousands when it is a comma or repeats.
        grouped = decimals == 3 and other not in compact and (mark == "," or compact.count(mark) > 1)
        compact = compact.replace(mark, "") if grouped else compact.replace(other, "").replace(mark, ".")
    try:
        return float(compact)
    except ValueError:
        return None


def _number(value: str) -> tuple[float | None, str | None]:
    if not any(c.isdigit() for c in value):
        return None, None
    number = parse_number(value)
    if number is not None:
        return number, None
    measured = _MEASURE.fullmatch(value)
    if measured:
        return parse_number(measured[1]), measured[2]
    return None, None


def _kinds(value: str, number: float | None, unit: str | None) -> list[str]:
    found = _number_kinds(number, unit) if number is not None else []
    word = plain(value)
    found += _word_kinds().get(word, ())
    if word in _BOOLEANS:
        found += ["boolean", "virtual_flag"]
    elif value in ("0", "1"):
        found.append("virtual_flag")
    if number is None:
        found += [kind for kind, matches in _TEXT_KINDS if matches(value)]
    else:
        found += [kind for kind, matches in _NUMERIC_TEXT_KINDS if matches(value)]
    return found


def _number_kinds(number: float, unit: str | None) -> list[str]:
    found = ["number"]
    measure = (unit or "").lower()
    if 0 <= number and measure != "%" and not measure.endswith("hz"):
        found.append("size")
    if 0 <= number <= 100 and measure in ("", "%"):
        found.append("percentage")
    if unit is None and number == int(number) and 0 < number <= 1024:
        found.append("count")
    if unit is None and number == int(number) and 0 <= number <= 65_535:
        found.append("port")
    if number >= 0 and measure != "%":
        found.append("quantity")
    return found


@cache
def _word_kinds() -> dict[str, tuple[str, ...]]:
    kinds: dict[str, list[str]] = {}
    for kind, words in value_words().items():
        for word in words:
            kinds.setdefault(word, []).append(kind)
    return {word: tuple(found) for word, found in kinds.items()}


def _is_address_list(value: str) -> bool:
    parts = [part.partition("%")[0] for part in _LIST.split(value) if part]
    if not parts or not ("." in value or ":" in value):
        return False
    return all(_is_address(part) for part in parts)


def _is_address(text: str) -> bool:
    # 192.168.56.0 is a network, not a machine's address.
    if text.endswith(".0"):
        return False
    try:
        ip_address(text.partition("/")[0] if text.count("/") == 1 and text.endswith(("/32", "/128")) else text)
    except ValueError:
        return False
    return True


def _starts_with_word_of(kind: str) -> Callable[[str], bool]:
    words = tuple(sorted((word for word in value_words()[kind] if len(word) > 3), key=len, reverse=True))
    pattern = re.compile(
        rf"(?:{'|'.join(map(re.escape, words))})\b|.*[-/ (](?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE
    )
    return lambda value: pattern.match(value) is not None


def _identifier(value: str) -> bool:
    return (
        1 < len(value) <= 80
        and value.count(" ") <= 16
        and any(c.isdigit() for c in value)
        or (len(value) <= 40 and " " not in value)
    )


_TEXT_KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("ip", _is_address_list),
    ("mac", lambda v: all(_MAC.fullmatch(part) for part in _LIST.split(v) if part) and len(v) >= 12),
    ("uuid", lambda v: _UUID.fullmatch(v) is not None),
    ("cidr", lambda v: _CIDR.fullmatch(v) is not None),
    ("fqdn", lambda v: _FQDN.fullmatch(v) is not None and not _is_address(v)),
    ("email", lambda v: "@" in v and _EMAIL.search(v) is not None),
    ("url", lambda v: "://" in v),
    ("date", lambda v: _DATE.fullmatch(v) is not None),
    ("host_label", lambda v: _HOST_LABEL.fullmatch(v) is not None),
    ("domain_label", lambda v: " " not in v and _WORD.search(v) is not None),
    ("person", lambda v: "@" in v or _PERSON.fullmatch(v) is not None),
    ("duration", lambda v: _DURATION.fullmatch(v) is not None),
    ("version", lambda v: _VERSION.fullmatch(v) is not None),
    ("cpu_model", lambda v: _CPU_MODEL.search(v) is not None),
    ("os_name", lambda v: len(v) <= 80 and _OS.search(v) is not None),
    ("instance_type", lambda v: _INSTANCE_TYPE.fullmatch(v) is not None),
    ("cloud_region", lambda v: _REGION.fullmatch(v) is not None),
    ("tier_label", lambda v: _TIER.fullmatch(v) is not None),
    ("asset_type", lambda v: _ASSET_CLASS.fullmatch(v) is not None),
    (
        "network_name",
        lambda v: (
            _NETWORK.search(v) is not None or _CIDR.fullmatch(v) is not None or _HOST_LABEL.fullmatch(v) is not None
        ),
    ),
    ("word", lambda v: _WORD.search(v) is not None and not _is_address_list(v)),
    ("identifier", _identifier),
    ("money", lambda v: _MONEY.fullmatch(v) is not None),
    ("criticality", _starts_with_word_of("criticality")),
    ("database_engine", _starts_with_word_of("database_engine")),
    ("hypervisor", _starts_with_word_of("hypervisor")),
    ("migration_strategy", _starts_with_word_of("migration_strategy")),
)
_NUMERIC_TEXT_KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("mac", lambda v: len(v) == 12 and _MAC.fullmatch(v) is not None),
    ("date", lambda v: _DATE.fullmatch(v) is not None),
    ("duration", lambda v: _DURATION.fullmatch(v) is not None),
    ("version", lambda v: len(v) <= 10 and _VERSION.fullmatch(v) is not None),
    ("tier_label", lambda v: _TIER.fullmatch(v) is not None),
    ("reference", lambda v: len(v) == 32),
    ("word", lambda v: len(v) == 32),
    ("person", lambda v: len(v) == 32),
    ("identifier", lambda v: "." not in v and "," not in v),
    ("money", lambda _: True),
)
