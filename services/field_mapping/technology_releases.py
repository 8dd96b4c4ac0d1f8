"""Which release of a product the numbers beside its name mean."""

import re

from services.field_mapping.technology_catalogue import Product
from services.field_mapping.technology_words import is_number, words

# "2016 or later", "4/5/6": what a hypervisor was told, not what runs.
_SEVERAL = re.compile(r"\bor (?:later|newer|above)\b|(?<![\d.])\d{1,4}\s*/\s*\d", re.IGNORECASE)
_REVISION = re.compile(r"r\d")
_LETTER_V = re.compile(r"^v(?=\d)")
_PLAIN = re.compile(r"\d+(?:\.\d+)*")


def release_of(product: Product, text: str, spelling: str, version: str | None = None) -> str | None:
    """The release of `product` that `text` names beside `spelling`, else the one that a column of versions names.

    None where neither has a number, and where the text names several. A build that the catalogue knows counts more
    than other numbers: "Windows Server 10.0.17763" is release 2019.
    """
    written = words(text) if not _SEVERAL.search(text) else ()
    own = [word for word in written if product.releases or word not in _of_the_name(product, spelling)]
    return _release(product, own) or _release(product, list(words(version or "")))


def _of_the_name(product: Product, spelling: str) -> set[str]:
    """The words that name the product: in "Access 97" or "Windows 2012" that is all but the number, in "OS/400" all."""
    spelled = set(words(spelling))
    named = set(words(product.name))
    letters = {word for word in spelled if not is_number(word)}
    return named if letters <= named else named | spelled


def _release(product: Product, written: list[str]) -> str | None:
    named = [_LETTER_V.sub("", word) for word in written if is_number(word) or word in product.releases]
    numbers = [word for word in named if word[0].isdigit()]
    # Words count where no number does: "Windows XP" is a release, "Windows NT Server 6.3" is another one than NT.
    for shortened in (shorter for number in numbers or named for shorter in _shortened(number)):
        if shortened in product.releases:
            return product.releases[shortened] or None
    for number, following in zip(named, [*named, ""][1:], strict=True):
        if plain := _PLAIN.match(number):
            release = ".".join(plain.group().split(".")[: product.parts])
            return f"{release} {following.upper()}" if release and _REVISION.fullmatch(following) else release or None
    return None


def _shortened(number: str) -> list[str]:
    """ "10.0.17763" as its last part, which may be a build, then from the longest beginning to the shortest."""
    parts = number.split(".")
    beginnings = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [parts[-1], *beginnings] if len(parts) > 2 else beginnings
