"""Money on the wallet's account that names no top-up: one person says whose it is, another agrees; nothing is guessed."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from core.ids import PARTNER, new_id
from core.money import Money
from ledger import chart
from models.tables.lending.wallet_top_up import TopUp
from models.tables.platform.partner import Partner
from store.lending import wallet_top_up
from store.platform import partners
from store.saga import timeline
from tests.flows.lending.test_wallet_top_up import available
from tests.support.bank_books import balance_of, both_dialects, open_cases, told
from tests.support.deciding import refused
from tests.support.house import House
from tests.support.lender import WALLET_ACCOUNT
from tests.support.money_in import MoneyDesk


async def unallocated(house: House, desk: MoneyDesk, narrative: str) -> TopUp:
    """A credit that the house may not decide about, and its open case."""
    before = len(await desk.top_ups())
    await desk.deposit("2500.00", narrative)
    rows = await desk.wait_for_top_ups(before + 1)
    row = await desk.until(rows[-1], "unallocated")
    assert await house.cases() == ["credit_unallocated"]
    assert await available(house) == "KES 1,000.00"
    return row


async def another_partner(house: House) -> Partner:
    """A second lender in the same house, with a number and a top-up of its own."""
    async with house.database.transaction() as session:
        first = await session.get(Partner, house.partner_id)
        assert first is not None
        values = {**first.model_dump(), "id": new_id(PARTNER), "name": "Other Sacco"}
        other = Partner(**values)
        session.add(other)
    return other


async def wallet_of(house: House, partner_id: str) -> str:
    return str((await balance_of(house, chart.partner_wallet(partner_id, "KES"))).available)


def refusal(error: pytest.ExceptionInfo[WorkflowUpdateFailedError]) -> str:
    return str(getattr(error.value.cause, "type", ""))


@both_dialects
async def test_a_credit_without_a_code_is_nobodys_until_two_people_agree(house: House, desk: MoneyDesk) -> None:
    row = await unallocated(house, desk, "school fees")
    await desk.resolve(row, "allocate", actor="key_ann")
    assert await available(house) == "KES 1,000.00"
    assert await refused(desk.resolve(row, "approve", actor="key_ann")) == "four_eyes"
    assert await available(house) == "KES 1,000.00"
    await desk.resolve(row, "approve", actor="key_bob")
    row = await desk.ended(row)
    assert (row.stage, row.credited_minor, await available(house)) == ("completed", 250_000, "KES 3,500.00")
    assert await house.cases() == []
    await desk.assert_books_agree()


async def test_the_timeline_names_both_who_decided(house: House, desk: MoneyDesk) -> None:
    row = await unallocated(house, desk, "-")
    await desk.resolve(row, "allocate", actor="key_ann")
    await desk.resolve(row, "approve", actor="key_bob")
    await desk.ended(row)
    async with house.database.transaction() as session:
        texts = [event.text for event in await timeline.read(session, row.workflow_id)]
    assert any("key_ann and key_bob" in text for text in texts)


async def test_a_declined_proposal_is_forgotten(house: House, desk: MoneyDesk) -> None:
    row = await unallocated(house, desk, "school fees")
    assert await refused(desk.resolve(row, "approve", actor="key_bob")) == "wrong_stage"  # nothing is proposed yet
    await desk.resolve(row, "allocate", actor="key_ann")
    with pytest.raises(WorkflowUpdateFailedError):
        await desk.resolve(row, "returned", actor="key_eve")  # one proposal at a time
    await desk.resolve(row, "decline", actor="key_bob")
    assert await refused(desk.resolve(row, "approve", actor="key_bob")) == "wrong_stage"
    assert await available(house) == "KES 1,000.00"
    await desk.resolve(row, "allocate", actor="key_bob")
    await desk.resolve(row, "approve", actor="key_ann")
    assert (await desk.ended(row)).stage == "completed"
    assert await available(house) == "KES 3,500.00"


async def test_money_that_is_given_back_is_credited_to_nobody(house: House, desk: MoneyDesk) -> None:
    row = await unallocated(house, desk, "school fees")
    await desk.resolve(row, "returned", actor="key_ann")
    await desk.resolve(row, "approve", actor="key_bob")
    row = await desk.ended(row)
    assert (row.stage, row.credited_minor, await available(house)) == ("returned", None, "KES 1,000.00")
    assert (await house.cases(), (await desk.booked_balances())[0]) == ([], Money.zero("KES"))


async def test_decisions_for_other_stages_are_refused(house: House, desk: MoneyDesk) -> None:
    row = await unallocated(house, desk, "school fees")
    for decision in ("paid", "not_paid", "posted"):
        with pytest.raises(WorkflowUpdateFailedError) as error:
            await desk.resolve(row, decision, receipt="FT26001ABCDE")
        assert refusal(error) == "wrong_stage"
    with pytest.raises(WorkflowUpdateFailedError):
        await desk.cancel(row)  # the money is here
    await house.client.get_workflow_handle(row.workflow_id).cancel()
    await desk.resolve(row, "allocate", actor="key_ann")
    await desk.resolve(row, "approve", actor="key_bob")
    assert (await desk.ended(row)).stage == "completed"


@both_dialects
async def test_the_digits_of_another_partner_in_the_narrative_are_no_evidence(house: House, desk: MoneyDesk) -> None:
    """SCARS: a wallet is credited by matching digits in a narrative, and the wrong customer gets the money."""
    other = await another_partner(house)
    narrative = f"+254711000222 {other.id} {other.name} {WALLET_ACCOUNT} 711000222"
    await unallocated(house, desk, narrative)
    assert await wallet_of(house, other.id) == "KES 0.00"


async def test_a_code_of_another_partners_top_up_is_no_evidence_on_this_account(house: House, desk: MoneyDesk) -> None:
    other = await another_partner(house)
    async with house.database.transaction() as session:
        theirs = await wallet_top_up.begin(
            session, partner_id=other.id, amount=Money.parse("2500.00", "KES"), msisdn=None, requested_by="test"
        )
    await unallocated(house, desk, f"{theirs.reference}")
    assert await wallet_of(house, other.id) == "KES 0.00"
    async with house.database.transaction() as session:
        found = await session.get(TopUp, theirs.id)
        assert found is not None
        assert found.stage == "requested"


@pytest.mark.parametrize("how", ["embedded before", "embedded behind", "one letter less", "two codes"])
async def test_what_is_not_one_whole_code_is_no_evidence(house: House, desk: MoneyDesk, how: str) -> None:
    row = await desk.until(await desk.top_up("2500.00"), "waiting_money")
    other = await desk.until(await desk.top_up("2500.00"), "waiting_money")
    code = str(row.reference)
    narrative = {
        "embedded before": f"X{code}",
        "embedded behind": f"{code}9",
        "one letter less": code[:-1],
        "two codes": f"{code} {other.reference}",
    }[how]
    await unallocated(house, desk, narrative)
    assert {(await desk.row(one)).stage for one in (row, other)} == {"waiting_money"}


async def test_a_doubled_push_of_an_unallocated_credit_is_one_case(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.push", "double")
    await unallocated(house, desk, "school fees")
    await told(house, "done")
    assert len(await desk.top_ups()) == 1
    (case,) = await open_cases(house)
    assert case.actions == ["allocate", "returned", "approve", "decline"]
    assert case.evidence["narrative"] == "school fees"


async def test_a_credit_that_something_forbids_waits_for_a_person_and_goes_on(house: House, desk: MoneyDesk) -> None:
    """The money lies on our account: the saga may neither fail nor forget it."""

    async def keep_wallet_in(currency: str) -> None:
        async with house.database.transaction() as session:
            partner = await partners.get(session, house.partner_id)
            partner.currency = currency
            session.add(partner)

    row = await desk.top_up("2500.00")
    await desk.until(row, "waiting_money")
    await keep_wallet_in("UGX")
    await desk.deposit("2500.00", str(row.reference))
    await desk.until(row, "in_review")
    assert await house.cases() == ["credit_failed"]
    await keep_wallet_in("KES")
    await desk.retry(row)
    row = await desk.ended(row)
    assert (row.stage, row.credited_minor) == ("completed", 250_000)
    assert await house.cases() == []
