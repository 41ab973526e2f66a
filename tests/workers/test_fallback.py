"""From gateway to gateway: after a failure or silence, and never twice on purpose."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from core.clock import utc_now
from core.msisdn import Msisdn
from notices.delivery import Report, take_report
from providers.damza.client import Damza
from providers.ports import SmsAccepted
from store.platform import outbox
from tests.providers.message_servers import endpoint
from tests.support.waiting import eventually
from tests.workers.conftest import KEYS, PHONE, QUICK, WINDOW, Desk


async def test_a_message_that_one_gateway_took_is_asked_of_nobody_again(desk: Desk) -> None:
    await desk.receipt()
    dispatcher = desk.dispatcher()
    assert await dispatcher.send_due() == 1
    row = await desk.row()
    assert (row.state, row.gateway, row.tried, row.segments, row.delivery) == ("sent", "damza", [], 1, None)
    assert row.sent_at is not None
    assert await dispatcher.send_due() == 0
    assert desk.taken == {"damza": 1}


async def test_a_bug_met_by_one_message_ends_neither_the_loop_nor_the_message(desk: Desk) -> None:
    class StumblesOnce(Damza):
        stumbled = False

        async def send(self, to: Msisdn, text: str, *, reference: str) -> SmsAccepted:
            if not self.stumbled:
                self.stumbled = True
                raise AssertionError("a bug of ours")
            return await super().send(to, text, reference=reference)

    stumbling = StumblesOnce(endpoint(desk.gateways_url), KEYS)
    await desk.receipt()
    brief = replace(QUICK, lease=timedelta(seconds=0.2))
    sending = asyncio.create_task(desk.dispatcher(stumbling, desk.africastalking, pace=brief).run())
    try:
        await desk.until(state="sent")
    finally:
        sending.cancel()
        await stumbling.close()
    assert stumbling.stumbled
    assert desk.taken == {"africastalking": 1}  # what became of the first question nobody knows


async def test_the_same_occasion_is_told_once(desk: Desk) -> None:
    await desk.receipt("one")
    await desk.receipt("one")
    await desk.dispatcher().send_due()
    assert desk.taken == {"damza": 1}


async def test_a_refusal_hands_over_at_once(desk: Desk) -> None:
    desk.fault("damza.send", "refuse", code="105")
    await desk.receipt()
    await desk.dispatcher().send_due()
    row = await desk.row()
    assert (row.state, row.gateway, row.tried) == ("sent", "africastalking", ["damza:refused"])
    assert (row.cost, row.delivery, row.message_id) == ("KES 0.8000", "awaited", desk.books[0]["message_id"])
    assert desk.taken == {"africastalking": 1}


async def test_a_number_that_one_gateway_calls_wrong_is_not_shown_to_the_other(desk: Desk) -> None:
    desk.fault("damza.send", "refuse", code="103")
    await desk.receipt()
    await desk.dispatcher().send_due()
    row = await desk.row()
    assert row.state == "failed"
    assert "invalid phone number" in (row.last_error or "")
    assert desk.taken == {}


async def test_a_gateway_that_is_away_hands_over_at_once(desk: Desk) -> None:
    await desk.receipt()
    await desk.dispatcher(desk.nobody, desk.africastalking).send_due()
    row = await desk.row()
    assert (row.state, row.gateway) == ("sent", "africastalking")


async def test_a_gateway_that_was_away_is_asked_again_when_the_other_refused(desk: Desk) -> None:
    desk.fault("africastalking.send", "refuse", status_code=405)
    await desk.receipt()
    await desk.dispatcher(desk.nobody, desk.africastalking).send_due()
    row = await desk.row()
    assert (row.state, row.tried) == ("pending", ["africastalking:refused"])
    row = await desk.send_until(desk.dispatcher(), state="sent")
    assert row.gateway == "damza"
    assert desk.taken == {"damza": 1}


async def test_a_message_that_nobody_can_take_is_given_up_in_the_end(desk: Desk) -> None:
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.nobody, pace=replace(QUICK, most_attempts=3))
    row = await desk.send_until(dispatcher, state="failed")
    assert row.attempts == 3
    assert "not_reached" in (row.last_error or "")


async def test_all_gateways_refusing_is_a_failure(desk: Desk) -> None:
    desk.fault("damza.send", "refuse", code="106")
    desk.fault("africastalking.send", "no_recipients")
    await desk.receipt()
    await desk.dispatcher().send_due()
    assert (await desk.row()).state == "failed"
    assert desk.taken == {}


# ----------------------------------------------------------------------------------------------------- no usable answer


async def test_an_unclear_answer_is_given_a_window_before_the_next_gateway(desk: Desk) -> None:
    desk.fault("damza.send", "down")  # 503: nothing went out, but nobody can know
    await desk.receipt()
    dispatcher = desk.dispatcher()
    await dispatcher.send_due()
    row = await desk.row()
    assert (row.state, row.tried) == ("pending", ["damza:unclear"])
    assert row.next_attempt_at > utc_now()
    assert await dispatcher.send_due() == 0
    row = await desk.send_until(dispatcher, state="sent")
    assert row.gateway == "africastalking"
    assert desk.taken == {"africastalking": 1}


async def test_unclear_everywhere_is_said_so_and_repeated_nowhere(desk: Desk) -> None:
    desk.fault("damza.send", "html_200")
    desk.fault("africastalking.send", "timeout_after_send")
    await desk.receipt()
    dispatcher = desk.dispatcher()
    await desk.send_until(dispatcher, state="unclear")
    assert await dispatcher.send_due() == 0
    assert desk.taken == {"damza": 1, "africastalking": 1}


async def test_a_refusal_after_an_unclear_answer_leaves_it_unclear(desk: Desk) -> None:
    desk.fault("damza.send", "timeout_after_send")
    desk.fault("africastalking.send", "refuse", status_code=403)
    await desk.receipt()
    row = await desk.send_until(desk.dispatcher(), state="unclear")
    assert row.tried == ["damza:unclear", "africastalking:refused"]


async def test_a_report_of_success_within_the_window_keeps_the_other_gateway_out(desk: Desk) -> None:
    desk.fault("africastalking.send", "timeout_after_send")
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    async with desk.reports():
        await dispatcher.send_due()
        row = await desk.until(delivery="delivered")
        await asyncio.sleep(WINDOW.total_seconds())
        assert await dispatcher.send_due() == 0
    assert (row.state, row.gateway, row.message_id) == ("sent", "africastalking", desk.books[0]["message_id"])
    assert desk.taken == {"africastalking": 1}


async def test_a_report_after_the_window_changes_nothing(desk: Desk) -> None:
    desk.fault("africastalking.send", "timeout_after_send")
    desk.fault("africastalking.report", "late", seconds=1.2)
    await desk.receipt()
    async with desk.reports():
        row = await desk.send_until(desk.dispatcher(desk.africastalking, desk.damza), state="sent")
        assert row.gateway == "damza"
        await desk.all_reports()
    row = await desk.row()
    assert (row.gateway, row.delivery, row.tried) == ("damza", None, ["africastalking:unclear"])


async def test_one_report_cannot_tell_two_unanswered_messages_to_one_number_apart(desk: Desk) -> None:
    desk.fault("africastalking.send", "timeout_after_send", times=2)
    desk.fault("africastalking.report", "lose")
    await desk.receipt("one")
    await desk.receipt("two")
    async with desk.reports():
        await desk.dispatcher(desk.africastalking, desk.damza).send_due()
        await desk.all_reports()
    assert [row.delivery for row in await desk.rows()] == [None, None]
    assert [row.state for row in await desk.rows()] == ["pending", "pending"]


async def test_a_process_that_dies_while_it_asks_leaves_an_unclear_answer(desk: Desk) -> None:
    desk.fault("damza.send", "timeout_after_send")
    await desk.receipt()
    async with Damza(endpoint(f"{desk.gateways_url}/damza", patience=30), KEYS) as patient:
        pace = replace(QUICK, lease=timedelta(seconds=1.5))
        dying = asyncio.create_task(desk.dispatcher(patient, desk.africastalking, pace=pace).send_due())
        await desk.until(tried=["damza:asked"])
        await eventually(lambda: desk.taken == {"damza": 1})
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    dispatcher = desk.dispatcher()
    assert await dispatcher.send_due() == 0  # still leased
    row = await desk.send_until(dispatcher, tried=["damza:unclear"])
    assert row.state == "pending"
    row = await desk.send_until(dispatcher, state="sent")
    assert row.gateway == "africastalking"
    assert desk.taken == {"damza": 1, "africastalking": 1}


async def test_two_dispatchers_share_the_work(desk: Desk) -> None:
    for number in range(12):
        await desk.receipt(f"n{number}")
    first, second = desk.dispatcher(), desk.dispatcher()
    taken = await asyncio.gather(first.send_due(), second.send_due())
    assert sum(taken) == 12
    assert desk.taken == {"damza": 12}


async def test_a_report_that_comes_between_the_lease_and_the_question_stops_the_question(desk: Desk) -> None:
    desk.fault("africastalking.send", "timeout_after_send")
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza, pace=replace(QUICK, unclear_window=timedelta(0)))
    await dispatcher.send_due()
    async with desk.database.transaction() as session:
        (leased,) = await outbox.lease(session, limit=1, lease_for=timedelta(seconds=30), first_asked="africastalking")
    report = Report("africastalking", "ATXid_1", "progress", recipient=PHONE)
    async with desk.database.transaction() as session:
        assert await take_report(session, report, within=timedelta(days=1)) == "noted"
    await dispatcher._send(leased)  # where a dispatcher stands that was slow to begin
    row = await desk.row()
    assert (row.state, row.gateway, row.delivery) == ("sent", "africastalking", "progress")
    assert desk.taken == {"africastalking": 1}
