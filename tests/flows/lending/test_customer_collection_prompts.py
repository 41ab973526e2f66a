"""The table of cases of a prompt to a payer: whatever is lost, doubled, late or forged, no second prompt leaves and the
payment is booked once."""

import httpx
import pytest

from api.app import create_app
from core.crypto import CallbackRoute, CallbackSigner
from models.messages.saga.decisions import Allocation
from models.messages.saga.policies import CollectionPolicy
from store.saga import prompts as prompt_rows
from tests.support.bank_books import until_running
from tests.support.customers import (
    HASTY,
    MANY,
    assert_booked_once,
    assert_nothing_booked,
    behave,
    booked,
    kes,
    lose,
    own_saga,
    prompts,
    pull,
    until_case,
    with_prompt,
)
from tests.support.house import House
from tests.support.money_in import QUICK_COLLECTION, MoneyDesk
from tests.support.waiting import eventually

CAREFUL = with_prompt(confirm_from_minor=100_000)


async def prompted(desk: MoneyDesk, policy: CollectionPolicy = QUICK_COLLECTION) -> None:
    """The usual: a loan of 5,000, a prompt for 1,500, and the payment is booked once."""
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"], policy=policy))
    await assert_booked_once(desk, row, loan, "1500.00")


async def test_the_callback_alone_is_enough(house: House, desk: MoneyDesk) -> None:
    await lose(house, "confirmation")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    asking = await desk.until(begun, "prompting")
    assert asking.receipt is None
    row = await desk.ended(begun)
    await assert_booked_once(desk, row, loan, "1500.00")
    (payment,) = await desk.incoming()
    assert payment.announced == ["callback"]


@pytest.mark.parametrize(
    ("does", "code"),
    [
        ("cancel", "1032"), ("wrong_pin", "2001"), ("no_funds", "1"), ("locked", "1001"), ("no_answer", "1037"),
        ("expire", "1019"),
    ],
)  # fmt: skip
async def test_a_payer_who_does_not_pay_ends_it(house: House, desk: MoneyDesk, does: str, code: str) -> None:
    await behave(house, stk_prompt_seconds=0.8)
    await desk.payer(does)
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    assert (row.stage, row.reason_code, row.receipt) == ("failed", code, None)
    await assert_nothing_booked(desk, loan)
    assert len(await prompts(desk)) == 1
    assert await house.connection_status("daraja") == "ok"  # 2001 is the payer's PIN here, not our credential

    async def lender_was_told() -> bool:
        return any(
            "could not be collected" in m["text"] or loan["accountNo"] in m["text"] for m in await house.messages()
        )

    await eventually(lender_was_told)
    assert await house.cases() == []


@pytest.mark.parametrize("reason", ["unknown_account", "account_closed", "overpayment", "ambiguous_account"])
async def test_nobody_is_asked_to_pay_into_an_account_that_cannot_take_it(
    house: House, desk: MoneyDesk, reason: str
) -> None:
    loan = await desk.loan("5000.00" if reason == "account_closed" else "1000.00", accountNo="000555")
    if reason == "account_closed":
        await desk.of_receipt((await desk.paybill("5000", "000555"))["receipt"])
    if reason == "ambiguous_account":
        await desk.savings(accountNo="000555")
    before = await booked(desk, loan)
    row = await desk.ended(await desk.collect("1500", "999999" if reason == "unknown_account" else "000555"))
    assert (row.stage, row.reason_code, row.receipt) == ("failed", reason, None)
    assert await prompts(desk) == []
    assert await booked(desk, loan) == before
    assert await house.cases() == []


@pytest.mark.parametrize(
    ("operation", "action"),
    [("fineract.search", "down"), ("fineract.search", "html"), ("fineract.accounts", "unauthorized")],
)
async def test_the_payer_is_asked_where_fineract_does_not_say_whether_the_account_can_take_it(
    house: House, desk: MoneyDesk, operation: str, action: str
) -> None:
    await house.fault(operation, action)
    await prompted(desk)


@pytest.mark.parametrize("what", ["fits", "unfit", "cancelled"])
async def test_a_payment_that_comes_while_the_account_is_looked_at_is_booked_and_nobody_is_asked(
    house: House, desk: MoneyDesk, what: str
) -> None:
    """The customer paid under the code meanwhile: neither a second payment nor an end without this one."""
    await house.patience(40)
    await house.fault("fineract.search", "slow", options={"seconds": 2.5})
    await house.fault("daraja.c2b.validation", "skip")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", "999999" if what == "unfit" else loan["accountNo"])
    await until_running(house, begun, "payments.look")
    if what == "cancelled":
        await desk.cancel(begun)
    await desk.paybill("1500", str(begun.payer_reference))
    if what == "unfit":
        await desk.until(begun, "waiting_account")
        part = Allocation(kind="loan", account_no=loan["accountNo"], amount=kes("1500"))
        await desk.resolve(begun, "allocate", allocations=[part])
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert await prompts(desk) == []


# ------------------------------------------------------------------------------------------------ the acknowledgement


@pytest.mark.parametrize(
    "action",
    ["timeout_after_execution", "reset_after_execution", "upstream_text_after_execution", "odd_ack_after_execution"],
)
async def test_a_lost_acknowledgement_never_leads_to_a_second_prompt(
    house: House, desk: MoneyDesk, action: str
) -> None:
    """SCARS: the job sleeps, sends, crashes before completing: a second PIN prompt."""
    await house.fault("daraja.stk.send", action)
    await prompted(desk)
    assert len(await prompts(desk)) == 1


async def test_without_acknowledgement_and_callback_the_confirmation_tells(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.stk.send", "timeout_after_execution")
    await lose(house, "callback")
    await prompted(desk)
    assert len(await prompts(desk)) == 1


async def test_when_nothing_is_told_the_saga_expires_and_the_pull_books_the_payment(
    house: House, desk: MoneyDesk
) -> None:
    await house.fault("daraja.stk.send", "upstream_text_after_execution")
    await lose(house, "callback", "confirmation")
    loan = await desk.loan("5000.00")
    asked = await desk.ended(await desk.collect("1500", loan["accountNo"], policy=HASTY))
    assert (asked.stage, asked.reason_code) == ("expired", "no_answer")
    assert await pull(desk, until=1) == 1
    (taken,) = await desk.collected()
    await assert_booked_once(desk, await own_saga(desk, taken["receipt"]), loan, "1500.00")
    assert len(await prompts(desk)) == 1
    assert await house.cases() == []


@pytest.mark.parametrize("action", ["spike_arrest", "invalid_token"])
async def test_what_is_known_not_sent_is_sent_again(house: House, desk: MoneyDesk, action: str) -> None:
    await house.fault("daraja.stk.send", action)
    await prompted(desk)


@pytest.mark.parametrize("action", ["system_error", "drop_before", "timeout_before", "busy", "quota"])
async def test_what_may_have_left_is_not_sent_again(house: House, desk: MoneyDesk, action: str) -> None:
    """M-Pesa keeps no reference of ours by which a repeat could be told from the first."""
    await house.fault("daraja.stk.send", action)
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"], policy=HASTY))
    assert (row.stage, row.reason_code) == ("expired", "no_answer")
    assert await prompts(desk) == []
    async with house.database.transaction() as session:
        prompt = await prompt_rows.get(session, f"ask_{row.id.partition('_')[2]}-p1")
    assert prompt is not None
    assert prompt.state == "unknown"


async def test_m_pesa_out_of_reach_to_the_end_asks_nobody(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.token", "down", times=MANY)
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    assert (row.stage, row.reason_code) == ("failed", "not_reached")
    assert await prompts(desk) == []
    await assert_nothing_booked(desk, loan)


@pytest.mark.parametrize("action", ["invalid_request", "no_product"])
async def test_a_refusal_by_the_gateway_asks_nobody(house: House, desk: MoneyDesk, action: str) -> None:
    await house.fault("daraja.stk.send", action)
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    assert row.stage == "failed"
    assert await prompts(desk) == []


async def test_a_prompt_that_m_pesa_accepts_and_then_drops_has_failed(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.stk.send", "refuse", options={"code": "1025"})
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    assert (row.stage, row.reason_code) == ("failed", "1025")
    await assert_nothing_booked(desk, loan)


# ------------------------------------------------------------------------------------------------------- the callback


async def test_a_lost_callback_is_made_good_by_the_confirmation(house: House, desk: MoneyDesk) -> None:
    await lose(house, "callback")
    await prompted(desk)
    (payment,) = await desk.incoming()
    assert payment.announced == ["confirmation"]


async def test_a_callback_that_overtakes_the_acknowledgement_counts(house: House, desk: MoneyDesk) -> None:
    """SCARS: the result arrives before the acknowledgement and is overwritten by it."""
    await lose(house, "confirmation")
    await house.fault("daraja.stk.callback", "early")
    await prompted(desk)


@pytest.mark.parametrize("action", ["duplicate", "as_strings"])
async def test_an_odd_callback_still_books_once(house: House, desk: MoneyDesk, action: str) -> None:
    await lose(house, "confirmation")
    await house.fault("daraja.stk.callback", action)
    await prompted(desk)
    assert await house.cases() == []


async def test_a_callback_after_the_expiry_is_booked_by_a_saga_of_its_own(house: House, desk: MoneyDesk) -> None:
    await lose(house, "confirmation")
    await house.fault("daraja.stk.query", "pending", times=MANY)
    await house.fault("daraja.stk.callback", "late", options={"seconds": 2})
    loan = await desk.loan("5000.00")
    asked = await desk.ended(await desk.collect("1500", loan["accountNo"], policy=HASTY))
    assert asked.stage == "expired"
    (taken,) = await desk.collected()
    await assert_booked_once(desk, await own_saga(desk, taken["receipt"]), loan, "1500.00")
    assert (await desk.row(asked)).stage == "expired"
    assert await house.cases() == []


@pytest.mark.parametrize("seconds", [0.1, 2])
async def test_a_failure_after_a_success_changes_nothing_and_opens_a_case(
    house: House, desk: MoneyDesk, seconds: float
) -> None:
    """The second one comes when the saga has ended."""
    await house.fault("daraja.stk.callback", "contradict_after", options={"seconds": seconds})
    await prompted(desk)
    await until_case(house, "collection_contradiction")


async def test_a_success_after_a_failure_is_booked_by_a_saga_of_its_own_and_opens_a_case(
    house: House, desk: MoneyDesk
) -> None:
    await lose(house, "confirmation")
    await house.fault("daraja.stk.callback", "contradict_before", options={"seconds": 1})
    loan = await desk.loan("5000.00")
    asked = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    assert (asked.stage, asked.reason_code) == ("failed", "1037")
    (taken,) = await desk.collected()
    await assert_booked_once(desk, await own_saga(desk, taken["receipt"]), loan, "1500.00")
    await until_case(house, "collection_contradiction")


# -------------------------------------------------------------------------------------------------------- forged ones


async def test_a_forged_address_changes_nothing(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.stk.callback", "forged_url", options={"amount": 1500})
    await prompted(desk)
    assert await house.cases() == []


async def test_a_wrong_signature_is_answered_404_and_a_stranger_403(house: House, desk: MoneyDesk) -> None:
    signer = CallbackSigner([secret.get_secret_value() for secret in house.settings.security.callback_secrets])
    path = signer.sign(CallbackRoute("customer-collection/col_1", "ask_1-p1"))
    route, mac = path.split("/")
    async with httpx.AsyncClient(verify=False, base_url=house.api_url) as visitor:
        assert (await visitor.post(f"/cb/{route}/{'0' * len(mac)}/in", json={})).status_code == 404
        assert (await visitor.post("/cb/in/no-such-secret/confirm", json={})).status_code == 404
        assert (await visitor.post("/cb/in/no-such-secret/check", json={})).status_code == 404
    callbacks = house.settings.callbacks.model_copy(update={"allowed_sources": ["196.201.214.200"]})
    app = create_app(
        house.settings.model_copy(update={"callbacks": callbacks}), database=house.database, client=house.client
    )
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("203.0.113.9", 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://kivuko.test") as stranger:
            assert (await stranger.post(f"/cb/{path}/in", json={})).status_code == 403
            assert (await stranger.post("/cb/in/no-such-secret/confirm", json={})).status_code == 403
    assert await house.undelivered() == []


@pytest.mark.parametrize("action", ["wrong_amount", "forged"])
async def test_a_success_that_does_not_fit_is_a_case_and_the_true_payment_is_booked(
    house: House, desk: MoneyDesk, action: str
) -> None:
    await house.fault("daraja.stk.callback", action)
    await prompted(desk)
    await until_case(house, "collection_contradiction")


async def test_a_callback_with_a_wrong_amount_alone_books_nothing(house: House, desk: MoneyDesk) -> None:
    """Its receipt is known, its amount is not to be believed: the pull tells the true one."""
    await lose(house, "confirmation")
    await house.fault("daraja.stk.callback", "wrong_amount")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await desk.until(begun, "in_review")
    await assert_nothing_booked(desk, loan)
    await pull(desk, until=1)
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert await house.cases() == ["collection_contradiction"]


async def test_a_wrong_amount_after_the_end_books_nothing(house: House, desk: MoneyDesk) -> None:
    await lose(house, "confirmation")
    await house.fault("daraja.stk.query", "pending", times=MANY)
    await house.fault("daraja.stk.callback", "wrong_amount", options={"by": 200})
    await desk.payer("pay", after_seconds=2.5)
    loan = await desk.loan("5000.00")
    asked = await desk.ended(await desk.collect("1500", loan["accountNo"], policy=HASTY))
    assert asked.stage == "expired"
    await until_case(house, "collection_contradiction")
    await assert_nothing_booked(desk, loan)


async def test_a_large_success_is_believed_only_when_a_query_agrees(house: House, desk: MoneyDesk) -> None:
    await lose(house, "confirmation")
    await prompted(desk, CAREFUL)

    await desk.payer("cancel")  # nothing is paid …
    forgery = {"known_ids": True, "amount": 1600}
    await house.fault("daraja.stk.callback", "forged", options=forgery)  # … but somebody who has the address says so
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1600", loan["accountNo"], policy=CAREFUL))
    assert row.stage == "failed"
    assert await booked(desk, loan) == []


async def test_a_large_success_after_the_end_waits_for_an_announcement(house: House, desk: MoneyDesk) -> None:
    await lose(house, "confirmation")
    await house.fault("daraja.stk.query", "pending", times=MANY)
    await house.fault("daraja.stk.callback", "late", options={"seconds": 2})
    loan = await desk.loan("5000.00")
    policy = HASTY.model_copy(update={"prompt": HASTY.prompt.model_copy(update={"confirm_from_minor": 100_000})})
    asked = await desk.ended(await desk.collect("1500", loan["accountNo"], policy=policy))
    assert asked.stage == "expired"
    await until_case(house, "collection_contradiction")
    await assert_nothing_booked(desk, loan)
    await pull(desk, until=1)
    (taken,) = await desk.collected()
    await assert_booked_once(desk, await own_saga(desk, taken["receipt"]), loan, "1500.00")
