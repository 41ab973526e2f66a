"""A customer's payment is booked once, whatever is answered and whoever else books."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from core.errors import Busy, Conflict, NoAnswer, Transient
from core.money import Money
from providers.repayments import AccountKind, PaymentPosted
from simulators.books import SAVINGS
from simulators.world import World
from tests.simulators.fineract.bank import KINDS, PAYING, Bank, noon, payment, today

both_kinds = pytest.mark.parametrize("kind", KINDS)


@both_kinds
@pytest.mark.parametrize("action", ["timeout_after_commit", "error_500_after_commit", "html_502_after_commit"])
async def test_an_answer_lost_after_the_booking_is_found_again_and_never_booked_twice(
    bank: Bank, kind: AccountKind, action: str
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], action, options={"seconds": 20})
    async with bank.fineract(patience=0.5) as fineract:
        first = await fineract.post_payment(payment(kind, account_id))
        second = await fineract.post_payment(payment(kind, account_id))
        other_key = await fineract.post_payment(payment(kind, account_id, idempotency_key="kvk:r:new:2"))
    assert first.already_there
    assert first == second == other_key
    assert first.left == Money(850_000 if kind == "loan" else 150_000, "KES")
    assert [item["id"] for item in await bank.payments(kind, account_id)] == [first.transaction_id]


@both_kinds
async def test_a_lost_answer_and_a_failed_look_is_unknown_and_the_same_post_settles_it(
    bank: Bank, kind: AccountKind
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "html_502_after_commit")
    # The first look works; the second and all that it tries do not.
    await bank.fault("fineract.accounts", "down", skip=1 if kind == "loan" else 2, times=2, match={"kind": kind})
    async with bank.fineract() as fineract:
        with pytest.raises(NoAnswer) as caught:
            await fineract.post_payment(payment(kind, account_id))
        assert (caught.value.code, caught.value.extra["cause"]) == ("not_verified", "no_answer")
        await bank.http.delete(f"{bank.root}/faults")
        assert (await fineract.post_payment(payment(kind, account_id))).already_there
    assert len(await bank.payments(kind, account_id)) == 1


@both_kinds
async def test_a_refused_look_leaves_us_not_knowing_since_an_earlier_call_may_have_booked(
    bank: Bank, kind: AccountKind
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault("fineract.accounts", "unauthorized", match={"account_id": str(account_id)})
    async with bank.fineract() as fineract:
        with pytest.raises(NoAnswer) as caught:
            await fineract.post_payment(payment(kind, account_id))
    assert (caught.value.code, caught.value.extra["reread"]) == ("not_verified", "credentials_refused")


@both_kinds
async def test_an_account_that_went_away_after_a_lost_answer_leaves_us_not_knowing(
    bank: Bank, kind: AccountKind
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "error_500_after_commit")
    await bank.fault("fineract.accounts", "gone", skip=1 if kind == "loan" else 2)
    async with bank.fineract() as fineract:
        with pytest.raises(NoAnswer) as caught:
            await fineract.post_payment(payment(kind, account_id))
    assert (caught.value.code, caught.value.extra["reread"]) == ("not_verified", "not_found")


@both_kinds
@pytest.mark.parametrize("action", ["down", "html", "slow"])
async def test_a_first_look_that_brings_nothing_sends_nothing(bank: Bank, kind: AccountKind, action: str) -> None:
    account_id = await bank.payable(kind)
    await bank.fault("fineract.accounts", action, options={"seconds": 1})
    async with bank.fineract(patience=0.4) as fineract:
        with pytest.raises(Transient):
            await fineract.post_payment(payment(kind, account_id))
    assert await bank.payments(kind, account_id) == []


@both_kinds
async def test_what_is_left_is_unknown_if_the_last_read_fails_and_the_booking_stands(
    bank: Bank, kind: AccountKind
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault("fineract.accounts", "down", skip=1 if kind == "loan" else 2)
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment(kind, account_id))
    assert (posted.already_there, posted.left) == (False, None)
    assert [item["id"] for item in await bank.payments(kind, account_id)] == [posted.transaction_id]


@both_kinds
async def test_a_failure_that_the_key_keeps_replaying_asks_for_a_new_key(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "error_500_before", options={"recorded": True})
    async with bank.fineract() as fineract:
        with pytest.raises(Transient) as first:
            await fineract.post_payment(payment(kind, account_id))
        with pytest.raises(Transient) as second:
            await fineract.post_payment(payment(kind, account_id))
        assert (first.value.code, first.value.extra.get("new_key")) == ("not_booked", None)
        assert (second.value.code, second.value.extra["new_key"]) == ("not_booked", "yes")
        await fineract.post_payment(payment(kind, account_id, idempotency_key="kvk:r:2"))
    assert len(await bank.payments(kind, account_id)) == 1


@both_kinds
async def test_a_slow_booking_that_outlives_our_patience_is_booked_once(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "slow", options={"seconds": 3})
    async with bank.fineract(patience=0.5) as fineract:
        with pytest.raises(Transient) as first:
            await fineract.post_payment(payment(kind, account_id))
        with pytest.raises(Busy) as second:  # the first command still runs
            await fineract.post_payment(payment(kind, account_id))
        assert (first.value.code, second.value.code) == ("not_booked", "still_processing")
        for _ in range(100):
            try:
                posted = await fineract.post_payment(payment(kind, account_id))
                break
            except Busy:
                await asyncio.sleep(0.1)
    assert posted.already_there
    assert len(await bank.payments(kind, account_id)) == 1


@both_kinds
async def test_simultaneous_posts_of_one_payment_book_it_once(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    async with bank.fineract() as one, bank.fineract() as two:
        results = await asyncio.gather(
            *(client.post_payment(payment(kind, account_id)) for client in (one, two) * 3), return_exceptions=True
        )
    assert all(isinstance(result, PaymentPosted | Busy) for result in results), results
    assert len(await bank.payments(kind, account_id)) == 1


@both_kinds
@pytest.mark.parametrize(
    ("action", "code", "new_key"),
    [
        ("locked", "loan_locked", None),
        ("still_processing_425", "still_processing", None),
        ("conflict_409", "concurrent_change", "yes"),
    ],
)
async def test_a_busy_answer_says_whether_the_key_is_used_up(
    bank: Bank, kind: AccountKind, action: str, code: str, new_key: str | None
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], action)
    async with bank.fineract() as fineract:
        with pytest.raises(Busy) as caught:
            await fineract.post_payment(payment(kind, account_id))
        assert (caught.value.code, caught.value.extra.get("new_key")) == (code, new_key)
        key = {"idempotency_key": "kvk:r:2"} if new_key else {}
        assert not (await fineract.post_payment(payment(kind, account_id, **key))).already_there
    assert len(await bank.payments(kind, account_id)) == 1


@both_kinds
async def test_a_payment_that_a_clerk_typed_in_from_the_customers_message_is_not_booked_again(
    bank: Bank, kind: AccountKind
) -> None:
    account_id = await bank.payable(kind)
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment(kind, account_id, external_id="typed", idempotency_key="typed"))
        calls = len(await bank.payments(kind, account_id))
        posted = await fineract.post_payment(payment(kind, account_id, receipt=f" sfu{account_id}b2c3d4"))
    assert (calls, posted.already_there) == (1, True)
    assert len(await bank.payments(kind, account_id)) == 1


@both_kinds
async def test_other_receipts_amounts_and_days_are_other_payments(bank: Bank, kind: AccountKind) -> None:
    long_ago = (today() - timedelta(days=90)).isoformat()
    made = bank.active_loan(approvedOn=long_ago) if kind == "loan" else bank.savings(activatedOn=long_ago)
    account_id = await made
    changes: list[dict[str, Any]] = [
        {"paid_at": noon(today() - timedelta(days=60))},
        {},
        {"receipt": "OTHER"},
        {"amount": Money(150_001, "KES")},
    ]
    async with bank.fineract() as fineract:
        for number, change in enumerate(changes):
            ids = {"idempotency_key": f"kvk:r:{number}", "external_id": f"mpesa-{number}"}
            assert not (await fineract.post_payment(payment(kind, account_id, **ids, **change))).already_there
    assert len(await bank.payments(kind, account_id)) == 4


async def test_a_deposit_is_found_again_where_the_server_has_no_search_of_transactions(bank: Bank) -> None:
    savings_id = await bank.savings()
    async with bank.fineract() as fineract:
        first = await fineract.post_payment(payment("savings", savings_id))
        await bank.fault("fineract.accounts", "down", skip=1)  # the search, after the account itself
        again = await fineract.post_payment(payment("savings", savings_id, idempotency_key="kvk:r:2"))
    assert (again.transaction_id, again.already_there) == (first.transaction_id, True)
    assert len(await bank.payments("savings", savings_id)) == 1


async def test_a_deposit_is_found_again_behind_hundreds_of_the_same_amount(bank: Bank, served_world: World) -> None:
    savings_id = await bank.savings()
    async with bank.fineract() as fineract:
        first = await fineract.post_payment(payment("savings", savings_id))
        account = served_world.documents.get(SAVINGS, f"default:{savings_id}")
        assert account is not None
        [ours] = account["transactions"]
        account["transactions"] += [ours | {"id": 10_000 + n, "receiptNumber": f"OTHER{n}"} for n in range(205)]
        again = await fineract.post_payment(payment("savings", savings_id, idempotency_key="kvk:r:2"))
    assert (again.transaction_id, again.already_there) == (first.transaction_id, True)


@both_kinds
async def test_a_payment_booked_by_a_person_between_our_look_and_our_command_still_ends_as_the_server_decides(
    bank: Bank, kind: AccountKind
) -> None:
    """Nobody can prevent that one; what must not happen is a third booking."""
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], "booked_by_person_first")
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment(kind, account_id))
        await fineract.post_payment(payment(kind, account_id))
    assert sorted(item["by"] for item in await bank.payments(kind, account_id)) == ["clerk", "mifos"]


@both_kinds
async def test_a_replayed_success_is_not_believed_when_a_person_undid_the_payment(
    bank: Bank, kind: AccountKind
) -> None:
    account_id = await bank.payable(kind)
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment(kind, account_id))
        assert posted.transaction_id is not None
        assert (await bank.undo_payment(kind, account_id, posted.transaction_id)).status_code == 200
        with pytest.raises(Conflict) as replayed:
            await fineract.post_payment(payment(kind, account_id))
        assert (replayed.value.code, replayed.value.extra["new_key"]) == ("payment_undone", "yes")
        assert await bank.payments(kind, account_id) == []
        again = payment(kind, account_id, idempotency_key="kvk:r:2", external_id=f"mpesa-SFU{account_id}B2C3D4-2")
        assert not (await fineract.post_payment(again)).already_there


@both_kinds
async def test_another_accounts_answer_under_the_same_key_is_not_believed(bank: Bank, kind: AccountKind) -> None:
    first, second = await bank.payable(kind), await bank.payable(kind)
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment(kind, first, idempotency_key="kvk:same"))
        with pytest.raises(Conflict) as caught:
            await fineract.post_payment(payment(kind, second, idempotency_key="kvk:same"))
    assert (caught.value.code, caught.value.extra["new_key"]) == ("idempotency_key_reused", "yes")
    assert await bank.payments(kind, second) == []


@both_kinds
async def test_another_payments_answer_on_the_same_account_is_not_believed(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment(kind, account_id))
        with pytest.raises(Conflict) as caught:
            await fineract.post_payment(payment(kind, account_id, receipt="NEXT", external_id="mpesa-NEXT"))
    assert caught.value.code in ("idempotency_key_reused", "payment_undone")
    assert caught.value.extra["new_key"] == "yes"
    assert len(await bank.payments(kind, account_id)) == 1
