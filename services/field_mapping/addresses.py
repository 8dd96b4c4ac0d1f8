"""IP and hardware addresses and ports as tools list them, reduced to the primary one of each cell."""

import ipaddress
import re

import polars as pl

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_ONE_IPV4 = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"
_IPV4 = rf"(?:^|[^0-9.])((?:{_OCTET}\.){{3}}{_OCTET})(?:$|[^0-9.])"
_NOBODYS_IPV4 = r"^(?:0\.|127\.|169\.254\.|255\.)"
_MAC = r"((?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}|\b[0-9a-f]{12}\b)"


def no_reasons(text: pl.Series) -> pl.Series:
    """As many nulls as there are cells: nothing is wrong with any."""
    return pl.Series([None], dtype=pl.String).new_from_index(0, text.len())


def unread(text: pl.Series, values: pl.Series, reason: str) -> pl.Series:
    """`reason` for every text that has no value."""
    return no_reasons(text).set(text.is_not_null() & values.is_null(), reason)


def ports(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The port of cells such as "443" or "443/tcp"."""
    values = text.str.extract(r"(?:^|\D)(\d{1,5})(?:\D|$)").cast(pl.Int64)
    values = values.set(~values.is_between(1, 65_535), None)
    return values, unread(text, values, "not a port from 1 to 65535")


def ip_addresses(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The primary address of each cell: its first IPv4 one that is neither loopback nor link-local, else any other."""
    # To match is much cheaper than to extract, and most cells are nothing but an address.
    alone = text.str.contains(_ONE_IPV4).fill_null(False)
    first = text.zip_with(alone, text.set(alone, None).str.extract(_IPV4))
    settled = first.is_not_null() & ~first.str.contains(_NOBODYS_IPV4)
    rest = text.set(settled, None)
    addresses = {cell: _any_address(cell) for cell in rest.drop_nulls().unique()}
    values = first.zip_with(settled, rest.replace_strict(addresses, default=None, return_dtype=pl.String))
    return values, unread(text, values, "no IP address")


def _any_address(cell: str) -> str | None:
    found = []
    for word in re.split(r"[\s,;|\[\]()'\"]+", cell):
        try:
            found.append(ipaddress.ip_address(word.split("/")[0].split("%")[0]))
        except ValueError:
            continue
    usable = [
        address for address in found if not (address.is_loopback or address.is_link_local or address.is_unspecified)
    ]
    chosen = next((address for address in usable if address.version == 4), None) or next(iter(usable or found), None)
    return str(chosen) if chosen else None


def mac_addresses(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The first hardware address of each cell as aa:bb:cc:dd:ee:ff; the all-zero one is none."""
    digits = text.str.to_lowercase().str.extract(_MAC).str.replace_all(r"[:.-]", "")
    digits = digits.set(digits == "0" * 12, None)
    values = digits.str.replace(r"^(..)(..)(..)(..)(..)(..)$", "$1:$2:$3:$4:$5:$6")
    return values, unread(text, values, "no hardware address")
