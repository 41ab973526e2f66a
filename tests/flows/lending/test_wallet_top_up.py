"""A wallet's top-up by bank transfer: credited once per bank transaction, whatever announces it and whenever."""

from datetime import timedelta
from typing import Any

import pytest

from core.money import Money
from models.messages.housekeeping import Swept
from models.messages.saga.payment_pulls import PaymentsPulled, PullPayments
from models.tables.lending.wallet_top_up import TopUp
from temporal.queues import FLOWS_QUEUE
from tests.support.bank_books import both_dialects, only_ncba, push, texts, told
from tests.support.house import PHONE, House
from tests.support.money_in import QUICK_TOP_UP, MoneyDesk
from tests.support.waiting import eventually

IMPATIENT = QUICK_TOP_UP.model_copy(update={"money_within": timedelta(seconds=1)})


async def waiting(desk: MoneyDesk, amount: str = "2500.00") -> TopUp:
    return await desk.until(await desk.top_up(amount), "waiting_money")


async def available(house: House) -> str:
    return str((await house.wallet()).available)


async def pull_statement(house: House) -> PaymentsPulled:
    """What the schedule does every hour."""
    pulled: PaymentsPulled = await house.client.execute_workflow(
        "BankStatementPull",
        PullPayments(partner_id=house.partner_id),
        id=f"bank-statement/{house.partner_id}/now",
        task_queue=FLOWS_QUEUE,
        result_type=PaymentsPulled,
    )
    return pulled


@both_dialects
async def test_a_bank_transfer_that_names_the_code_is_credited(house: House, desk: MoneyDesk) -> None:
    row = await waiting(desk)
    transaction = await desk.deposit("2500.00", f"school fees {row.reference}")
    row = await desk.ended(row)
    assert (row.stage, row.credited_minor, row.bank_reference) == ("completed", 250_000, transaction)
    assert await available(house) == "KES 3,500.00"
    await desk.assert_books_agree()


async def test_the_partner_hears_of_amount_balance_and_reference(house: House, desk: MoneyDesk) -> None:
    row = await waiting(desk)
    transaction = await desk.deposit("2500.00", str(row.reference))
    (text,) = await texts(house, "was added to your wallet")
    assert all(word in text for word in ("KES 2,500.00", "KES 3,500.00", str(row.reference), transaction))
    (email,) = await texts(house, "was added to your", channel="email")
    assert "KES 3,500.00" in email


@pytest.mark.parametrize("spelt", ["blanks", "hyphens", "lower case", "among words"])
async def test_the_code_counts_however_people_spell_it(house: House, desk: MoneyDesk, spelt: str) -> None:
    row = await waiting(desk)
    code = str(row.reference)
    parts = (code[:3], code[3:7], code[7:])
    narrative = {
        "blanks": " ".join(parts),
        "hyphens": "-".join(parts),
        "lower case": code.lower(),
        "among words": f"MPS 254722000111 OTIENO/{code}/INV 7",
    }[spelt]
    await desk.deposit("2500.00", narrative)
    row = await desk.ended(row)
    assert (row.stage, await available(house)) == ("completed", "KES 3,500.00")


@pytest.mark.parametrize("arrives", ["2400.00", "26000.00"])
async def test_what_arrives_is_credited_not_what_was_announced(house: House, desk: MoneyDesk, arrives: str) -> None:
    row = await waiting(desk, "2500.00")
    await desk.deposit(arrives, str(row.reference))
    row = await desk.ended(row)
    money = Money.parse(arrives, "KES")
    assert (row.stage, row.credited_minor) == ("completed", money.minor)
    assert (await house.wallet()).available == Money.parse("1000.00", "KES") + money
    await desk.assert_books_agree()


@both_dialects
async def test_a_doubled_push_credits_once(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.push", "double")
    row = await waiting(desk)
    await desk.deposit("2500.00", str(row.reference))
    await told(house, "done")
    assert (await desk.ended(row)).stage == "completed"
    assert await available(house) == "KES 3,500.00"
    assert len(await desk.top_ups()) == 1
    await desk.assert_books_agree()


@both_dialects
async def test_a_lost_push_is_recovered_from_the_statement(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.push", "lose")
    row = await waiting(desk)
    transaction = await desk.deposit("2500.00", str(row.reference))
    await told(house, "lost")
    assert (await desk.row(row)).stage == "waiting_money"
    pulled = await pull_statement(house)
    assert (pulled.seen, pulled.recovered) == (1, 1)
    row = await desk.ended(row)
    assert (row.stage, row.bank_reference, await available(house)) == ("completed", transaction, "KES 3,500.00")
    assert (await pull_statement(house)).recovered == 0
    await desk.assert_books_agree()


@both_dialects
async def test_a_torn_statement_line_hides_no_other_and_is_shown_to_a_person_once(
    house: House, desk: MoneyDesk
) -> None:
    await house.fault("bank.push", "lose")
    await house.fault("bank.statement", "torn_line", times=1000)
    row = await waiting(desk)
    await desk.deposit("2500.00", str(row.reference))
    await told(house, "lost")
    assert (await pull_statement(house)).recovered == 1
    assert (await desk.ended(row)).stage == "completed"
    await pull_statement(house)
    assert await house.cases() == ["statement_line_unreadable"]
    await desk.assert_books_agree()


@both_dialects
async def test_money_told_by_push_and_by_statement_is_credited_once(house: House, desk: MoneyDesk) -> None:
    """SCARS: one payment booked as two because two channels announce it."""
    await house.fault("bank.push", "late", options={"seconds": 1.5})
    row = await waiting(desk)
    await desk.deposit("2500.00", str(row.reference))
    await pull_statement(house)
    assert (await desk.ended(row)).stage == "completed"
    await told(house, "done")

    async def both_heard() -> bool:
        (payment,) = await desk.incoming()
        return payment.announced == ["statement", "push"]

    await eventually(both_heard)
    assert await available(house) == "KES 3,500.00"
    assert len(await desk.top_ups()) == 1
    assert await house.cases() == []
    await desk.assert_books_agree()


@only_ncba
async def test_a_statement_line_that_names_no_transaction_is_shown_to_a_person_once(
    house: House, desk: MoneyDesk
) -> None:
    """It may be the same money as a push: credited on its own, it might be credited twice."""
    await house.fault("bank.statement", "unnamed_lines", times=1000)
    row = await waiting(desk)
    await desk.deposit("2500.00", str(row.reference))
    await desk.ended(row)
    for _ in range(2):
        pulled = await pull_statement(house)
        assert (pulled.seen, pulled.recovered) == (1, 0)
    assert await house.cases() == ["credit_unnamed"]
    assert await available(house) == "KES 3,500.00"


@both_dialects
async def test_a_push_that_tells_another_amount_of_the_same_transaction_is_a_case(
    house: House, desk: MoneyDesk, dialect: str
) -> None:
    """Nobody but a person may choose between the two; what was credited stays."""
    row = await waiting(desk)
    transaction = await desk.deposit("2500.00", str(row.reference))
    await desk.ended(row)
    assert (await push(house, dialect, transaction, "2600.00", str(row.reference))).status_code == 200
    assert await eventually(house.cases) == ["payment_contradiction"]
    assert await available(house) == "KES 3,500.00"
    await desk.assert_books_agree()


@pytest.mark.parametrize(
    ("dialect", "lie"),
    [
        ("ncba", {"secret": "guessed"}),
        ("ncba", {"user": "someone"}),
        ("ncba", {"password": "guessed"}),
        ("reference", {"secret": "guessed"}),
        ("reference", {"age": 301}),
    ],
)
async def test_a_forged_push_changes_nothing(house: House, desk: MoneyDesk, dialect: str, lie: dict[str, Any]) -> None:
    row = await waiting(desk)
    answer = await push(house, dialect, "FT26001FORGE", "2500.00", str(row.reference), **lie)
    # NCBA's proof covers parsed fields and comes once: stored, answered, and then judged.
    at_the_door = dialect == "reference"
    assert answer.status_code == (403 if at_the_door else 200)
    await eventually(lambda: _judged(house))
    assert (await desk.row(row)).stage == "waiting_money"
    assert (await desk.incoming(), await house.cases()) == ([], [] if at_the_door else ["push_forged"])
    assert await available(house) == "KES 1,000.00"


async def _judged(house: House) -> bool:
    return await house.undelivered() == []


@both_dialects
async def test_a_push_with_a_wrong_proof_is_made_good_by_the_bank_or_its_statement(
    house: House, desk: MoneyDesk, dialect: str
) -> None:
    """NCBA pushes once and never again; the reference bank tries again until it is believed."""
    await house.http.patch("/bank/simulator/behaviour", json={"retry_scale": 0.05})
    await house.fault("bank.push", "wrong_hash")
    row = await waiting(desk)
    await desk.deposit("2500.00", str(row.reference))
    await told(house, "done")  # NCBA is answered OK whatever it proves; what it proves is seen afterwards
    if dialect == "ncba":
        assert (await pull_statement(house)).recovered == 1
    assert (await desk.ended(row)).stage == "completed"
    assert await available(house) == "KES 3,500.00"
    await desk.assert_books_agree()


async def test_money_that_comes_after_the_end_is_credited_by_a_saga_of_its_own(house: House, desk: MoneyDesk) -> None:
    """Its code is as plainly this partner's as before."""
    row = await desk.ended(await desk.top_up("2500.00", policy=IMPATIENT))
    assert (row.stage, row.reason_code) == ("expired", "no_money")
    await texts(house, "no payment came", str(row.reference))
    transaction = await desk.deposit("2500.00", str(row.reference))
    first, own = await desk.wait_for_top_ups(2)
    own = await desk.ended(own)
    assert (own.stage, own.method, own.bank_reference) == ("completed", "unannounced", transaction)
    assert (await desk.row(first)).stage == "expired"
    (text,) = await texts(house, "was added to your wallet")
    assert str(row.reference) in text
    assert await available(house) == "KES 3,500.00"
    await desk.assert_books_agree()


async def test_two_transfers_under_one_code_are_both_credited_once(house: House, desk: MoneyDesk) -> None:
    row = await waiting(desk)
    transactions = {await desk.deposit(amount, str(row.reference)) for amount in ("2500.00", "700.00")}
    rows = [await desk.ended(one) for one in await desk.wait_for_top_ups(2)]
    assert {one.stage for one in rows} == {"completed"}
    assert {one.bank_reference for one in rows} == transactions
    assert await available(house) == "KES 4,200.00"
    await desk.assert_books_agree()


async def test_money_that_overtakes_the_saga_is_taken_by_it(house: House, desk: MoneyDesk) -> None:
    """The first task of the workflow holds the start and the payment: the payment is handled first."""
    await house.stop_workers()
    row = await desk.top_up("2500.00")
    await desk.deposit("2500.00", str(row.reference))

    async def tried() -> bool:
        return await house.undelivered() == [1]

    await eventually(tried, 20)
    await house.start_workers()
    assert (await sweep_until_ended(house, desk, row)).stage == "completed"
    assert len(await desk.top_ups()) == 1
    assert await available(house) == "KES 3,500.00"
    await desk.assert_books_agree()


async def sweep_until_ended(house: House, desk: MoneyDesk, row: TopUp) -> TopUp:
    async def ended() -> TopUp | None:
        await house.client.execute_workflow("Sweep", id="sweep-now", task_queue=FLOWS_QUEUE, result_type=Swept)
        found = await desk.row(row)
        return found if found.ended_at else None

    found: TopUp = await eventually(ended, 60)
    return found


async def test_a_top_up_is_cancelled_before_money_came(house: House, desk: MoneyDesk) -> None:
    row = await waiting(desk)
    await desk.cancel(row)
    row = await desk.ended(row)
    assert (row.stage, row.reason_code, await available(house)) == ("withdrawn", "cancelled", "KES 1,000.00")
    assert [m for m in await house.messages() if "no payment came" in m["text"]] == []


async def test_money_for_a_cancelled_top_up_is_still_credited(house: House, desk: MoneyDesk) -> None:
    row = await waiting(desk)
    await desk.cancel(row)
    await desk.ended(row)
    await desk.deposit("2500.00", str(row.reference))
    _, own = await desk.wait_for_top_ups(2)
    assert (await desk.ended(own)).stage == "completed"
    assert await available(house) == "KES 3,500.00"


async def test_a_workflow_cancelled_in_temporal_while_it_waits_ends_as_withdrawn(house: House, desk: MoneyDesk) -> None:
    row = await waiting(desk)
    await house.client.get_workflow_handle(row.workflow_id).cancel()
    assert (await desk.ended(row)).stage == "withdrawn"


async def test_a_disbursement_that_waited_for_money_goes_on_by_itself(house: House, desk: MoneyDesk) -> None:
    """QUICK looks for funds once a minute: what goes on within this test was told."""
    await house.spend("990.00")
    loan = await house.start(await house.approve_loan())
    await house.until_stage(loan, "waiting_funds")
    row = await waiting(desk, "500.00")
    await desk.deposit("500.00", str(row.reference))
    assert (await house.result(loan, timeout=30)).ending == "completed"
    assert await available(house) == "KES 487.00"  # 10 + 500 - 23
    await house.assert_books_balance()


async def test_the_low_balance_alert_comes_once_per_crossing(house: House, desk: MoneyDesk) -> None:
    """The threshold is KES 100.00: below it once, above it by a top-up, below it again."""
    await house.fund("1170.00", "low")  # 2,170: a purchase of 2,080 leaves 90
    first = await desk.buy_float("2000.00")
    await texts(house, "wallet is low", "KES 90.00")
    small = await waiting(desk, "5.00")
    await desk.deposit("5.00", str(small.reference))  # 95: still below, so nothing new is said
    await desk.ended(small)
    await desk.cancel(first)
    await desk.ended(first)  # 2,175: above
    await desk.buy_float("2000.00")  # 95: below again
    lows = await texts(house, "wallet is low", times=2)
    assert len(lows) == 2
    assert "KES 95.00" in lows[1]


async def test_a_bank_that_cannot_prompt_refuses_before_anybody_is_asked(house: House, desk: MoneyDesk) -> None:
    row = await desk.ended(await desk.top_up("2500.00", phone=PHONE))
    assert (row.stage, row.reason_code, await available(house)) == ("failed", "unsupported", "KES 1,000.00")
