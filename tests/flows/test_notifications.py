"""Messages: through the first gateway, through the second when the first will not, and never in the way of money."""

from collections import Counter
from typing import Any

from tests.support.house import House
from tests.support.waiting import eventually


async def sms(house: House, count: int) -> list[dict[str, Any]]:
    async def there() -> list[dict[str, Any]]:
        taken = [message for message in await house.messages() if message["channel"] == "sms"]
        return taken if len(taken) >= count else []

    found: list[dict[str, Any]] = await eventually(there)
    return found


async def test_client_and_lender_are_told_once_each(house: House) -> None:
    _, result = await house.disburse()
    messages = await sms(house, 2)
    assert Counter(message["to"][-9:] for message in messages) == {"712345678": 1, "711000222": 1}
    assert all(result.receipts[0] in message["text"] for message in messages)
    assert {message["gateway"] for message in messages} == {"damza"}


async def test_a_refusing_gateway_hands_over_to_the_second(house: House) -> None:
    await house.fault("damza.send", "refuse", times=2, options={"code": "102"})
    await house.disburse()
    messages = await sms(house, 2)
    assert {message["gateway"] for message in messages} == {"africastalking"}


async def test_gateways_that_are_down_delay_messages_but_no_payment(house: House) -> None:
    await house.fault("damza.send", "down", times=1000)
    await house.fault("africastalking.send", "down", times=1000)
    _, result = await house.disburse()
    assert result.ending == "completed"
    assert [m for m in await house.messages() if m["channel"] == "sms"] == []


async def test_a_client_reads_swahili_where_the_lender_does(house: House) -> None:
    await house.set_language("sw")
    await house.disburse()
    texts = [message["text"] for message in await sms(house, 2)]
    assert any(text.startswith("Habari Wanjiru") for text in texts)


async def test_a_lender_reads_why_a_loan_was_not_paid_in_its_own_language(house: House) -> None:
    await house.set_language("sw")
    _, result = await house.disburse(phone="07-none-yet")
    (text,) = [message["text"] for message in await sms(house, 1)]
    assert "pesa za mkopo hazikutumwa. Nambari ya simu si sahihi." in text
    assert result.detail
    assert result.detail not in text


async def test_mail_goes_out_where_an_event_has_a_text_for_it(house: House) -> None:
    await house.spend("910.00")  # below the alert after the next hold
    await house.disburse("900.00")

    async def mailed() -> bool:
        return any(m["channel"] == "email" and "wallet is low" in m["subject"] for m in await house.messages())

    await eventually(mailed)
