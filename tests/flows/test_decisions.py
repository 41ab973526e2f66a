"""A decision is a row (docs/ARCHITECTURE.md): what anybody can send to Temporal decides nothing."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select
from temporalio.client import WorkflowUpdateFailedError

from core.ids import DECISION, new_id
from models.messages.saga.policies import DisbursementPolicy
from models.messages.saga.status import SagaStatus
from models.tables.saga.case import Case
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.prompt import Prompt
from store.saga import saga_rows
from tests.flows.lending.test_customer_collection_doubts import SOON
from tests.flows.lending.test_float_purchase_doubts import CURT
from tests.flows.lending.test_wallet_top_up_prompts import asked
from tests.support.bank_books import funded_purchase, only_ncba, until_waiting
from tests.support.customers import MANY, lose
from tests.support.deciding import EVIDENCE, decide, decide_in_time, decided, person_of, refused, send
from tests.support.house import QUICK, House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

pytestmark = only_ncba  # whose till can prompt for a top-up
KINDS = ["loan", "collection", "top-up", "float"]
# Where one person's word that it was paid is enough, since the receipt can be looked up.
PAID_BY_ONE = ["loan", "collection"]


async def in_doubt(house: House, desk: MoneyDesk, kind: str) -> str:
    """The workflow id of a saga of this kind that waits for a person's word."""
    if kind == "loan":
        await house.fault("daraja.b2c.result", "lose")
        await house.fault("daraja.status.answer", "lose", times=100)
        started = await house.start(await house.approve_loan())
        await house.until_stage(started, "in_review")
        return started.workflow_id
    if kind == "collection":
        await lose(house, "callback", "confirmation")
        loan = await desk.loan("5000.00")
        begun = await desk.collect("1500", loan["accountNo"], policy=SOON)
        return (await desk.until(begun, "in_review")).workflow_id
    if kind == "top-up":
        await house.fault("bank.push", "lose")
        return (await desk.until(await asked(desk), "in_review")).workflow_id
    await house.fault("bank.transfer", "timeout_before")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    await until_waiting(desk, row, "operator")
    return row.workflow_id


async def no_longer_paid(house: House) -> None:
    """Asked about a prompt again, providers say no more that the payer paid."""
    await house.fault("daraja.stk.query", "failed_but_paid", times=MANY)
    await house.fault("bank.till.query", "failed_but_credited_later", times=MANY)


async def offers_of(house: House, workflow_id: str) -> dict[str, str | None]:
    """What people may say to it at this stage, and why they may not now."""
    return {offer.word: offer.refused for offer in (await status_of(house, workflow_id)).offers or ()}


async def status_of(house: House, workflow_id: str) -> SagaStatus:
    status: SagaStatus = await house.client.get_workflow_handle(workflow_id).query("status", result_type=SagaStatus)
    return status


async def stage_of(house: House, workflow_id: str) -> str:
    async with house.database.transaction() as session:
        saga = await saga_rows.of_workflow(session, workflow_id)
    assert saga is not None
    return saga.stage


async def assert_still_in_doubt(house: House, workflow_id: str, stage: str = "in_review") -> None:
    status = await status_of(house, workflow_id)
    assert status.legs[-1].state == "in_review"
    assert await stage_of(house, workflow_id) == stage


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_sent_from_temporals_own_pages_changes_nothing(house: House, desk: MoneyDesk, kind: str) -> None:
    """Whatever actor it names, and whoever's decision: an unknown one, one about another payment, one that was spent."""
    workflow_id = await in_doubt(house, desk, kind)
    question = (await status_of(house, workflow_id)).question
    assert question is not None
    handle = house.client.get_workflow_handle(workflow_id)
    for typed in (
        {"decision": "not_paid", "evidence": "surely", "actor": "key_somebody_else"},
        {"decision": "approve", "evidence": "surely", "actor": "key_somebody_else", "people": ["psn_x"]},
        {},
        "dec",
    ):
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("resolve", typed, id=new_id("ui"))
    assert await refused(send(house.client, workflow_id, new_id(DECISION))) == "unknown_decision"
    elsewhere = await decided(house.database, "loan-disbursement/elsewhere/1", "not_paid", by="ann", about=question)
    assert await refused(send(house.client, workflow_id, elsewhere)) == "foreign_decision"
    old = await decided(house.database, workflow_id, "not_paid", by="ann", about="pay_of_before-a1")
    assert await refused(send(house.client, workflow_id, old)) == "superseded"
    await assert_still_in_doubt(house, workflow_id)


@pytest.mark.parametrize("kind", KINDS)
async def test_that_nothing_was_paid_is_for_two_people_to_say(house: House, desk: MoneyDesk, kind: str) -> None:
    """By hand or by key, one person is one: their own key, a key that they made, a key that made theirs."""
    workflow_id = await in_doubt(house, desk, kind)
    offers = await offers_of(house, workflow_id)
    assert (offers["paid"], offers["retry"]) == (None, None)
    assert offers["cancel"] == "Money may have moved already; it cannot be cancelled."
    assert not offers.keys() & {"approve", "decline", "posted", "allocate"}
    await no_longer_paid(house)
    client, database = house.client, house.database
    await decide_in_time(client, database, workflow_id, "not_paid", by="ann", people=("founder",))
    await assert_still_in_doubt(house, workflow_id, "approval")
    offers = await offers_of(house, workflow_id)
    assert (offers["approve"], offers["decline"]) == (None, None)
    assert offers["not_paid"] == "A proposal waits for approval already."
    proposal = (await status_of(house, workflow_id)).proposal
    assert proposal is not None
    assert (proposal.decision, proposal.person_id) == ("not_paid", person_of("ann"))
    assert await refused(decide(client, database, workflow_id, "approve", by="ann")) == "four_eyes"
    assert await refused(decide(client, database, workflow_id, "approve", by="bob", people=("ann",))) == "four_eyes"
    assert await refused(decide(client, database, workflow_id, "approve", by="founder")) == "four_eyes"
    assert await refused(decide(client, database, workflow_id, "approve", by="cid", people=("founder",))) == "four_eyes"
    await assert_still_in_doubt(house, workflow_id, "approval")
    await decide(client, database, workflow_id, "approve", by="dan")

    async def closed() -> Case | None:
        async with database.transaction() as session:
            query = select(Case).where(Case.workflow_id == workflow_id, Case.state == "closed")
            found = [
                case for case in await session.exec(query) if case.kind in ("payout_unknown", "collection_unknown")
            ]
        return found[0] if found else None

    case = await eventually(closed)
    assert case.closed_by == f"{person_of('ann')} and {person_of('dan')}"
    assert case.resolution == f"not paid: {EVIDENCE}"
    await house.client.get_workflow_handle(workflow_id).result()
    async with database.transaction() as session:
        table: Any = PayoutAttempt if kind in ("loan", "float") else Prompt
        rows = list(await session.exec(select(table).where(table.workflow_id == workflow_id)))
    assert [(row.state, row.code) for row in rows] == [("failed", "resolved_not_paid")]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_approval_answers_one_proposal_and_no_later_one(house: House, desk: MoneyDesk, kind: str) -> None:
    workflow_id = await in_doubt(house, desk, kind)
    await no_longer_paid(house)
    client, database = house.client, house.database
    await decide_in_time(client, database, workflow_id, "not_paid", by="ann")
    first = (await status_of(house, workflow_id)).proposal
    assert first is not None
    kept = await decided(database, workflow_id, "approve", by="bob", about=first.decision_id)
    await decide(client, database, workflow_id, "decline", by="cid")
    await assert_still_in_doubt(house, workflow_id)
    assert (await status_of(house, workflow_id)).proposal is None
    assert await refused(send(client, workflow_id, first.decision_id)) == "superseded"  # the old words, sent again
    await decide_in_time(client, database, workflow_id, "not_paid", by="ann")
    assert await refused(send(client, workflow_id, kept)) == "superseded"
    assert await refused(send(client, workflow_id, kept)) == "superseded"
    await assert_still_in_doubt(house, workflow_id, "approval")


@pytest.mark.parametrize("kind", PAID_BY_ONE)
async def test_a_receipt_is_believed_before_the_provider_has_been_given_up(
    house: House, desk: MoneyDesk, kind: str
) -> None:
    """Evidence that it was paid is taken as soon as nobody knows; that it was not, only in review."""
    if kind == "loan":
        await house.fault("daraja.b2c.result", "lose")
        patient = (await house.start(await house.approve_loan(), policy=_slow_to_ask())).workflow_id
        receipt = (await eventually(house.payouts))[0]["receipt"]
    else:
        await lose(house, "callback", "confirmation")
        loan = await desk.loan("5000.00")
        patient = (await desk.collect("1500", loan["accountNo"])).workflow_id
        receipt = (await eventually(desk.collected))[0]["receipt"]
    await eventually(lambda: _question(house, patient))
    assert await refused(decide(house.client, house.database, patient, "not_paid", by="ann")) == "too_early"
    await decide(house.client, house.database, patient, "paid", by="ann", receipt=receipt)
    result = await house.client.get_workflow_handle(patient).result()
    assert result["ending"] == "completed"


async def test_a_proposal_is_void_once_the_provider_tells_the_outcome(house: House, desk: MoneyDesk) -> None:
    workflow_id = await in_doubt(house, desk, "loan")
    await decide_in_time(house.client, house.database, workflow_id, "not_paid", by="ann")
    await house.http.delete("/faults")
    await house.client.get_workflow_handle(workflow_id).execute_update("retry", {"actor": "key_ann"})
    result = await house.client.get_workflow_handle(workflow_id).result()
    assert result["ending"] == "completed"
    assert await stage_of(house, workflow_id) == "completed"
    assert await house.cases() == []


async def _question(house: House, workflow_id: str) -> str | None:
    return (await status_of(house, workflow_id)).question


def _slow_to_ask() -> DisbursementPolicy:
    return QUICK.model_copy(update={"payout": QUICK.payout.model_copy(update={"query_after": (timedelta(minutes=9),)})})
