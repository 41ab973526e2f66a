"""The referee of who may send what: one living attempt per leg, one send per reference, fences that hold."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from core.errors import NoAnswer, Rejected
from core.money import Money
from core.msisdn import Msisdn
from models.messages.payouts import PayoutInstruction, PreviousFailure
from store import payouts
from store.database import Database


@pytest.fixture
def order(partner_id: str) -> PayoutInstruction:
    return PayoutInstruction(
        leg_id="pay_1", partner_id=partner_id, workflow_id="loan-disbursement/x/1", provider="daraja",
        msisdn=Msisdn("+254712345678"), amount=Money(125_000, "KES"), remarks="Loan 1",
    )  # fmt: skip


async def begin(database: Database, order: PayoutInstruction, number: int, failed: str | None = None) -> None:
    previous = PreviousFailure(reference=failed, code="1", detail="no float") if failed else None
    async with database.transaction() as session:
        await payouts.begin(session, order, f"{order.leg_id}-a{number}", number, previous)


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


async def test_a_fence_keeps_a_late_sender_out(database: Database, order: PayoutInstruction) -> None:
    async with database.transaction() as session:
        assert await payouts.fence(session, order, "pay_1-a1", 1)
    with pytest.raises(Rejected) as refused:
        await begin(database, order, 1)
    assert refused.value.code == "fenced"


async def test_a_sent_reference_cannot_be_fenced(database: Database, order: PayoutInstruction) -> None:
    await begin(database, order, 1)
    async with database.transaction() as session:
        assert not await payouts.fence(session, order, "pay_1-a1", 1)


async def test_the_acknowledgement_does_not_overwrite_the_result(database: Database, order: PayoutInstruction) -> None:
    """SCARS: the result arrives before the acknowledgement and is overwritten by it."""
    await begin(database, order, 1)
    async with database.transaction() as session:
        await payouts.finish(session, "pay_1-a1", "paid", receipt="UKL4X7QW2D")
        await payouts.mark(session, "pay_1-a1", "accepted", provider_reference="AG_1")
        attempt = await payouts.get(session, "pay_1-a1")
    assert attempt is not None
    assert (attempt.state, attempt.receipt) == ("paid", "UKL4X7QW2D")


async def test_a_receipt_belongs_to_one_attempt(database: Database, order: PayoutInstruction) -> None:
    await begin(database, order, 1)
    await begin(database, order.model_copy(update={"leg_id": "pay_2"}), 1)
    async with database.transaction() as session:
        await payouts.finish(session, "pay_1-a1", "paid", receipt="UKL4X7QW2D")
    with pytest.raises(IntegrityError):
        await finish_second(database)


async def finish_second(database: Database) -> None:
    async with database.transaction() as session:
        await payouts.finish(session, "pay_2-a1", "paid", receipt="UKL4X7QW2D")
