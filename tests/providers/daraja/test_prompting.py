"""Prompts over real HTTP: what each answer proves about the payer's phone. The books say what really came in."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.clock import utc_now
from core.errors import Busy, InvalidRequest, KivukoError, NoAnswer, NotReached, Throttled, Unknown
from core.money import Money
from core.msisdn import Msisdn
from tests.providers.daraja.bench import PHONE, SHORTCODE
from tests.providers.daraja.desk import TILL, Desk
from tests.providers.daraja.test_sending import AFTER_EXECUTION

HEAD_OFFICE = {"stk_type": "CustomerBuyGoodsOnline", "stk_party_b": TILL}


async def test_an_accepted_prompt_is_paid_by_its_callback_only(desk: Desk) -> None:
    desk.behave(stk_payer_seconds=0.3)
    asked = await desk.client().prompt(desk.order())
    assert asked.provider_reference is not None
    assert asked.provider_reference.startswith("ws_CO_")
    assert desk.collected() == []
    (report,) = await desk.reports()
    (row,) = desk.collected()
    assert (report.state, report.code, report.provider_reference) == ("paid", "0", asked.provider_reference)
    assert (report.receipt, report.amount, report.party_digits) == (row["receipt"], Money(150_000, "KES"), PHONE.digits)
    assert report.happened_at is not None
    assert abs(report.happened_at - datetime.fromisoformat(row["at"])) < timedelta(seconds=2)
    assert (row["amount"], row["reference"], row["channel"]) == ("1500.00", "INV2231", "stk")
    assert desk.utility() == "501500.00"


async def test_the_push_is_signed_with_nairobi_time_and_hides_what_is_private(desk: Desk) -> None:
    await desk.client().prompt(desk.order())
    (kept,) = desk.prompts()
    local = datetime.strptime(kept["request"]["Timestamp"], "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo("Africa/Nairobi"))
    assert abs(local - utc_now()) < timedelta(seconds=30)
    (exchange,) = [exchange for exchange in desk.bench.exchanges if exchange.operation == "stk.send"]
    text = str((exchange.request, exchange.response))
    for private in (PHONE.digits, PHONE.digits[-9:], "passkey", "Password"):
        assert private not in text
    assert exchange.reference == "col_01a-a1"


async def test_a_till_is_paid_through_its_head_office(desk: Desk) -> None:
    await desk.client(**HEAD_OFFICE).prompt(desk.order())
    (report,) = await desk.reports()
    assert report.state == "paid"
    assert [row["shortcode"] for row in desk.collected()] == [TILL]
    assert desk.utility() == "501500.00"


async def test_a_paybill_prompt_for_a_till_fails_by_its_callback(desk: Desk) -> None:
    await desk.client(stk_party_b=TILL).prompt(desk.order())
    (report,) = await desk.reports()
    assert (report.state, report.code) == ("failed", "2028")


REFUSED_HERE: list[tuple[dict[str, Any], str]] = [
    ({"amount": Money.parse("1500.50", "KES")}, "amount"),
    ({"amount": Money.parse("0", "KES")}, "amount"),
    ({"amount": Money.parse("1500", "UGX")}, "amount"),
    ({"msisdn": Msisdn("+256772123456")}, "phone"),
    ({"payer_reference": ""}, "payer_reference"),
    ({"payer_reference": "INV2231INV2231"}, "payer_reference"),
    ({"payer_reference": "INV-2231"}, "payer_reference"),
    ({"callback_url": "https://pay.example/Mpesa/1"}, "callback_url"),
    ({"callback_url": "pay.example/cb/1"}, "callback_url"),
]


@pytest.mark.parametrize(("change", "field"), REFUSED_HERE)
async def test_what_mpesa_cannot_carry_is_refused_before_anything_is_sent(
    desk: Desk, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.client().prompt(desk.order(**change))
    assert caught.value.extra["field"] == field
    assert not desk.bench.requests


@pytest.mark.parametrize(
    ("changes", "code"), [({"passkey": None}, "no_passkey"), ({"stk_type": "CustomerBuyGoodsOnline"}, "no_till")]
)
async def test_a_connection_without_what_prompts_need_asks_nobody(
    desk: Desk, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.client(**changes).prompt(desk.order())
    assert caught.value.code == code
    assert not desk.bench.requests


@pytest.mark.parametrize(
    ("given", "sent"), [("", "payment"), ("malipo wanũ #7", "malipo wanu 7"), ("Loan of 12 months", "Loan of 12 mo")]
)
async def test_a_description_never_fails_a_prompt(desk: Desk, given: str, sent: str) -> None:
    await desk.client().prompt(desk.order(description=given))
    (push,) = [exchange.request for exchange in desk.bench.exchanges if exchange.operation == "stk.send"]
    assert push["TransactionDesc"] == sent


async def test_a_connection_that_cannot_be_made_prompts_nobody(desk: Desk) -> None:
    with pytest.raises(NotReached):
        await desk.client(base_url="http://127.0.0.1:9").prompt(desk.order())


NOT_PROMPTED: list[tuple[str, dict[str, Any], type[KivukoError]]] = [
    ("invalid_request", {}, InvalidRequest),
    ("invalid_request", {"code": "400.002.05", "status": 400}, InvalidRequest),
    ("invalid_request", {"code": "404.001.01", "status": 404}, Busy),
    ("not_entitled", {}, Busy),
    ("no_product", {}, Busy),
    ("spike_arrest", {}, Throttled),
]


@pytest.mark.parametrize(("action", "options", "error"), NOT_PROMPTED)
async def test_a_refusal_by_the_gateway_prompts_nobody(
    desk: Desk, action: str, options: dict[str, Any], error: type[KivukoError]
) -> None:
    desk.bench.fault("daraja.stk.send", action, **options)
    with pytest.raises(error):
        await desk.client().prompt(desk.order())
    assert desk.prompts() == []


@pytest.mark.parametrize("action", ["busy", "spike_arrest_json", "quota", "system_error", "drop_before"])
async def test_a_5xx_is_unknown_even_where_nobody_was_prompted(desk: Desk, action: str) -> None:
    """There is no idempotency key, so what a gateway's 500 leaves open may not be sent again."""
    desk.bench.fault("daraja.stk.send", action)
    with pytest.raises(Unknown):
        await desk.client().prompt(desk.order())
    assert desk.pushes() == 1


@pytest.mark.parametrize("changes", [{"passkey": "of-another"}, {"stk_shortcode": "600111"}])
async def test_a_wrong_passkey_or_short_code_is_unknown_and_named(desk: Desk, changes: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer) as caught:
        await desk.client(**changes).prompt(desk.order())
    assert caught.value.extra["provider_code"] == "500.001.1001"
    assert desk.prompts() == []


@pytest.mark.parametrize(("action", "options", "error"), AFTER_EXECUTION)
async def test_a_lost_acknowledgement_is_unknown_and_the_payer_is_asked_once(
    desk: Desk, action: str, options: dict[str, Any], error: type[KivukoError]
) -> None:
    desk.bench.fault("daraja.stk.send", action, **options)
    with pytest.raises(error) as caught:
        await desk.client().prompt(desk.order())
    assert isinstance(caught.value, Unknown)
    await desk.reports()
    assert (desk.pushes(), len(desk.collected())) == (1, 1)


@pytest.mark.parametrize(("action", "collected"), [("timeout_after_execution", 1), ("timeout_before", 0)])
async def test_a_read_timeout_is_unknown_whether_or_not_the_payer_was_asked(
    desk: Desk, action: str, collected: int
) -> None:
    desk.bench.fault("daraja.stk.send", action, times=5, seconds=5)
    with pytest.raises(NoAnswer):
        await desk.client(read_timeout=1.0).prompt(desk.order())
    assert desk.pushes() == 1
    assert len(desk.collected()) == collected


@pytest.mark.parametrize("dialect", ["404.001.03", "401.002.01", "400.003.01"])
async def test_a_refused_token_is_minted_again_once_and_one_prompt_goes_out(desk: Desk, dialect: str) -> None:
    desk.bench.fault("daraja.stk.send", "invalid_token", dialect=dialect)
    await desk.client().prompt(desk.order())
    assert (desk.pushes(), desk.bench.minted(), len(desk.prompts())) == (2, 2, 1)


async def test_a_token_refused_twice_is_known_not_sent(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.send", "invalid_token", times=2)
    with pytest.raises(Busy):
        await desk.client().prompt(desk.order())
    assert (desk.pushes(), desk.prompts()) == (2, [])


async def test_money_out_and_money_in_share_one_token(desk: Desk) -> None:
    client = desk.client()
    await client.prompt(desk.order())
    await client.send(desk.bench.order())
    await client.register_c2b(f"{desk.bench.url}/cb/a", f"{desk.bench.url}/cb/b", "Completed")
    assert desk.bench.minted() == 1
    assert SHORTCODE in str(desk.bench.exchanges[1].request)
