"""Records golden histories of the sagas of money in and of float. Runs only when asked, as `test_record_histories.py`."""

import json
import os

import pytest

from core.money import Money
from models.messages.saga.decisions import Allocation
from models.tables.saga.saga_row import SagaRow
from tests.flows.lending.test_loan_disbursement_history import HISTORIES
from tests.support.house import House
from tests.support.money_in import MoneyDesk

pytestmark = pytest.mark.skipif("KIVUKO_RECORD_HISTORIES" not in os.environ, reason="records only when asked")


async def record(house: House, name: str, row: SagaRow) -> None:
    """Writes a history of a name that is new; what an older release left is never written over."""
    path = HISTORIES / f"{name}.json"
    if path.exists():
        return
    handle = house.client.get_workflow_handle(row.workflow_id)
    await handle.result()
    stored = {"workflow_id": row.workflow_id, "history": (await handle.fetch_history()).to_json_dict()}
    path.write_text(json.dumps(stored, indent=1) + "\n")


async def test_record_a_paybill_payment(house: House, desk: MoneyDesk) -> None:
    paid = await desk.paybill("1500", (await desk.loan())["accountNo"])
    await record(house, "customer-collection-paybill", await desk.of_receipt(paid["receipt"]))


async def test_record_an_answered_prompt(house: House, desk: MoneyDesk) -> None:
    """`customer-collection-prompted` is from before accounts were looked at first."""
    row = await desk.collect("1500", (await desk.loan())["accountNo"])
    await record(house, "customer-collection-looked-first", row)


async def test_record_a_prompt_that_is_not_sent(house: House, desk: MoneyDesk) -> None:
    await record(house, "customer-collection-not-asked", await desk.collect("1500", "999999999"))


async def test_record_a_refused_prompt(house: House, desk: MoneyDesk) -> None:
    await desk.payer("cancel")
    row = await desk.collect("1500", (await desk.loan())["accountNo"])
    await record(house, "customer-collection-refused", row)


async def test_record_a_payment_that_an_operator_placed(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan()
    await house.fault("daraja.c2b.validation", "skip")
    await desk.paybill("1500", "999999999")
    (row,) = await desk.wait_for_collections(1)
    await desk.until(row, "waiting_account")
    part = Allocation(kind="loan", account_no=loan["accountNo"], amount=Money.parse("1500.00", "KES"))
    await desk.resolve(row, "allocate", allocations=[part])
    await record(house, "customer-collection-placed", row)


async def test_record_a_bank_transfer(house: House, desk: MoneyDesk) -> None:
    row = await desk.top_up("2500.00")
    await desk.until(row, "waiting_money")
    await desk.deposit("2500.00", str(row.reference))
    await record(house, "wallet-top-up-completed", row)


async def test_record_a_credit_that_two_people_placed(house: House, desk: MoneyDesk) -> None:
    await desk.deposit("700.00", "no code")
    (row,) = await desk.wait_for_top_ups(1)
    await desk.until(row, "unallocated")
    await desk.resolve(row, "allocate", actor="key_ann")
    await desk.resolve(row, "approve", actor="key_ben")
    await record(house, "wallet-top-up-allocated", row)


async def test_record_a_float_purchase(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    row = await desk.buy_float()
    await desk.confirm(row)
    await record(house, "float-purchase-completed", row)


async def test_record_a_float_purchase_that_goes_back(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    await house.fault("bank.float", "refuse")
    row = await desk.buy_float()
    await desk.confirm(row)
    await record(house, "float-purchase-returned", row)


async def test_record_a_float_purchase_that_expires(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    row = await desk.buy_float()
    await desk.code_of(row)
    await desk.cancel(row)
    await record(house, "float-purchase-withdrawn", row)
