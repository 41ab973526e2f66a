"""Repayments, deposits, savings accounts and the search, refused and answered as Fineract does (fineract.md 7, 8, 13)."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from providers.repayments import AccountKind
from tests.simulators.fineract.bank import KINDS, PAYING, Bank, disburse_body, pay_body, today

both_kinds = pytest.mark.parametrize("kind", KINDS)

EARLY = "error.msg.loan.repayment.or.waiver.cannot.be.made.before"


def codes(answer: httpx.Response) -> list[str]:
    return [item["userMessageGlobalisationCode"] for item in answer.json()["errors"]]


async def typed(bank: Bank, **changes: Any) -> dict[str, Any]:
    """A body with a payment type, without which a deposit is refused."""
    return pay_body(**{"paymentTypeId": await bank.payment_type(), **changes})


# ---------------------------------------------------------------------------------------------------------- repayments


async def test_a_repayment_answers_with_its_transaction_and_lowers_what_is_owed(bank: Bank) -> None:
    loan_id = await bank.active_loan(outstanding="4000")
    answer = (await bank.pay("loan", loan_id, await typed(bank, externalId="x", receiptNumber="R1"))).json()
    [item] = await bank.payments("loan", loan_id)
    assert (answer["loanId"], answer["resourceId"], answer["resourceExternalId"]) == (loan_id, item["id"], "x")
    assert "subResourceId" not in answer
    body = (await bank.call("GET", f"/loans/{loan_id}", associations="transactions")).json()
    assert (body["summary"]["totalOutstanding"], body["summary"]["principalPaid"]) == (2500, 7500)
    shown = next(row for row in body["transactions"] if row["type"]["repayment"])
    assert (shown["id"], shown["amount"], shown["externalId"]) == (item["id"], 1500, "x")
    assert shown["paymentDetailData"]["receiptNumber"] == "R1"


async def test_interest_is_paid_before_principal_and_the_rest_is_too_much(bank: Bank) -> None:
    loan_id = await bank.active_loan(principal="1000", outstanding="1200")
    for amount in ("150", "1100"):
        assert (await bank.pay("loan", loan_id, pay_body(transactionAmount=amount))).status_code == 200
    first, second = await bank.payments("loan", loan_id)
    assert (first["portions"]["interestPortion"], first["portions"]["principalPortion"]) == ("150.00", "0.00")
    assert (second["portions"]["interestPortion"], second["portions"]["principalPortion"]) == ("50.00", "1000.00")
    assert second["portions"]["overpaymentPortion"] == "50.00"
    body = (await bank.call("GET", f"/loans/{loan_id}")).json()
    assert (body["status"]["id"], body["status"]["overpaid"], body["totalOverpaid"]) == (700, True, 50)
    assert body["summary"]["totalOutstanding"] == 0


async def test_paying_to_zero_closes_the_loan_and_an_undo_opens_it_again(bank: Bank) -> None:
    loan_id = await bank.active_loan(outstanding="1500")
    paid = (await bank.pay("loan", loan_id, pay_body(externalId="x"))).json()["resourceId"]
    body = (await bank.call("GET", f"/loans/{loan_id}")).json()
    assert (body["status"]["id"], body["status"]["closedObligationsMet"]) == (600, True)
    assert (await bank.undo_payment("loan", loan_id, paid)).status_code == 200
    body = (await bank.call("GET", f"/loans/{loan_id}", associations="transactions")).json()
    assert (body["status"]["id"], body["summary"]["totalOutstanding"]) == (300, 1500)
    undone = next(row for row in body["transactions"] if row["id"] == paid)
    assert (undone["manuallyReversed"], undone["externalId"]) == (True, "x")
    # The external id stays used for ever.
    assert (await bank.pay("loan", loan_id, pay_body(externalId="x"))).status_code == 400
    assert (await bank.undo_payment("loan", loan_id, paid)).status_code == 403


async def test_an_adjustment_reverses_and_books_the_other_amount(bank: Bank) -> None:
    loan_id = await bank.active_loan()
    paid = (await bank.pay("loan", loan_id, pay_body())).json()["resourceId"]
    path = f"/loans/{loan_id}/transactions/{paid}"
    adjusted = await bank.call("POST", path, pay_body(transactionAmount="700"), command="anything")
    [standing] = await bank.payments("loan", loan_id)
    assert (standing["id"], standing["amount"]) == (adjusted.json()["resourceId"], "700.00")


async def test_a_repayment_can_be_read_by_its_id_and_by_its_external_id_on_its_own_loan_only(bank: Bank) -> None:
    first, second = await bank.active_loan(), await bank.active_loan()
    paid = (await bank.pay("loan", first, pay_body(externalId="mpesa-X"))).json()["resourceId"]
    for path in (str(paid), "external-id/mpesa-X"):
        assert (await bank.call("GET", f"/loans/{first}/transactions/{path}")).json()["id"] == paid
        assert (await bank.call("GET", f"/loans/{second}/transactions/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"receipt": "X"}, 400, "error.msg.parameter.unsupported"),
        ({"locale": None}, 400, "validation.msg.missing.locale.parameter"),
        ({"transactionDate": None}, 400, "validation.msg.loan.transaction.transactionDate.cannot.be.blank"),
        ({"transactionAmount": None}, 400, "validation.msg.loan.transaction.transactionAmount.cannot.be.blank"),
        ({"transactionAmount": "0"}, 400, "validation.msg.loan.transaction.transactionAmount.not.greater.than.zero"),
        ({"paymentTypeId": 99}, 404, "error.msg.payment.type.invalid"),
        (
            {"transactionDate": "2020-01-01"},
            403,
            f"{EARLY}.client.transfer.date",
        ),
        ({"transactionDate": "2999-01-01"}, 403, "error.msg.loan.transaction.cannot.be.a.future.date"),
    ],
)
async def test_a_repayment_is_refused_as_strictly_as_the_server_refuses_it(
    bank: Bank, change: dict[str, Any], status: int, code: str
) -> None:
    loan_id = await bank.active_loan()
    answer = await bank.pay("loan", loan_id, pay_body(**change))
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert await bank.payments("loan", loan_id) == []


@pytest.mark.parametrize(("blocks", "status"), [(False, 400), (True, 403)])
async def test_a_loan_that_is_not_active_takes_nothing(bank: Bank, blocks: bool, status: int) -> None:
    await bank.tenant("default", blocksClosedLoans=blocks)
    loans = [await bank.active_loan(outstanding=owed) for owed in ("1500", "1400")]
    for loan_id in loans:
        assert (await bank.pay("loan", loan_id, pay_body())).status_code == 200
        assert (await bank.pay("loan", loan_id, pay_body())).status_code == status
    approved = await bank.pay("loan", await bank.loan(), pay_body())
    assert codes(approved) == ["error.msg.loan.must.be.active.fully.paid.or.overpaid"]
    await bank.tenant("default", olderCodes=True)
    approved = await bank.pay("loan", await bank.loan(), pay_body())
    assert codes(approved) == ["error.msg.loan.repayment.or.waiver.account.is.not.active"]


@pytest.mark.parametrize("status", [400, 403])
async def test_a_repayments_external_id_is_unique_among_all_transactions_of_all_loans(bank: Bank, status: int) -> None:
    await bank.tenant("default", secondExternalId=status)
    first, second = await bank.loan(), await bank.active_loan()
    assert (await bank.command(first, "disburse", disburse_body(externalId="x"))).status_code == 200
    assert (await bank.pay("loan", second, pay_body(externalId="x"))).status_code == status


# ------------------------------------------------------------------------------------------------------------- savings


async def test_a_deposit_answers_with_its_transaction_and_raises_the_balance(bank: Bank) -> None:
    savings_id = await bank.savings(balance="100")
    answer = (await bank.pay("savings", savings_id, await typed(bank, receiptNumber="R1"))).json()
    [item] = await bank.payments("savings", savings_id)
    assert (answer["savingsId"], answer["resourceId"], "loanId" in answer) == (savings_id, item["id"], False)
    assert answer["changes"]["receiptNumber"] == "R1"
    body = (await bank.call("GET", f"/savingsaccounts/{savings_id}", associations="transactions")).json()
    assert (body["summary"]["accountBalance"], body["transactions"][0]["runningBalance"]) == (1600, 1600)
    read = (await bank.call("GET", f"/savingsaccounts/{savings_id}/transactions/{item['id']}")).json()
    assert (read["paymentDetailData"]["receiptNumber"], read["transactionType"]["deposit"]) == ("R1", True)
    assert (await bank.undo_payment("savings", savings_id, item["id"])).status_code == 200
    assert (await bank.savings_book(savings_id))["balance"] == "100.00"
    assert (await bank.undo_payment("savings", savings_id, item["id"])).status_code == 403


async def test_a_deposit_needs_a_payment_type_and_knows_no_external_id_unless_the_server_is_new(bank: Bank) -> None:
    savings_id = await bank.savings()
    untyped = await bank.pay("savings", savings_id, pay_body())
    assert codes(untyped) == ["validation.msg.savingsaccount.transaction.paymentTypeId.cannot.be.blank"]
    named = await bank.pay("savings", savings_id, await typed(bank, externalId="x"))
    assert (named.status_code, codes(named)) == (400, ["error.msg.parameter.unsupported"])
    await bank.tenant("default", savingsExternalIds=True)
    assert (await bank.pay("savings", savings_id, await typed(bank, externalId="x"))).status_code == 200
    assert (await bank.pay("savings", savings_id, await typed(bank, externalId="x"))).status_code == 403


@pytest.mark.parametrize(
    ("seed", "change", "status", "code"),
    [
        ({"status": "approved"}, {}, 400, "error.msg.savingsaccount.transaction.account.is.not.active"),
        ({"status": "closed"}, {}, 400, "error.msg.savingsaccount.transaction.account.is.not.active"),
        ({"creditsBlocked": True}, {}, 403, "error.msg.savings.account.credit.transaction.not.allowed"),
        ({}, {"transactionDate": "2999-01-01"}, 400, "error.msg.savingsaccount.transaction.in.the.future"),
        ({}, {"transactionDate": "2020-01-01"}, 400, "error.msg.savingsaccount.transaction.before.activation.date"),
    ],
)
async def test_a_deposit_is_refused_as_the_server_refuses_it(
    bank: Bank, seed: dict[str, Any], change: dict[str, Any], status: int, code: str
) -> None:
    savings_id = await bank.savings(**seed)
    answer = await bank.pay("savings", savings_id, await typed(bank, **change))
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert (await bank.savings_book(savings_id))["balance"] == "0.00"


async def test_deposits_are_searched_by_day_amount_and_type_a_page_at_a_time_the_latest_first(bank: Bank) -> None:
    savings_id = await bank.savings()
    yesterday = (today() - timedelta(days=1)).isoformat()
    made = []
    for amount, day in (("100", yesterday), ("200", yesterday), ("100", today().isoformat())):
        body = await typed(bank, transactionAmount=amount, transactionDate=day)
        made.append((await bank.pay("savings", savings_id, body)).json()["resourceId"])

    async def search(**query: str) -> list[int]:
        path = f"/savingsaccounts/{savings_id}/transactions/search"
        body = (await bank.call("GET", path, **query)).json()
        assert body["total"] >= len(body["content"])
        return [row["id"] for row in body["content"]]

    assert await search() == made[::-1]
    assert await search(fromAmount="100", toAmount="100.00") == [made[2], made[0]]
    assert await search(fromDate=yesterday, toDate=yesterday) == [made[1], made[0]]
    assert await search(types="2") == []
    assert await search(types="1", credit="true", limit="1", offset="1") == [made[1]]


async def test_savings_accounts_are_listed_by_external_id_and_not_by_number(bank: Bank) -> None:
    first, second = await bank.savings(externalId="akiba-1"), await bank.savings()
    found = (await bank.call("GET", "/savingsaccounts", externalId="akiba-1")).json()
    assert [row["id"] for row in found["pageItems"]] == [first]
    unfiltered = (await bank.call("GET", "/savingsaccounts", accountNo=f"{second:09d}")).json()
    assert [row["id"] for row in unfiltered["pageItems"]] == [first, second]


# -------------------------------------------------------------------------------------------------- both, and the search


@both_kinds
async def test_a_payment_goes_through_the_store_of_keys_by_its_own_action(bank: Bank, kind: AccountKind) -> None:
    first, second = await bank.payable(kind), await bank.payable(kind)
    body = await typed(bank)
    one = await bank.pay(kind, first, body, key="same")
    other = await bank.pay(kind, second, body, key="same")
    assert (other.headers["x-served-from-cache"], other.json()) == ("true", one.json())
    assert await bank.payments(kind, second) == []
    bad = await bank.pay(kind, first, body | {"transactionDate": "2999-01-01"}, key="bad")
    again = await bank.pay(kind, first, body, key="bad")
    assert (again.status_code, again.json(), again.headers["x-served-from-cache"]) == (
        bad.status_code,
        bad.json(),
        "true",
    )
    assert len(await bank.payments(kind, first)) == 1


async def test_keys_of_repayments_deposits_and_disbursals_do_not_meet(bank: Bank) -> None:
    body = await typed(bank)
    answers = [
        await bank.pay("loan", await bank.active_loan(), body, key="same"),
        await bank.pay("savings", await bank.savings(), body, key="same"),
        await bank.command(await bank.loan(), "disburse", disburse_body(), key="same"),
    ]
    assert [("x-served-from-cache" in answer.headers, answer.status_code) for answer in answers] == [(False, 200)] * 3


@both_kinds
async def test_a_payment_that_waits_for_its_checker_or_meets_a_locked_loan_books_nothing(
    bank: Bank, kind: AccountKind
) -> None:
    account_id, body = await bank.payable(kind), await typed(bank)
    await bank.fault(PAYING[kind], "locked")
    locked = await bank.pay(kind, account_id, body, key="k1")
    assert (locked.status_code, "errors" in locked.json()) == (409, False)
    await bank.fault(PAYING[kind], "maker_checker")
    waiting = await bank.pay(kind, account_id, body, key="k1")  # the lock left the key free
    assert (waiting.status_code, waiting.json()["rollbackTransaction"]) == (200, True)
    assert await bank.payments(kind, account_id) == []


@both_kinds
async def test_another_command_and_a_user_without_the_permission_are_refused(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    folder = "loans" if kind == "loan" else "savingsaccounts"
    unknown = await bank.call("POST", f"/{folder}/{account_id}/transactions", pay_body(), command="waiver")
    assert unknown.status_code == 400
    await bank.tenant("default", permissions=["ALL_FUNCTIONS_READ", "CREATE_PAYMENTTYPE"])
    refused = await bank.pay(kind, account_id, await typed(bank))
    assert refused.json()["userMessageGlobalisationCode"] == "error.msg.not.authorized"


async def test_the_search_is_like_even_where_an_exact_match_is_asked_for(bank: Bank) -> None:
    client_id = await bank.client(displayName="Njeri Kamau", mobileNo="0722000222")
    loan_id = await bank.active_loan(clientId=client_id, accountNo="AB12", externalId="ext-1")
    savings_id = await bank.savings(clientId=client_id, accountNo="AB13")

    async def search(query: str, exact: str = "true", resource: str = "loans,savings") -> list[tuple[str, int]]:
        answer = await bank.call("GET", "/search", query=query, exactMatch=exact, resource=resource)
        return [(row["entityType"], row["entityId"]) for row in answer.json()]

    both = [("LOAN", loan_id), ("SAVING", savings_id)]
    assert await search("AB1_") == await search("%") == await search("B1", exact="false") == both
    assert await search("ab12") == await search("EXT-1") == both[:1]
    assert await search("B1") == []
    assert await search("AB1_", resource="savings") == both[1:]
    assert await search("0722000222", resource="clients") == [("CLIENT", client_id)]


async def test_a_loan_and_a_savings_account_may_share_a_number_but_two_loans_may_not(bank: Bank) -> None:
    client_id = await bank.client()
    await bank.active_loan(clientId=client_id, accountNo="000000777")
    await bank.savings(clientId=client_id, accountNo="000000777")
    for what in ("loans", "savings"):
        seed = {"clientId": client_id, "productId": 1, "principal": "100", "accountNo": "000000777"}
        seed = {name: value for name, value in seed.items() if what == "loans" or name in ("clientId", "accountNo")}
        assert (await bank.http.post(f"{bank.root}/fineract/simulator/{what}", json=seed)).status_code == 422
    found = (await bank.call("GET", "/loans", accountNo="000000777", limit="2")).json()["pageItems"]
    assert [row["accountNo"] for row in found] == ["000000777"]


async def test_loans_are_listed_by_external_id(bank: Bank) -> None:
    loan_id, _ = await bank.loan(externalId="L-1"), await bank.loan()
    found = (await bank.call("GET", "/loans", externalId="L-1", limit="2")).json()["pageItems"]
    assert [(row["id"], row["externalId"]) for row in found] == [(loan_id, "L-1")]
