"""Where a URL that a tenant names may lead: decided here, before a name is resolved and again for each address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HTTPS_PORT = 443
HTTP_PORT = 80

# IANA's IPv4 special-purpose registry (RFC 6890 and later), multicast (RFC 5771), 240.0.0.0/4 (RFC 1112).
_SPECIAL_V4 = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
# Of IPv6 only this block is given out to anybody (IANA's global unicast registry); these parts of it are special:
# protocol assignments with Teredo, documentation, 6to4, AS112, documentation again.
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# What tells a machine its cloud's secrets: AWS, Azure, Google and many others; Azure; Oracle; Alibaba; AWS on IPv6.
_METADATA: frozenset[Address] = frozenset(
    ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "192.0.0.192",
        "100.100.100.200",
        "fd00:ec2::254",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE = IPv6Network("::/96")

_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# Resolvers read such a name as an address in one of its odd spellings (WHATWG URL, "ends in a number").
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_ENTRY = re.compile(
    r"(?P<scheme>https?://)?(?P<where>\[[^\]]+\](?:/\d+)?|[^:\[\]]+)(?::(?P<port>\d+|\*))?", re.IGNORECASE
)


@dataclass(frozen=True)
class Allowed:
    """One entry of an operator's list: a host, or a network whose addresses may be reached; `port` None is any port."""

    host: str | None
    network: Network | None
    port: int | None
    plain: bool

    def is_for(self, host: str, port: int) -> bool:
        """Whether it names this host, or the network that this literal address is in."""
        if self.port not in (None, port):
            return False
        address = literal(host)
        return self.host == host if self.network is None else address is not None and address in self.network

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Whether it lets this host be reached at this address."""
        if self.network is None:
            return self.is_for(host, port)
        return self.port in (None, port) and address in self.network


def parse_allowed(text: str) -> tuple[Allowed, ...]:
    """Read entries as `llm.example.internal:8443 10.2.0.0/16 http://127.0.0.1:*`; raises `ValueError` naming the entry.

    An entry opens port 443, the port that it names, or all (`*`); `http://` also lets it be reached without TLS.
    """
    return tuple(_entry(part) for part in text.replace(",", " ").split())


def _entry(part: str) -> Allowed:
    found = _ENTRY.fullmatch(part)
    if found is None:
        raise ValueError(f"{part!r} is not [http://]HOST[:PORT] or [http://]NETWORK[:PORT]; IPv6 goes in brackets.")
    plain = (found["scheme"] or "").lower() == "http://"
    default = HTTP_PORT if plain else HTTPS_PORT
    port = None if found["port"] == "*" else int(found["port"] or default)
    where = found["where"].lower().replace("[", "").replace("]", "")
    try:
        return Allowed(None, ip_network(where), port, plain)
    except ValueError as error:
        if "/" in where or not _NAME.fullmatch(where) or _ENDS_IN_NUMBER.fullmatch(where):
            raise ValueError(f"{part!r}: {where!r} is neither a host name nor an address or network.") from error
        return Allowed(where, None, port, plain)


def literal(host: str) -> Address | None:
    """The address that a host is, if it is one in its usual spelling and without a zone."""
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether this is an address of the internet, of which nobody's inside depends on its being unreachable."""
    if address in _METADATA:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _SPECIAL_V6)


@dataclass(frozen=True)
class OutboundRules:
    """What is public, and what an operator lets tenants' URLs reach beside it."""

    allowed: tuple[Allowed, ...] = ()

    def refusal(self, scheme: str, host: str, port: int) -> str | None:
        """Why a URL with these parts may not be called, as the end of a sentence that begins "This URL"."""
        if literal(host) is None and (not _NAME.fullmatch(host) or len(host) > 253 or _ENDS_IN_NUMBER.fullmatch(host)):
            return "has no host name in its usual spelling"
        entries = [entry for entry in self.allowed if entry.is_for(host, port)]
        if scheme != "https" and not (scheme == "http" and any(entry.plain for entry in entries)):
            return "must begin with https://"
        if port != HTTPS_PORT and not entries and not self._network_opens(port):
            return f"names the port {port}; only {HTTPS_PORT} is open"
        return None

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether a connection for this host may go to this address; metadata services never are, however spelled."""
        inner = _embedded(address)
        if address in _METADATA or inner in _METADATA:
            return False
        if inner is not None and not self.permits(host, port, inner):
            return False
        if any(entry.covers(host, port, address) for entry in self.allowed):
            return True
        return is_public(address) and port == HTTPS_PORT

    def permits_all(self, host: str, port: int, addresses: Iterable[Address]) -> bool:
        """Whether every one of a host's addresses may be connected to; a host without addresses has none that may."""
        found = list(addresses)
        return bool(found) and all(self.permits(host, port, address) for address in found)

    def _network_opens(self, port: int) -> bool:
        # Which network a name leads to is known only once it was resolved; `permits` then decides.
        return any(entry.network is not None and entry.port in (None, port) for entry in self.allowed)


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, compatible, NAT64, 6to4 or Teredo (RFC 4291, 6052, 3056, 4380)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
