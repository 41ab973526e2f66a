"""Money in over Daraja: prompts, registered addresses, the pulled list, and money given back (daraja.md 5, 6, 9)."""

from datetime import datetime
from typing import Final

from core.clock import utc_now
from core.errors import KivukoError, Transient
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.collecting import OddRow, PaymentSeen, PromptOrder, PromptQuery, Pulled
from providers.daraja.c2b import (
    C2B_REGISTER_PATH,
    ResponseType,
    c2b_register_request,
    is_registered,
    is_registered_already,
)
from providers.daraja.gateway import error_of
from providers.daraja.pull import (
    PULL_QUERY_PATH,
    PULL_REGISTER_PATH,
    parse_pull_page,
    parse_pull_registration,
    pull_register_request,
    pull_request,
)
from providers.daraja.reversal import REVERSAL_PATH, ReversalOrder, reversal_request
from providers.daraja.session import DarajaSession
from providers.daraja.stk import (
    STK_PATH,
    STK_QUERY_PATH,
    parse_stk_ack,
    parse_stk_query,
    stk_query_request,
    stk_request,
)
from providers.http import Answer
from providers.ports import Accepted

# Far above what a short code takes in 48 hours: only a server that repeats itself under new ids comes here.
_MOST_PAGES: Final = 5_000


class Collecting(DarajaSession):
    """The part of `Daraja` that brings money in, under the same token."""

    async def prompt(self, order: PromptOrder) -> Accepted:
        """Prompts the payer. `Accepted` means that the prompt is on its way; only its callback or a query says more.

        Raises, after daraja.md 4 and 6:
        - InvalidRequest ("no_passkey", "no_till", or the field at fault): refused here or at the gateway.
        - NotReached, Busy, Throttled by a 4xx, Transient: known not sent; with `operator_needed` if our access is refused.
        - Unknown (NoAnswer, Garbled): the payer may have been prompted. There is no id to query by and no idempotency:
          never resend. 500.001.1001 is among these, whatever its text: it ends no payment.
        """
        body = stk_request(order, self._credentials, utc_now())
        answer = await self._answer(
            "stk.send", STK_PATH, body, "money", reference=order.reference, not_after=order.send_by
        )
        if answer.status == 200:
            return parse_stk_ack(answer.json)
        raise error_of(
            "stk.send", answer.status, answer.json, answer.headers, effect="money", same_reference_is_safe=False
        )

    async def query_prompt(self, query: PromptQuery) -> Report:
        """What became of a prompt. 4999, 500.001.1001 of any kind, an empty answer and one about another prompt are
        `pending`; a success names no receipt. Raises Rejected or Transient, never Unknown: code "nothing_to_ask" without the
        push's id, NotAllowed "wrong_address" for an empty 404."""
        body = stk_query_request(query.provider_reference, self._credentials, utc_now())
        answer = await self._answer("stk.query", STK_QUERY_PATH, body, "read", reference=query.reference)
        if not answer.text.strip() and answer.status != 404:
            return Report(source="query", state="pending", code="", detail="M-Pesa gave an empty answer")
        if answer.status in (200, 500) and (read := parse_stk_query(answer.json, query.provider_reference)) is not None:
            return read
        raise _error_of_read("stk.query", answer)

    async def register_c2b(self, confirmation_url: str, validation_url: str, response_type: ResponseType) -> bool:
        """Registers where payments to the short code are announced (v2). True if newly registered, False if Daraja has
        addresses already: then the old ones stay until they are deleted on the portal. Raises Rejected or Transient."""
        body = c2b_register_request(self._credentials, confirmation_url, validation_url, response_type)
        answer = await self._answer("c2b.register", C2B_REGISTER_PATH, body, "read")
        if answer.status == 200 and is_registered(answer.json):
            return True
        if is_registered_already(answer.json):
            return False
        raise _error_of_read("c2b.register", answer)

    async def pull_register(self, nominated: Msisdn, callback_url: str) -> bool:
        """Registers the short code for `pull_payments`. True if newly registered, False if it was before."""
        body = pull_register_request(self._credentials, nominated, callback_url)
        answer = await self._answer("pull.register", PULL_REGISTER_PATH, body, "read")
        registered = parse_pull_registration(answer.json)
        if answer.status == 200 and registered is not None:
            return registered
        raise _error_of_read("pull.register", answer)

    async def pull_payments(self, start: datetime, end: datetime) -> Pulled:
        """All payments of a window of at most 48 hours, each once, page after page until nothing new comes. M-Pesa
        keeps 48 hours only: an older window is answered with what is left of it, which may be nothing.

        Raises InvalidRequest for a bad window, other Rejected, or Transient; never Unknown, and never a part of a list.
        """
        found: dict[str, PaymentSeen] = {}
        odd: dict[str, OddRow] = {}
        offset = 0
        for _ in range(_MOST_PAGES):
            body = pull_request(self._credentials, start, end, offset)
            answer = await self._answer("pull.query", PULL_QUERY_PATH, body, "read")
            page = parse_pull_page(answer.json, self._credentials.collecting_shortcode)
            if answer.status != 200 or page is None:
                raise _error_of_read("pull.query", answer)
            new = {seen.external_id: seen for seen in page.payments if seen.external_id not in found}
            new_odd = {row.row_id: row for row in page.odd if row.row_id not in odd}
            if not new and not new_odd:
                return Pulled(list(found.values()), list(odd.values()))
            found, odd = found | new, odd | new_odd
            offset += page.rows
        raise Transient("Daraja lists payments without end.", code="no_usable_answer", operation="pull.query")

    async def reverse(self, order: ReversalOrder) -> Accepted:
        """Asks M-Pesa to give a payment back; the answer comes to `order.result_url`, or never.

        Raises as `Daraja.send` does. After Unknown a second try is guarded by M-Pesa (R000001 "already reversed"), but
        nobody says from which moment on: look at the first one's result before. `provider_reference` is the
        OriginatorConversationID that Daraja made, which is what a status query takes.
        """
        body = reversal_request(order, self._credentials)
        ack = await self._acknowledged("reversal.send", REVERSAL_PATH, body, "money", reference=order.reference)
        return Accepted(ack.originator_id or ack.conversation_id)


def _error_of_read(operation: str, answer: Answer) -> KivukoError:
    if answer.status < 400:
        return Transient(
            f"Daraja answered {operation} with nothing that can be read.", code="no_usable_answer", operation=operation
        )
    return error_of(
        operation,
        answer.status,
        answer.json,
        answer.headers,
        effect="read",
        same_reference_is_safe=True,
        empty=not answer.text.strip(),
    )
