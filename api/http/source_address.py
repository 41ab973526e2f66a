"""Where a callback came from: the peer, or what a proxy of ours says that its peer was."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request

from core.settings import Callbacks


def source_address(request: Request, callbacks: Callbacks) -> str | None:
    """The first address, going back from us, that is not one of our proxies. None if nobody can tell."""
    peer = request.client.host if request.client else None
    if peer is None or not _among(peer, callbacks.trusted_proxies):
        return peer
    # Each proxy appends its peer: only what our own proxies appended can be believed, so it is read from the right.
    for hop in reversed(",".join(request.headers.getlist("x-forwarded-for")).split(",")):
        address = hop.strip()
        if address and not _among(address, callbacks.trusted_proxies):
            return address if _parsed(address) else None
    return peer


def is_allowed(address: str | None, allowed: Sequence[str]) -> bool:
    """`allowed` are addresses and networks; an empty list lets everybody in."""
    return not allowed or (address is not None and _among(address, allowed))


def _among(address: str, networks: Sequence[str]) -> bool:
    found = _parsed(address)
    return found is not None and any(found in ip_network(network, strict=False) for network in networks)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
