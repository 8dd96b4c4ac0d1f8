"""The client for URLs of tenants, against real servers on loopback."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.chassis.name_lookup import Resolver
from services.chassis.outbound import OutboundFailed, OutboundRefused
from services.chassis.outbound_rules import Address
from tests.chassis.outbound_client import LOOPBACK, outbound
from tests.far_server import answer, far_server


def answering_in_turn(*answers: list[Address]) -> tuple[Resolver, list[str]]:
    """A name server that says something else each time, and what it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[Address]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


async def test_an_answer_comes_whole_with_status_and_headers() -> None:
    async with far_server(answer("201 Created", b'{"a":1}', Content_Type="application/json")) as far, outbound() as out:
        got = await out.send("POST", f"{far.url}/x?y=1", headers={"X-Own": "v"}, content=b"hello")
    assert (got.status, got.body, got.headers["content-type"]) == (201, b'{"a":1}', "application/json")
    request = far.requests[0].lower()
    assert request.startswith("post /x?y=1 http/1.1\r\n")
    assert request.endswith("\r\n\r\nhello")
    assert "x-own: v" in request
    assert f"host: 127.0.0.1:{far.port}" in request


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/"]
)
async def test_an_inner_address_is_refused_without_a_word_of_it(url: str) -> None:
    async with outbound(allowed="") as out:
        with pytest.raises(OutboundRefused) as refused:
            await out.send("GET", url)
    assert refused.value.problem.code == "address_not_allowed"


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0", "127.1", "017700000001"])
async def test_a_spelling_that_resolvers_read_as_loopback_never_reaches_it(host: str) -> None:
    async with far_server(answer()) as far, outbound("http://127.0.0.1:*") as out:
        with pytest.raises(OutboundRefused):
            await out.send("GET", f"http://{host}:{far.port}/")
    assert far.connections == 0


async def test_localhost_is_refused_by_the_address_that_the_real_resolver_gives() -> None:
    async with far_server(answer()) as far, outbound(f"unrelated.example:{far.port} 10.0.0.0/8:*") as out:
        with pytest.raises(OutboundRefused) as refused:
            await out.send("GET", f"https://localhost:{far.port}/")
    assert far.connections == 0
    assert "127.0.0.1" not in str(refused.value)


async def test_a_name_that_does_not_exist_and_one_with_an_inner_address_are_told_in_the_same_words() -> None:
    async def unknown(host: str, port: int) -> list[Address]:
        raise OSError("Name or service not known")

    inner, _ = answering_in_turn([ip_address("10.1.2.3")])
    said = []
    for resolve in (unknown, inner):
        async with outbound(allowed="", resolve=resolve) as out:
            with pytest.raises(OutboundRefused) as refused:
                await out.send("GET", "https://wiki.example/")
        said.append(refused.value.problem)
    assert said[0] == said[1]


async def test_the_connection_goes_to_the_very_address_that_was_judged() -> None:
    resolve, asked = answering_in_turn([IPv4Address("127.0.0.2")], [IPv4Address("127.0.0.1")])
    async with (
        far_server(answer(body=b"judged"), host="127.0.0.2") as judged,
        far_server(answer(body=b"other"), host="127.0.0.1", port=judged.port) as other,
        outbound("http://rebound.example:*", resolve) as out,
    ):
        got = await out.send("GET", f"http://rebound.example:{judged.port}/")
    assert (got.body, other.connections, asked) == (b"judged", 0, ["rebound.example"])
    assert f"host: rebound.example:{judged.port}" in judged.requests[0].lower()


async def test_a_name_that_turns_to_an_inner_address_is_refused_the_second_time(
    trusted: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = trusted
    resolve, asked = answering_in_turn([IPv4Address("127.0.0.2")], [IPv4Address("127.0.0.1")])
    async with (
        far_server(answer(body=b"fine"), host="127.0.0.2", tls=server) as first,
        far_server(answer(), host="127.0.0.1", port=first.port, tls=server) as second,
        outbound("127.0.0.2:*", resolve, client) as out,
    ):
        url = f"https://hooks.example:{first.port}/"
        assert (await out.send("GET", url)).body == b"fine"
        with pytest.raises(OutboundRefused):
            await out.send("GET", url)
    assert second.connections == 0
    assert asked == ["hooks.example"] * 2


@pytest.mark.parametrize(
    "location", ["https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "//10.1.1.1/"]
)
async def test_a_redirect_inside_is_refused(location: str) -> None:
    async with far_server(answer("302 Found", Location=location)) as far, outbound() as out:
        with pytest.raises(OutboundRefused):
            await out.send("GET", far.url, redirects=3)


async def test_a_redirect_is_an_answer_unless_it_is_to_be_followed() -> None:
    async with far_server(answer("302 Found", Location="/elsewhere")) as far, outbound() as out:
        assert (await out.send("GET", far.url)).status == 302
        assert (await out.send("GET", far.url, redirects=4)).status == 302
        with pytest.raises(ValueError, match="Only a GET"):
            await out.send("POST", far.url, redirects=1)
    assert len(far.requests) == 1 + 5


async def test_secrets_stay_with_the_origin_that_they_were_meant_for() -> None:
    secrets = {"Authorization": "Bearer s3cret", "Cookie": "a=s3cret", "X-Api-Key": "s3cret", "Accept": "text/csv"}
    async with far_server(answer(body=b"there")) as other:
        for location, kept in ((f"{other.url}/x", False), ("/same", True)):

            async def redirect(request: str, writer: asyncio.StreamWriter, location: str = location) -> None:
                writer.write(
                    answer(body=b"there") if "/same" in request else answer("307 Temporary Redirect", Location=location)
                )

            async with far_server(redirect) as far, outbound() as out:
                assert (await out.send("GET", far.url, headers=secrets, redirects=2)).body == b"there"
            last = far.requests[-1] if kept else other.requests[-1]
            assert ("s3cret" in last) is kept
            assert "accept: text/csv" in last.lower()


async def test_cookies_of_one_answer_are_not_sent_with_the_next_request() -> None:
    async with far_server(answer(Set_Cookie="session=1; Path=/")) as far, outbound() as out:
        for _ in range(2):
            await out.send("GET", far.url)
    assert not any("cookie" in request.lower() for request in far.requests)


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with far_server(answer(body=b"proxy")) as proxy, far_server(answer(body=b"direct")) as far, outbound() as out:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await out.send("GET", far.url)).body == b"direct"
    assert proxy.connections == 0


async def test_nobody_listening_is_a_failure_to_answer() -> None:
    async with far_server(answer()) as far:
        pass
    async with outbound() as out:
        with pytest.raises(OutboundFailed) as failed:
            await out.send("GET", far.url)
    assert failed.value.problem.code == "no_answer"


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    resolve, _ = answering_in_turn([IPv4Address("127.0.0.3"), IPv4Address("127.0.0.1")])
    async with far_server(answer(body=b"second")) as far, outbound("http://two.example:*", resolve) as out:
        assert (await out.send("GET", f"http://two.example:{far.port}/")).body == b"second"


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS for hooks.example, and a client's that trusts it and nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, private)
    return server, ssl.create_default_context(cafile=str(chain))


async def test_tls_is_checked_for_the_name_while_the_connection_goes_to_the_address(
    trusted: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = trusted
    resolve, _ = answering_in_turn([IPv4Address("127.0.0.1")])
    async with far_server(answer(body=b"hello"), tls=server) as far:
        allowed = f"hooks.example:{far.port} other.example:{far.port}"
        async with outbound(allowed, resolve, client) as out:
            assert (await out.send("GET", f"https://hooks.example:{far.port}/")).body == b"hello"
            with pytest.raises(OutboundFailed):
                await out.send("GET", f"https://other.example:{far.port}/")
        async with outbound(allowed, resolve) as out:
            with pytest.raises(OutboundFailed):
                await out.send("GET", f"https://hooks.example:{far.port}/")


async def test_a_redirect_from_https_to_http_is_refused_even_where_http_is_allowed(
    trusted: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = trusted
    resolve, _ = answering_in_turn([IPv4Address("127.0.0.1")])
    async with (
        far_server(answer(body=b"plain")) as plain,
        far_server(answer("302 Found", Location=plain.url), tls=server) as far,
        outbound(f"hooks.example:{far.port} {LOOPBACK}", resolve, client) as out,
    ):
        with pytest.raises(OutboundRefused, match="nothing is encrypted"):
            await out.send("GET", f"https://hooks.example:{far.port}/", redirects=1)
    assert plain.connections == 0
