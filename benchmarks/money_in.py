"""The sagas of money in and of float, each through the whole local stack, beside bare workflows in the same run."""

from collections.abc import Awaitable, Callable
from typing import Final

from sqlmodel import select

from benchmarks.costs import Cost, cost_of
from benchmarks.figures import Figure
from benchmarks.stack import IN_FLIGHT, Bench, rate
from core.clock import utc_now
from core.money import Money
from models.messages.lending.float_purchase import CodeConfirmed
from models.messages.saga.decisions import CommandTaken
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.saga.one_time_code import OneTimeCode
from models.tables.saga.saga_row import SagaRow
from store.lending import float_purchase, wallet_top_up
from store.saga import saga_rows
from temporal.starts import start_row

_SHORTCODE_LOANS: Final = 40  # loans that the payments are for

Work = Callable[[int], Awaitable[SagaRow]]


async def run(bench: Bench, bare_five: float, *, sagas: int) -> list[Figure]:
    """Per second and events per saga. `bare_five` is the rate of bare workflows of five activities in this run."""
    accounts = [await _loan(bench, number) for number in range(_SHORTCODE_LOANS)]
    figures: list[Figure] = []
    for name, work in _works(bench, accounts).items():
        figures += await _figures(bench, name, work, bare_five, sagas)
    return figures


async def costs(bench: Bench, *, sagas: int) -> list[Cost]:
    accounts = [await _loan(bench, number) for number in range(_SHORTCODE_LOANS)]
    found = []
    for name, work in _works(bench, accounts).items():

        async def one(number: int, work: Work = work) -> str:
            return (await work(number)).workflow_id

        await rate(range(IN_FLIGHT), one)  # warm-up
        found.append(await cost_of(bench, name, range(sagas), one))
    return found


def _works(bench: Bench, accounts: list[str]) -> dict[str, Work]:
    return {
        "paybill payments": lambda number: _pay(bench, accounts[number % len(accounts)]),
        "top-ups by bank transfer": lambda number: _top_up(bench),
        "float purchases": lambda number: _buy(bench),
    }


async def _figures(bench: Bench, name: str, work: Work, bare_five: float, sagas: int) -> list[Figure]:
    done: list[SagaRow] = []

    async def one(number: int) -> None:
        done.append(await work(number))

    await rate(range(IN_FLIGHT), one)  # warm-up
    per_second = await rate(range(sagas), one)
    history = await bench.client.get_workflow_handle(done[-1].workflow_id).fetch_history()
    return [
        Figure(f"{name} against bare workflows of five activities", per_second, "per s", None, per_second / bare_five,
               f"({bare_five:.1f} per s)"),
        Figure(f"history of one of the {name}", len(history.events), "events", None, None, None),
    ]  # fmt: skip


async def _loan(bench: Bench, number: int) -> str:
    """An active loan that owes enough for every payment of the run."""
    client = await bench.world.post(
        "/fineract/simulator/clients", json={"displayName": "Bench", "mobileNo": f"2547115{number:05d}"}
    )
    body = {
        "clientId": client.json()["id"],
        "productId": 1,
        "principal": "900000.00",
        "status": "active",
        "hook": False,
    }
    loan = await bench.world.post("/fineract/simulator/loans", json=body)
    loan.raise_for_status()
    return str(loan.json()["accountNo"])


async def _pay(bench: Bench, account: str) -> SagaRow:
    """A customer pays by paybill; until Fineract has booked it. M-Pesa asks and confirms over HTTP as it does."""
    body = {
        "shortcode": bench.shortcode, "msisdn": f"2547{bench.next_number():08d}", "amount": "100", "bill_reference": account
    }  # fmt: skip
    paid = await bench.world.post("/daraja/simulator/paybill-payments", json=body)
    paid.raise_for_status()
    workflow_id = await bench.told.saga_that_ended(paid.json()["receipt"])
    return await _result(bench, workflow_id)


async def _top_up(bench: Bench) -> SagaRow:
    async with bench.database.transaction() as session:
        row = await wallet_top_up.begin(
            session, partner_id=bench.partner_id, amount=Money.parse("100.00", "KES"), msisdn=None, requested_by="bench"
        )
    await start_row(bench.client, bench.database, row)
    body = {"account": bench.bank_account, "amount": "100.00", "narration": str(row.reference)}
    (await bench.world.post("/bank/simulator/deposits", json=body)).raise_for_status()
    return await _result(bench, row.workflow_id)


async def _buy(bench: Bench) -> SagaRow:
    """The code's message is not waited for: the books are told that it was given, as the API would."""
    amount = Money.parse("100.00", "KES")
    async with bench.database.transaction() as session:
        costs = await float_purchase.price(session, bench.partner_id, amount, utc_now())
        row = await float_purchase.begin(
            session, partner_id=bench.partner_id, operator="mpesa", amount=amount, costs=costs, requested_by="bench"
        )
    await start_row(bench.client, bench.database, row)
    await _give_code(bench, row)
    return await _result(bench, row.workflow_id)


async def _give_code(bench: Bench, row: FloatPurchase) -> None:
    await bench.told.code_made(row.workflow_id)
    async with bench.database.transaction() as session:
        code = (await session.exec(select(OneTimeCode).where(OneTimeCode.subject == row.workflow_id))).one()
        code.used_at = utc_now()
        session.add(code)
    await bench.client.get_workflow_handle(row.workflow_id).execute_update(
        "confirm", CodeConfirmed(number=1, actor="bench"), id=f"code:{row.id}:1", result_type=CommandTaken
    )


async def _result(bench: Bench, workflow_id: str) -> SagaRow:
    await bench.client.get_workflow_handle(workflow_id).result()
    async with bench.database.transaction() as session:
        found = await saga_rows.of_workflow(session, workflow_id)
    assert found is not None
    assert found.stage == "completed", found
    return found
