"""Who gets yesterday's report by email, every day."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from api.http.auth import PartnerReader, PartnerWriter, Principal
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, again, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.operations.report_subscriptions_schemas import ReportSubscriptionNew, ReportSubscriptionOut
from api.operations.reports import need_to_read
from core.clock import utc_now
from core.errors import NotAllowed, NotFound
from core.ids import REPORT_SUBSCRIPTION, new_id
from models.kinds import PAYOUTS
from models.tables.platform.report_subscription import ReportSubscription
from store.platform import audit, partners
from store.reports import subscriptions

router = APIRouter(prefix="/api/v1/report-subscriptions", tags=["reports"], dependencies=KNOWN_PARAMETERS)

_READS: Final = PAYOUTS.scope("read")

SubscriptionId = Annotated[str, Path(pattern=id_pattern(REPORT_SUBSCRIPTION))]


@router.get("", responses=problems(404), summary="List subscriptions, newest first")
async def list_report_subscriptions(
    services: ServicesDep,
    principal: PartnerReader,
    partner_id: PartnerFilter = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[ReportSubscriptionOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await subscriptions.page(
            session, partner_id=partner_id or principal.partner_id, before=cursor, limit=limit + 1
        )
    return page(rows, limit, ReportSubscriptionOut.of, lambda row: row.id)


@router.post(
    "",
    status_code=201,
    response_model=ReportSubscriptionOut,
    responses=again(ReportSubscriptionOut) | problems(404, "idempotency_key_reused", *WRITES),
    summary="Have a report sent every day",
)
async def add_report_subscription(
    wanted: ReportSubscriptionNew, services: ServicesDep, principal: PartnerWriter, once: Idempotent
) -> Response:
    """As text, at that hour of the partner's day or later. The key must be allowed to read the report. A key of the house
    that names no partner subscribes to the report of all. The same address gets a report once; then the answer is 200. A
    partner, and the house, has at most 20."""
    _need_to_read(principal, wanted)
    partner_id = wanted.partner_id or principal.partner_id
    async with services.database.transaction() as session:
        if partner_id is not None:
            await partners.active(session, principal.visible(partner_id))
        row, is_new = await subscriptions.add(
            session,
            ReportSubscription(
                id=new_id(REPORT_SUBSCRIPTION),
                partner_id=partner_id,
                kind=wanted.kind,
                email=wanted.email,
                hour=wanted.hour,
                created_by=principal.id,
                created_at=utc_now(),
            ),
        )
        shown = ReportSubscriptionOut.of(row)
        if is_new:
            await audit.write(
                session, actor=principal.id, action="report_subscriptions.add", subject=row.id,
                after=shown.model_dump(mode="json"),
            )  # fmt: skip
        return await once.reply(session, shown, status=201 if is_new else 200)


@router.delete("/{subscription_id}", responses=problems(404), summary="Send it no more")
async def remove_report_subscription(
    subscription_id: SubscriptionId, services: ServicesDep, principal: PartnerWriter
) -> ReportSubscriptionOut:
    async with services.database.transaction() as session:
        row = await subscriptions.get(session, subscription_id)
        if row is None or not principal.sees(row.partner_id):
            raise NotFound("No subscription has that id.", field="subscription_id")
        shown = ReportSubscriptionOut.of(row)
        await subscriptions.remove(session, row.id)
        await audit.write(
            session, actor=principal.id, action="report_subscriptions.remove", subject=row.id,
            before=shown.model_dump(mode="json"),
        )  # fmt: skip
    return shown


def _need_to_read(principal: Principal, wanted: ReportSubscriptionNew) -> None:
    """Nobody has a report sent that they may not read. Raises NotAllowed."""
    if not principal.may(_READS):
        raise NotAllowed(f"The key lacks the scope {_READS}.", code="scope_missing", scope=_READS)
    need_to_read(principal, wanted.kind)
