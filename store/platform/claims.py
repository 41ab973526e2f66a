"""Whose what is outside is: claimed once in the world, by a connection that is proven at a vetted address."""

from collections.abc import Collection

from sqlalchemy import exists, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel import select as select_rows
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import Busy, Conflict, NotFound
from core.outside import OutsideKey, fineract_identity
from models import kinds, providers
from models.tables.base import table_of
from models.tables.platform.claims import OutsideClaim
from models.tables.platform.connection import Connection
from store.platform import audit, partners

_CLAIMS = table_of(OutsideClaim)


async def source_of(session: AsyncSession, partner_id: str, provider: str, account: str) -> str | None:
    """The outside account that a payment came in on, as it is claimed; None while nobody has named it."""
    if not account:
        return None
    found = await session.exec(
        select_rows(Connection.settings).where(Connection.partner_id == partner_id, Connection.provider == provider)
    )
    settings = found.first()
    claimed = providers.settings_of(provider, settings).account_claim(account) if settings is not None else None
    return claimed.key if claimed else None


async def held_by(session: AsyncSession, partner_id: str, keys: Collection[OutsideKey]) -> set[OutsideKey]:
    """Those of these that the partner has."""
    found = await session.exec(
        select_rows(OutsideClaim).where(
            tuple_(_CLAIMS.c.kind, _CLAIMS.c.key).in_([(one.kind, one.key) for one in keys]),
            OutsideClaim.partner_id == partner_id,
        )
    )
    return {OutsideKey(row.kind, row.key) for row in found}


async def take(
    session: AsyncSession,
    keys: Collection[OutsideKey],
    *,
    partner_id: str,
    connection_id: str,
    by: str,
    identity: str | None = None,
) -> str | None:
    """Makes these the partner's, in the transaction that stores its proven connection. For Fineract the claim under which
    its loans are unique: a second name of a server that says who it is stands for the name that was claimed first.

    Raises Conflict (code "claimed_elsewhere") if another partner has one of them; it does not say which partner.
    """
    tenant = next((one.key for one in keys if one.kind == "fineract_tenant"), None)
    said = [(fineract_identity(identity), tenant)] if identity and tenant else []
    # In one order, so that two connections that name the same cannot wait for each other.
    for one, stands_for in sorted([*((key, None) for key in keys), *said]):
        await session.exec(
            insert(_CLAIMS)
            .values(
                kind=one.kind, key=one.key, partner_id=partner_id, connection_id=connection_id, stands_for=stands_for,
                claimed_by=by, claimed_at=utc_now(),
            )
            .on_conflict_do_nothing()
        )  # fmt: skip
        row = await _lock(session, one)
        if row.partner_id != partner_id:
            raise Conflict(
                "This belongs to another connection; ask the platform.", code="claimed_elsewhere",
                claim_kind=one.kind, claim_key=one.key,
            )  # fmt: skip
        if one.kind == "fineract_identity":
            tenant = row.stands_for or tenant
    return tenant


async def tenant_of(session: AsyncSession, partner_id: str) -> str:
    """The claim under which this partner's loans are unique. The connection is kept as it is until the transaction ends.

    Raises NotFound ("no_connection"), Busy (code "connection_unproven"), Conflict (code "claimed_elsewhere")."""
    query = select_rows(Connection).where(Connection.partner_id == partner_id, Connection.provider == "fineract")
    row = (await session.exec(query.with_for_update(read=True))).first()
    if row is None:
        raise NotFound("The partner has no fineract connection.", code="no_connection", field="fineract")
    if row.status == "unproven":
        raise Busy("The Fineract connection is not proven yet.", code="connection_unproven")
    (own,) = providers.settings_of("fineract", row.settings).claims()
    key = row.tenant_key or own.key
    holder = await session.exec(
        select_rows(OutsideClaim.partner_id).where(OutsideClaim.kind == "fineract_tenant", OutsideClaim.key == key)
    )
    if (holder.first() or partner_id) != partner_id:
        raise Conflict("This tenant belongs to another partner.", code="claimed_elsewhere")
    return key


async def is_in_use(session: AsyncSession, partner_id: str, provider: str) -> bool:
    """Whether a saga of the partner that has not ended speaks with this provider: while one does, what it speaks of stays
    where it is."""
    for table in (table_of(kind.row_class) for kind in kinds.KINDS if provider in kind.providers):
        living = select(exists().where(table.c.partner_id == partner_id, table.c.ended_at.is_(None)))
        if (await (await session.connection()).execute(living)).scalar():
            return True
    return False


async def page(
    session: AsyncSession, *, kind: str | None, partner_id: str | None, after: str | None, limit: int
) -> list[OutsideClaim]:
    """Claims in the order of kind and key. `after` is `kind/key` of the last one that was seen."""
    query = select_rows(OutsideClaim).order_by(col(OutsideClaim.kind), col(OutsideClaim.key)).limit(limit)
    if kind is not None:
        query = query.where(OutsideClaim.kind == kind)
    if partner_id is not None:
        query = query.where(OutsideClaim.partner_id == partner_id)
    if after is not None:
        last_kind, _, last_key = after.partition("/")
        query = query.where(tuple_(col(OutsideClaim.kind), col(OutsideClaim.key)) > tuple_(last_kind, last_key))
    return list(await session.exec(query))


async def may_move(session: AsyncSession, kind: str, key: str, to_partner: str) -> str:
    """The holder of a claim that could go to another partner. Raises as `move` does."""
    if kind == "fineract_identity":
        raise Conflict("A server's identity moves with its tenant; move that.", code="is_a_name", field="kind")
    claimed = select_rows(OutsideClaim.partner_id).where(OutsideClaim.kind == kind, OutsideClaim.key == key)
    holder = (await session.exec(claimed)).first()
    if holder is None:
        raise NotFound("Nobody has claimed that.", code="no_claim", field="key")
    if holder == to_partner:
        raise Conflict("That partner has it already.", code="claimed_already", field="to_partner_id")
    return holder


async def move(session: AsyncSession, kind: str, key: str, to_partner: str, *, by: str) -> str:
    """Gives a claim to another partner; who agreed to it is the caller's to prove. The holder's connection that names it
    becomes `unproven`, the receiver proves its own afterwards. Its former partner's id.

    What was paid under a tenant stays known under its name: the receiver can pay none of those loans again.

    Raises NotFound (claim or partner), NotAllowed (a suspended receiver), Conflict ("claimed_already", "in_use" while a
    saga of the holder runs on it, "is_a_name" for an identity, which moves with the tenant that it stands for).
    """
    holder = await may_move(session, kind, key, to_partner)
    await partners.active(session, to_partner)
    provider = providers.of_claim(kind).name
    query = select_rows(Connection).where(Connection.partner_id == holder, Connection.provider == provider)
    # The connection before the claim, as whoever stores a connection does.
    connection = (await session.exec(query.with_for_update())).first()
    if (await _lock(session, OutsideKey(kind, key))).partner_id != holder:
        raise Conflict("The claim was moved meanwhile; look again.", code="moved_meanwhile")
    if await is_in_use(session, holder, provider):
        raise Conflict("A saga of its holder still runs on it; let it end first.", code="in_use")
    if connection is not None and _names(connection, kind, key):
        connection.status, connection.check_detail = "unproven", "What it names was given to another partner."
        session.add(connection)
    now = utc_now()
    with_it = (_CLAIMS.c.kind == kind) & (_CLAIMS.c.key == key)
    if kind == "fineract_tenant":
        with_it |= (_CLAIMS.c.kind == "fineract_identity") & (_CLAIMS.c.stands_for == key)
    await session.exec(
        update(_CLAIMS).where(with_it).values(partner_id=to_partner, connection_id=None, claimed_by=by, claimed_at=now)
    )
    await audit.write(
        session, actor=by, action="claims.move", subject=f"{kind}/{key}",
        before={"partner_id": holder}, after={"partner_id": to_partner},
    )  # fmt: skip
    return holder


def _names(connection: Connection, kind: str, key: str) -> bool:
    named = {(one.kind, one.key) for one in providers.settings_of(connection.provider, connection.settings).claims()}
    return (kind, key) in named or (kind == "fineract_tenant" and connection.tenant_key == key)


async def _lock(session: AsyncSession, one: OutsideKey) -> OutsideClaim:
    found = await session.exec(
        select_rows(OutsideClaim)
        .where(OutsideClaim.kind == one.kind, OutsideClaim.key == one.key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.one()
