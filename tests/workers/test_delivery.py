"""What delivery reports do: the simulator sends them, the API takes them, the dispatcher acts on them."""

from datetime import timedelta

import pytest

from core.clock import utc_now
from notices.delivery import Report, take_report
from providers.africastalking.client import AfricasTalking
from store.platform.messages_report import counts
from tests.providers.message_servers import endpoint
from tests.workers.conftest import KEYS, PHONE, Desk


async def test_a_message_is_followed_to_its_receiver(desk: Desk) -> None:
    await desk.receipt()
    async with desk.reports():
        await desk.dispatcher(desk.africastalking, desk.damza).send_due()
        row = await desk.until(delivery="delivered")
    assert row.delivery_at is not None
    assert row.state == "sent"


@pytest.mark.parametrize("action", ["duplicate", "out_of_order", "contradict", "late"])
async def test_the_first_final_report_stays(desk: Desk, action: str) -> None:
    desk.fault("africastalking.report", action, seconds=0.2)
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    async with desk.reports():
        await dispatcher.send_due()
        first = await desk.until(delivery="delivered")
        await desk.all_reports()
        await dispatcher.send_due()
    row = await desk.row()
    assert (row.state, row.delivery, row.delivery_at) == ("sent", "delivered", first.delivery_at)
    assert desk.taken == {"africastalking": 1}


async def test_a_report_may_overtake_the_answer(desk: Desk) -> None:
    desk.fault("africastalking.send", "slow", seconds=0.3)  # the reports come after 0.05 and 0.1 seconds
    await desk.receipt()
    async with (
        desk.reports(),
        AfricasTalking(endpoint(f"{desk.gateways_url}/africastalking", patience=30), KEYS) as patient,
    ):
        await desk.dispatcher(patient, desk.damza).send_due()
        await desk.until(delivery="delivered")


async def test_a_failure_that_another_gateway_may_cure_is_tried_there_once(desk: Desk) -> None:
    desk.fault("africastalking.report", "failed", reason="DeliveryFailure")
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    async with desk.reports() as url:
        await dispatcher.send_due()
        failed = await desk.until(delivery="failed")
        assert (failed.state, failed.tried) == ("pending", ["africastalking:undelivered"])
        assert failed.last_error == "not delivered: DeliveryFailure"
        await desk.all_reports()
        await desk.send_until(dispatcher, state="sent")
        again = await desk.world.http.post(url, data={"id": failed.message_id, "status": "Failed"})
        assert again.status_code == 200
        assert await dispatcher.send_due() == 0
    row = await desk.row()
    assert (row.state, row.gateway, row.delivery, row.cost) == ("sent", "damza", None, "KES 0.8000")
    assert desk.taken == {"africastalking": 1, "damza": 1}


@pytest.mark.parametrize("reason", ["UserInBlackList", "UserDoesNotExist", "DoNotDisturbRejection", "NewReason"])
async def test_a_failure_that_lies_with_the_receiver_is_tried_nowhere(desk: Desk, reason: str) -> None:
    desk.fault("africastalking.report", "failed", reason=reason, status="Rejected")
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    async with desk.reports():
        await dispatcher.send_due()
        row = await desk.until(delivery="failed")
        assert await dispatcher.send_due() == 0
    assert (row.state, row.last_error) == ("sent", f"not delivered: {reason}")
    assert desk.taken == {"africastalking": 1}


async def test_a_failure_with_no_gateway_left_stays_sent_and_not_delivered(desk: Desk) -> None:
    desk.fault("damza.send", "refuse", code="106")
    desk.fault("africastalking.report", "failed")
    await desk.receipt()
    dispatcher = desk.dispatcher()
    async with desk.reports():
        await dispatcher.send_due()
        await desk.until(delivery="failed")
        row = await desk.send_until(dispatcher, state="sent")
    assert (row.delivery, row.gateway) == ("failed", "africastalking")
    assert desk.taken == {"africastalking": 1}


async def test_a_second_gateway_that_refuses_ends_it_as_failed(desk: Desk) -> None:
    desk.fault("africastalking.report", "failed")
    desk.fault("damza.send", "refuse", code="106")
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    async with desk.reports():
        await dispatcher.send_due()
        await desk.until(delivery="failed")
        row = await desk.send_until(dispatcher, state="failed")
    assert row.tried == ["africastalking:undelivered", "damza:refused"]


async def test_an_unanswered_send_that_is_reported_as_failed_goes_to_the_other_gateway_at_once(desk: Desk) -> None:
    desk.fault("africastalking.send", "timeout_after_send")
    desk.fault("africastalking.report", "failed")
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    async with desk.reports():
        await dispatcher.send_due()
        await desk.until(delivery="failed")
        row = await desk.send_until(dispatcher, state="sent")
    assert row.gateway == "damza"


async def test_a_failure_that_is_told_too_late_leads_to_no_other_try(desk: Desk) -> None:
    await desk.receipt()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    await dispatcher.send_due()
    row = await desk.row()
    await desk.age(timedelta(hours=2))
    report = Report("africastalking", row.message_id or "", "failed", "DeliveryFailure", curable=True)
    async with desk.database.transaction() as session:
        assert await take_report(session, report, within=timedelta(hours=1)) == "noted"
    row = await desk.row()
    assert (row.state, row.delivery) == ("sent", "failed")


async def test_silence_is_counted_and_nothing_is_sent_again(desk: Desk) -> None:
    desk.fault("africastalking.report", "lose", match={"to": PHONE})
    await desk.receipt("silent")
    await desk.receipt("reported", phone="+254712000222")
    async with desk.reports():
        await desk.dispatcher(desk.africastalking).send_due()
        await desk.all_reports()
    await desk.age(timedelta(days=2))
    assert await desk.dispatcher(desk.africastalking, desk.damza).send_due() == 0
    async with desk.database.transaction() as session:
        counted = await counts(
            session, partner_id=desk.partner_id, since=utc_now() - timedelta(hours=1), until=utc_now()
        )
    assert {(one.gateway, one.state, one.delivery): one.number for one in counted} == {
        ("africastalking", "sent", "silent"): 1,
        ("africastalking", "sent", "delivered"): 1,
    }
    assert desk.taken == {"africastalking": 2}
