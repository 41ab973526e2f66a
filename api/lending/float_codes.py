"""The one-time code of a float purchase: given back by the partner's authorised people, or sent anew.

The code is in no log, no audit entry and no stored answer. That is why `confirm` takes no Idempotency-Key, whose table
keeps a hash of the body: six digits are found from their plain hash at once.
"""

from datetime import timedelta
from typing import Annotated, Final, NoReturn

from fastapi import APIRouter, Path, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.values import id_pattern
from api.lending.float_purchase import PURCHASES, FloatWriter
from api.lending.float_purchase_schemas import CodeIn
from api.saga import commands, deciding
from api.saga.deciding import Act
from api.saga.routes import taken
from api.saga.schemas import CommandIn, CommandTakenOut
from core.clock import utc_now
from core.errors import Conflict, InvalidRequest
from core.money import Money
from models.messages.lending.float_purchase import CodeConfirmed, ResendCode, code_content
from models.tables.lending.float_purchase import FloatPurchase
from store.platform import audit
from store.saga import one_time_codes
from store.saga.one_time_codes import Checked

router = APIRouter(prefix=PURCHASES.path, tags=[PURCHASES.tag], dependencies=KNOWN_PARAMETERS)

PurchaseId = Annotated[str, Path(pattern=id_pattern(PURCHASES.kind.id_prefix))]

_VERDICTS: Final = {
    "expired": ("code_expired", "The code has expired; have a new one sent."),
    "used_up": ("code_used_up", "The code takes no more tries; have a new one sent."),
    "locked": ("codes_locked", "Too many wrong codes were given; try again tomorrow, or ask the house."),
    "none": ("no_code", "No code has been sent for this purchase."),
}


@router.post(
    "/{purchase_id}/confirm",
    response_model=CommandTakenOut,
    responses=problems(404, "code_expired", "code_used_up", "codes_locked", "no_code", "ended", *WRITES),
    summary="Confirm it with the one-time code",
)
async def confirm_float_purchase(
    purchase_id: PurchaseId, wanted: CodeIn, services: ServicesDep, principal: FloatWriter, once: Idempotent
) -> Response:
    """A wrong code is 422 `wrong_code`, with `tries_left` in the facts; one that takes no more tries, or none, is 409. The
    right one may be given again if an answer was lost. 409 `codes_locked` after too many wrong ones, whatever they were
    for: by one person, or for one partner."""
    row = await PURCHASES.find(services, principal, purchase_id)
    hashes = services.codes.hashes(row.workflow_id, _content(row), wanted.code)
    # Committed whatever the verdict: a try that is refused must be counted all the same.
    async with services.database.transaction() as session:
        checked = await _check(session, services, principal, row, hashes)
        await audit.write(
            session,
            actor=principal.id,
            action="float_purchases.confirm",
            subject=row.id,
            before={"stage": row.stage},
            after={"verdict": checked.verdict, "number": checked.number, "tries_left": checked.tries_left},
        )
    if checked.verdict != "right":
        _refuse(row, checked)
    confirmed = CodeConfirmed(number=checked.number, actor=principal.id)
    # The code proves who asks, and counts once: the saga gives its first answer again to the same one.
    update_id = f"code:{row.id}:{checked.number}"
    async with deciding.recorded_refusals(services, Act(principal, row, "float_purchases.confirm", row.id)):
        said = await commands.send_update(services, row, "confirm", confirmed, update_id, repeatable=True)
    return await taken(services, once, row.id, said)


@router.post(
    "/{purchase_id}/resend-code",
    response_model=CommandTakenOut,
    responses=problems(404, "resend_limit", "wrong_stage", "ended", "idempotency_key_reused", *WRITES),
    summary="Send a new code; the one before dies",
)
async def resend_float_code(
    purchase_id: PurchaseId,
    services: ServicesDep,
    principal: FloatWriter,
    once: Idempotent,
    wanted: CommandIn | None = None,
) -> Response:
    """409 `resend_limit` once no more are sent for this purchase."""
    row = await PURCHASES.find(services, principal, purchase_id)
    resend = ResendCode(actor=principal.id, note=wanted.note if wanted else "")
    act = Act(principal, row, "float_purchases.resend_code", row.id, once.key)
    return await taken(services, once, row.id, await deciding.command(services, act, "resend_code", resend))


async def _check(
    session: AsyncSession, services: Services, principal: Principal, row: FloatPurchase, hashes: list[str]
) -> Checked:
    limits = services.settings.api
    since = utc_now() - timedelta(hours=limits.wrong_codes_within_hours)
    if await one_time_codes.too_many_wrong(
        session, row.partner_id, principal.people, since=since, at_most=limits.wrong_codes_at_most
    ):
        return Checked("locked")
    checked = await one_time_codes.check(session, row.workflow_id, hashes)
    if checked.guessed:
        await one_time_codes.note_wrong(session, row.partner_id, principal.person_id, row.workflow_id)
    return checked


def _content(row: FloatPurchase) -> str:
    return code_content(Money(row.amount_minor, row.currency), Money(row.total_minor, row.currency), row.operator)


def _refuse(row: FloatPurchase, checked: Checked) -> NoReturn:
    if row.ended_at is not None:
        raise Conflict("The saga has ended.", code="ended", stage=row.stage)
    if checked.verdict == "wrong":
        raise InvalidRequest("The code is wrong.", code="wrong_code", field="code", tries_left=str(checked.tries_left))
    code, detail = _VERDICTS[checked.verdict]
    raise Conflict(detail, code=code)
