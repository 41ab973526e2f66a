"""What the simulated bank really moved, and how the ends of the wallet's sagas are judged by it."""

import json
from typing import Any

import httpx
import pytest
from sqlmodel import select

from cli.local.ports import free_port
from core.clock import utc_now
from core.ids import new_id
from core.money import Money
from ledger import chart
from ledger.balances import Balance, balance
from models.messages.saga.status import SagaStatus
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.platform.contact import Contact
from models.tables.saga.case import Case
from models.tables.saga.saga_row import SagaRow
from providers.reference_bank.wire import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from simulators.bank.courier import ncba_envelope
from store.platform import partners
from store.saga import cases
from tests.support.addresses import secret_of
from tests.support.house import House
from tests.support.lender import B2C_ACCOUNT, PUSH_SECRET, SHORTCODE, WALLET_ACCOUNT
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

# The `house` fixture's bank speaks the dialect that a test names; without either mark it is the reference bank.
both_dialects = pytest.mark.parametrize("dialect", ["reference", "ncba"])
only_ncba = pytest.mark.parametrize("dialect", ["ncba"])

FLOAT = f"float:mpesa:{SHORTCODE}"
THERE = f"{WALLET_ACCOUNT} > {B2C_ACCOUNT} 2000.00"
BACK = f"{B2C_ACCOUNT} > {WALLET_ACCOUNT} 2000.00"
BOUGHT = f"{B2C_ACCOUNT} > {FLOAT} 2000.00"
FUNDED, TOTAL = Money.parse("6000.00", "KES"), Money.parse("2080.00", "KES")  # 2,000 float, 30 transfer, 50 processing


async def movements(house: House) -> list[str]:
    """Every movement that instructions of ours caused, reversals too, in the bank's order: "from > to amount"."""
    rows = (await house.http.get("/books/bank/entries")).json()
    return [
        f"{row['account']} > {row['other']} {row['amount']}"
        for row in rows
        if row["direction"] == "debit" and row["kind"] in ("transfer", "float", "reversal")
    ]


async def orders(house: House) -> list[dict[str, Any]]:
    """Every instruction that the bank took."""
    return list((await house.http.get("/bank/simulator/orders")).json())


async def told(house: House, *states: str) -> None:
    """Until the pushes of the wallet's account have come to these ends, in their order: "done", "lost", "given up"."""

    async def there() -> bool:
        rows = (await house.http.get("/bank/simulator/pushes")).json()
        return tuple(row["state"] for row in rows if row["account"] == WALLET_ACCOUNT) == states

    await eventually(there, 20)


async def push(
    house: House,
    dialect: str,
    transaction_id: str,
    amount: str,
    narrative: str,
    *,
    secret: str = PUSH_SECRET,
    user: str = "kvkuser",
    password: str = "kvkpass",
    age: int = 0,
) -> httpx.Response:
    """A push of a credit made by hand: a second word about a transaction, or one that the bank never sent. `age` in s."""
    if dialect == "reference":
        data = {"bank_transaction_id": transaction_id, "account": WALLET_ACCOUNT, "reference": narrative}
        return await push_event(house, "account.credited", amount, secret=secret, age=age, **data)
    fields = {
        "TransType": "CR-TRF", "TransID": transaction_id, "TransTime": "2601011230", "TransAmount": amount,
        "AccountNr": WALLET_ACCOUNT, "Narrative": narrative, "Status": "SUCCESS",
    }  # fmt: skip
    return await _pushed(house, ncba_envelope(fields, user, password, secret), {"content-type": "text/xml"})


async def push_event(
    house: House, kind: str, amount: str, *, secret: str = PUSH_SECRET, age: int = 0, **data: str
) -> httpx.Response:
    """An event of the reference bank's protocol, made by hand."""
    event = {
        "event_id": new_id("evt"), "type": kind, "occurred_at": utc_now().isoformat(),
        "data": {**data, "amount": amount, "currency": "KES"},
    }  # fmt: skip
    body, stamp = json.dumps(event).encode(), str(int(utc_now().timestamp()) - age)
    return await _pushed(house, body, {TIMESTAMP_HEADER: stamp, SIGNATURE_HEADER: sign(secret, stamp, body)})


async def _pushed(house: House, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with house.database.transaction() as session:
        connection = await partners.connection(session, house.partner_id, "bank")
    address = f"{house.api_url}/cb/bank/{secret_of(house.settings, connection)}/"
    return await house.http.post(address, content=body, headers=headers)


async def balance_of(house: House, account: chart.Account) -> Balance:
    async with house.database.transaction() as session:
        return await balance(session, account)


async def open_cases(house: House) -> list[Case]:
    async with house.database.transaction() as session:
        return await cases.page(session, state="open", limit=100)


async def authorised(house: House) -> Contact:
    async with house.database.transaction() as session:
        return (await session.exec(select(Contact).where(Contact.partner_id == house.partner_id))).one()


async def texts(house: House, *words: str, channel: str = "sms", times: int = 1) -> list[str]:
    """The messages of a channel that hold all these words, once there are `times` of them."""

    async def arrived() -> list[str] | None:
        found = [
            str(m["text"])
            for m in await house.messages()
            if m["channel"] == channel and all(word in f"{m.get('subject') or ''} {m['text']}" for word in words)
        ]
        return found if len(found) >= times else None

    found: list[str] = await eventually(arrived, 20)
    return found


async def assert_bought(house: House, desk: MoneyDesk, row: FloatPurchase, *, cases_left: tuple[str, ...] = ()) -> None:
    """Bought once, paid for once: by the bank's books, by ours, and by both together."""
    assert row.stage == "completed", row.reason
    assert await movements(house) == [THERE, BOUGHT]
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (FUNDED - TOTAL, Money.zero("KES"))
    assert (await balance_of(house, chart.bank_fees("KES"))).posted == Money.parse("30.00", "KES")
    assert (await balance_of(house, chart.processing_fees("KES"))).posted == Money.parse("50.00", "KES")
    assert await house.cases() == sorted(cases_left)
    await house.assert_books_balance()
    await desk.assert_books_agree()


async def assert_given_back(
    house: House,
    desk: MoneyDesk,
    row: FloatPurchase,
    stage: str,
    code: str,
    *,
    moved: tuple[str, ...] = (),
    funded: Money = FUNDED,
    cases_left: tuple[str, ...] = (),
) -> None:
    """No float, nothing held, every shilling in the wallet and at the bank where it was."""
    assert (row.stage, row.reason_code) == (stage, code), row.reason
    assert tuple(await movements(house)) == moved
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (funded, Money.zero("KES"))
    for fees in (chart.bank_fees("KES"), chart.processing_fees("KES")):
        assert (await balance_of(house, fees)).posted == Money.zero("KES")
    assert await house.cases() == sorted(cases_left)
    await house.assert_books_balance()
    await desk.assert_books_agree()


async def funded_purchase(house: House, desk: MoneyDesk, **more: Any) -> FloatPurchase:
    """A purchase of KES 2,000.00 from a wallet of KES 6,000.00, confirmed."""
    await house.fund("5000.00", "float")
    row = await desk.buy_float("2000.00", **more)
    await desk.confirm(row)
    return row


async def until_waiting(desk: MoneyDesk, row: SagaRow, words: str, timeout: float = 30) -> SagaStatus:
    """Until the saga says that it waits for something of these words."""

    async def there() -> SagaStatus | None:
        status = await desk.status(row)
        return status if words in (status.waiting_for or "") else None

    found: SagaStatus = await eventually(there, timeout)
    return found


async def until_sent(house: House, row: SagaRow) -> None:
    """Until an instruction to the bank is in a worker's hands."""
    await until_running(house, row, "payouts.send")


async def until_running(house: House, row: SagaRow, activity: str) -> None:
    """Until an attempt of this activity is in a worker's hands."""

    async def running() -> bool:
        described = await house.client.get_workflow_handle(row.workflow_id).describe()
        pending = described.raw_description.pending_activities
        return any(p.activity_type.name == activity and p.HasField("last_started_time") for p in pending)

    await eventually(running, 60)


async def unplug_bank(house: House, setting: str = "base_url") -> str:
    """Nobody listens where the bank was; `setting` "till_base_url" unplugs its till alone. Its address till now."""
    return await move_bank(house, f"http://127.0.0.1:{free_port()}", setting)


async def move_bank(house: House, url: str, setting: str = "base_url") -> str:
    """The bank is there now; the address where it was."""
    async with house.database.transaction() as session:
        row = await partners.connection(session, house.partner_id, "bank")
        former = str(row.settings[setting])
        row.settings, row.version = {**row.settings, setting: url}, row.version + 1
        session.add(row)
        return former
