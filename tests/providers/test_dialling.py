"""No address that a partner can give leads to anything inside: a canary listens there, and must stay silent."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest

from core.addresses import DiallingRules, is_public
from core.clock import utc_now
from core.errors import InvalidRequest, NoAnswer, NotReached, Rejected
from providers import dialling
from providers.dialling import GuardedBackend, refuse_address, vetted
from providers.http import ProviderHttp
from providers.ports import Endpoint
from tests.providers.certificates import certificate_for
from tests.providers.message_servers import raw_server
from tests.support.dialling import LOOPBACK

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

# What the operating system reads as an address of this machine or of a private network, in every spelling.
HOSTS = """
127.0.0.1 127.0.0.1. 127.1 127.0.1 127.255.255.254 0 0.0.0.0 0x0 0x7f.1 0x7f000001 0X7F.0X0.0X0.0X1 2130706433 017700000001
0177.0.0.1 0177.1 127.0x0.0.1 00000177.0.0.1 localhost LOCALHOST localhost. LocalHost.
[::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:0:127.0.0.1] [::127.0.0.1] [::7f00:1]
[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [64:ff9b::a9fe:a9fe] [2002:7f00:1::] [2002:7f00:1::1]
[2002:a9fe:a9fe::1] [2001:0:7f00:1::] [2001::1] [2001:db8::1] [3fff::1] [5f00::1] [fec0::1] [fe80::1] [fe80::1%lo] [fc00::1]
[fd00:ec2::254] [fd12:3456::1] [ff02::1] [ff01::1] [100::1] [2001:10::1] [2001:20::1] [::ffff:169.254.169.254]
[::ffff:10.0.0.1] [::ffff:192.168.0.1]
10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.254 192.168.0.1 192.168.1.254 169.254.169.254 169.254.170.2 2852039166
0xa9fea9fe 0251.0376.0251.0376 100.64.0.1 100.100.100.200 192.0.0.192 192.0.0.8 192.0.2.1 198.18.0.1 198.19.255.255
198.51.100.7 203.0.113.9 192.88.99.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16 167772161 10.1
3232235521 0xc0a80001 metadata.google.internal printer.local
""".split()  # noqa: SIM905 - a hundred lines would hide them


class Canary:
    """A server on this machine; `songs` are the requests that reached it."""

    def __init__(self) -> None:
        self.port = 0
        self.songs: list[bytes] = []

    async def sing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.songs.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.songs.append(b"knocked")
        finally:
            writer.close()


@asynccontextmanager
async def listening(host: str | None = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Canary]:
    """On one address, or on this machine's two loopbacks at one port."""
    canary = Canary()
    sockets = [socket.create_server((host or "127.0.0.1", 0))]
    canary.port = sockets[0].getsockname()[1]
    if host is None:
        sockets.append(socket.create_server(("::1", canary.port), family=socket.AF_INET6))
    servers = [await asyncio.start_server(canary.sing, sock=one, ssl=tls) for one in sockets]
    yield canary
    for server in servers:
        server.close()
        await server.wait_closed()


def in_production(port: int, *, opened: Sequence[str] = ()) -> DiallingRules:
    """The guard as production has it, but for the port and the scheme, which would hide what it does with addresses."""
    strict = DiallingRules.of(opened, ports=[port], development=False, most_bytes=1024 * 1024)
    return replace(strict, insecure=True)


def endpoint(host: str, port: int, rules: DiallingRules) -> Endpoint:
    seconds = timedelta(seconds=2)
    return Endpoint(f"http://{host}:{port}/api", connect_timeout=seconds, read_timeout=seconds, rules=rules)


def resolving(*answers: Sequence[str]) -> dialling.Resolver:
    """A resolver that gives each answer once, the last one for ever."""
    left = list(answers)

    async def answer(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def test_there_are_enough_hostile_targets() -> None:
    assert len(set(HOSTS)) >= 80


@pytest.mark.parametrize("host", HOSTS)
async def test_no_spelling_of_an_inner_address_is_dialled(host: str) -> None:
    async with listening(None) as canary:
        rules = in_production(canary.port)
        with pytest.raises(InvalidRequest) as given:
            await refuse_address(f"http://{host}:{canary.port}/api", rules, field="base_url")
        with pytest.raises(
            (NotReached, InvalidRequest)
        ) as called:  # InvalidRequest: what httpx itself takes for no host
            async with ProviderHttp("fineract", endpoint(host, canary.port, rules)) as http:
                await http.call("loans.read", "GET", "/v1/loans", effect="read")
        assert canary.songs == []
    # One code and one text for all of them: what stands where cannot be told apart.
    assert (given.value.code, given.value.extra["field"]) == ("address_refused", "base_url")
    assert (called.value.code, called.value.detail) == ("address_refused", given.value.detail)


async def test_the_canary_sings_where_the_guard_is_open() -> None:
    async with listening(None) as canary:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            async with ProviderHttp("fineract", endpoint(host, canary.port, LOOPBACK)) as http:
                assert (await http.call("loans.read", "GET", "/v1/loans", effect="read")).status == 200
        assert len(canary.songs) == 5


async def test_a_host_is_vetted_whether_it_comes_as_text_or_as_bytes() -> None:
    for host in ("127.0.0.1", b"127.0.0.1"):
        with pytest.raises(dialling.AddressRefused):
            await vetted(in_production(80), host, 80)


async def test_one_inner_address_among_public_ones_refuses_the_name() -> None:
    rules = in_production(443)
    with pytest.raises(dialling.AddressRefused):
        await vetted(rules, "bank.example", 443, resolving(["93.184.216.34", "10.0.0.5"]))
    assert await vetted(rules, "bank.example", 443, resolving(["93.184.216.34"])) == ["93.184.216.34"]


async def test_a_name_that_answers_differently_the_second_time_is_asked_once_and_dialled_as_vetted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening("127.0.0.2") as meant:
        rules = in_production(meant.port, opened=[f"127.0.0.2:{meant.port}"])
        monkeypatch.setattr(GuardedBackend, "__init__", _with(resolving(["127.0.0.2"], ["127.0.0.1"])))
        async with ProviderHttp("fineract", endpoint("bank.example", meant.port, rules)) as http:
            assert (await http.call("loans.read", "GET", "/v1/loans", effect="read")).status == 200
            assert b"Host: bank.example" in meant.songs[0]
        async with ProviderHttp("fineract", endpoint("bank.example", meant.port, rules)) as again:
            monkeypatch.setattr(
                again._client, "_transport", dialling.GuardedTransport(rules, tls=_any_tls(), idle_seconds=1,
                                                                       resolver=resolving(["127.0.0.1"]))
            )  # fmt: skip
            with pytest.raises(NotReached) as refused:
                await again.call("loans.read", "GET", "/v1/loans", effect="read")
        assert refused.value.code == "address_refused"
        assert len(meant.songs) == 1


async def test_tls_checks_the_host_that_was_asked_for_not_the_address_that_was_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pem, key, server = certificate_for("bank.example")
    asked: list[str | None] = []
    server.sni_callback = lambda _, name, __: asked.append(name)
    async with listening("127.0.0.1", server) as canary:
        rules = in_production(canary.port, opened=[f"127.0.0.1:{canary.port}"])
        monkeypatch.setattr(GuardedBackend, "__init__", _with(resolving(["127.0.0.1"])))
        for host, reached in (("bank.example", True), ("other.example", False)):
            given = Endpoint(f"https://{host}:{canary.port}", ca_pem=pem, rules=rules)
            async with ProviderHttp("fineract", given) as http:
                if reached:
                    assert (await http.call("loans.read", "GET", "/v1", effect="read")).status == 200
                else:
                    with pytest.raises(NotReached, match="could not be reached"):
                        await http.call("loans.pay", "POST", "/v1", effect="money")
        assert asked == ["bank.example", "other.example"]
        assert len([song for song in canary.songs if song != b"knocked"]) == 1
    assert key


@pytest.mark.parametrize(
    ("opened", "host", "address", "port", "allowed"),
    [
        ("10.20.0.0/16", "bank.example", "10.20.1.5", 443, True),
        ("10.20.0.0/16", "bank.example", "10.20.1.5", 8443, True),
        ("10.20.0.0/16", "bank.example", "10.20.1.5", 22, False),
        ("10.20.0.0/16", "bank.example", "10.21.0.1", 443, False),
        ("10.20.1.5:9443", "bank.example", "10.20.1.5", 9443, True),
        ("10.20.1.5:9443", "bank.example", "10.20.1.5", 443, False),
        ("[fd12::/16]:8443", "bank.example", "fd12::9", 8443, True),
        ("bank.example:9443", "bank.example", "10.1.1.1", 9443, True),
        ("bank.example:9443", "bank.example.", "10.1.1.1", 9443, True),
        ("bank.example:9443", "evil.example", "10.1.1.1", 9443, False),
        ("*.sacco.example", "core.sacco.example", "192.168.7.7", 443, True),
        ("*.sacco.example", "sacco.example", "192.168.7.7", 443, False),
        # A name never opens this machine or a cloud's metadata: its owner can let it resolve to anything.
        ("bank.example:9443", "bank.example", "127.0.0.1", 9443, False),
        ("bank.example:443", "bank.example", "169.254.169.254", 443, False),
    ],
)
def test_an_installation_opens_what_a_lender_really_uses(
    opened: str, host: str, address: str, port: int, allowed: bool
) -> None:
    rules = DiallingRules.of([opened], ports=(443, 8443), development=False, most_bytes=1)
    assert rules.allow(host, ip_address(address), port) is allowed


@pytest.mark.parametrize("port", [22, 25, 80, 5432, 6379, 7233, 8080])
def test_a_public_address_is_called_at_the_ports_of_https_alone(port: int) -> None:
    assert DiallingRules().allow("bank.example", ip_address("93.184.216.34"), 443)
    assert not DiallingRules().allow("bank.example", ip_address("93.184.216.34"), port)


@pytest.mark.parametrize("text", ["1.1.1.1", "41.90.64.1", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"])
def test_ordinary_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


async def test_a_redirect_is_not_followed() -> None:
    async with listening() as canary:

        async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{canary.port}/\r\n\r\n".encode())

        async with raw_server(elsewhere) as port, _http(port) as http:
            assert (await http.call("loans.read", "GET", "/", effect="read")).status == 302
        assert canary.songs == []


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy, listening() as meant:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with ProviderHttp("fineract", endpoint("127.0.0.1", meant.port, LOOPBACK)) as http:
            await http.call("loans.read", "GET", "/", effect="read")
        assert (len(proxy.songs), len(meant.songs)) == (0, 1)


async def test_plain_http_is_not_called_in_production() -> None:
    rules = DiallingRules.of(["127.0.0.1:80"], ports=[443], development=False, most_bytes=1024)
    with pytest.raises(Rejected):
        await refuse_address("http://127.0.0.1:80/", rules, field="base_url")
    async with ProviderHttp("fineract", endpoint("127.0.0.1", 80, rules)) as http:
        with pytest.raises(NotReached) as refused:
            await http.call("loans.read", "GET", "/", effect="read")
    assert refused.value.code == "address_refused"


async def test_a_request_whose_moment_has_passed_sends_nothing() -> None:
    async with listening() as canary, ProviderHttp("daraja", endpoint("127.0.0.1", canary.port, LOOPBACK)) as http:
        late, early = utc_now() - timedelta(milliseconds=1), utc_now() + timedelta(minutes=1)
        with pytest.raises(NotReached) as refused:
            await http.call("b2c", "POST", "/b2c", effect="money", json_body={"Amount": "10"}, not_after=late)
        assert refused.value.code == "too_late"
        assert [song for song in canary.songs if song != b"knocked"] == []
        assert (await http.call("b2c", "POST", "/b2c", effect="money", not_after=early)).status == 200


async def test_the_moment_is_asked_after_the_connection_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that takes its time, or a machine that was paused meanwhile, must not carry a payment over its time."""
    not_after = utc_now() + timedelta(seconds=0.2)

    async def slowly(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(0.3)
        return ["127.0.0.1"]

    monkeypatch.setattr(GuardedBackend, "__init__", _with(slowly))
    async with listening() as canary, ProviderHttp("daraja", endpoint("127.0.0.1", canary.port, LOOPBACK)) as http:
        with pytest.raises(NotReached) as refused:
            await http.call("b2c", "POST", "/b2c", effect="money", not_after=not_after)
        assert refused.value.code == "too_late"
        assert b"POST" not in b"".join(canary.songs)


async def test_a_kept_connection_asks_for_each_request_anew() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(OK)

    seen: list[bytes] = []
    async with raw_server(twice) as port, ProviderHttp("daraja", endpoint("127.0.0.1", port, LOOPBACK)) as http:
        await http.call("b2c", "POST", "/b2c", effect="money", not_after=utc_now() + timedelta(minutes=1))
        with pytest.raises(NotReached):
            await http.call("b2c", "POST", "/b2c", effect="money", not_after=utc_now() - timedelta(minutes=1))
    assert len(seen) == 1


async def test_a_call_without_a_moment_may_be_lost_and_then_is_unknown() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(silent) as port, ProviderHttp("daraja", endpoint("127.0.0.1", port, LOOPBACK)) as http:
        with pytest.raises(NoAnswer):
            await http.call("b2c", "POST", "/b2c", effect="money")


def _with(resolver: dialling.Resolver):  # type: ignore[no-untyped-def]
    made = GuardedBackend.__init__

    def init(self: GuardedBackend, rules: DiallingRules, _: dialling.Resolver = resolver) -> None:
        made(self, rules, resolver)

    return init


def _http(port: int) -> ProviderHttp:
    return ProviderHttp("fineract", endpoint("127.0.0.1", port, LOOPBACK))


def _any_tls() -> ssl.SSLContext:
    return ssl.create_default_context()
