"""Relays end to end: each ends with the recipient paid once, or the payer paid back once, by the tin's own book."""

from datetime import timedelta

import pytest
from sqlmodel import select

from core.clock import utc_now
from models.messages.saga.policies import PromptPolicy
from models.messages.toys.relay import RelayPolicy
from models.tables.platform.traffic import InboxItem
from models.tables.toys.relay import Relay
from store.platform.retention import erase
from store.saga import payouts, timeline
from tests.flows.toys.relay_desk import (
    ACCOUNT,
    AMOUNT,
    PAYER,
    QUICK,
    RECIPIENT,
    TOKEN,
    RelayDesk,
    given_back,
    passed_on,
)
from tests.support.house import House, door_without_temporal
from tests.support.waiting import eventually

# Neither prompt nor payout asks by itself while a test lasts.
PATIENT = RelayPolicy(
    prompt=PromptPolicy(query_after=(timedelta(minutes=5),)),
    payout=QUICK.payout.model_copy(update={"query_after": (timedelta(minutes=5),), "case_after": timedelta(minutes=5)}),
)


# ------------------------------------------------------------------------------------------------ the payer is prompted


async def test_what_the_payer_was_prompted_for_is_passed_on(desk: RelayDesk) -> None:
    row = await desk.ended(await desk.relay())
    assert (row.stage, row.reason_code, row.returned_receipt) == ("completed", None, None)
    assert row.receipt != row.paid_receipt
    assert await desk.movements() == passed_on()
    assert await lines_of(desk, row) == [
        "requested", f"ask_{row.id[4:]}-p1:send", "received", f"{await payout_of(desk, row)}:send", "ended",
    ]  # fmt: skip
    assert await desk.house.cases() == []


async def test_a_payer_who_refuses_pays_nothing(desk: RelayDesk) -> None:
    await desk.fault("prompt", "fail_later", PAYER)
    row = await desk.ended(await desk.relay())
    assert (row.stage, row.reason_code) == ("failed", "refused_by_person")
    assert await desk.movements() == []


@pytest.mark.parametrize("action", ["refuse", "fail_later"])
async def test_what_the_recipients_purse_refuses_goes_back_to_the_payer(desk: RelayDesk, action: str) -> None:
    await desk.fault("payout", action, RECIPIENT)
    row = await desk.ended(await desk.relay())
    assert (row.stage, row.paid_receipt) == ("returned", None)
    assert row.returned_receipt is not None
    assert await desk.movements() == given_back()
    assert await desk.house.cases() == []


async def test_a_return_that_is_refused_waits_for_a_person_and_goes_back_once(desk: RelayDesk) -> None:
    await desk.fault("payout", "refuse", RECIPIENT)
    await desk.fault("payout", "refuse", PAYER)
    row = await desk.relay()

    async def waits() -> bool:
        return await desk.house.cases() == ["transfer_back_failed"]

    await eventually(waits)
    assert await desk.movements() == [(PAYER, ACCOUNT, AMOUNT)]
    await desk.retry(row)
    assert (await desk.ended(row)).stage == "returned"
    assert await desk.movements() == given_back()
    assert await desk.house.cases() == []


@pytest.mark.parametrize(("operation", "phone"), [("prompt", PAYER), ("payout", RECIPIENT)])
async def test_what_the_tin_executes_without_answering_is_passed_on_once(
    desk: RelayDesk, operation: str, phone: str
) -> None:
    await desk.fault(operation, "timeout_after_execution", phone, options={"seconds": 5})
    row = await desk.ended(await desk.relay())
    assert row.stage == "completed"
    assert await desk.movements() == passed_on()


@pytest.mark.parametrize("phone", [PAYER, RECIPIENT])
async def test_a_callback_that_is_lost_is_made_good_by_a_query(desk: RelayDesk, phone: str) -> None:
    await desk.fault("callback", "lose", phone)
    row = await desk.ended(await desk.relay())
    assert row.stage == "completed"
    assert await desk.movements() == passed_on()


async def test_callbacks_that_come_twice_count_once(desk: RelayDesk) -> None:
    for phone in (PAYER, RECIPIENT):
        await desk.fault("callback", "double", phone)
    row = await desk.ended(await desk.relay())
    await desk.tell_again(await payout_of(desk, row), "paid")
    assert row.stage == "completed"
    assert await desk.movements() == passed_on()
    assert len(await desk.rows()) == 1
    assert await desk.house.cases() == []


async def test_a_report_that_contradicts_after_the_end_is_a_case_and_moves_nothing(desk: RelayDesk) -> None:
    row = await desk.ended(await desk.relay())
    await desk.tell_again(await payout_of(desk, row), "failed")

    async def case() -> bool:
        return await desk.house.cases() == ["payout_contradiction"]

    await eventually(case)
    assert (await desk.now(row)).stage == "completed"
    assert await desk.movements() == passed_on()


# --------------------------------------------------------------------------------------------- payments of their own accord


async def test_a_payment_that_names_the_code_of_a_waiting_relay_is_passed_on_whatever_its_amount(
    desk: RelayDesk,
) -> None:
    row = await desk.until(await desk.relay(None), "waiting_money")
    await desk.pay_in(f"for rent {row.code}", amount="450.00")
    row = await desk.ended(row)
    assert row.stage == "completed"
    assert await desk.movements() == passed_on(amount="450.00")
    assert len(await desk.rows()) == 1


async def test_a_payment_that_bears_the_recipients_number_alone_is_a_relay_of_its_own(desk: RelayDesk) -> None:
    await desk.pay_in(f"0{RECIPIENT[3:]}")
    row = await desk.only()
    assert (row.stage, row.method, row.requested_by) == ("completed", "arrived", "tin")
    assert await desk.movements() == passed_on()


async def test_a_payment_that_names_nobody_goes_back(desk: RelayDesk) -> None:
    await desk.pay_in(f"rent {RECIPIENT}")
    row = await desk.only()
    assert (row.stage, row.reason_code) == ("returned", "names_nobody")
    assert await desk.movements() == given_back()


async def test_a_payment_that_is_announced_twice_is_one_relay(desk: RelayDesk) -> None:
    await desk.house.fault("tin.announcement", "double")
    row = await desk.until(await desk.relay(None), "waiting_money")
    await desk.pay_in(str(row.code))
    assert (await desk.ended(row)).stage == "completed"
    assert await desk.movements() == passed_on()
    assert len(await desk.rows()) == 1


async def test_a_second_payment_under_one_code_goes_back(desk: RelayDesk) -> None:
    row = await desk.until(await desk.relay(None), "waiting_money")
    await desk.pay_in(str(row.code))
    await desk.ended(row)
    other = "254712000002"
    await desk.pay_in(str(row.code), payer=other)

    async def two_ended() -> bool:
        return sorted(row.stage for row in await desk.rows()) == ["completed", "returned"]

    await eventually(two_ended)
    assert await desk.movements() == passed_on() + given_back(other)


async def test_a_prompted_payment_that_is_announced_as_well_is_the_same_payment(desk: RelayDesk, house: House) -> None:
    """Its relay has it already, and is past that: it waits for word of the payout."""
    await desk.fault("callback", "lose", RECIPIENT)
    row = await desk.relay(policy=PATIENT)
    await waits_for(desk, row, "the provider's report")
    taken, _ = (await house.http.get("/tin/books")).json()["movements"]
    told = {
        "receipt": taken["receipt"], "account": ACCOUNT, "amount": AMOUNT, "currency": "KES", "phone": f"+{PAYER}",
        "text": row.code, "at": taken["at"],
    }  # fmt: skip
    assert (await house.http.post(await announcement_address(desk), json=told)).status_code == 200

    async def agreed() -> bool:
        async with house.database.transaction() as session:
            items = list(await session.exec(select(InboxItem).where(InboxItem.kind == "payment")))
        return [item.outcome for item in items] == ["taken"]

    await eventually(agreed)
    await desk.retry(row)
    assert (await desk.ended(row)).stage == "completed"
    assert len(await desk.rows()) == 1
    assert await desk.movements() == passed_on()


# ---------------------------------------------------------------------------------------------------------- what was lost


async def test_a_sweep_starts_what_a_crash_left_unstarted(desk: RelayDesk) -> None:
    row = await desk.row()
    await desk.sweep()
    assert (await desk.ended(row)).stage == "completed"
    assert await desk.movements() == passed_on()


async def test_a_report_that_came_while_temporal_was_away_is_kept_and_delivered(desk: RelayDesk, house: House) -> None:
    await desk.fault("callback", "lose", PAYER)
    row = await desk.relay(policy=PATIENT)

    await waits_for(desk, row, "the payer to answer")
    prompt = f"ask_{row.id[4:]}-p1"
    told = await house.http.get("/tin/v1/prompts/tp00000001", headers={"Authorization": f"Bearer {TOKEN}"})
    async with door_without_temporal(house) as tin:
        answer = await tin.post(desk.callback_path(row, prompt, "in"), json=told.json())
    assert answer.status_code == 200
    assert await house.undelivered() == [1]
    await desk.sweep()
    assert (await desk.ended(row)).stage == "completed"

    async def delivered() -> bool:
        return await house.undelivered() == []

    await eventually(delivered)
    assert await desk.movements() == passed_on()


async def test_a_callback_to_an_address_that_we_did_not_make_is_not_even_stored(desk: RelayDesk, house: House) -> None:
    row = await desk.ended(await desk.relay())
    right = desk.callback_path(row, await payout_of(desk, row), "out")
    forged = right.replace(right.split("/")[-2], "0" * 64)
    for path in (forged, "/cb/tin/0123456789abcdef/"):
        assert (await house.http.post(f"{house.api_url}{path}", json={"state": "failed"})).status_code == 404
    assert await house.cases() == []


async def test_the_people_of_a_relay_are_forgotten_in_time(desk: RelayDesk, house: House) -> None:
    row = await desk.ended(await desk.relay())
    assert (row.msisdn, row.recipient) == (f"+{PAYER}", f"+{RECIPIENT}")
    later = utc_now() + timedelta(days=house.settings.retention.payers_days + 1)
    await erase(house.database, house.settings.retention, within=timedelta(seconds=30), now=later)
    row = await desk.now(row)
    assert (row.msisdn, row.recipient) == (None, None)
    assert row.receipt is not None


async def waits_for(desk: RelayDesk, row: Relay, what: str) -> None:
    """Until the relay waits for something whose description holds these words."""

    async def there() -> bool:
        return what in ((await desk.status(row)).waiting_for or "")

    await eventually(there)


async def lines_of(desk: RelayDesk, row: Relay) -> list[str]:
    async with desk.house.database.transaction() as session:
        return [event.key for event in await timeline.read(session, row.workflow_id)]


async def payout_of(desk: RelayDesk, row: Relay) -> str:
    """The reference of a relay's last payout."""
    async with desk.house.database.transaction() as session:
        return (await payouts.of_workflow(session, row.workflow_id))[-1].reference


async def announcement_address(desk: RelayDesk) -> str:
    account = desk.house.simulators.world.documents.get("tin.accounts", ACCOUNT)
    assert account is not None
    return str(account["announce_to"])
