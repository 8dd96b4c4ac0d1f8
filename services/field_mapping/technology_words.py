"""The words of a technology's name as people write it, and which of them only say its version or edition."""

import re
import unicodedata
from functools import lru_cache

# Signs that are letters of a name, before everything that is not a letter or a digit separates words.
_SIGNS = [
    (re.compile(pattern), written)
    for pattern, written in (
        (r"(?<![a-z0-9])(c|f|j|x)\s?#(?:\.net)?", r"\1sharp "),
        (r"(?<![a-z])c\s?\+\+", "cplusplus "),
        (r"\+\+", " plusplus "),
        (r"(?<=\w)\+(?=\W|$)", " plus "),
        (r"(?<![a-z0-9])dot\W?net\b", " dotnet "),
        (r"(?<![^\W_])\.net\b|(?<=[a-z])\.net\b", " dotnet "),
        (r"[’'`]s\b", " "),
        (r"\([rc]\)|[®™©*’'`]", ""),
        (r"&", " and "),
        # The number of a standard is its name, no version: "ISO/IEC 14882:2003" is one word and a year.
        (r"\b(?:iso|iec|ecma|ansi|ieee|rfc)(?:[ /-]+(?:iec|iso|ansi))*[ -]*(\d{2,})\b", r" \1standard "),
        (r"\b(?:[or]dbms|dbms|data base|database management)(?: management)?(?: systems?)?\b", " database "),
        (r"(?<![a-z0-9])2k(\d\d)(?=\D|$)|(?<=[a-z])2k(\d\d)\b", r" 20\1\2 "),
        (r"(?<![a-z0-9])2k(\d)(?=\D|$)|(?<=[a-z])2k(\d)\b", r" 200\1\2 "),
        (r"(?<![a-z0-9])2k\b|(?<=\bw)2k\b", " 2000 "),
        (r"(?<=20\d\d)r2\b|(?<=\d[cgi])r2\b", " r2"),
        (r"(?<=[a-z]{3})(?=\d+\.\d)", " "),
        (r"\bwithout hyper-v\b", " "),
        (r"\bv(\d)r(\d)(?:m\d)?\b", r"\1.\2"),
        (r"\b(?:32|64)\s?-?\s?bits?\b|\bx(?:86|64)(?:[ _-]64)?\b|\bamd64\b", " "),
    )
]
_WORD = re.compile(r"v?\d+(?:\.\d+)+(?:\.x)?[a-z]{0,2}(?![a-z0-9])|\d+\.x|[^\W_]+")
_NUMBER = re.compile(r"v?\d+(?:\.(?:\d+|x))*[a-z]{0,2}\d?|(?:cu|fp|r|rc|sp|tl|u|xe)\d+")
_LETTERS_DIGITS = re.compile(r"([a-z]{3,})(\d[\d.]*[a-z]?)")
_LONG_FORMS = {
    "ed": "edition",
    "ent": "enterprise",
    "ms": "microsoft",
    "ora": "oracle",
    "pgm": "program",
    "serv": "server",
    "srv": "server",
    "srvr": "server",
    "std": "standard",
    "svr": "server",
    "sys": "system",
    "win": "window",
}
# What stands beside a product's name without being part of it: editions, options, releases and their nicknames.
_BESIDE_A_NAME = re.compile(
    "advanced|build|cluster|clustered|community|datacenter|dc|developer|edition|embedded|enterprise|essential|evaluation"
    "|express|family|final|foundation|free|ga|general|gnu|home|instance|later|license|licensed|lt|lts|newer|or|other|pack"
    "|patch|premium|pro|production|professional|rac|release|sp|standalone|standard|trial|ultimate|update|ver|version"
    "|nd|sps|with|entreprise|profesional|professionnel|maipo|ootpa|plow|core|bionic|focal|jammy|noble|xenial|buster|bullseye|bookworm|stretch|jessie"
)
# What is said after a name of the kind of thing it is: "AWK programming language", "Unix operating system".
_KIND = re.compile("computer|computing|language|operating|os|program|programming|software|system")


@lru_cache(maxsize=65536)
def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without accents and plurals; "Centos7" is two words, "10.2.1" is one."""
    plain = unicodedata.normalize("NFKD", text).lower()
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    for pattern, written in _SIGNS:
        plain = pattern.sub(written, plain)
    return tuple(_singular(word) for found in _WORD.findall(plain) for word in _split(found))


def spelled_out(written: tuple[str, ...]) -> tuple[str, ...]:
    """The same words with abbreviations in their long form: "win srv" is "windows server"."""
    return tuple(_LONG_FORMS.get(word, word) for word in written)


def is_number(word: str) -> bool:
    """Whether a word can only be part of a version, such as "2008", "v7", "11g" or "r2"."""
    return _NUMBER.fullmatch(word) is not None


def stands_beside(word: str) -> bool:
    """Whether a word says the edition or option of a product, or is noise, such as "standard" or "release"."""
    return _BESIDE_A_NAME.fullmatch(_LONG_FORMS.get(word, word)) is not None


def without_kind(written: tuple[str, ...]) -> tuple[str, ...]:
    """The words without those at the end that only say what kind of thing they name."""
    count = len(written)
    while count > 1 and _KIND.fullmatch(_LONG_FORMS.get(written[count - 1], written[count - 1])):
        count -= 1
    return written[:count]


def _split(word: str) -> tuple[str, ...]:
    parts = _LETTERS_DIGITS.fullmatch(word)
    return (parts.group(1), parts.group(2)) if parts else (word,)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") and word[-2] not in "siu" else word
