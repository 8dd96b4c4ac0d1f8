"""The products of `technologies.toml`: their canonical names, other names, vendors, kinds and releases."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

# A word of the trade ("web server") is recognised so that it is not taken for a product.
CONCEPT = "concept"
_ABBREVIATION = re.compile(r"\(([^()]+)\)")


@dataclass(frozen=True, slots=True)
class Product:
    """A product line, or with the kind "concept" a word of the trade that names no product, such as "web server".

    `releases` gives the release that a number stands for ("6.1" is Windows Server 2008 R2), "" where it is that of
    several; other numbers name one by their first `parts` parts.
    """

    name: str
    kind: str
    vendor: str | None = None
    aliases: tuple[str, ...] = ()
    parts: int = 2
    releases: Mapping[str, str] = field(default_factory=dict)

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names: "Lightweight Directory Access Protocol (LDAP)" counts as three."""
        outer = _ABBREVIATION.sub(" ", self.name).strip()
        return tuple(dict.fromkeys((self.name, outer, *_ABBREVIATION.findall(self.name), *self.aliases)))


@cache
def technology_products() -> tuple[Product, ...]:
    """All products, in the order of the file."""
    text = files("services.field_mapping").joinpath("technologies.toml").read_text(encoding="utf-8")
    return tuple(
        Product(
            name=name,
            kind=kind,
            vendor=entry.get("vendor"),
            aliases=tuple(entry.get("aliases", ())),
            parts=entry.get("parts", 2),
            releases=entry.get("releases", {}),
        )
        for kind, entries in tomllib.loads(text).items()
        for name, entry in entries.items()
    )
