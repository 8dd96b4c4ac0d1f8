"""Which URLs and addresses a tenant may name."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.chassis.outbound import Outbound, OutboundRefused
from services.chassis.outbound_rules import Address, OutboundRules, is_public, parse_allowed
from services.chassis.settings import Settings

PUBLIC = ("1.1.1.1", "8.8.8.8", "11.0.0.0", "172.32.0.1", "192.167.255.255", "223.255.255.255")
PUBLIC_V6 = ("2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::1", "2001:200::1")
INSIDE = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
    *("192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16", "100.100.100.200"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808"),
    *("64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1", "2001:0:808:808::1", "2001:db8::1", "3fff::1", "5f00::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "100::1", "2001:10::1"),
)
# The edges of what is special, where an error by one would show.
EDGES = st.sampled_from(
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
).flatmap(
    lambda network: st.sampled_from(
        [
            IPv4Address(min(max(int(edge) + step, 0), 2**32 - 1))
            for edge in (IPv4Network(network)[0], IPv4Network(network)[-1])
            for step in (-1, 0, 1)
        ]
    )
)
ADDRESSES = st.one_of(
    EDGES,
    st.ip_addresses(),
    st.ip_addresses(v=6, network="2000::/3"),
    st.sampled_from([ip_address(text) for text in (*PUBLIC, *PUBLIC_V6, *INSIDE)]),
)
# Of these Python says that anybody may reach them; they are relays, name servers of nobody, and one cloud's inside.
STRICTER = tuple(
    IPv4Network(network) for network in ("192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24")
)

OPEN = OutboundRules()


@pytest.mark.parametrize("address", [*PUBLIC, *PUBLIC_V6])
def test_the_internet_may_be_called(address: str) -> None:
    assert OPEN.permits("example.com", 443, ip_address(address))


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_may_not_be_called(address: str) -> None:
    assert not OPEN.permits("example.com", 443, ip_address(address))


@given(ADDRESSES)
@example(IPv6Address("64:ff9b::a00:1"))
def test_what_may_be_called_is_global_for_python_too(address: Address) -> None:
    if OPEN.permits("example.com", 443, address):
        assert address.is_global
        kinds = ("private", "loopback", "link_local", "multicast", "reserved", "unspecified")
        assert [kind for kind in kinds if getattr(address, f"is_{kind}")] == []


@given(st.one_of(EDGES, st.ip_addresses(v=4)))
def test_what_is_global_for_python_may_be_called_but_for_a_few(address: IPv4Address) -> None:
    stricter = any(address in network for network in STRICTER) or str(address) == "168.63.129.16"
    protocol = address in IPv4Network("192.0.0.0/24")
    assert is_public(address) == (address.is_global and not address.is_multicast and not stricter and not protocol)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_does_not_slip_through(address: IPv4Address) -> None:
    number = int(address)
    for outer in (
        *((0xFFFF << 32) | number, (0x64FF9B << 96) | number, number),
        *((0x2002 << 112) | (number << 80), (0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ):
        assert not OPEN.permits("example.com", 443, IPv6Address(outer))


@given(st.ip_addresses(v=4))
def test_a_translated_address_is_as_open_as_what_it_stands_for(address: IPv4Address) -> None:
    translating = OutboundRules(parse_allowed("[64:ff9b::]/96"))
    outer = IPv6Address((0x64FF9B << 96) | int(address))
    assert translating.permits("example.com", 443, outer) == is_public(address)


@given(ADDRESSES)
def test_no_list_opens_a_metadata_service(address: Address) -> None:
    everything = OutboundRules(parse_allowed("http://0.0.0.0/0:* http://[::]/0:* metadata.internal:*"))
    for name in ("169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "168.63.129.16"):
        assert not everything.permits("metadata.internal", 80, ip_address(name))
        assert not everything.permits_all("metadata.internal", 80, [address, ip_address(name)])


def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    assert OPEN.permits_all("example.com", 443, [ip_address("8.8.8.8")])
    assert not OPEN.permits_all("example.com", 443, [ip_address("8.8.8.8"), ip_address("10.0.0.1")])
    assert not OPEN.permits_all("example.com", 443, [])


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "example.com",
            "",
        ),
        *("https://", "https:///x", "//example.com/", "javascript:alert(1)", "unix:///var/run/docker.sock"),
        *(
            "https://user@example.com/",
            "https://user:pw@example.com/",
            "https://@127.0.0.1@example.com/",
        ),
        *("https://example.com\\@127.0.0.1/", "https://:pw@example.com/"),
        *("https://2130706433/", "https://017700000001/", "https://0x7f000001/", "https://0x7f.1/", "https://127.1/"),
        *("https://0/", "https://0x/", "https://127.0.1/", "https://0177.0.0.1/", "https://1.2.3.4.5/"),
        *("https://example.0x7f/", "https://example.123/", "https://127.0.0.1./", "https://example.com./"),
        *("https://１２７.０.０.１/", "https://①②⑦.0.0.1/", "https://%31%32%37.0.0.1/", "https://exam ple.com/"),
        *("https://[::1%25lo]/", "https://[fe80::1%eth0]/", "https://[::ffff:127.0.0.1/", "https://[127.0.0.1]/"),
        *("https://example.com:22/", "https://example.com:80/", "https://example.com:8443/", "https://example.com:0/"),
        *("https://example.com:99999/", "https://example.com:-1/", "https://-example.com/", "https://a..b/"),
        *("https://exa\tmple.com/", "https://example.com\r\nHost: x/", "https://example.com/" + "a" * 2048),
        *("https://*.example.com/", "https://example.com|x/", "https://" + "a" * 64 + ".com/"),
        "https://" + ".".join(["a" * 60] * 5) + "/",
    ],
)
def test_a_url_in_no_usual_spelling_is_refused_without_a_look_at_the_network(url: str) -> None:
    with pytest.raises(OutboundRefused):
        Outbound(Settings()).check(url)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.com/hooks?x=1#part", "example.com"),
        ("HTTPS://EXAMPLE.com:443/", "example.com"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://my_host.example.com/", "my_host.example.com"),
        ("https://8.8.8.8/", "8.8.8.8"),
        ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111"),
        # What a name or a literal leads to is judged when the connection is made.
        ("https://127.0.0.1/", "127.0.0.1"),
        ("https://localhost/", "localhost"),
    ],
)
def test_a_plain_https_url_is_taken(url: str, host: str) -> None:
    parsed = Outbound(Settings()).check(url)
    assert parsed.raw_host.decode() == host
    assert parsed.fragment == ""


def test_an_operator_opens_a_host_a_network_and_a_port() -> None:
    rules = OutboundRules(parse_allowed("LLM.internal:8443, 10.2.0.0/16 http://dev.internal:8080 [fd12::]/48:*"))
    assert rules.refusal("https", "llm.internal", 8443) is None
    assert rules.refusal("https", "dev.internal", 8080) is None
    assert rules.refusal("http", "dev.internal", 8080) is None
    assert rules.refusal("http", "llm.internal", 8443) == "must begin with https://"
    assert rules.refusal("http", "dev.internal", 80) == "must begin with https://"
    assert rules.permits("llm.internal", 8443, ip_address("10.9.0.1"))
    assert not rules.permits("llm.internal", 443, ip_address("10.9.0.1"))
    assert not rules.permits("other.internal", 8443, ip_address("10.9.0.1"))
    assert rules.permits("other.internal", 443, ip_address("10.2.3.4"))
    assert not rules.permits("other.internal", 8080, ip_address("10.2.3.4"))
    assert rules.permits("other.internal", 9999, ip_address("fd12::5"))
    assert not rules.permits("example.com", 9999, ip_address("8.8.8.8"))


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/33", "ftp://x", "https://host/path", "10.0.0.1/8", "a b:c", "127.1", "::1"]
)
def test_an_entry_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValidationError, match="outbound_allowed"):
        Settings(outbound_allowed=entry)


def test_an_entry_for_an_ipv6_network_needs_brackets() -> None:
    (entry,) = parse_allowed("http://[::1]:*")
    assert (entry.network, entry.port, entry.plain) == (IPv6Network("::1/128"), None, True)
