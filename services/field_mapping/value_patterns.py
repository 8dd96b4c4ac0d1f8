"""Recognising one value: an address, a date, a person, an operating system, … by pattern, word or number."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import ip_address

from services.field_mapping.lexicon import value_words

# Profiles cut samples to this length.
SAMPLE_LENGTH = 80

# By kind what tells whether a value, in lower case, looks like one of it.
Patterns = Mapping[str, Callable[[str], object]]

_NUMBER_STARTS = frozenset("+-0123456789")
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
# What follows is tried on lower case, as `IGNORECASE` makes `re` slow.
_MONEY = re.compile(r"(?:[$€£₺]|usd|eur|gbp|try|chf)?\s*-?\d[\d,. ']*\s*(?:[$€£₺]|usd|eur|gbp|try|chf|k)?")
_UUID = re.compile(
    r"\{?(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
    r"|(?:[0-9a-f]{2} ){7}[0-9a-f]{2}-(?:[0-9a-f]{2} ){7}[0-9a-f]{2})\}?"
)
_MAC = re.compile(r"(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|(?:[0-9a-f]{2}){6}")
_FQDN = re.compile(r"(?=.{4,253}$)(?=.*[a-z])(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}\.?")
_HOST_LABEL = re.compile(r"(?=.*[a-z])[a-z0-9_][a-z0-9_$-]{1,62}")
_PERSON = re.compile(
    r"[^\W\d_][^\W\d_.'’-]*\.?(?:[ '’-][^\W\d_]*\.?){1,4}|[^\W\d_]+, [^\W\d_]+(?: [^\W\d_]+)*|[a-z]\.[a-z]{2,}"
)
_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})"
    r"|\d{1,2}[- ][a-z]{3,9}[- ,]+\d{2,4}|[a-z]{3,9} \d{1,2},? \d{4})"
    r"(?:[t ,]+\d{1,2}:\d{2}.*)?"
    r"|(?:\d+ ?(?:y(?:ears?|rs?)?|m(?:onths?|os?)?|w(?:eeks?)?|d(?:ays?)?),? ?){1,4}(?:ago|old)"
)
_DURATION = re.compile(
    r"[<>~]?\s*\d+(?:[.,]\d+)?\s*(?:s|sec|seconds?|m|min|mins|minutes?|h|hr|hrs|hours?|d|days?|w|weeks?"
    r"|std|stunden?|heures?|saat|dk|g[uü]n)?\.?"
)
_VERSION = re.compile(
    r"v?\d+(?:\.\d+)+(?:[-+ .][\w.]+)*|\d{1,5}(?:[a-z]\w{0,3}|\.\w+)?|\d{2}h\d"
    r"|\d+(?:\.\d+)*[ -](?:sp|r|u|update )\d.*|\d+[a-z]?(?:\.\d+)*"
)
_CPU_MODEL = re.compile(
    r"xeon|epyc|opteron|core\s?\(?tm\)?|core i\d|celeron|pentium|ryzen|power\d|sparc|graviton|itanium|intel"
    r"|\bamd\b|cpu @|\d\.\d+ ?ghz|apple m\d|kunpeng|ampere"
)
_OS = re.compile(
    r"windows|linux|red ?hat|rehel|cent ?os|ubuntu|debian|suse|sles\b|solaris|hp-?ux|esxi?\b|photon|fedora|rocky"
    r"|mac ?os|os x|freebsd|os/?400|z/os|junos|nx-os|fortios|pan-os|darwin|proxmox|ontap|openvms"
)
_OS_WORD = re.compile(r"\b(?:win ?(?:20\d\d|\d+|xp|nt)|rhel|(?:alma|aix|unix|ibm i|ios)\b)")
_INSTANCE_TYPE = re.compile(
    r"(?:db\.)?[a-z]{1,4}\d[a-z0-9]*(?:-flex)?\.(?:nano|micro|tiny|small|medium|large|\d*xlarge|metal\S*)"
    r"|standard_[a-z]+\d\w*|basic_a\d|[a-z]\d[a-z]?-(?:standard|highmem|highcpu|custom|micro|small|medium)\S*"
    r"|vm\.standard\S*|[a-z]+\d+-\d+x\d+"
)
_COMPASS = "(?:north|south|east|west|central)+"
_REGION = re.compile(
    rf"(?:us|eu|ap|ca|sa|me|af|il|cn|mx)-(?:gov-)?{_COMPASS}-\d[a-z]?"
    r"|(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-[a-z]+\d(?:-[a-z])?"
    rf"|{_COMPASS}(?:us|europe|asia|india)\d?"
    r"|(?:uk|us|france|germany|japan|korea|canada|brazil|australia|norway|uae|switzerland|sweden|poland|italy|qatar)"
    rf"{_COMPASS}\d?"
)
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
# What lists of addresses begin with, so that most values need not be split.
_MAC_FIRST = re.compile(r"[;,\s|\[\]]*(?:[0-9a-f]{2}[:-]|[0-9a-f]{4})")
_ADDRESS_FIRST = re.compile(r"[;,\s|\[\]]*(?:[0-9]{1,3}\.[0-9]|[0-9a-f]{0,4}:)")
_CIDR = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}/\d{1,2}")
_TIER = re.compile(
    r"(?:(?:tier|level|class|dr|t|p|category|stufe)[ -]?)?[0-5a-d]|(?:tier|level|class|stufe)[ -]?[0-5a-d]\b.*"
    r"|gold|silver|bronze|platinum|[0-5] ?- ?.*"
)
_ASSET_CLASS = re.compile(r"cmdb_ci_\w+|u_cmdb\w+")
_WORD = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")
_NETWORK = re.compile(r"vlan|subnet|network|lan\b|dvpg|\bpg[-_]|net\b|dmz|vpc|vnet|-net-")
_LIST = re.compile(r"[;,\s|\[\]]+")


def known_kinds(word: str, number: float | None, unit: str | None) -> tuple[str, ...]:
    """The kinds of a value, in plain letters, by being a known word or a number; no pattern is tried."""
    found = _word_kinds().get(word, ())
    if number is not None:
        found = (*found, *_number_kinds(number, unit))
    if word in _BOOLEANS:
        found = (*found, "boolean", "virtual_flag")
    elif word in ("0", "1"):
        found = (*found, "virtual_flag")
    return found


def patterns(numeric: bool) -> Patterns:
    """What tells by kind whether a value looks like one of it; numbers are tried on fewer patterns than text."""
    return _NUMERIC_PATTERNS if numeric else _text_patterns()


def parse_number(text: str) -> float | None:
    """A number as people write it, with thousands separators of either style; None for anything else."""
    text = text.strip()
    if len(text) > 40:
        return None
    compact = re.sub(r"[ '’\u00a0]", "", text)
    if not _NUMBER.fullmatch(text) and not _NUMBER.fullmatch(compact):
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


def parse_measure(value: str) -> tuple[float | None, str | None]:
    """The number a value is, and the unit written behind it, if any: '16 GB' is (16.0, 'GB')."""
    if value[:1] not in _NUMBER_STARTS:
        return None, None
    if value.isdecimal() and len(value) <= 40:
        return float(value), None
    number = parse_number(value)
    if number is not None:
        return number, None
    measured = _MEASURE.fullmatch(value)
    if measured:
        return parse_number(measured[1]), measured[2]
    return None, None


def _number_kinds(number: float, unit: str | None) -> list[str]:
    found = ["number"]
    measure = unit.lower() if unit else ""
    if number >= 0 and measure != "%" and not measure.endswith("hz"):
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


def _list_parts(value: str) -> list[str]:
    """The entries of a list such as '[10.1.2.3, 10.1.2.4];'. A sample of full length may end in the middle of one."""
    parts = [part for part in _LIST.split(value) if part]
    return parts[:-1] if len(value) >= SAMPLE_LENGTH and len(parts) > 1 else parts


def _is_address_list(value: str) -> bool:
    if not _ADDRESS_FIRST.match(value):
        return False
    parts = _list_parts(value)
    return bool(parts) and all(_is_address(part.partition("%")[0]) for part in parts)


def _is_mac_list(value: str) -> bool:
    if len(value) < 12 or not _MAC_FIRST.match(value):
        return False
    parts = _list_parts(value)
    return bool(parts) and all(_MAC.fullmatch(part) for part in parts)


def _is_network_name(value: str) -> bool:
    return any((_NETWORK.search(value), _CIDR.fullmatch(value), _HOST_LABEL.fullmatch(value)))


def _is_address(text: str) -> bool:
    # 192.168.56.0 is a network, not a machine's address.
    if text.endswith(".0"):
        return False
    if _IPV4.fullmatch(text):
        return True
    try:
        ip_address(text.partition("/")[0] if text.count("/") == 1 and text.endswith(("/32", "/128")) else text)
    except ValueError:
        return False
    return True


def _starts_with_word_of(kind: str) -> Callable[[str], object]:
    words = tuple(sorted((word for word in value_words()[kind] if len(word) > 3), key=len, reverse=True))
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, words))})\b|.*[-/ (](?:{'|'.join(map(re.escape, words))})\b")
    return pattern.match


def _identifier(value: str) -> bool:
    return (1 < len(value) <= 80 and value.count(" ") <= 16 and _DIGIT.search(value) is not None) or (
        len(value) <= 40 and " " not in value
    )


@cache
def _text_patterns() -> Patterns:
    led_by_a_word = ("criticality", "database_engine", "hypervisor", "migration_strategy")
    return {**_TEXT_PATTERNS, **{kind: _starts_with_word_of(kind) for kind in led_by_a_word}}


_TEXT_PATTERNS: Patterns = {
    "ip": _is_address_list,
    "mac": _is_mac_list,
    "uuid": _UUID.fullmatch,
    "cidr": _CIDR.fullmatch,
    "fqdn": lambda v: "." in v and _FQDN.fullmatch(v) is not None and not _is_address(v),
    "url": lambda v: "://" in v,
    "date": _DATE.fullmatch,
    "host_label": _HOST_LABEL.fullmatch,
    "domain_label": lambda v: " " not in v and _WORD.search(v) is not None,
    "person": lambda v: "@" in v or _PERSON.fullmatch(v) is not None,
    "duration": _DURATION.fullmatch,
    "version": _VERSION.fullmatch,
    "cpu_model": _CPU_MODEL.search,
    "os_name": lambda v: _OS.search(v) is not None or _OS_WORD.search(v) is not None,
    "instance_type": _INSTANCE_TYPE.fullmatch,
    "cloud_region": _REGION.fullmatch,
    "tier_label": _TIER.fullmatch,
    "asset_type": _ASSET_CLASS.fullmatch,
    "network_name": _is_network_name,
    "word": lambda v: _WORD.search(v) is not None and not _is_address_list(v),
    "identifier": _identifier,
    "money": _MONEY.fullmatch,
}
# ServiceNow exports references to people, companies and models as 32 hexadecimal digits, at times all decimal.
_NUMERIC_PATTERNS: Patterns = {
    "mac": lambda v: len(v) == 12 and _MAC.fullmatch(v) is not None,
    "date": _DATE.fullmatch,
    "duration": _DURATION.fullmatch,
    "version": lambda v: len(v) <= 10 and _VERSION.fullmatch(v) is not None,
    "tier_label": _TIER.fullmatch,
    "word": lambda v: len(v) == 32,
    "person": lambda v: len(v) == 32,
    "identifier": lambda v: "." not in v and "," not in v,
    "network_name": lambda v: v.isdigit() and 0 < int(v) < 4095,
    "money": lambda _: True,
}
