"""One living disbursement per loan, whoever asks and however often."""

import asyncio

import pytest

from core.errors import Conflict
from models.tables.lending.loan_disbursement import Disbursement
from store.database import Database
from store.lending import loan_disbursement
from store.lending.loan_disbursement import Claim
from store.saga import cases, saga_rows, timeline


async def claim(database: Database, partner_id: str, again: frozenset[str] = frozenset()) -> Claim:
    async with database.transaction() as session:
        return await loan_disbursement.claim(
            session,
            partner_id=partner_id,
            loan_id=91,
            currency="KES",
            source="poll",
            requested_by="t",
            again_after=again,
        )


async def end(database: Database, claimed: Claim, stage: str, code: str | None = None) -> None:
    async with database.transaction() as session:
        await saga_rows.change(session, claimed.workflow_id, ended=True, stage=stage, reason_code=code)


async def test_simultaneous_claims_make_one_row(database: Database, partner_id: str) -> None:
    """SCARS: webhook and poller check different tables for "already seen"."""
    claims = await asyncio.gather(*(claim(database, partner_id) for _ in range(10)))
    assert sum(one.created for one in claims) == 1
    assert len({one.workflow_id for one in claims}) == 1


async def test_a_paid_loan_is_never_claimed_anew(database: Database, partner_id: str) -> None:
    first = await claim(database, partner_id)
    await end(database, first, "completed")
    again = await claim(database, partner_id, frozenset({"withdrawn", "refused", "failed"}))
    assert (again.created, again.disbursement_id) == (False, first.disbursement_id)


async def test_an_unpaid_end_is_tried_again_only_by_those_who_may(database: Database, partner_id: str) -> None:
    first = await claim(database, partner_id)
    await end(database, first, "refused", "invalid_msisdn")
    with pytest.raises(Conflict) as refused:
        await claim(database, partner_id, frozenset({"refused:product_not_enabled"}))
    assert refused.value.code == "ended_unpaid"
    second = await claim(database, partner_id, frozenset({"refused"}))
    assert (second.created, second.workflow_id) == (True, f"{first.workflow_id}.2")


async def test_a_loan_whose_failure_is_contradicted_is_not_started_again(database: Database, partner_id: str) -> None:
    """It may have been paid after all: only a person who closed the case may let it be tried again."""
    first = await claim(database, partner_id)
    await end(database, first, "failed", "2040")
    async with database.transaction() as session:
        await cases.open_case(
            session, key="late", kind="payout_contradiction", summary="paid after all", evidence={},
            workflow_id=first.workflow_id,
        )  # fmt: skip
    with pytest.raises(Conflict) as refused:
        await claim(database, partner_id, frozenset({"failed"}))
    assert refused.value.code == "contradiction_open"
    async with database.transaction() as session:
        (case,) = await cases.page(session)
        await cases.close(session, case.id, by="key_1", resolution="the portal says declined")
    assert (await claim(database, partner_id, frozenset({"failed"}))).created


async def test_an_ended_row_takes_no_late_change(database: Database, partner_id: str) -> None:
    claimed = await claim(database, partner_id)
    await end(database, claimed, "failed")
    async with database.transaction() as session:
        await saga_rows.change(session, claimed.workflow_id, stage="paying")
        assert await saga_rows.lock_living(session, Disbursement, claimed.disbursement_id) is None
        row = await session.get(Disbursement, claimed.disbursement_id)
    assert row is not None
    assert row.stage == "failed"


async def test_a_line_of_the_timeline_is_written_once_and_never_changed(database: Database, partner_id: str) -> None:
    async with database.transaction() as session:
        assert await timeline.write(session, "w", "k", "first")
        assert not await timeline.write(session, "w", "k", "second")
        (event,) = await timeline.read(session, "w")
    assert event.text == "first"
    with pytest.raises(Exception, match="append-only"):
        await deface(database)


async def deface(database: Database) -> None:
    async with database.transaction() as session:
        (event,) = await timeline.read(session, "w")
        event.text = "another story"
        session.add(event)
