"""The referee of who may send what: one living attempt per part of a payment, one send per reference, fences that hold,
and what our rows tell a saga that has forgotten it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.errors import Conflict, NoAnswer, Rejected
from core.recovery import RecoveryWindow
from models.messages.saga.payouts import PayoutInstruction, PreviousFailure
from models.tables.saga.payout_attempt import PayoutAttempt
from store.database import Database
from store.saga import payouts
from tests.support.orders import payout_instruction, to_ask, to_send


@pytest.fixture
def order(partner_id: str) -> PayoutInstruction:
    return payout_instruction("pay_1", partner_id, "loan-disbursement/x/1")


async def begin(
    database: Database,
    order: PayoutInstruction,
    number: int,
    failed: str | None = None,
    *,
    account: str = "600997",
    recovery: Sequence[RecoveryWindow] = (),
) -> PayoutAttempt | None:
    previous = PreviousFailure(reference=failed, code="1", detail="no float") if failed else None
    async with database.transaction() as session:
        return await payouts.begin(session, to_send(order, number, previous), account=account, recovery=recovery)


async def fence(database: Database, order: PayoutInstruction, number: int = 1, *windows: RecoveryWindow) -> bool:
    async with database.transaction() as session:
        return await payouts.fence(session, to_ask(order, number), account="600997", recovery=windows)


async def finish(database: Database, reference: str, state: str, **values: str) -> None:
    async with database.transaction() as session:
        await payouts.finish(session, reference, state, **values)


async def test_a_reference_is_sent_once(database: Database, order: PayoutInstruction) -> None:
    await begin(database, order, 1)
    with pytest.raises(NoAnswer) as refused:
        await begin(database, order, 1)
    assert refused.value.code == "already_sent"


async def test_of_many_simultaneous_senders_of_one_reference_one_wins(
    database: Database, order: PayoutInstruction
) -> None:
    results = await asyncio.gather(*(begin(database, order, 1) for _ in range(8)), return_exceptions=True)
    assert [r for r in results if r is None] == [None]
    assert all(isinstance(r, NoAnswer) for r in results if r is not None)


async def test_what_is_known_not_sent_may_be_sent_under_the_same_reference(
    database: Database, order: PayoutInstruction
) -> None:
    await begin(database, order, 1)
    async with database.transaction() as session:
        await payouts.mark(session, "pay_1-a1", "not_sent")
    await begin(database, order, 1)


async def test_a_second_reference_needs_the_first_to_have_failed(database: Database, order: PayoutInstruction) -> None:
    """SCARS: a retry makes a new id while the first result is only late."""
    await begin(database, order, 1)
    with pytest.raises(NoAnswer) as refused:
        await begin(database, order, 2)
    assert refused.value.code == "attempt_living"
    await begin(database, order, 2, failed="pay_1-a1")


async def test_another_leg_of_the_same_part_cannot_pay_beside_it(database: Database, order: PayoutInstruction) -> None:
    """SCARS: a reset pays a second time under a new reference. Whatever made the second leg, the part is one."""
    await begin(database, order, 1)
    with pytest.raises(NoAnswer) as refused:
        await begin(database, order.model_copy(update={"leg_id": "pay_2"}), 1)
    assert refused.value.code == "attempt_living"
    with pytest.raises(NoAnswer):
        await fence(database, order.model_copy(update={"leg_id": "pay_2"}))
    await begin(database, order.model_copy(update={"leg_id": "pay_3", "part": 2}), 1)  # another part is another payment


async def test_a_saga_that_forgot_learns_of_a_paid_reference(database: Database, order: PayoutInstruction) -> None:
    await begin(database, order, 1)
    await finish(database, "pay_1-a1", "paid", receipt="UKL4X7QW2D")
    known = await begin(database, order, 1)
    assert known is not None
    assert (known.state, known.receipt) == ("paid", "UKL4X7QW2D")


async def test_a_saga_that_forgot_learns_of_a_failed_reference(database: Database, order: PayoutInstruction) -> None:
    await begin(database, order, 1)
    await finish(database, "pay_1-a1", "failed", code="2040", detail="no customer")
    with pytest.raises(Rejected) as refused:
        await begin(database, order, 1)
    assert (refused.value.code, refused.value.extra["retriable"]) == ("2040", "no")
    await begin(database, order, 2, failed="pay_1-a1")
    with pytest.raises(Rejected) as refused:
        await begin(database, order, 1)
    assert refused.value.extra["retriable"] == "yes"  # it was tried again then, so it is gone over again


async def test_a_fence_keeps_a_late_sender_out(database: Database, order: PayoutInstruction) -> None:
    assert await fence(database, order)
    with pytest.raises(Rejected) as refused:
        await begin(database, order, 1)
    assert (refused.value.code, refused.value.extra["retriable"]) == ("never_sent", "yes")


async def test_a_sent_reference_cannot_be_fenced(database: Database, order: PayoutInstruction) -> None:
    await begin(database, order, 1)
    assert not await fence(database, order)


async def test_after_a_restore_a_missing_row_proves_nothing(database: Database, order: PayoutInstruction) -> None:
    """SCARS: a restored database reads a missing row as "never sent"."""
    now = utc_now()
    window = RecoveryWindow(since=now - timedelta(hours=1), until=now + timedelta(hours=1))
    assert not await fence(database, order, 1, window)
    with pytest.raises(NoAnswer):
        await begin(database, order, 1)
    other = order.model_copy(update={"leg_id": "pay_9", "part": 9})
    with pytest.raises(NoAnswer) as refused:
        await begin(database, other, 1, recovery=(window,))
    assert refused.value.code == "row_lost"


async def test_what_began_after_the_restore_is_sent(database: Database, order: PayoutInstruction) -> None:
    past = RecoveryWindow(since=utc_now() - timedelta(hours=3), until=utc_now() - timedelta(hours=2))
    assert await begin(database, order, 1, recovery=(past,)) is None
    assert await fence(database, order.model_copy(update={"leg_id": "pay_2", "part": 2}), 1, past)


async def test_the_acknowledgement_does_not_overwrite_the_result(database: Database, order: PayoutInstruction) -> None:
    """SCARS: the result arrives before the acknowledgement and is overwritten by it."""
    await begin(database, order, 1)
    async with database.transaction() as session:
        await payouts.finish(session, "pay_1-a1", "paid", receipt="UKL4X7QW2D")
        await payouts.mark(session, "pay_1-a1", "accepted", provider_reference="AG_1")
        attempt = await payouts.get(session, "pay_1-a1")
    assert attempt is not None
    assert (attempt.state, attempt.receipt) == ("paid", "UKL4X7QW2D")


async def test_a_receipt_belongs_to_one_payment_of_an_account(database: Database, order: PayoutInstruction) -> None:
    for number, account in ((1, "600997"), (2, "600997"), (3, "600111")):
        await begin(database, order.model_copy(update={"leg_id": f"pay_{number}", "part": number}), 1, account=account)
    await finish(database, "pay_1-a1", "paid", receipt="UKL4X7QW2D")
    with pytest.raises(Conflict) as refused:
        await finish(database, "pay_2-a1", "paid", receipt="UKL4X7QW2D")
    assert (refused.value.code, refused.value.extra["holder"]) == ("receipt_taken", "pay_1-a1")
    await finish(database, "pay_3-a1", "paid", receipt="UKL4X7QW2D")  # another account's receipts are its own
