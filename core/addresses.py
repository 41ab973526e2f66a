"""Which network addresses may be called when somebody else than the house chose them, and which callers are believed.

`ipaddress.is_global` alone is no guard: it says True of NAT64, 6to4, multicast, site-local and other doors into a private
network. So IPv4 is refused by a list, and of IPv6 only ordinary unicast space is taken, without its transition ranges.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's platform, reachable from every machine there
    )
)  # fmt: skip
_UNICAST_V6: Final = IPv6Network("2000::/3")
# Teredo and other special purposes, documentation (twice), 6to4.
_REFUSED_V6: Final = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)  # fmt: skip
_REFUSED_NAMES: Final = ("localhost", ".localhost", ".local", ".internal")
_NAME: Final = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
# Opened by a network that the installation names, never by a name, which somebody's DNS turns into any address.
_NEVER_BY_NAME: Final = tuple(
    ip_network(text)
    for text in ("127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "224.0.0.0/4", "::/127", "fe80::/10", "ff00::/8",
                 "fd00:ec2::/32", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32")
)  # fmt: skip

HTTPS_PORTS: Final = (443, 8443)


def unmapped(address: Address) -> Address:
    """`::ffff:10.0.0.1` is 10.0.0.1."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_public(address: Address) -> bool:
    """Whether this is an ordinary address of the public internet."""
    address = unmapped(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _UNICAST_V6 and not any(address in network for network in _REFUSED_V6)


def parse_network(text: str) -> Network:
    """An address or a network in CIDR. Raises ValueError, also for one whose host bits are set (a misspelt one)."""
    return ip_network(text.strip())


@dataclass(frozen=True, slots=True)
class Opened:
    """What an installation opens beyond public HTTPS: a network or a name (`*.` stands for any name below it), at one
    port or at those of HTTPS."""

    network: Network | None
    name: str | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> "Opened":
        """`10.20.0.0/16`, `10.20.1.5:9443`, `[fd12::/16]:8443`, `fineract.lender.example:9443`, `*.lender.example`.
        Raises ValueError."""
        place, port = _split_port(text.strip().lower())
        try:
            return cls(ip_network(place), None, port)
        except ValueError:
            if re.search(r"[/:]|^[0-9.]+$", place) or not _NAME.fullmatch(place):
                raise ValueError(f"{text!r} is no network and no host name") from None
        return cls(None, place, port)

    def opens(self, host: str, address: Address, port: int) -> bool:
        if port != self.port if self.port is not None else port not in HTTPS_PORTS:
            return False
        if self.network is not None:
            return address in self.network
        assert self.name is not None
        named = host == self.name or (self.name.startswith("*.") and host.endswith(self.name[1:]))
        return named and not any(address in network for network in _NEVER_BY_NAME)


@dataclass(frozen=True, slots=True)
class DiallingRules:
    """Which addresses may be called. The default is what production starts from: public addresses, HTTPS, its two ports."""

    opened: tuple[Opened, ...] = ()
    ports: tuple[int, ...] = HTTPS_PORTS
    loopback: bool = False  # of this machine, at any port, also without TLS: for development and tests
    insecure: bool = False  # plain HTTP where the address is allowed
    anywhere: bool = False  # the house's own settings chose the address
    most_bytes: int = 1024 * 1024  # of an answer, decompressed

    @classmethod
    def of(cls, opened: Sequence[str], *, ports: Sequence[int], development: bool, most_bytes: int) -> "DiallingRules":
        """From an installation's settings. Raises ValueError for a misspelt entry."""
        return cls(
            opened=tuple(Opened.parse(text) for text in opened), ports=tuple(ports), loopback=development,
            insecure=development, most_bytes=most_bytes,
        )  # fmt: skip

    def allow(self, host: str, address: Address, port: int) -> bool:
        """Whether this address, which `host` stands for, may be called at this port."""
        address = unmapped(address)
        host = host.rstrip(".").lower()
        if self.anywhere or (self.loopback and address.is_loopback):
            return True
        if any(opened.opens(host, address, port) for opened in self.opened):
            return True
        inside = host in _REFUSED_NAMES or host.endswith(_REFUSED_NAMES[1:])
        return port in self.ports and is_public(address) and not inside


# What production starts from.
STRICT: Final = DiallingRules()
# For addresses that only the house's settings hold: the SMS gateways.
HOUSE_CHOSEN: Final = DiallingRules(anywhere=True, insecure=True)


def parsed(text: str) -> Address | None:
    """An address as a resolver or a socket gives it; None for what is none. A zone (`fe80::1%eth0`) makes it none: it names
    a link of this machine."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id else unmapped(address)


def _split_port(text: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?", text)
    plain = re.fullmatch(r"([^:]+):(\d{1,5})", text)
    found = bracketed or plain
    if found is None:
        return text, None
    port = int(found[2]) if found[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{text!r} names no port")
    return found[1], port
