"""Daraja over HTTP: one access token, one logical attempt per payout, every answer sorted by what may have happened."""

from core.errors import InvalidRequest
from providers.daraja.collecting import Collecting
from providers.daraja.requests import (
    B2C_PATHS,
    BALANCE_PATH,
    STATUS_PATH,
    B2cOrder,
    StatusQuery,
    b2c_request,
    balance_request,
    status_request,
)
from providers.held import held
from providers.ports import Accepted


class Daraja(Collecting):
    """Safaricom M-Pesa for one short code: money out here, money in by `Collecting`. Close it.

    Share one object per connection: it keeps the token, and minting one is documented to end the one before.
    """

    async def send(self, order: B2cOrder) -> Accepted:
        """Hands one payout to M-Pesa. `Accepted` means queued; only a result or a status answer says that it was paid.

        Raises, after daraja.md 3.9 and 4:
        - InvalidRequest: refused here or at the gateway for what the order says, M-Pesa never saw it.
        - NotReached, Busy, Transient: not sent (no connection, no token); resend under the same reference. With
          `extra["operator_needed"] == "yes"` our own access is refused ("credentials_refused", "not_entitled",
          "wrong_address", "bad_certificate"): every send will be, until a person has mended it.
        - Throttled: told by the gateway, known not queued as documented; resend under the same reference after a pause.
          On v1, where a repeat is never safe, only a 4xx counts; a 5xx is Unknown.
        - Unknown (NoAnswer, Garbled, code "maybe_duplicate"): it may have been queued. Ask, never resend.

        `provider_reference` is M-Pesa's ConversationID on v3. On v1 it is the OriginatorConversationID that Daraja
        made, which is what a status query takes there.
        """
        version = self._credentials.b2c_version
        try:
            body = b2c_request(order, self._credentials)
        except InvalidRequest as error:
            raise held(error) if error.code == "bad_certificate" else error from None
        ack = await self._acknowledged(
            "b2c.send",
            B2C_PATHS[version],
            body,
            "money",
            reference=order.reference,
            same_reference_is_safe=version == "v3",
            not_after=order.send_by,
        )
        if version == "v1":
            return Accepted(ack.originator_id or ack.conversation_id)
        return Accepted(ack.conversation_id)

    async def query_status(self, query: StatusQuery) -> Accepted:
        """Asks M-Pesa what became of a payout; the answer comes to `query.result_url`, or never. Harmless to repeat.

        Raises Rejected or Transient, never Unknown. InvalidRequest with code "nothing_to_ask" on v1 without an ack.
        """
        body = status_request(query, self._credentials)
        ack = await self._acknowledged("status.query", STATUS_PATH, body, "read", reference=query.reference)
        return Accepted(ack.conversation_id)

    async def query_balance(self, result_url: str, timeout_url: str) -> Accepted:
        """Asks for the balances; the answer comes to `result_url`, or never. Raises Rejected or Transient."""
        body = balance_request(self._credentials, result_url, timeout_url)
        ack = await self._acknowledged("balance.query", BALANCE_PATH, body, "read")
        return Accepted(ack.conversation_id)
