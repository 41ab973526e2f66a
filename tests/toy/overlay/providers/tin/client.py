"""The tin over HTTP. It takes our reference for a payout, and executes one reference once."""

from datetime import datetime
from typing import Any, Final, Literal

from core.errors import Conflict, InvalidRequest, KivukoError, NotAllowed, Rejected, Unknown
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.collecting import PromptOrder
from providers.held import held
from providers.http import Answer, Effect, ProviderHttp, unreadable
from providers.ports import Accepted, Endpoint, ExchangeRecorder, PayoutOrder, forget_exchange
from providers.tin.wire import report_of, text_of

# The codes of a 422: refused for good, and nothing moved.
REFUSALS: Final[dict[str, type[Rejected]]] = {"no_purse": InvalidRequest, "purse_closed": Conflict}


class Tin:
    """One account at the tin. Close it."""

    def __init__(
        self, endpoint: Endpoint, account: str, token: str, *, recorder: ExchangeRecorder = forget_exchange
    ) -> None:
        self.account = account
        self._http = ProviderHttp("tin", endpoint, recorder=recorder)
        self._headers = {"Authorization": f"Bearer {token}"}

    async def check(self) -> None:
        """Raises NotAllowed for a token that is not this account's."""
        answer = await self._call("check", "GET", f"/v1/accounts/{self.account}", "read")
        if answer.status != 200:
            raise unreadable("tin", "check", answer, "read")

    async def close(self) -> None:
        await self._http.close()

    async def pay(self, order: PayoutOrder, to: Msisdn) -> Accepted:
        """Hands over a payout, whose outcome is told to `result_url`. Raises Rejected or Transient for what has not left,
        Unknown for anything else."""
        body = {"reference": order.reference, "to": to.digits, "callback": order.result_url}
        return await self._hand_over("pay", "/v1/payouts", order, body, order.send_by)

    async def prompt(self, order: PromptOrder) -> Accepted:
        """As `pay`, the other way; its outcome is told to `callback_url`."""
        body = {
            "reference": order.reference, "from": order.msisdn.digits, "code": order.payer_reference,
            "callback": order.callback_url,
        }  # fmt: skip
        return await self._hand_over("prompt", "/v1/prompts", order, body, order.send_by)

    async def find(self, what: Literal["payouts", "prompts"], name: str) -> Report:
        """What became of a payout by our reference, or of a prompt by the tin's id; "not_found" proves nothing yet."""
        answer = await self._call("find", "GET", f"/v1/{what}/{name}", "read")
        if answer.status == 404 and text_of(answer.object.get("code")) == "not_found":
            return Report(source="query", state="pending", code="not_found", detail="the tin does not know it")
        if answer.status != 200:
            raise unreadable("tin", "find", answer, "read")
        return report_of(answer.object, "query")

    async def _hand_over(
        self,
        operation: str,
        path: str,
        order: PayoutOrder | PromptOrder,
        body: dict[str, Any],
        send_by: datetime | None,
    ) -> Accepted:
        facts = {"account": self.account, "amount": order.amount.amount, "currency": order.amount.currency}
        answer = await self._call(operation, "POST", path, "money", {**body, **facts}, order.reference, send_by)
        code = text_of(answer.object.get("code"))
        if answer.status == 202 and (named := text_of(answer.object.get("id"))):
            return Accepted(named)
        if answer.status == 409:
            raise Unknown("The tin has taken this reference before.", code="reference_taken")
        if answer.status == 422 and code in REFUSALS:
            raise REFUSALS[code](f"The tin refuses it ({code}).", code=code)
        raise unreadable("tin", operation, answer, "money")

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        effect: Effect,
        body: dict[str, Any] | None = None,
        reference: str | None = None,
        not_after: datetime | None = None,
    ) -> Answer:
        answer = await self._http.call(
            operation, method, path, effect=effect, json_body=body, headers=self._headers, reference=reference,
            not_after=not_after,
        )  # fmt: skip
        if answer.status == 401:
            raise _refused(effect)
        return answer


def _refused(effect: Effect) -> KivukoError:
    refused = NotAllowed("The tin refuses our token.", code="bad_credentials")
    return held(refused) if effect == "money" else refused
