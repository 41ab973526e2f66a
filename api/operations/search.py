"""Search everywhere: from a phone, a receipt, a reference, an account or a name to the payment.

It is asked by POST, since what is asked for may be a person's: no phone and no name is ever part of an address or a log.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Anyone, Principal
from api.http.dependencies import Services, ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.values import MoneyOut
from api.operations.case_facts import facts_of
from api.operations.search_schemas import HitGroup, HitOut, RevealIn, RevealOut, SearchIn, SearchOut
from core.errors import NotAllowed, NotFound
from core.money import Money
from core.msisdn import Msisdn
from models import kinds
from models.kinds import PAYOUTS
from models.statuses import status_of
from models.tables.saga.case import Case
from models.tables.saga.incoming_payment import IncomingPayment
from store.platform import audit, partners
from store.saga import reads, saga_facts, search
from store.saga.saga_facts import SagaFacts
from store.saga.search import Found
from store.saga.search_plain import Scope

router = APIRouter(prefix="/api/v1/search", tags=["search"], dependencies=KNOWN_PARAMETERS)

_WORDS: Final = {"case": "case", "incoming payment": "incoming payment", "lender": "lender"}


@router.post("", responses=problems(404, *WRITES), summary="Find a payment by whatever is known of it")
async def search_everywhere(wanted: SearchIn, services: ServicesDep, principal: Anyone) -> SearchOut:
    """Only kinds that the key may read, and a partner's key only what is its own. 503 `search_too_slow` for what too many
    things share."""
    return await find(services, principal, wanted)


@router.post("/reveal", responses=problems(404, *WRITES), summary="The phone behind a hit, whole")
async def reveal_phone(wanted: RevealIn, services: ServicesDep, principal: Anyone) -> RevealOut:
    """Needs `phones:read` and the right to read the payment itself."""
    return await reveal(services, principal, wanted.id)


async def find(services: Services, principal: Principal, wanted: SearchIn) -> SearchOut:
    """What the key may see of what was found. Raises NotFound for another's partner, Busy."""
    if wanted.partner_id is not None:
        principal.visible(wanted.partner_id)
    partner_id = wanted.partner_id or principal.partner_id
    scope = Scope(
        partner_id=partner_id,
        kinds=frozenset(kind.name for kind in kinds.KINDS if principal.may(kind.scope("read"))),
        loose=principal.may(PAYOUTS.scope("read")),
        lenders=principal.may("partners:read"),
    )
    async with services.database.transaction() as session:
        found = await search.find(session, wanted.q, scope, limit=search.AT_MOST + 1)
        shown = found[: search.AT_MOST]
        facts = await saga_facts.of_workflows(session, [one.workflow_id for one in shown if one.workflow_id])
        names = await partners.names(session, {one.partner_id for one in shown if one.partner_id})
        hits = [await _hit(session, one, facts, names) for one in shown]
    return SearchOut(groups=_grouped(hits), count=len(hits), more=len(found) > len(shown))


async def reveal(services: Services, principal: Principal, row_id: str) -> RevealOut:
    """The phone behind this payment, which the audit log then says was shown. Raises NotAllowed without the scope for phones
    or for the payment, NotFound for another partner's too."""
    for scope in ("phones:read", (kinds.of_id(row_id) or PAYOUTS).scope("read")):
        if not principal.may(scope):
            raise NotAllowed(f"The key lacks the scope {scope}.", code="scope_missing", scope=scope)
    async with services.database.transaction() as session:
        partner_id, phone, name = await _person_of(session, row_id)
        if partner_id is None or not principal.sees(partner_id):
            raise NotFound("Nothing that can be found has that id.", field="id")
        await audit.write(session, actor=principal.id, action="phones.reveal", subject=row_id)
    return RevealOut(id=row_id, phone=phone, name=name)


def _grouped(hits: list[HitOut]) -> list[HitGroup]:
    """In the order in which the kinds first come: the best hit's kind first."""
    by_kind: dict[str, list[HitOut]] = {}
    for hit in hits:
        by_kind.setdefault(hit.kind, []).append(hit)
    return [
        HitGroup(kind=kind, word=_WORDS.get(kind) or kinds.named(kind).word, hits=of) for kind, of in by_kind.items()
    ]


async def _hit(session: AsyncSession, one: Found, facts: Mapping[str, SagaFacts], names: Mapping[str, str]) -> HitOut:
    saga = facts.get(one.workflow_id or "")
    shown = _of_saga(saga) if saga else await _of_other(session, one)
    return HitOut.model_validate(
        {
            "kind": one.kind, "id": one.id, "href": None, "stage": None, "status": None, "amount": None, "phone": None,
            "name": None, "account": None, "receipt": None, "created_at": one.at, "exact": one.exact,
            "why": list(one.why), "partner_id": one.partner_id, "lender": names.get(one.partner_id or ""), **shown,
        }
    )  # fmt: skip


def _of_saga(saga: SagaFacts) -> dict[str, object]:
    return {
        "kind": saga.kind, "id": saga.id, "href": f"/api/v1{kinds.named(saga.kind).path}/{saga.id}",
        "stage": saga.stage, "status": status_of(saga.stage, ended=saga.ended_at is not None),
        "amount": MoneyOut.of(saga.amount) if saga.amount else None, "phone": saga.masked_phone, "name": saga.name,
        "account": saga.account, "receipt": saga.receipt, "created_at": saga.created_at,
    }  # fmt: skip


async def _of_other(session: AsyncSession, one: Found) -> dict[str, object]:
    """Of a thing that belongs to no saga; there is seldom more than one in a search."""
    if one.kind == "lender":
        partner = await partners.get(session, one.id)
        return {"href": f"/api/v1/partners/{one.id}", "stage": partner.status}
    if one.kind == "case":
        case = await session.get(Case, one.id)
        told = facts_of(case.evidence) if case else {}
        seen = {name: told.get(name) for name in ("phone", "account", "receipt")}
        return {"href": f"/api/v1/cases/{one.id}", "stage": case and case.state, **seen}
    payment = await session.get(IncomingPayment, one.id)
    if payment is None:
        return {}
    return {
        "amount": MoneyOut.of(Money(payment.amount_minor, payment.currency)), "receipt": payment.external_id,
        "phone": Msisdn(payment.payer_phone).masked if payment.payer_phone else None,
        "name": payment.payer_name or None, "account": payment.reference or None,
    }  # fmt: skip


async def _person_of(session: AsyncSession, row_id: str) -> tuple[str | None, str | None, str | None]:
    """Partner, phone and name; no partner for what is not there."""
    kind = kinds.of_id(row_id)
    if kind is None:
        payment = await reads.payment(session, row_id)
        return (payment.partner_id, payment.payer_phone, payment.payer_name or None) if payment else (None, None, None)
    row = await reads.row(session, kind.row_class, row_id)
    if row is None:
        return None, None, None
    facts = (await saga_facts.of_rows(session, [row]))[row.workflow_id]
    return facts.partner_id, facts.phone, facts.name
