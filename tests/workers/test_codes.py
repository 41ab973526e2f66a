"""One-time codes: sealed while they wait, sent at once or never, and wiped."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from core.clock import utc_now
from core.crypto import CredentialBox
from models.tables.platform.contact import Contact
from models.tables.platform.traffic import ProviderExchange
from notices.outbox import notify_code
from providers.damza.client import Damza
from store.platform.outbox import WIPED
from tests.providers.message_servers import endpoint
from tests.support.waiting import eventually
from tests.workers.conftest import CODE, KEYS, QUICK, Desk, texts


async def stored(desk: Desk) -> str:
    """Everything that the database holds of messages and exchanges."""
    async with desk.database.transaction() as session:
        exchanges = list(await session.exec(select(ProviderExchange)))
    return repr([row.model_dump() for row in (*await desk.rows(), *exchanges)])


async def test_a_code_is_sealed_until_it_is_sent_and_wiped_then(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await desk.code(email="grace@example.com")
    assert CODE not in await stored(desk)
    assert {(row.channel, row.sealed, row.urgent) for row in await desk.rows()} == {
        ("sms", True, True), ("email", True, True),
    }  # fmt: skip
    await desk.dispatcher().send_due()
    assert {(row.state, row.text) for row in await desk.rows()} == {("sent", WIPED)}
    assert sorted(message["channel"] for message in desk.books) == ["email", "sms"]
    assert all(CODE in text and "Never share it" in text for text in texts(desk.books))
    assert CODE not in await stored(desk)
    # The simulated servers log in this process too; theirs is not our log.
    ours = [record for record in caplog.records if not record.name.startswith(("uvicorn", "mail.log"))]
    assert not any(CODE in record.getMessage() for record in ours)


async def test_a_code_expires_with_its_minutes(desk: Desk) -> None:
    await desk.code()
    row = await desk.row()
    assert row.expires_at is not None
    assert timedelta(minutes=9, seconds=30) < row.expires_at - utc_now() <= timedelta(minutes=10)


async def test_a_code_is_never_sent_after_its_time(desk: Desk) -> None:
    await desk.code(email="grace@example.com", expires_at=utc_now() - timedelta(seconds=1))
    await desk.dispatcher().send_due()
    assert {(row.state, row.text) for row in await desk.rows()} == {("expired", WIPED)}
    assert desk.books == []


async def test_a_code_that_nobody_takes_is_tried_until_its_time_and_wiped(desk: Desk) -> None:
    await desk.code(expires_at=utc_now() + timedelta(seconds=0.5))
    dispatcher = desk.dispatcher(desk.nobody, pace=replace(QUICK, most_attempts=2))
    row = await desk.send_until(dispatcher, state="expired")
    assert row.text == WIPED
    assert row.attempts > 2
    assert desk.books == []


async def test_a_code_that_is_refused_is_wiped(desk: Desk) -> None:
    desk.fault("damza.send", "refuse", code="103")
    await desk.code()
    await desk.dispatcher().send_due()
    row = await desk.row()
    assert (row.state, row.text) == ("failed", WIPED)


async def test_a_code_goes_to_the_other_gateway_at_once_and_may_come_twice(desk: Desk) -> None:
    desk.fault("damza.send", "timeout_after_send")
    await desk.code()
    await desk.dispatcher().send_due()
    row = await desk.row()
    assert (row.state, row.gateway, row.tried, row.text) == ("sent", "africastalking", ["damza:unclear"], WIPED)
    assert desk.taken == {"damza": 1, "africastalking": 1}
    assert len(set(texts(desk.books))) == 1


async def test_a_code_that_is_unclear_everywhere_is_wiped(desk: Desk) -> None:
    desk.fault("damza.send", "down")
    desk.fault("africastalking.send", "down")
    await desk.code()
    await desk.dispatcher().send_due()
    row = await desk.row()
    assert (row.state, row.text) == ("unclear", WIPED)


async def test_a_code_that_was_not_delivered_is_not_sent_again(desk: Desk) -> None:
    desk.fault("africastalking.report", "failed")
    await desk.code()
    dispatcher = desk.dispatcher(desk.africastalking, desk.damza)
    async with desk.reports():
        await dispatcher.send_due()
        row = await desk.until(delivery="failed")
        assert await dispatcher.send_due() == 0
    assert (row.state, row.text) == ("sent", WIPED)
    assert desk.taken == {"africastalking": 1}


async def test_a_code_by_mail_is_tried_again_within_its_time(desk: Desk) -> None:
    desk.fault("smtp.send", "transient", times=2)
    await desk.code(phone=None, email="grace@example.com")
    row = await desk.send_until(desk.dispatcher(), state="sent")
    assert row.text == WIPED
    (mail,) = desk.books
    assert CODE in mail["text"]
    assert CODE not in mail["subject"]


async def test_the_same_occasion_keeps_its_first_code_and_another_has_its_own(desk: Desk) -> None:
    await desk.code("purchase-1")
    await desk.code("purchase-1", code="777777")
    await desk.code("purchase-1:2", code="888888")
    await desk.dispatcher().send_due()
    assert sorted(text[:6] for text in texts(desk.books)) == [CODE, "888888"]


async def test_a_code_sealed_with_an_older_key_is_opened(desk: Desk) -> None:
    await desk.code()
    keys = [key.get_secret_value() for key in desk.settings.security.credential_keys]
    await desk.dispatcher(box=CredentialBox([CredentialBox.new_key(), *keys])).send_due()
    assert CODE in texts(desk.books)[0]


async def test_a_code_that_no_key_opens_fails_and_nothing_is_sent(desk: Desk) -> None:
    await desk.code()
    await desk.dispatcher(box=CredentialBox([CredentialBox.new_key()])).send_due()
    row = await desk.row()
    assert (row.state, row.text) == ("failed", WIPED)
    assert desk.books == []


async def test_a_code_does_not_wait_behind_receipts_that_hang(desk: Desk) -> None:
    desk.fault("damza.send", "timeout_after_send", times=50, match={"to": "254712000222"})
    for number in range(3):
        await desk.receipt(f"n{number}", phone="+254712000222")
    async with Damza(endpoint(f"{desk.gateways_url}/damza", patience=60), KEYS) as slow:
        running = asyncio.create_task(desk.dispatcher(slow, desk.africastalking).run())
        try:
            await eventually(lambda: len(desk.books) >= 3)  # the receipts hang now, for a minute
            await desk.code()
            await eventually(lambda: any(CODE in text for text in texts(desk.books)))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_text_that_would_show_the_code_in_its_subject_is_refused(desk: Desk) -> None:
    grace = Contact(
        id="cnt_1",
        partner_id=desk.partner_id,
        name="Grace",
        email="grace@example.com",
        role="authorised",
        language="en",
    )
    async with desk.database.transaction() as session:
        with pytest.raises(ValueError, match="subject"):
            await notify_code(
                session, "float_in_review", key="x", contacts=[grace], partner_id=desk.partner_id, workflow_id=None,
                facts={"code": "7261", "minutes": "5", "amount": "KES 7261", "operator": "M-Pesa", "reference": "r"},
                sealer=desk.box,
            )  # fmt: skip
    assert await desk.rows() == []
