"""Booking a customer's payment on a loan or a savings account: what is booked, and what is refused."""

import pytest

from core.errors import Busy, Conflict, InvalidRequest, KivukoError, NotAllowed, NotFound
from core.money import Money
from providers.ports import Exchange
from providers.repayments import AccountKind, PaymentPosted
from tests.simulators.fineract.bank import KINDS, PAYING, Bank, payment, today

both_kinds = pytest.mark.parametrize("kind", KINDS)


async def test_a_repayment_is_booked_with_its_receipt_and_says_what_is_left(bank: Bank) -> None:
    loan_id = await bank.active_loan(outstanding="4000")
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment("loan", loan_id))
    [item] = await bank.payments("loan", loan_id)
    assert posted == PaymentPosted(loan_id, item["id"], already_there=False, left=Money(250_000, "KES"))
    assert (item["amount"], item["date"], item["paymentType"]) == ("1500.00", today().isoformat(), "M-Pesa")
    assert (item["receiptNumber"], item["accountNumber"]) == (f"SFU{loan_id}B2C3D4", "254712000111")
    assert item["externalId"] == f"mpesa-SFU{loan_id}B2C3D4"


async def test_a_deposit_is_booked_without_an_external_id_and_says_what_is_there(bank: Bank) -> None:
    savings_id = await bank.savings(balance="100.50")
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment("savings", savings_id))
    [item] = await bank.payments("savings", savings_id)
    assert posted == PaymentPosted(savings_id, item["id"], already_there=False, left=Money(160_050, "KES"))
    assert (item["receiptNumber"], item["externalId"]) == (f"SFU{savings_id}B2C3D4", None)


async def test_a_server_that_takes_external_ids_on_deposits_gets_them_where_the_connection_says_so(bank: Bank) -> None:
    await bank.tenant("default", savingsExternalIds=True)
    savings_id = await bank.savings()
    async with bank.fineract(savings_external_ids=True) as fineract:
        first = await fineract.post_payment(payment("savings", savings_id))
        again = await fineract.post_payment(payment("savings", savings_id, receipt="ANOTHER", idempotency_key="k2"))
    [item] = await bank.payments("savings", savings_id)
    assert item["externalId"] == f"mpesa-SFU{savings_id}B2C3D4"
    assert (first.already_there, again.already_there, again.transaction_id) == (False, True, item["id"])


async def test_an_external_id_that_the_server_does_not_know_of_is_a_refusal_that_names_it(bank: Bank) -> None:
    savings_id = await bank.savings()
    async with bank.fineract(savings_external_ids=True) as fineract:
        with pytest.raises(InvalidRequest) as caught:
            await fineract.post_payment(payment("savings", savings_id))
    assert (caught.value.extra["field"], caught.value.extra["new_key"]) == ("externalId", "yes")


@both_kinds
async def test_a_masked_payer_is_left_out(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment(kind, account_id, payer=""))
    assert [item["accountNumber"] for item in await bank.payments(kind, account_id)] == [None]


@both_kinds
async def test_an_account_closed_between_our_look_and_our_command_is_a_conflict(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "closed_by_person_first")
    async with bank.fineract() as fineract:
        with pytest.raises(Conflict) as caught:
            await fineract.post_payment(payment(kind, account_id))
    assert caught.value.code == "account_closed"
    assert [item["by"] for item in await bank.payments(kind, account_id)] == (["mifos"] if kind == "loan" else [])


async def test_accounts_that_take_no_payments_are_refused_without_using_the_key(bank: Bank) -> None:
    accounts: list[tuple[AccountKind, int]] = [
        ("loan", await bank.loan()),
        ("loan", await bank.loan(status="submitted")),
        ("savings", await bank.savings(status="approved")),
        ("savings", await bank.savings(status="closed")),
        ("savings", await bank.savings(creditsBlocked=True)),
    ]
    calls: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        calls.append(exchange)

    async with bank.fineract(recorder=keep) as fineract:
        for kind, account_id in accounts:
            with pytest.raises(Conflict) as caught:
                await fineract.post_payment(payment(kind, account_id))
            assert caught.value.code == "account_closed"
    assert {call.method for call in calls} == {"GET"}


async def test_paying_a_loan_off_closes_it_and_paying_too_much_leaves_it_overpaid(bank: Bank) -> None:
    exact, generous = await bank.active_loan(outstanding="1500"), await bank.active_loan(outstanding="1499.99")
    async with bank.fineract() as fineract:
        off = await fineract.post_payment(payment("loan", exact))
        over = await fineract.post_payment(payment("loan", generous))
        assert (off.left, over.left) == (Money(0, "KES"), Money(0, "KES"))
        # Ours is on them, so it is found although they take nothing more; another payment is refused.
        assert (await fineract.post_payment(payment("loan", exact))).already_there
        for loan_id, state in ((exact, "met"), (generous, "overpaid")):
            with pytest.raises(Conflict) as caught:
                await fineract.post_payment(
                    payment(
                        "loan", loan_id, receipt="NEXT", external_id=f"next-{loan_id}", idempotency_key=f"n{loan_id}"
                    )
                )
            assert (caught.value.code, caught.value.extra["status"]) == ("account_closed", state)
    assert ((await bank.book(exact))["status"], (await bank.book(generous))["status"]) == ("closed", "overpaid")


@pytest.mark.parametrize("refusal", [400, 403])
async def test_an_external_id_that_another_loan_has_is_a_conflict_however_the_server_says_it(
    bank: Bank, refusal: int
) -> None:
    await bank.tenant("default", secondExternalId=refusal)
    first, second = await bank.active_loan(), await bank.active_loan()
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment("loan", first, external_id="mpesa-X"))
        with pytest.raises(Conflict) as caught:
            await fineract.post_payment(payment("loan", second, external_id="mpesa-X"))
    assert (caught.value.code, caught.value.extra["new_key"]) == ("duplicate_external_id", "yes")
    assert await bank.payments("loan", second) == []


@both_kinds
async def test_under_maker_checker_a_200_is_not_a_booking(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "maker_checker")
    async with bank.fineract() as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.post_payment(payment(kind, account_id))
    assert caught.value.code == "awaiting_checker"
    assert await bank.payments(kind, account_id) == []


@both_kinds
async def test_a_payment_type_that_was_removed_is_resolved_again(bank: Bank, kind: AccountKind) -> None:
    first, second = await bank.payable(kind), await bank.payable(kind)
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment(kind, first))
        [item] = await bank.payments(kind, first)
        assert (await bank.call("DELETE", f"/paymenttypes/{item['paymentTypeId']}")).status_code == 200
        posted = await fineract.post_payment(payment(kind, second))
    [other] = await bank.payments(kind, second)
    assert (posted.transaction_id, posted.already_there) == (other["id"], False)
    assert other["paymentTypeId"] != item["paymentTypeId"]


@pytest.mark.parametrize(
    ("code", "status", "refusal", "ours"),
    [
        ("error.msg.loan.repayment.or.waiver.account.is.not.active", 400, Conflict, "account_closed"),
        ("error.msg.loan.transaction.not.allowed.on.closed.or.overpaid", 403, Conflict, "account_closed"),
        ("error.msg.saving.account.blocked.transaction.not.allowed", 403, Conflict, "account_closed"),
        ("error.msg.loan.must.be.active.fully.paid.or.overpaid", 400, Conflict, "account_closed"),
        ("error.msg.savings.concurrent.operations.unable.to.acquire.lock", 403, Busy, "concurrent_change"),
        ("error.msg.client.not.active.exception", 403, NotAllowed, "client_not_active"),
        ("error.msg.some.rule.of.a.later.version", 403, NotAllowed, "refused_by_rule"),
        ("validation.msg.loan.transaction.note.exceeds.max.length", 400, InvalidRequest, "invalid_request"),
    ],
)  # fmt: skip
@both_kinds
async def test_each_rule_of_the_server_becomes_our_error_with_its_code(
    bank: Bank, kind: AccountKind, code: str, status: int, refusal: type[KivukoError], ours: str
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "refuse", options={"code": code, "status": status})
    async with bank.fineract() as fineract:
        with pytest.raises(refusal) as caught:
            await fineract.post_payment(payment(kind, account_id))
    error = caught.value
    assert (error.code, error.extra["provider_code"], error.extra["new_key"]) == (ours, code, "yes")


@both_kinds
async def test_an_unknown_account_is_not_found(bank: Bank, kind: AccountKind) -> None:
    async with bank.fineract() as fineract:
        with pytest.raises(NotFound):
            await fineract.post_payment(payment(kind, 404_404))


@both_kinds
async def test_a_user_without_the_permission_is_told_so(bank: Bank, kind: AccountKind) -> None:
    await bank.tenant("default", username="clerk", password="clerk", permissions=["ALL_FUNCTIONS_READ"])
    account_id = await bank.payable(kind)
    await bank.payment_type()
    async with bank.fineract(username="clerk", password="clerk") as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.post_payment(payment(kind, account_id))
    assert caught.value.code == "permission_missing"
    assert await bank.payments(kind, account_id) == []


@pytest.mark.parametrize(
    "change",
    [
        {"idempotency_key": "k" * 51},
        {"receipt": "r" * 51},
        {"receipt": " "},
        {"payer": "1" * 51},
        {"note": "n" * 1001},
        {"external_id": "x" * 101},
        {"external_id": ""},
        {"amount": Money(0, "KES")},
    ],
)
async def test_what_the_server_cannot_carry_is_refused_before_anything_is_sent(
    bank: Bank, change: dict[str, object]
) -> None:
    async with bank.fineract(tenant="nobody-is-asked") as fineract:
        with pytest.raises(InvalidRequest):
            await fineract.post_payment(payment("loan", 1, **change))


async def test_money_of_another_currency_is_not_booked(bank: Bank) -> None:
    loan_id = await bank.active_loan()
    async with bank.fineract() as fineract:
        with pytest.raises(InvalidRequest) as caught:
            await fineract.post_payment(payment("loan", loan_id, amount=Money(1_500, "UGX")))
    assert caught.value.code == "currency_mismatch"
