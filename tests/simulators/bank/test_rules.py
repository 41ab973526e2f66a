"""What the simulated bank books, refuses, remembers and resumes."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.errors import Rejected, Unknown
from core.money import Money
from providers.ncba.requests import transfer_body
from simulators.bank.ledger import Ledger, accounts_of
from simulators.bank.models import SETTINGS, Behaviour
from simulators.documents import Documents
from tests.simulators.bank.bench import (
    B2C,
    KEY,
    PASSWORD,
    REFERENCE,
    SECRETS,
    TOKEN,
    WALLET,
    Bench,
    bank_bench,
)
from tests.support.simulator_server import AppServer, RunningSimulators

IFT = "/bank/ncba/api/v1/IFTTransaction/ifttransaction"
OURS = {"user-agent": "Kivuko/0.1", "ocp-apim-subscription-key": KEY}


async def bearer(bench: Bench) -> dict[str, str]:
    login = {"userID": "KVKOB01", "password": PASSWORD}
    answer = await bench.post("/bank/ncba/api/v1/Auth/generate-token", login, **OURS)
    return {**OURS, "authorization": f"Bearer {answer.json()['accessToken']}"}


async def test_all_balances_add_up_to_nothing_whatever_was_answered(bench: Bench) -> None:
    for action in ("drop_after_debit", "reject_later", "server_error_after"):
        bench.fault("bank.float", action, debited=True)
    bank = bench.ncba(read_timeout=1)
    for number in range(4):
        order = bench.float_order(f"pay_{number}-a1", amount=Money(123_45, "KES"))
        with suppress(Unknown):
            await bank.buy_float(order)
    await bench.ncba().transfer(bench.transfer())
    await bench.deposit("0.01")
    await bench.until(lambda: all(o["state"] != "ACCEPTED" for o in bench.world.documents.all("bank.orders")))
    rows = accounts_of(bench.world.documents)
    assert sum(Money.parse(row["balance"], row["currency"], signed=True, bounded=False).minor for row in rows) == 0
    # Four were bought for 123.45 each, one of them came back.
    assert bench.balance("float:mpesa:600999") == "370.35"
    assert bench.balance(B2C.number) == "101129.65"
    assert bench.balance(WALLET.number) == "498500.01"


@pytest.mark.parametrize(
    ("field", "value"),
    [("Amount", "1,500.00"), ("Amount", ""), ("Amount", 1500), ("Amount", "-1.00"), ("Currency", "XXX"),
     ("TransactionID", None), ("Narration", ""), ("amount", "1.00"), ("Surprise", "x")],
)  # fmt: skip
async def test_a_bad_or_misspelt_field_is_refused(bench: Bench, field: str, value: Any) -> None:
    good = transfer_body(bench.transfer(), bench.ncba_credentials())
    headers = await bearer(bench)
    answer = await bench.post(IFT, {**good, field: value}, **headers)
    assert answer.json()["resultCode"] == "SIM30"
    assert (await bench.post(IFT, good, **headers)).json()["resultCode"] == "000"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"DebitAccountNumber": "9999999999"}, "SIM14"), ({"CreditAccountNumber": "9999999999"}, "SIM14"),
     ({"Amount": "900000.00"}, "SIM51"), ({"Currency": "USD"}, "SIM14")],
)  # fmt: skip
async def test_the_banks_own_rules_speak_ncba(bench: Bench, changes: dict[str, str], code: str) -> None:
    good = transfer_body(bench.transfer(), bench.ncba_credentials())
    answer = await bench.post(IFT, {**good, **changes}, **await bearer(bench))
    assert answer.json()["resultCode"] == code
    assert bench.debits() == []


async def test_pesalink_to_the_bank_itself_is_declined_as_it_was_seen_live(bench: Bench) -> None:
    body = {
        "BeneficiaryAccountNumber": B2C.number, "BeneficiaryBankBIC": "07000", "BeneficiaryName": "KIVUKO B2C",
        "Amount": "1500.00", "Currency": "KES", "Narration": "x", "SenderAccountNumber": WALLET.number,
        "SenderCIF": "100020", "SenderCountry": "Kenya", "TransactionID": REFERENCE,
    }  # fmt: skip
    path = "/bank/ncba/api/v1/PesaLinkTransaction/pesaLinktransaction"
    assert (await bench.post(path, body, **await bearer(bench))).json()["resultCode"] == "RC01"


async def test_the_gateway_wants_token_key_and_a_name_of_our_own(bench: Bench) -> None:
    good = transfer_body(bench.transfer(), bench.ncba_credentials())
    headers = await bearer(bench)
    for spoilt, status in (
        ({"authorization": "Bearer x"}, 401),
        ({"ocp-apim-subscription-key": "x"}, 401),
        ({"user-agent": "python-httpx/0.28.1"}, 403),
        ({"user-agent": "axios/1.7"}, 403),
    ):
        assert (await bench.post(IFT, good, **{**headers, **spoilt})).status_code == status
    assert bench.debits() == []


async def test_the_reference_bank_wants_its_token_and_the_reference_as_key(bench: Bench) -> None:
    body = {"client_reference": "r1", "rail": "INTERNAL", "source_account": WALLET.number,
            "destination": {"account": B2C.number}, "amount": "1.00", "currency": "KES"}  # fmt: skip
    path, ours = "/bank/reference/v1/transfers", {"authorization": f"Bearer {TOKEN}", "idempotency-key": "r1"}
    assert (await bench.post(path, body, **{**ours, "authorization": "Bearer x"})).json() == {"code": "UNAUTHORIZED"}
    assert (await bench.post(path, body, **{**ours, "idempotency-key": "r2"})).json()["code"] == "INVALID_REQUEST"
    assert (await bench.post(path, [], **ours)).status_code == 422
    first, second = [await bench.post(path, body, **ours) for _ in range(2)]
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["bank_reference"] == second.json()["bank_reference"]
    assert (await bench.post(path, {**body, "amount": "2.00"}, **ours)).json() == {"code": "REFERENCE_CONFLICT"}
    unknown = await bench.get(f"{path}/nothing", authorization=f"Bearer {TOKEN}")
    assert (unknown.status_code, unknown.json()) == (404, {"code": "NOT_FOUND"})


async def test_a_restart_goes_on_where_it_stopped(tmp_path: Path, simulator_server: AppServer) -> None:
    documents = Documents(tmp_path / "bank.db")
    with bank_bench(simulator_server, documents) as before:
        before.subscribe("reference", B2C.number)
        before.behave(settle_seconds=60)
        before.fault("bank.push", "late", seconds=0.5)
        await before.deposit(account=B2C.number)
        await before.reference().buy_float(before.float_order())
        await before.close()
        assert before.pushes == []
    documents.close()

    documents = Documents(tmp_path / "bank.db")
    documents.put(SETTINGS, "behaviour", Behaviour(settle_seconds=0).model_dump())
    with bank_bench(simulator_server, documents) as after:
        await after.received(3)
        assert after.balance(B2C.number) == "51500.00"
        assert len(after.debits()) == 1
    documents.close()


async def test_an_opening_balance_is_booked_once(bench: Bench) -> None:
    body = {"number": "1000200099", "name": "KIVUKO SAVINGS", "balance": "10.00"}
    for _ in range(2):
        assert (await bench.post("/bank/simulator/accounts", body)).json()["balance"] == "10.00"
    await bench.deposit("5.00", account="1000200099")
    changed = await bench.post("/bank/simulator/accounts", {**body, "balance": "7.00"})
    assert changed.json() == {"number": "1000200099", "name": "KIVUKO SAVINGS", "currency": "KES", "balance": "12.00"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("accounts", {"number": "1000200099", "name": "X", "currency": "XXX"}),
        ("accounts", {"number": "x", "name": "X"}),
        ("customers", {"name": "X", "accounts": ["1000200099"]}),
        ("customers", {"name": "X", "accounts": []}),
        ("pushes", {"account": "1000200099", "url": "http://x", "dialect": "ncba", "secret": "s"}),
        ("pushes", {"account": WALLET.number, "url": "x", "dialect": "ncba", "secret": "s"}),
        ("deposits", {"account": "1000200099", "amount": "1.00"}),
        ("deposits", {"account": WALLET.number, "amount": "0.00"}),
        ("deposits", {"account": WALLET.number, "amount": "-1.00"}),
    ],
)
async def test_a_wrong_request_is_refused(bench: Bench, path: str, body: dict[str, Any]) -> None:
    assert (await bench.post(f"/bank/simulator/{path}", body)).status_code == 422


async def test_controls_show_no_secret(bench: Bench) -> None:
    body = {"name": "kivuko", "accounts": [WALLET.number], "token": "t-secret", "password": "p-secret"}
    pushes = {"account": WALLET.number, "url": "http://x", "dialect": "ncba", "secret": SECRETS.secrets[0]}
    told = [(await bench.post("/bank/simulator/customers", body)), (await bench.post("/bank/simulator/pushes", pushes))]
    assert [answer.status_code for answer in told] == [200, 200]
    assert not any("secret" in answer.text for answer in told)


async def test_behaviour_changes_what_is_named_and_keeps_the_rest(bench: Bench) -> None:
    async with httpx.AsyncClient(verify=False, base_url=bench.url) as plain:
        changed = await plain.patch("/bank/simulator/behaviour", json={"payer_seconds": 7})
    assert changed.json() == (await bench.get("/bank/simulator/behaviour")).json()
    assert (changed.json()["payer_seconds"], changed.json()["settle_seconds"]) == (7, 0.03)


async def test_a_till_that_nobody_has_is_refused(bench: Bench) -> None:
    with pytest.raises(Rejected, match="prompt_refused"):
        await bench.ncba(till_account="SOMEBODY").prompt(bench.prompt())
    assert bench.world.documents.all("bank.prompts") == []


def test_transaction_ids_never_repeat_and_have_the_banks_form(bench: Bench) -> None:
    ledger = Ledger(bench.world)
    made = [ledger.new_transaction_id() for _ in range(500)]
    assert len(set(made)) == 500
    assert all(len(number) == 12 and number.startswith("FT") for number in made)


async def test_the_books_and_faults_of_the_bank_are_part_of_all_simulators(simulators: RunningSimulators) -> None:
    async with httpx.AsyncClient(verify=False, base_url=simulators.url) as http:
        account = {"number": WALLET.number, "name": WALLET.name, "balance": "25.00"}
        assert (await http.post("/bank/simulator/accounts", json=account)).status_code == 200
        deposit = {"account": WALLET.number, "amount": "1.50", "narration": "KVK"}
        made = (await http.post("/bank/simulator/deposits", json=deposit)).json()
        accounts = (await http.get("/books/bank/accounts")).json()
        entries = (await http.get("/books/bank/entries")).json()
        known = (await http.get("/faults")).json()["known"]
    assert {row["number"]: row["balance"] for row in accounts} == {WALLET.number: "26.50", "outside": "-26.50"}
    assert [(row["account"], row["direction"], row["amount"]) for row in entries[2:]] == [
        ("outside", "debit", "1.50"), (WALLET.number, "credit", "1.50"),
    ]  # fmt: skip
    assert entries[3]["bank_transaction_id"] == made["bank_transaction_id"]
    assert {name for name in known if name.startswith("bank.")} == {
        "bank.transfer", "bank.float", "bank.push", "bank.till.ask", "bank.till.query", "bank.statement", "bank.find",
    }  # fmt: skip
