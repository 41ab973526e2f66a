"""NCBA's Open Banking dialect (bank_ncba.md 1): transfers, float and statement, each with its own field names.

A repeated TransactionID is executed again: nobody knows what NCBA does, and this is the worst case. Of the codes only
"000" and RC01 are NCBA's; the others are ours and begin with SIM, to be listed in a connection's `rejection_codes`.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from core.errors import InvalidRequest
from core.money import Money
from simulators.bank import mishaps
from simulators.bank.access import Customer, Refused, login, open_banking_customer, past_firewall
from simulators.bank.ledger import NAIROBI
from simulators.bank.orders import Bank
from simulators.faults import Fault
from simulators.world import World

CODES: Final = {
    "OWN_BANK": "RC01", "INVALID_REQUEST": "SIM30", "ACCOUNT_NOT_FOUND": "SIM14", "INSUFFICIENT_FUNDS": "SIM51",
    "LIMIT_EXCEEDED": "SIM61",
}  # fmt: skip
# How a connection to this simulator lists them.
REJECTION_CODES: Final = {
    "SIM30": "invalid_request", "SIM14": "invalid_request", "SIM51": "insufficient_funds", "SIM61": "limit_exceeded",
}  # fmt: skip

_INTERNAL: Final = (
    "Country", "TransactionID", "BeneficiaryAccountName", "DebitAccountNumber", "CreditAccountNumber", "Currency",
    "Amount", "Narration",
)  # fmt: skip
_PESALINK: Final = (
    "BeneficiaryAccountNumber", "BeneficiaryBankBIC", "BeneficiaryName", "Amount", "Currency", "Narration",
    "SenderAccountNumber", "SenderCIF", "SenderCountry", "TransactionID",
)  # fmt: skip
_FLOAT: Final = (
    "reqAgentName", "reqCreditAmount", "reqCustomerReference", "reqDealReference", "reqDebitAccountNumber",
    "reqDebitAcCurrency", "reqDebitAmount", "reqMobileNumber", "reqPayBillTillNo", "reqPaymentDescription",
    "reqPaymentType", "reqToAccountName", "reqTransactionReferenceNo", "reqTxnDate", "senderCountry",
)  # fmt: skip
_MAY_BE_EMPTY: Final = frozenset({"reqMobileNumber"})
_STATEMENT: Final = ("fromDate", "toDate", "country", "accountNo")

Handler = Callable[[Request, Customer, dict[str, str]], Awaitable[Response]]
Family = Literal["resultCode", "resErrorCode"]


def open_banking_routes(world: World, bank: Bank) -> APIRouter:
    router = APIRouter(prefix="/api/v1")

    def post(path: str, fields: tuple[str, ...], family: Family, handler: Handler) -> None:
        async def endpoint(request: Request) -> Response:
            bank.resume()
            try:
                customer = open_banking_customer(world, request)
                return await handler(request, customer, await _fields(request, fields, family))
            except Refused as refused:
                return refused.response

        router.add_api_route(path, endpoint, methods=["POST"], response_model=None, name=path)

    @router.post("/Auth/generate-token", response_model=None)
    async def generate_token(request: Request) -> Response:
        try:
            past_firewall(request)
            return JSONResponse(login(world, request, await request.json()))
        except Refused as refused:
            return refused.response

    async def internal(request: Request, customer: Customer, body: dict[str, str]) -> Response:
        destination = body["CreditAccountNumber"]
        facts = {
            "rail": "internal", "source": body["DebitAccountNumber"], "target": destination,
            "name": body["BeneficiaryAccountName"],
        }  # fmt: skip
        return await _transfer(world, bank, request, customer, body, facts)

    async def pesalink(request: Request, customer: Customer, body: dict[str, str]) -> Response:
        facts = {
            "rail": "pesalink", "source": body["SenderAccountNumber"],
            "target": f"pesalink:{body['BeneficiaryBankBIC']}", "name": body["BeneficiaryName"],
        }  # fmt: skip
        return await _transfer(world, bank, request, customer, body, facts)

    async def buy_float(request: Request, customer: Customer, body: dict[str, str]) -> Response:
        return await _float(world, bank, request, customer, body)

    async def statement(request: Request, customer: Customer, body: dict[str, str]) -> Response:
        return await _statement(world, bank, request, customer, body)

    post("/IFTTransaction/ifttransaction", _INTERNAL, "resultCode", internal)
    post("/PesaLinkTransaction/pesaLinktransaction", _PESALINK, "resultCode", pesalink)
    post("/FloatPurchase/floatpurchase", _FLOAT, "resErrorCode", buy_float)
    post("/AccountStatement/accountstatement", _STATEMENT, "resultCode", statement)
    return router


async def _transfer(
    world: World, bank: Bank, request: Request, customer: Customer, body: dict[str, str], facts: dict[str, str]
) -> Response:
    reference, amount = body["TransactionID"], _money(body["Amount"], body["Currency"], "resultCode")
    seen = {"dialect": "ncba", "reference": reference, "account": facts["source"], "amount": amount.amount}
    fault = world.faults.next("bank.transfer", rail=facts["rail"], **seen)
    if ended := await mishaps.before(fault, request) or _refused(fault, "resultCode"):
        return ended
    problem = bank.problem(
        source=facts["source"], owned=customer["accounts"], amount=amount, rail=facts["rail"], target=facts["target"],
        destination=facts["target"],
    )  # fmt: skip
    if problem:
        return _said("resultCode", CODES[problem], problem)
    order = bank.take(
        dialect="ncba", what="transfer", reference=reference, source=facts["source"], target=facts["target"],
        amount=amount, narration=body["Narration"], name=facts["name"], fault=_as_transfer(fault),
    )  # fmt: skip
    bank.settle(order)  # "000" is final for both rails, so the money moves before the answer
    done = {"resultCode": "000", "statusDescription": "Success", "transactionReference": order["transaction_id"]}
    return await mishaps.after(fault, request, JSONResponse(done), _odd(fault, "resultCode"))


async def _float(world: World, bank: Bank, request: Request, customer: Customer, body: dict[str, str]) -> Response:
    reference, source = body["reqTransactionReferenceNo"], body["reqDebitAccountNumber"]
    amount = _money(body["reqDebitAmount"], body["reqDebitAcCurrency"], "resErrorCode")
    seen = {"dialect": "ncba", "reference": reference, "account": source, "amount": amount.amount}
    fault = world.faults.next("bank.float", operator="mpesa", **seen)
    if ended := await mishaps.before(fault, request) or _refused(fault, "resErrorCode"):
        return ended
    if body["reqPaymentType"] != "FloatPurchase" or body["reqCreditAmount"] != body["reqDebitAmount"]:
        return _said("resErrorCode", CODES["INVALID_REQUEST"], "INVALID_REQUEST")
    if problem := bank.problem(source=source, owned=customer["accounts"], amount=amount):
        return _said("resErrorCode", CODES[problem], problem)
    order = bank.take(
        dialect="ncba", what="float", reference=reference, source=source,
        target=f"float:mpesa:{body['reqPayBillTillNo']}", amount=amount, narration=body["reqPaymentDescription"],
        name=body["reqToAccountName"], fault=fault,
    )  # fmt: skip
    if mishaps.executes_at_once(fault):
        bank.settle(order)
    else:
        bank.start(order)
    taken = {
        "hdrRefNo": reference, "hdrTranId": order["transaction_id"], "resErrorCode": "000",
        "resErrorDesc": "Accepted", "UnitId": "KE",
    }  # fmt: skip
    return await mishaps.after(fault, request, JSONResponse(taken), _odd(fault, "resErrorCode"))


async def _statement(world: World, bank: Bank, request: Request, customer: Customer, body: dict[str, str]) -> Response:
    account = body["accountNo"]
    fault = world.faults.next("bank.statement", dialect="ncba", account=account)
    if ended := await mishaps.before(fault, request):
        return ended
    if account not in customer["accounts"]:
        return _said("resultCode", CODES["ACCOUNT_NOT_FOUND"], "ACCOUNT_NOT_FOUND")
    try:
        start, end = (
            datetime.strptime(body[name], "%d%m%Y").replace(tzinfo=NAIROBI) for name in ("fromDate", "toDate")
        )
    except ValueError:
        return _said("resultCode", CODES["INVALID_REQUEST"], "INVALID_REQUEST")
    rows = bank.ledger.statement(account, start.date().isoformat(), end.date().isoformat())
    lines = [_row(row) for row in rows]
    if fault and fault.action == "unnamed_lines":
        lines = [line | {"InstrumentReferenceNumber": ""} for line in lines]
    if fault and fault.action == "torn_line" and lines:
        lines.insert(0, lines[0] | {"CreditAmount": "?", "InstrumentReferenceNumber": "FT26014TORN"})
    return JSONResponse({"resultCode": "000", "transactions": lines})


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    debit = entry["direction"] == "debit"
    return {
        "ValueDate": f"{datetime.fromisoformat(entry['at']).astimezone(NAIROBI):%d%m%Y}",
        "CreditDebitFlag": "D" if debit else "C",
        "CreditAmount": "0.00" if debit else entry["amount"],
        "DebitAmount": entry["amount"] if debit else "0.00",
        "RunningBalance": entry["balance"],
        "InstrumentReferenceNumber": entry["bank_transaction_id"],
        "Narrative": entry["narration"],
        "TransactionCode": "DR" if debit else "CR",
        "TransactionCodeDescription": entry["kind"].upper(),
        "PaymentDetails": entry["name"],
        "CreditReference": "",
        "AdditionalReference": entry["reference"] or "",
        "TransactionCurrency": entry["currency"],
    }


async def _fields(request: Request, names: tuple[str, ...], family: Family) -> dict[str, str]:
    """The body's fields by NCBA's exact spelling; an unknown one is refused, since it is a misspelt one."""
    try:
        body = await request.json()
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    wrong = [n for n in names if not isinstance(body.get(n), str) or not (body[n] or n in _MAY_BE_EMPTY)]
    wrong += [name for name in body if name not in names]
    if wrong:
        raise Refused(_said(family, CODES["INVALID_REQUEST"], f"Invalid {wrong[0]}"))
    return body


def _money(amount: str, currency: str, family: Family) -> Money:
    try:
        money = Money.parse(amount, currency)
        if money.minor > 0:
            return money
    except InvalidRequest:
        pass
    raise Refused(_said(family, CODES["INVALID_REQUEST"], "Invalid amount"))


def _said(family: Family, code: str, words: str) -> Response:
    description = "statusDescription" if family == "resultCode" else "resErrorDesc"
    return JSONResponse({family: code, description: words})


def _refused(fault: Fault | None, family: Family) -> Response | None:
    if fault is None or fault.action != "refuse":
        return None
    return _said(family, str(fault.options.get("code", "RC01")), "Declined")


def _odd(fault: Fault | None, family: Family) -> Response:
    return _said(family, str(fault.options.get("code", "999")) if fault else "999", "Transaction failed")


def _as_transfer(fault: Fault | None) -> Fault | None:
    """A transfer that was answered "000" can only be rejected later by moving the money back."""
    if fault is None or fault.action != "reject_later":
        return fault
    return fault.model_copy(update={"action": "reverse_later"})
