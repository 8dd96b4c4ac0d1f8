"""Reading a column's name: words in one spelling, the unit it states, and the position in a numbered series."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from services.field_mapping.lexicon import Vocabulary, vocabulary

UNITS = {
    "byte": "bytes", "bytes": "bytes", "kb": "KB", "kib": "KB", "mb": "MB", "mib": "MiB", "gb": "GB", "gib": "GiB",
    "tb": "TB", "tib": "TiB", "hz": "Hz", "mhz": "MHz", "ghz": "GHz", "percent": "%",
    "second": "seconds", "seconds": "seconds", "secs": "seconds", "minute": "minutes", "minutes": "minutes",
    "mins": "minutes", "hour": "hours", "hours": "hours", "hrs": "hours", "hr": "hours", "day": "days", "days": "days",
}  # fmt: skip
DIMENSIONS = {
    **dict.fromkeys(("bytes", "KB", "MB", "MiB", "GB", "GiB", "TB", "TiB"), "size"),
    **dict.fromkeys(("Hz", "MHz", "GHz"), "frequency"),
    **dict.fromkeys(("seconds", "minutes", "hours", "days"), "duration"),
    "%": "percent",
}

# Spellings that camel-case splitting would tear apart.
_PROTECTED = re.compile(
    r"IPv[46]|VMware|vCPUs?|vRAM|vCenter|SMBIOS|SMBios|[KMGT]iB|[KMGT]B(?![a-z]|PS)|[MG]Hz|ESXi?|VMs|IPs|CPUs|NICs|HBAs|vApp|vSAN|VMotion|vMotion"
    r"|NetBIOS|Netbios|vSphere|MoRef|MoId|IaaS|PaaS|SaaS|IOPS|IOps|Mbps|Kbps|Gbps|MBps|KBps|DevOps|iSCSI|iLO|iDRAC|DBMS|HyperV"
)
_GLUED_ACRONYM = re.compile(r"(RAM|CPU|MAC|DNS|OS|VM|IP|DB|HDD|CI|ID)(?=[a-z]{2,})")
_PIECES = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_PATH_STEP = re.compile(r"(?<=[^\W_])(?:\[\d+\])?(?:\.|->)(?=[^\W\d_])")
_SHORT_DURATIONS = {"h": "hours", "min": "minutes", "m": "minutes", "d": "days", "sec": "seconds", "s": "seconds"}
_CHOICE = re.compile(r"\((?:[^()]*/[^()]*/?[^()]*)\)")
_RATE = re.compile(r"(?i)/\s*s(ec)?\b|[kmgt]i?b")
_PER_SECOND = re.compile(r"(?i)/\s*s(?:ec(?:ond)?)?\b")
_PER_PART = re.compile(r"(?i)\b(cores?|threads?|kerne)\s*/\s*(cpu|socket|core|chip|proc)")
# Letters that German puts between the parts of a compound: Wartung-s-ende, Platte-n-kapazität.
_LINKING = ("s", "n")
_RATE_WORDS = frozenset({"mbps", "kbps", "gbps", "bps", "mbs", "kbs"})
_RECOVERY = frozenset({"rto", "rpo"})
_SHORT_WORDS = frozenset({"ip", "os", "vm", "id", "ci", "db", "dr", "hw", "no", "in", "of", "by", "is"})


@dataclass(frozen=True, slots=True)
class ColumnName:
    """The words of a column's name after aliases, with what was taken out of them.

    `leaf` has the words of the last step of a path such as `hardwareProfile.vmSize`; None where the name is no path.
    """

    words: frozenset[str]
    ordered: tuple[str, ...]
    unit: str | None
    position: int
    misspelt: bool
    leaf: frozenset[str] | None = None

    @property
    def dimension(self) -> str | None:
        """What the stated unit measures: size, percent, frequency or duration."""
        return DIMENSIONS.get(self.unit or "")


@lru_cache(maxsize=20_000)
def read_name(name: str) -> ColumnName:
    """The words of `name`; camel case, snake case, paths with dots, colons and bars, and glued words are split."""
    known = vocabulary()
    words: list[str] = []
    position = 0
    misspelt = False
    for chunk in _chunks(name):
        if chunk.isdecimal() and chunk not in known.words:
            position = int(chunk[:6])
            continue
        resolved, typo = _resolve(chunk)
        words.extend(resolved)
        misspelt = misspelt or typo
    words = _after_according_to(_merge_compounds(words, known))
    unit, words = _take_unit(words)
    leaf = _PATH_STEP.split(name)[-1] if ("." in name or "->" in name) and _PATH_STEP.search(name) else ""
    return ColumnName(frozenset(words), tuple(words), unit, position, misspelt, read_name(leaf).words if leaf else None)


def phrase_words(phrase: str) -> frozenset[str]:
    """The words of a phrase of the lexicon, brought into the same form as a column's."""
    known = vocabulary()
    words = [word for raw in phrase.split() for word in _translate(raw, known)]
    return frozenset(_take_unit(_merge_compounds(words, known))[1])


def plain(text: str) -> str:
    """Lower case without accents: 'Größe' becomes 'grosse', 'İşletim' becomes 'isletim'."""
    return without_accents(text).casefold()


def without_accents(text: str) -> str:
    """The text with its letters' accents taken off; the case stays."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.replace("ı", "i").replace("ß", "ss").replace("œ", "oe"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _chunks(name: str) -> list[str]:
    text = _signs_as_words(without_accents(name))
    if not text.islower():
        text = _PROTECTED.sub(_as_lower_word, text)
        text = _GLUED_ACRONYM.sub(_as_lower_word, text)
    chunks: list[str] = []
    for piece in _PIECES.findall(text):
        lower = piece.casefold()
        if lower in _known_words():
            chunks.append(lower)
        else:
            chunks.extend(part.casefold() for part in _CAMEL.findall(piece) or [piece])
    return chunks


def _signs_as_words(text: str) -> str:
    if "/" in text:
        text = _CHOICE.sub(lambda m: m.group() if _RATE.search(m.group()) else " ", text)
        text = _PER_SECOND.sub(" per second ", text)
        text = _PER_PART.sub(r"\1 per \2", text)
    if "#" in text:
        text = re.sub(r"#(?=\s*\d)", " ", text)
        # "# CPU" counts them, "Serial #" is a number that names one.
        text = re.sub(r"#\s*$", " number ", text).replace("#", " count ")
    return text.replace("%", " percent ")


def _as_lower_word(found: re.Match[str]) -> str:
    return f" {found.group().lower()} "


@cache
def _known_words() -> frozenset[str]:
    known = vocabulary()
    return known.words | known.aliases.keys() | UNITS.keys() | known.counted


def _translate(word: str, known: Vocabulary) -> list[str]:
    if word in known.counted:
        return [known.aliases.get(word[:-1], word[:-1]), "count"]
    return [known.aliases.get(word, word)]


@lru_cache(maxsize=20_000)
def _resolve(word: str) -> tuple[tuple[str, ...], bool]:
    """The vocabulary's words for one word of a name, and whether that took a guess at its spelling."""
    known = vocabulary()
    if word in _RATE_WORDS:
        return ("rate",), False
    if word in _known_words():
        return tuple(_translate(word, known)), False
    for singular in (word.removesuffix("es"), word.removesuffix("s"), word.removesuffix("ies") + "y"):
        if singular != word and len(singular) > 1 and (singular in known.words or singular in known.aliases):
            return tuple(_translate(singular, known)), False
    if len(word) >= 4 and (pieces := _segment(word)):
        return tuple(out for piece in pieces for out in _translate(piece, known)), False
    if len(word) >= 5:
        match = extractOne(word, known.spellable, scorer=OSA.normalized_similarity, score_cutoff=0.8)
        if match and match[0][0] == word[0]:
            return tuple(_translate(match[0], known)), True
    return (word,), False


def _segment(word: str) -> list[str] | None:
    """Split glued words ('macaddress') into the fewest known ones, or None."""
    best: list[list[str] | None] = [[]] + [None] * len(word)
    for end in range(2, len(word) + 1):
        for start in range(max(0, end - 16), end - 1):
            before, piece = best[start], word[start:end]
            if (
                before is None
                or len(before) >= 4
                or (best[end] is not None and len(best[end] or []) <= len(before) + 1)
            ):
                continue
            if piece in _SHORT_WORDS or (len(piece) >= 3 and (piece in _known_words() or piece in ("ops", "pct"))):
                best[end] = [*before, piece]
            elif end < len(word) and len(piece) >= 6 and piece[-1] in _LINKING and piece[:-1] in _known_words():
                best[end] = [*before, piece[:-1]]
    return best[-1]


def _merge_compounds(words: list[str], known: Vocabulary) -> list[str]:
    merged: list[str] = []
    index = 0
    while index < len(words):
        for length in (5, 4, 3, 2, 1) if words[index] in known.compound_starts else ():
            replacement = (
                known.compounds.get(tuple(words[index : index + length])) if index + length <= len(words) else None
            )
            if replacement:
                merged.extend(replacement.split())
                index += length
                break
        else:
            merged.append(words[index])
            index += 1
    return merged


def _after_according_to(words: list[str]) -> list[str]:
    """'OS according to the configuration file' says what (before) and from where (after); only the first matters."""
    return words[: words.index("according")] if "according" in words[1:] else words


def _take_unit(words: list[str]) -> tuple[str | None, list[str]]:
    if len(words) > 1 and words[-1] in _SHORT_DURATIONS and not _RECOVERY.isdisjoint(words):
        return _SHORT_DURATIONS[words[-1]], words[:-1]
    unit = None
    kept = []
    for word in words:
        found = UNITS.get(word)
        if found is None:
            kept.append(word)
            continue
        if unit is None or DIMENSIONS[unit] == "duration":
            unit = found
        # A share and a clock rate are said by their units alone: "CPU %", "CPU MHz".
        if DIMENSIONS[found] in ("percent", "frequency"):
            kept.append(DIMENSIONS[found])
    return unit, kept
