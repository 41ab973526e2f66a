"""Booking a payout in Fineract: once, whatever is answered."""

import asyncio

import pytest

from core.errors import Busy, Conflict, InvalidRequest, LimitExceeded, NoAnswer, NotAllowed, NotFound, Transient
from core.money import Money
from providers.fineract.commands import suffixed_key
from providers.ports import DisbursalPosted, Exchange
from tests.simulators.fineract.bank import Bank, disbursal, today


async def test_a_payout_is_booked_with_its_receipt_under_a_payment_type_made_for_it(bank: Bank) -> None:
    """SCARS: posting back uses the wrong command or date format."""
    loan_id = await bank.loan()
    async with bank.fineract() as fineract:
        posted = await fineract.post_disbursal(disbursal(loan_id))
    book = await bank.book(loan_id)
    [item] = book["transactions"]
    assert posted == DisbursalPosted(loan_id, item["id"], already_there=False)
    assert book["status"] == "active"
    assert (item["amount"], item["date"]) == ("10000.00", today().isoformat())
    assert (item["receiptNumber"], item["accountNumber"]) == (f"SFT{loan_id}K2QX9P", "254712000111")
    assert item["externalId"] == f"kvk-d-{loan_id}"
    types = (await bank.call("GET", "/paymenttypes")).json()
    assert [(row["id"], row["isCashPayment"]) for row in types if row["name"] == "M-Pesa"] == [
        (item["paymentTypeId"], False)
    ]


async def test_the_payment_type_is_looked_up_once_per_client_and_made_once(bank: Bank) -> None:
    loans = await bank.loans(4)
    calls: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        calls.append(exchange)

    async with bank.fineract(recorder=keep) as fineract:
        await asyncio.gather(*(fineract.post_disbursal(disbursal(loan_id)) for loan_id in loans))
    operations = [call.operation for call in calls]
    assert operations.count("payment_types.list") == 1
    assert operations.count("payment_types.make") == 1


@pytest.mark.parametrize("action", ["timeout_after_commit", "error_500_after_commit", "html_502_after_commit"])
async def test_an_answer_lost_after_the_booking_is_found_again_and_never_booked_twice(bank: Bank, action: str) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", action, options={"seconds": 20})
    async with bank.fineract(patience=0.5) as fineract:
        first = await fineract.post_disbursal(disbursal(loan_id))
        second = await fineract.post_disbursal(disbursal(loan_id))
        other_key = await fineract.post_disbursal(disbursal(loan_id, idempotency_key="kvk:d:new:2"))
    assert first.already_there
    assert first == second == other_key
    assert [item["id"] for item in await bank.disbursals(loan_id)] == [first.transaction_id]


async def test_a_timeout_and_a_failed_re_read_is_unknown_and_the_same_key_settles_it(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "html_502_after_commit")
    await bank.fault("fineract.read", "down", match={"what": "loan"})
    async with bank.fineract() as fineract:
        with pytest.raises(NoAnswer) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
        assert caught.value.code == "not_verified"
        assert (await fineract.post_disbursal(disbursal(loan_id))).already_there
    assert len(await bank.disbursals(loan_id)) == 1


async def test_a_refused_re_read_after_a_lost_answer_is_unknown_too(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "error_500_after_commit")
    await bank.fault("fineract.read", "unauthorized", match={"what": "loan"})
    async with bank.fineract() as fineract:
        with pytest.raises(NoAnswer):
            await fineract.post_disbursal(disbursal(loan_id))


async def test_an_error_before_the_booking_is_transient_once_the_loan_was_read(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "error_500_before")
    async with bank.fineract() as fineract:
        with pytest.raises(Transient) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
        assert (caught.value.code, caught.value.extra.get("new_key")) == ("not_booked", None)
        assert not (await fineract.post_disbursal(disbursal(loan_id))).already_there
    assert len(await bank.disbursals(loan_id)) == 1


async def test_a_failure_that_the_key_keeps_replaying_asks_for_a_new_key(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "error_500_before", options={"recorded": True})
    async with bank.fineract() as fineract:
        with pytest.raises(Transient):
            await fineract.post_disbursal(disbursal(loan_id))
        with pytest.raises(Transient) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
        assert caught.value.extra["new_key"] == "yes"
        await fineract.post_disbursal(disbursal(loan_id, idempotency_key=f"kvk:d:{loan_id}:2"))
    assert len(await bank.disbursals(loan_id)) == 1


async def test_a_slow_booking_that_outlives_our_patience_is_booked_once(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "slow", options={"seconds": 1.2})
    async with bank.fineract(patience=0.5) as fineract:
        with pytest.raises(Transient) as first:
            await fineract.post_disbursal(disbursal(loan_id))
        with pytest.raises(Busy) as second:  # the first command still runs
            await fineract.post_disbursal(disbursal(loan_id))
        assert (first.value.code, second.value.code) == ("not_booked", "still_processing")
        for _ in range(20):
            try:
                posted = await fineract.post_disbursal(disbursal(loan_id))
                break
            except Busy:
                await asyncio.sleep(0.1)
    assert posted.already_there
    assert len(await bank.disbursals(loan_id)) == 1


async def test_simultaneous_posts_of_one_payout_book_it_once(bank: Bank) -> None:
    loan_id = await bank.loan()
    async with bank.fineract() as one, bank.fineract() as two:
        results = await asyncio.gather(
            *(client.post_disbursal(disbursal(loan_id)) for client in (one, two) * 3), return_exceptions=True
        )
    assert all(isinstance(result, DisbursalPosted | Busy) for result in results), results
    assert len(await bank.disbursals(loan_id)) == 1


@pytest.mark.parametrize(
    ("action", "code", "new_key"),
    [("locked", "loan_locked", None), ("still_processing_425", "still_processing", None)],
)
async def test_a_busy_answer_that_leaves_the_key_unused_is_repeated_with_the_same_key(
    bank: Bank, action: str, code: str, new_key: str | None
) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", action, times=2)
    async with bank.fineract() as fineract:
        for _ in range(2):
            with pytest.raises(Busy) as caught:
                await fineract.post_disbursal(disbursal(loan_id))
            assert (caught.value.code, caught.value.extra.get("new_key")) == (code, new_key)
        assert not (await fineract.post_disbursal(disbursal(loan_id))).already_there


async def test_a_recorded_lock_conflict_needs_a_new_key(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "conflict_409")
    async with bank.fineract() as fineract:
        for _ in range(2):  # the second time it is the stored failure
            with pytest.raises(Busy) as caught:
                await fineract.post_disbursal(disbursal(loan_id))
            assert caught.value.extra["new_key"] == "yes"
        await fineract.post_disbursal(disbursal(loan_id, idempotency_key=f"kvk:d:{loan_id}:2"))
    assert len(await bank.disbursals(loan_id)) == 1


async def test_a_refusal_that_an_operator_mended_needs_a_new_key(bank: Bank) -> None:
    client_id = await bank.client(active=False)
    loan_id = await bank.loan(clientId=client_id)
    async with bank.fineract() as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
        assert (caught.value.code, caught.value.extra["new_key"]) == ("client_not_active", "yes")
        assert caught.value.extra["provider_code"] == "error.msg.client.not.active.exception"
        await bank.client(id=client_id, active=True)
        with pytest.raises(NotAllowed):  # sticky: the old key still says what was
            await fineract.post_disbursal(disbursal(loan_id))
        await fineract.post_disbursal(disbursal(loan_id, idempotency_key=f"kvk:d:{loan_id}:2"))
    assert len(await bank.disbursals(loan_id)) == 1


@pytest.mark.parametrize("refusal", [400, 403])
async def test_a_loan_disbursed_by_a_person_is_a_conflict_however_the_server_says_it(bank: Bank, refusal: int) -> None:
    await bank.tenant("default", secondDisburse=refusal)
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "disbursed_by_person_first")
    async with bank.fineract() as fineract:
        with pytest.raises(Conflict) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
    assert caught.value.code == "disbursed_elsewhere"
    assert [item["externalId"] for item in await bank.disbursals(loan_id)] == [None]


async def test_a_loan_whose_approval_was_undone_by_a_person_is_a_conflict(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "undone_by_person_first")
    async with bank.fineract() as fineract:
        with pytest.raises(Conflict) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
    assert caught.value.code == "loan_not_approved"


async def test_a_payout_typed_in_by_a_person_under_our_receipt_counts_as_booked(bank: Bank) -> None:
    loan_id = await bank.loan()
    async with bank.fineract() as fineract:
        typed = await fineract.post_disbursal(disbursal(loan_id, external_id="typed", idempotency_key="typed"))
        posted = await fineract.post_disbursal(disbursal(loan_id))
    assert posted == DisbursalPosted(loan_id, typed.transaction_id, already_there=True)


async def test_a_replayed_success_is_not_believed_when_a_person_undid_the_disbursal(bank: Bank) -> None:
    loan_id = await bank.loan()
    async with bank.fineract() as fineract:
        await fineract.post_disbursal(disbursal(loan_id))
        assert (await bank.command(loan_id, "undodisbursal")).status_code == 200
        with pytest.raises(Conflict) as replayed:
            await fineract.post_disbursal(disbursal(loan_id))
        with pytest.raises(Conflict) as again:  # a reversed transaction keeps its external id
            await fineract.post_disbursal(disbursal(loan_id, idempotency_key=f"kvk:d:{loan_id}:2"))
    assert (replayed.value.code, again.value.code) == ("disbursal_undone", "duplicate_external_id")
    assert await bank.disbursals(loan_id) == []


async def test_a_key_used_for_another_loan_is_noticed(bank: Bank) -> None:
    first, second = await bank.loans(2)
    async with bank.fineract() as fineract:
        await fineract.post_disbursal(disbursal(first, idempotency_key="kvk:same"))
        with pytest.raises(Conflict) as caught:
            await fineract.post_disbursal(disbursal(second, idempotency_key="kvk:same"))
    assert (caught.value.code, caught.value.extra["new_key"]) == ("idempotency_key_reused", "yes")
    assert await bank.disbursals(second) == []


async def test_under_maker_checker_a_200_is_not_a_booking(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "maker_checker")
    async with bank.fineract() as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
    assert caught.value.code == "awaiting_checker"
    assert await bank.disbursals(loan_id) == []


async def test_an_old_server_that_names_no_transaction_is_asked_for_it(bank: Bank) -> None:
    await bank.tenant("default", namesTransactions=False)
    loan_id = await bank.loan()
    async with bank.fineract() as fineract:
        posted = await fineract.post_disbursal(disbursal(loan_id))
    [item] = await bank.disbursals(loan_id)
    assert posted == DisbursalPosted(loan_id, item["id"], already_there=False)


async def test_a_payment_type_that_was_removed_is_resolved_again(bank: Bank) -> None:
    first, second = await bank.loans(2)
    async with bank.fineract() as fineract:
        await fineract.post_disbursal(disbursal(first))
        [item] = await bank.disbursals(first)
        assert (await bank.call("DELETE", f"/paymenttypes/{item['paymentTypeId']}")).status_code == 200
        posted = await fineract.post_disbursal(disbursal(second))
    [other] = await bank.disbursals(second)
    assert not posted.already_there
    assert other["paymentTypeId"] != item["paymentTypeId"]
    assert other["receiptNumber"] == f"SFT{second}K2QX9P"


async def test_more_than_was_approved_is_refused_as_a_limit(bank: Bank) -> None:
    loan_id = await bank.loan()
    async with bank.fineract() as fineract:
        with pytest.raises(LimitExceeded) as caught:
            await fineract.post_disbursal(disbursal(loan_id, amount=Money(1_000_001, "KES")))
    assert caught.value.code == "amount_above_approved"


@pytest.mark.parametrize(
    ("code", "status", "kind", "ours"),
    [
        ("error.msg.loan.disbursal.not.allowed.on.charged.off", 403, NotAllowed, "loan_charged_off"),
        ("error.msg.some.rule.of.a.later.version", 403, NotAllowed, "refused_by_rule"),
        ("validation.msg.loan.disbursement.note.exceeds.max.length", 400, InvalidRequest, "invalid_request"),
        ("error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state", 400, Conflict, "loan_state_refused"),
    ],
)
async def test_each_rule_of_the_server_becomes_our_error_with_its_code(
    bank: Bank, code: str, status: int, kind: type[Exception], ours: str
) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "refuse", options={"code": code, "status": status})
    async with bank.fineract() as fineract:
        with pytest.raises(kind) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
    error = caught.value
    assert isinstance(error, InvalidRequest | NotAllowed | Conflict)
    assert (error.code, error.extra["provider_code"], error.extra["new_key"]) == (ours, code, "yes")


async def test_an_unknown_loan_is_not_found(bank: Bank) -> None:
    async with bank.fineract() as fineract:
        with pytest.raises(NotFound):
            await fineract.post_disbursal(disbursal(404_404))


async def test_a_user_without_the_permission_is_told_so(bank: Bank) -> None:
    await bank.tenant("default", username="clerk", password="clerk", permissions=["ALL_FUNCTIONS_READ"])
    loan_id = await bank.loan()
    async with bank.fineract() as owner:
        await owner.post_disbursal(disbursal(await bank.loan()))  # makes the payment type
    async with bank.fineract(username="clerk", password="clerk") as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
    assert caught.value.code == "permission_missing"
    assert await bank.disbursals(loan_id) == []


@pytest.mark.parametrize(
    "change",
    [
        {"idempotency_key": "k" * 51},
        {"receipt": "r" * 51},
        {"account": "1" * 51},
        {"note": "n" * 1001},
        {"external_id": ""},
        {"amount": Money(0, "KES")},
    ],
)
async def test_what_the_server_cannot_carry_is_refused_before_anything_is_sent(
    bank: Bank, change: dict[str, object]
) -> None:
    async with bank.fineract(tenant="nobody-is-asked") as fineract:
        with pytest.raises(InvalidRequest):
            await fineract.post_disbursal(disbursal(1, **change))


def test_a_suffixed_key_fits_is_stable_and_differs() -> None:
    keys = {suffixed_key(key, suffix) for key in ("a", "k" * 50, "k" * 49 + "x") for suffix in ("pt7", "2026-06-28")}
    assert len(keys) == 6
    assert max(map(len, keys)) <= 50
    assert suffixed_key("k" * 50, "pt7") == suffixed_key("k" * 50, "pt7")
