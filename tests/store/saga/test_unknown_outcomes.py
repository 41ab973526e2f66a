"""What was sent and never answered, found in one list over payouts and prompts."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import NotFound
from core.ids import PAYOUT, PROMPT, new_id
from core.money import Money
from core.msisdn import Msisdn
from models import kinds
from models.messages.saga.payouts import BankOrder
from models.messages.saga.prompts import PromptInstruction
from models.tables.base import table_of
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.prompt import Prompt
from store.database import Database
from store.lending import customer_collection, float_purchase, loan_disbursement
from store.saga import cases, payouts, prompts, receipts, saga_rows, unknown_outcomes
from store.saga.unknown_outcomes import UnknownOutcome
from tests.store.conftest import another_partner
from tests.support.orders import payout_instruction, to_prompt, to_send

PHONE = Msisdn("+254712345678")
KES = Money(125_000, "KES")


async def saga(database: Database, partner_id: str, loan_id: int) -> str:
    """A living disbursement; its workflow id."""
    async with database.transaction() as session:
        claim = await loan_disbursement.claim(
            session, partner_id=partner_id, loan_id=loan_id, currency="KES", source="api", requested_by="t",
            again_after=frozenset(),
        )  # fmt: skip
        await saga_rows.change(session, claim.workflow_id, stage="paying")
    return claim.workflow_id


async def payout(database: Database, partner_id: str, workflow_id: str, **more: Any) -> str:
    leg_id = new_id(PAYOUT)
    order = payout_instruction(leg_id, partner_id, workflow_id, role=leg_id, **more)
    async with database.transaction() as session:
        await payouts.begin(session, to_send(order), account="600997")
    return f"{leg_id}-a1"


async def prompt(database: Database, partner_id: str) -> tuple[str, str]:
    """A prompt of a collection that waits; its reference and the saga's workflow id."""
    async with database.transaction() as session:
        row = await customer_collection.begin_prompted(
            session, partner_id=partner_id, amount=KES, account_ref="91", msisdn=PHONE, requested_by="t"
        )
        order = PromptInstruction(
            leg_id=f"{PROMPT}_{row.id.partition('_')[2]}", partner_id=partner_id, workflow_id=row.workflow_id,
            provider="daraja", msisdn=PHONE, amount=KES, payer_reference=row.payer_reference or "", description="Loan",
        )  # fmt: skip
        await prompts.begin(session, to_prompt(order))
    return f"{order.leg_id}-p1", row.workflow_id


async def mark(database: Database, reference: str, state: str, **values: Any) -> None:
    async with database.transaction() as session:
        table = payouts if reference.startswith("pay_") else prompts
        await table.mark(session, reference, state, **values)


async def age(database: Database, *references: str) -> None:
    """As if nobody had told anything of these for ten minutes."""
    async with database.transaction() as session:
        for table in (table_of(PayoutAttempt), table_of(Prompt)):
            earlier = utc_now() - timedelta(minutes=10)
            await session.exec(update(table).where(table.c.reference.in_(references)).values(updated_at=earlier))


async def listed(database: Database, **filters: Any) -> list[UnknownOutcome]:
    async with database.transaction() as session:
        return await unknown_outcomes.page(session, before=utc_now() - timedelta(minutes=5), **filters)


def names(found: list[UnknownOutcome]) -> list[str]:
    return [one.sent.reference for one in found]


async def test_only_what_was_silent_long_enough_is_listed_oldest_first(database: Database, partner_id: str) -> None:
    first = await payout(database, partner_id, await saga(database, partner_id, 1))
    second, workflow_id = await prompt(database, partner_id)
    fresh = await payout(database, partner_id, await saga(database, partner_id, 2))
    await mark(database, first, "accepted", provider_reference="AG_1")
    await age(database, first, second)
    found = await listed(database)
    assert names(found) == [first, second]
    assert fresh not in names(found)
    assert [(one.sent.kind, one.sent.state, one.sent.workflow_id.partition("/")[0]) for one in found] == [
        ("payout", "accepted", "loan-disbursement"),
        ("prompt", "sending", "customer-collection"),
    ]
    assert found[0].sent.to == "+2547•••••678"
    assert found[1].sent.workflow_id == workflow_id


@pytest.mark.parametrize("state", ["not_sent", "paid", "failed"])
async def test_what_is_known_is_not_listed(database: Database, partner_id: str, state: str) -> None:
    reference = await payout(database, partner_id, await saga(database, partner_id, 1))
    await mark(database, reference, state)
    await age(database, reference)
    assert await listed(database) == []


async def test_what_an_ended_saga_left_is_not_listed(database: Database, partner_id: str) -> None:
    workflow_id = await saga(database, partner_id, 1)
    reference = await payout(database, partner_id, workflow_id)
    await age(database, reference)
    assert names(await listed(database)) == [reference]
    async with database.transaction() as session:
        (row,) = await saga_rows.page(session, Disbursement)
        await saga_rows.change(session, row.workflow_id, ended=True, stage="completed")
    assert await listed(database) == []


async def test_pages_follow_each_other_over_both_kinds(database: Database, partner_id: str) -> None:
    made = []
    for loan_id in range(1, 4):
        made.append(await payout(database, partner_id, await saga(database, partner_id, loan_id)))
        made.append((await prompt(database, partner_id))[0])
    await age(database, *made)
    seen: list[str] = []
    while rows := names(await listed(database, limit=2, after=seen[-1] if seen else None)):
        seen += rows
    assert len(seen) == 6
    assert set(seen) == set(made)
    assert seen == made  # oldest first


async def test_the_newest_open_case_of_its_saga_is_named(database: Database, partner_id: str) -> None:
    workflow_id = await saga(database, partner_id, 1)
    reference = await payout(database, partner_id, workflow_id)
    await age(database, reference)
    assert (await listed(database))[0].case_id is None
    async with database.transaction() as session:
        for key in ("a", "b"):
            await cases.open_case(
                session, key=key, kind="payout_unknown", summary=key, evidence={}, workflow_id=workflow_id
            )
        newest = (await cases.page(session))[0].id
    assert (await listed(database))[0].case_id == newest


async def test_a_partner_filter_leaves_others_out(database: Database, partner_id: str) -> None:
    reference = await payout(database, partner_id, await saga(database, partner_id, 1))
    await age(database, reference)
    assert names(await listed(database, partner_id=partner_id)) == [reference]
    assert await listed(database, partner_id="prt_other") == []


async def test_a_payment_is_found_by_our_reference_and_by_the_providers(database: Database, partner_id: str) -> None:
    sent = await payout(database, partner_id, await saga(database, partner_id, 1))
    asked, _ = await prompt(database, partner_id)
    bank = await payout(
        database, partner_id, "float-purchase/flt_1", msisdn=None, provider="bank",
        bank=BankOrder(kind="bank_transfer", source_account="1", source_name="W", account="1000200030", name="B2C"),
    )  # fmt: skip
    await mark(database, sent, "accepted", provider_reference="AG_1")
    await mark(database, asked, "asked", provider_reference="AG_1")  # two providers may count alike
    async with database.transaction() as session:
        found = await unknown_outcomes.named(session, [sent, "AG_1", bank, "nobody"])
    assert {name: sorted(one.reference for one in rows) for name, rows in found.items()} == {
        sent: [sent],
        "AG_1": sorted([sent, asked]),
        bank: [bank],
    }
    assert (found[bank][0].to, found[bank][0].unknown) == ("1000200030", True)


async def test_a_receipt_belongs_to_one_payment(database: Database, partner_id: str) -> None:
    first, second = [await saga(database, partner_id, loan_id) for loan_id in (1, 2)]
    paid = await payout(database, partner_id, first)
    await payout(database, partner_id, second)
    async with database.transaction() as session:
        await payouts.finish(session, paid, "paid", receipt="UKL4X7QW2D")
    async with database.transaction() as session:
        assert not await receipts.belongs_elsewhere(session, "UKL4X7QW2D", workflow_id=first, money_in=False)
        assert await receipts.belongs_elsewhere(session, "UKL4X7QW2D", workflow_id=second, money_in=False)
        assert await receipts.belongs_elsewhere(session, "ukl4x7qw2d", workflow_id=second, money_in=False)
        assert not await receipts.belongs_elsewhere(session, "UKL0000000", workflow_id=second, money_in=True)


async def test_another_partners_receipts_are_nobodys_business(database: Database, partner_id: str) -> None:
    """Each partner's accounts count for themselves, and so does each provider: no 409 tells of what others were paid."""
    paid = await payout(database, partner_id, await saga(database, partner_id, 1))
    async with database.transaction() as session:
        await payouts.finish(session, paid, "paid", receipt="UKL4X7QW2D")
    other = await another_partner(database, "other")
    theirs = await saga(database, other, 1)
    async with database.transaction() as session:
        purchase = await begin_float(session, partner_id)
        assert not await receipts.belongs_elsewhere(session, "UKL4X7QW2D", workflow_id=theirs, money_in=False)
        assert not await receipts.belongs_elsewhere(session, "UKL4X7QW2D", workflow_id=purchase, money_in=False)
        with pytest.raises(NotFound):
            await receipts.belongs_elsewhere(session, "UKL4X7QW2D", workflow_id="loan-disbursement/x", money_in=True)


async def begin_float(session: AsyncSession, partner_id: str) -> str:
    row = await float_purchase.begin(
        session,
        partner_id=partner_id,
        operator="mpesa",
        amount=KES,
        costs=[{"item": "float", "amount_minor": KES.minor}],
        requested_by="t",
    )
    return row.workflow_id


async def test_a_part_of_a_split_loan_does_not_lend_its_receipt_to_the_next(
    database: Database, partner_id: str
) -> None:
    workflow_id = await saga(database, partner_id, 1)
    first = await payout(database, partner_id, workflow_id)
    async with database.transaction() as session:
        await payouts.finish(session, first, "paid", receipt="UKL4X7QW2D")
    last = await payout(database, partner_id, workflow_id)
    async with database.transaction() as session:
        assert await unknown_outcomes.last_payouts(session, [workflow_id]) == {workflow_id: last}
        assert await receipts.belongs_elsewhere(session, "UKL4X7QW2D", workflow_id=workflow_id, money_in=False)


async def test_a_saga_is_found_by_its_workflow_id_whatever_its_kind(database: Database, partner_id: str) -> None:
    loan = await saga(database, partner_id, 1)
    _, collection = await prompt(database, partner_id)
    async with database.transaction() as session:
        found = await saga_rows.of_workflows(session, [loan, collection, "wallet-top-up/top_none", "tea/1"])
        one = await saga_rows.of_workflow(session, collection)
    assert {workflow_id: (kinds.of_row(row).name, row.stage) for workflow_id, row in found.items()} == {
        loan: ("loan-disbursement", "paying"),
        collection: ("customer-collection", "requested"),
    }
    assert one == found[collection]
