"""The one way in for providers' messages: address, source and size are checked, what came is stored whole and sealed, the
sender is answered, and only then is it read and delivered; if this process dies in between, the sweep does it."""

from typing import Final

import structlog
from fastapi import Request
from starlette.responses import Response

from api.http.background import afterwards
from api.http.dependencies import Services
from api.http.metrics import CallbackOutcome
from api.http.source_address import is_allowed, source_address
from core.crypto import CallbackRoute, sha256_hex
from core.errors import NotAllowed, NotFound
from inbound.delivery import Desk, deliver
from inbound.sealing import digest, raw_message, seal
from models.tables.platform.connection import Connection
from store.platform import inbox, partner_admin
from store.saga import payouts, prompts

log = structlog.get_logger()

# What reading a message may come to, beside its delivery, by the metric's word.
_READ_AS: Final[dict[str, CallbackOutcome]] = {
    "unreadable": "garbled", "forged": "forged", "refused": "refused", "copy": "copy",
}  # fmt: skip


def refuse_strangers(services: Services, request: Request, allowed: list[str], name: str) -> None:
    """Raises NotAllowed for a source that is not the provider's."""
    if not is_allowed(source_address(request, services.settings.callbacks), allowed):
        services.metrics.callback(name, "wrong_source")
        raise NotAllowed("Messages are not taken from this address.", code="wrong_source")


def signed_route(name: str, route_hex: str, mac_hex: str, request: Request, services: Services) -> CallbackRoute:
    """Raises NotAllowed for a source that is not the provider's, NotFound for an address that we did not make."""
    refuse_strangers(services, request, services.settings.callbacks.allowed_sources, name)
    try:
        return services.signer.verify(route_hex, mac_hex)
    except NotAllowed:
        services.metrics.callback(name, "forged")
        raise nothing_here() from None


async def connection_of(services: Services, provider: str, secret: str) -> Connection:
    """The connection whose address this is. Raises NotFound; how long it takes tells nothing of a secret."""
    stored = sha256_hex(secret.encode("utf-8", errors="replace"))
    async with services.database.transaction() as session:
        found = await partner_admin.by_address_digest(session, provider, stored)
    if found is None:
        services.metrics.callback(f"{provider}_push", "forged")
        raise nothing_here()
    return found


async def take(
    services: Services,
    request: Request,
    response: Response,
    *,
    endpoint: str,
    provider: str,
    metric: str,
    partner_id: str | None = None,
    connection: Connection | None = None,
    route: CallbackRoute | None = None,
    copies_count: bool = True,
) -> Response:
    """Stores the request's body and gives the response, which is sent once this has returned: what was answered is stored.
    Whoever knows no partner yet is found by the route's reference, so that each partner's messages queue by themselves.
    `copies_count` False: the same body may mean something new, so each is read."""
    message = raw_message(await request.body(), request.headers)
    address = f"{route.workflow_id}\n{route.reference}" if route else connection.id if connection else partner_id or ""
    async with services.database.transaction() as session:
        if route is not None and partner_id is None:
            sent = prompts.get if endpoint.endswith(".prompt") else payouts.get
            found = await sent(session, route.reference)
            partner_id = found.partner_id if found else None
        inbox_id, to_read = await inbox.store_raw(
            session,
            endpoint=endpoint,
            provider=provider,
            raw_sealed=seal(services.box, message),
            raw_digest=digest(endpoint, address, message.body) if copies_count else None,
            source=source_address(request, services.settings.callbacks),
            partner_id=partner_id or (connection.partner_id if connection else None),
            connection_id=connection.id if connection else None,
            workflow_id=route.workflow_id if route else None,
            reference=route.reference if route else "-",
        )
    services.metrics.callback(metric, "stored" if to_read else "copy")
    if to_read:
        key = partner_id or (connection.partner_id if connection else "")
        response.background = afterwards("deliver", lambda: in_turn(services, key, inbox_id, metric))
    return response


async def in_turn(services: Services, partner_id: str, inbox_id: str, metric: str) -> str | None:
    """Reads and delivers when it is this partner's turn; what of it is too much now is left to the sweep."""
    async with services.turns.turn(partner_id) as admitted:
        if not admitted:
            return None
        became = await deliver(Desk(services.client, services.database, services.box), inbox_id)
    if became in _READ_AS:
        services.metrics.callback(metric, _READ_AS[became])
    return became


def nothing_here() -> NotFound:
    return NotFound("There is nothing here.")
