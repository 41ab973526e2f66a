"""A loan for which more went out than it is, by what is recorded and what providers report: told at once."""

import pytest

from core.money import Money
from models.messages.inbound import Reading
from models.messages.saga.reports import Report
from models.tables.lending.loan_disbursement import Disbursement
from store.database import Database
from store.lending import loan_disbursement, paid_twice
from store.platform import inbox
from store.saga import cases, payouts, saga_rows
from tests.support.orders import payout_instruction, to_send

KES = Money(125_000, "KES")


async def loan(database: Database, partner_id: str) -> str:
    async with database.transaction() as session:
        made = await loan_disbursement.claim(
            session, partner_id=partner_id, loan_id=91, currency="KES", source="api", requested_by="t",
            again_after=frozenset({"failed"}), agreed=True,
        )  # fmt: skip
        await saga_rows.change(session, made.workflow_id, stage="paying", amount_minor=KES.minor)
    return made.workflow_id


async def attempt(database: Database, partner_id: str, workflow_id: str, number: int, state: str, amount: Money) -> str:
    reference = f"pay_{number:026}-a1"
    order = payout_instruction(
        f"pay_{number:026}", partner_id, workflow_id, role=f"round{number}", part=number, amount=amount
    )
    async with database.transaction() as session:
        await payouts.begin(session, to_send(order), account="600997")
        await payouts.finish(session, reference, state, **({"receipt": f"UKL{number}"} if state == "paid" else {}))
    return reference


async def reported(database: Database, reference: str, state: str) -> None:
    report = Report.model_validate({"reference": reference, "source": "callback", "state": state, "code": "0"})
    reading = Reading(
        provider="daraja", kind="result", external_id=f"{reference}:{state}", workflow_id="w", reference=reference,
        report=report.model_dump(mode="json"),
    )  # fmt: skip
    async with database.transaction() as session:
        inbox_id, _ = await inbox.store(session, reading)
        await inbox.delivered(session, inbox_id, "contradiction")


async def look(database: Database, workflow_id: str, reference: str | None = None) -> list[str]:
    async with database.transaction() as session:
        await paid_twice.look(session, workflow_id, reported=reference)
        return [case.kind for case in await cases.page(session, state="open")]


@pytest.mark.parametrize("known", ["by its report now", "by the inbox"])
async def test_a_failed_attempt_that_was_paid_after_all_beside_another(
    database: Database, partner_id: str, known: str
) -> None:
    workflow_id = await loan(database, partner_id)
    first = await attempt(database, partner_id, workflow_id, 1, "failed", KES)
    await attempt(database, partner_id, workflow_id, 2, "paid", KES)
    await reported(database, first, "failed")
    assert await look(database, workflow_id) == []
    if known == "by the inbox":
        await reported(database, first, "paid")
        assert await look(database, workflow_id) == ["paid_twice"]
    else:
        assert await look(database, workflow_id, first) == ["paid_twice"]


async def test_another_round_of_the_same_loan_counts_too(database: Database, partner_id: str) -> None:
    workflow_id = await loan(database, partner_id)
    first = await attempt(database, partner_id, workflow_id, 1, "failed", KES)
    async with database.transaction() as session:
        row = (await saga_rows.page(session, Disbursement))[0]
        await saga_rows.change(session, row.workflow_id, ended=True, stage="failed")
    again = await loan(database, partner_id)
    assert again != workflow_id
    await attempt(database, partner_id, again, 2, "paid", KES)
    assert await look(database, workflow_id, first) == ["paid_twice"]


async def test_the_parts_of_a_split_loan_are_one_payment(database: Database, partner_id: str) -> None:
    workflow_id = await loan(database, partner_id)
    for number, part in enumerate((KES.minor - 50_000, 50_000), start=1):
        await attempt(database, partner_id, workflow_id, number, "paid", Money(part, "KES"))
    assert await look(database, workflow_id) == []
    assert await look(database, "float-purchase/x") == []
