"""Which connections count: proven at an address that the platform vetted, they claim what they name; others claim nothing.

given by                                           stored as
a key of the platform                              tried, claims, `ok` (M-Pesa silent about the balance: `unchecked`)
a partner's key, at a vetted server                tried, claims, `ok`; M-Pesa silent: `unproven`
a partner's key, at the server of its proven one   the same: credentials are rotated, nothing else is changed
a partner's key, anywhere else                     not dialled, `unproven`
"""

from dataclasses import dataclass
from typing import Final, Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.http.dependencies import Services
from api.partners import connection_jobs
from core.errors import Conflict
from core.outside import OutsideKey, server_of
from models import providers
from models.messages.connections.reach import Trust
from models.messages.connections.sealed import SealedConnection
from models.tables.platform.connection import Connection
from store.platform import claims, vetted_addresses
from store.saga import cases

_UNVETTED: Final = "The platform has not vetted this address yet; nothing is sent there."
_OTHER_CODES: Final = "Another short code than the paying one is proven by nobody: the platform gives it."
_SILENT: Final = "The credentials work; M-Pesa has not said within some seconds that the short code is theirs."


@dataclass(frozen=True, slots=True)
class Proof:
    """What may be stored of a connection, and what it claims."""

    status: Literal["ok", "unchecked", "unproven"]
    detail: str | None = None
    claims: tuple[OutsideKey, ...] = ()
    identity: str | None = None


async def prove(
    services: Services, principal: Principal, wanted: SealedConnection, current: Connection | None
) -> Proof:
    """Tries a connection where it may be tried. Raises InvalidRequest naming the field if it does not work."""
    partner_id, ours = wanted.partner_id or "", principal.partner_id is None
    named = providers.settings_of(wanted.provider, wanted.settings).claims()
    async with services.database.transaction() as session:
        held = await claims.held_by(session, partner_id, named)
        if not ours and not await _is_vetted(session, services, wanted, current):
            return Proof("unproven", _UNVETTED)
    if not ours and set(named[1:]) - held:
        return Proof("unproven", _OTHER_CODES)
    checked = await connection_jobs.check_or_refuse(services, wanted)
    if checked.certain:
        return Proof("ok", None, named, checked.identity)
    if ours or set(named) <= held:
        return Proof("unchecked", _SILENT, named)
    return Proof("unproven", _SILENT)


async def claim(
    session: AsyncSession, principal: Principal, row: Connection, proof: Proof, *, moved: bool = False
) -> None:
    """In the transaction that stores the connection. A core bank that has only `moved` keeps the name under which its loans
    are unique. Raises Conflict (code "claimed_elsewhere")."""
    if proof.claims:
        tenant_key = await claims.take(
            session, proof.claims, partner_id=row.partner_id, connection_id=row.id, by=principal.id,
            identity=proof.identity,
        )  # fmt: skip
        row.tenant_key = row.tenant_key if moved and row.tenant_key else tenant_key


async def refuse_while_in_use(session: AsyncSession, row: Connection | None, wanted: SealedConnection) -> None:
    """Raises Conflict (code "in_use") if a connection that sagas speak with would lead elsewhere: they would ask another
    server, or pay from another account, about what they began here."""
    if row is None or row.status == "unproven":
        return
    before, after = (providers.settings_of(one.provider, one.settings).claims() for one in (row, wanted))
    if before != after and await claims.is_in_use(session, row.partner_id, row.provider):
        raise Conflict(
            "Payments under way speak with what this connection names; let them end before it leads elsewhere.",
            code="in_use",
        )


async def tell_house(services: Services, principal: Principal, partner_id: str, refused: Conflict) -> None:
    """Somebody named what another partner has: the platform looks who is right."""
    kind, key = refused.extra.get("claim_kind", ""), refused.extra.get("claim_key", "")
    async with services.database.transaction() as session:
        await cases.open_case(
            session,
            key=f"claim:{kind}:{key}:{partner_id}",
            kind="claimed_elsewhere",
            summary=f"A partner gave a connection that names what another partner has ({kind} {key})."[:500],
            evidence={"kind": kind, "key": key, "wanted_by": partner_id, "given_by": principal.id},
        )


async def _is_vetted(
    session: AsyncSession,
    services: Services,
    wanted: SealedConnection,
    current: Connection | None,
) -> bool:
    if current is not None and current.status != "unproven":
        now, then = ((one.settings.get("base_url"), one.settings.get("trust")) for one in (current, wanted))
        if now == then:
            return True
    if Trust.model_validate(wanted.settings.get("trust") or {}) != Trust():
        return False  # whoever names the certificates that count can answer for any server
    # What feeds a wallet, as a bank does, is given by the platform alone.
    if not providers.named(wanted.provider).partners_prove:
        return False
    named = getattr(services.settings.vetted, wanted.provider, [])
    return await vetted_addresses.is_vetted(session, named, wanted.provider, server_of(wanted.settings["base_url"]))
