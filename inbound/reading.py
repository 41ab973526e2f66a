"""Reads what was stored and answered before anybody looked at it. Whatever fails here loses nothing: the item becomes a case
and can be read again after a fix."""

from collections.abc import Awaitable, Callable
from importlib import import_module

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import CredentialBox
from core.errors import KivukoError, NotAllowed
from inbound import refusals
from inbound.sealing import RawMessage, unseal
from models import providers
from models.messages.inbound import CaseFound, Reading
from models.tables.platform.traffic import InboxItem
from store.platform import inbox

log = structlog.get_logger()

Reader = Callable[[AsyncSession, CredentialBox, InboxItem, RawMessage], Awaitable[Reading]]


def reader_of(endpoint: str) -> Reader:
    """How what comes in at an endpoint is read: "daraja.result" by the reader "result" of `inbound/daraja.py`. Raises
    LookupError for what no version of ours knows."""
    provider, _, what = endpoint.partition(".")
    try:
        readers: dict[str, Reader] = import_module(f"inbound.{providers.named(provider).name}").READERS
    except ModuleNotFoundError as error:
        raise LookupError(endpoint) from error
    return readers[what]


async def read(session: AsyncSession, box: CredentialBox, item: InboxItem) -> None:
    """Puts what it says into a locked, unread item. Raises what the database raises when it is away."""
    reading = await _read(session, box, item)
    await inbox.put_reading(session, item, reading)


async def _read(session: AsyncSession, box: CredentialBox, item: InboxItem) -> Reading:
    plain = Reading(
        provider=item.provider, kind=(item.endpoint or "unknown").partition(".")[2], external_id=f"raw:{item.id}",
        report={}, reference=item.reference, partner_id=item.partner_id,
    )  # fmt: skip
    try:
        async with session.begin_nested():
            message = unseal(box, item.raw_sealed or "")
            return await reader_of(item.endpoint or "")(session, box, item, message)
    except NotAllowed as error:
        return _forged(plain, item, error)
    except KivukoError as error:
        return refusals.unreadable(plain, error.detail)
    except (OperationalError, InterfaceError):
        raise
    except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError, DBAPIError) as error:
        # A fault of ours, or a body that nobody has thought of: it must not be tried for ever, and not be lost.
        log.error("message_not_read", inbox_id=item.id, endpoint=item.endpoint, kind=type(error).__name__)
        return refusals.unreadable(plain, f"It cannot be read ({type(error).__name__}).")


def _forged(plain: Reading, item: InboxItem, error: NotAllowed) -> Reading:
    """Recorded and believed in nothing. One case for a connection: its secret may have changed, and then they are genuine."""
    log.warning("push_refused", partner_id=item.partner_id, provider=item.provider, code=error.code)
    case = CaseFound(
        kind="push_forged",
        summary="Messages came that do not prove to be the provider's; nothing was believed of them.",
        evidence={"why": error.detail[:300], "provider": item.provider},
        key=f"forged:{item.connection_id or item.partner_id}",
    )
    return plain.model_copy(update={"kind": "forged", "outcome": "forged", "case": case})
