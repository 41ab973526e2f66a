"""Every row of daraja.md 3.9 and the error shapes of daraja.md 4, over real HTTP. The books say what really happened."""

from typing import Any

import pytest

from core.errors import (
    Busy,
    Garbled,
    InvalidRequest,
    KivukoError,
    NoAnswer,
    NotAllowed,
    NotReached,
    Rejected,
    Throttled,
    Transient,
    Unknown,
)
from core.money import Money
from core.msisdn import Msisdn
from simulators.daraja.models import SETTINGS, Behaviour
from tests.providers.daraja.bench import Bench

Case = tuple[str, dict[str, Any]]


async def test_an_accepted_payout_is_only_queued(bench: Bench) -> None:
    slow = Behaviour(execution_delay_seconds=1, answer_delay_seconds=0)
    bench.world.documents.put(SETTINGS, "behaviour", slow.model_dump())
    accepted = await bench.client().send(bench.order())
    assert accepted.provider_reference is not None
    assert accepted.provider_reference.startswith("AG_")
    assert bench.paid() == []
    await bench.received()
    assert [(row["reference"], row["amount"]) for row in bench.paid()] == [("pay_01a-a1", "1250.00")]


async def test_a_connection_that_cannot_be_made_is_not_sent(bench: Bench) -> None:
    client = bench.client(base_url="http://127.0.0.1:9")
    with pytest.raises(NotReached):
        await client.send(bench.order())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("400.002.02", 400), ("400.002.05", 400), ("400.003.02", 400), ("404.001.04", 404),
        ("405.001", 405),
    ],
)  # fmt: skip
async def test_a_request_that_the_gateway_finds_invalid_was_not_sent(bench: Bench, code: str, status: int) -> None:
    bench.fault("daraja.b2c.send", "invalid_request", code=code, status=status)
    with pytest.raises(InvalidRequest) as caught:
        await bench.client().send(bench.order())
    assert caught.value.extra["provider_code"] == code


HELD: list[tuple[str, dict[str, Any], str]] = [
    ("not_entitled", {}, "not_entitled"),
    ("no_product", {}, "not_entitled"),
    ("invalid_request", {"code": "404.002.01", "status": 404}, "wrong_address"),
    ("empty_404", {}, "wrong_address"),
]


@pytest.mark.parametrize(("action", "options", "code"), HELD)
async def test_a_refusal_of_our_access_is_no_verdict_on_the_payout(
    bench: Bench, action: str, options: dict[str, Any], code: str
) -> None:
    """Nothing left, and a person will mend it: the payout waits, and goes out under the same reference."""
    client = bench.client()
    bench.fault("daraja.b2c.send", action, **options)
    with pytest.raises(Transient) as caught:
        await client.send(bench.order())
    assert (caught.value.code, caught.value.extra["operator_needed"]) == (code, "yes")
    bench.fault("daraja.status.send", action, **options)
    with pytest.raises(NotAllowed) as asked:
        await client.query_status(bench.inquiry())
    assert asked.value.code == code
    await client.send(bench.order())


async def test_an_empty_404_on_v1_leaves_the_outcome_open(bench: Bench) -> None:
    """A repeat is never safe there, so it is not believed that nothing left."""
    bench.fault("daraja.b2c.send", "empty_404")
    with pytest.raises(Unknown):
        await bench.client(b2c_version="v1").send(bench.order())


@pytest.mark.parametrize("action", ["spike_arrest", "spike_arrest_json", "quota"])
async def test_a_rate_limit_on_v3_asks_to_slow_down_and_the_same_reference_then_passes(
    bench: Bench, action: str
) -> None:
    client = bench.client()
    bench.fault("daraja.b2c.send", action)
    with pytest.raises(Throttled):
        await client.send(bench.order())
    await client.send(bench.order())
    await bench.received()
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("action", ["spike_arrest_json", "quota"])
async def test_a_rate_limit_told_by_a_5xx_is_unknown_on_v1(bench: Bench, action: str) -> None:
    bench.fault("daraja.b2c.send", action)
    with pytest.raises(Unknown):
        await bench.client(b2c_version="v1").send(bench.order())


async def test_a_429_asks_to_slow_down_on_v1_too(bench: Bench) -> None:
    bench.fault("daraja.b2c.send", "spike_arrest")
    with pytest.raises(Throttled):
        await bench.client(b2c_version="v1").send(bench.order())


async def test_a_duplicate_reference_is_unknown_and_pays_once(bench: Bench) -> None:
    client = bench.client()
    await client.send(bench.order())
    with pytest.raises(Unknown) as caught:
        await client.send(bench.order())
    assert caught.value.code == "maybe_duplicate"
    await bench.received()
    assert len(bench.paid()) == 1


async def test_system_internal_error_under_the_duplicate_code_is_unknown(bench: Bench) -> None:
    bench.fault("daraja.b2c.send", "system_error")
    with pytest.raises(Unknown) as caught:
        await bench.client().send(bench.order())
    assert caught.value.code == "maybe_duplicate"


AFTER_EXECUTION: list[tuple[str, dict[str, Any], type[KivukoError]]] = [
    ("reset_after_execution", {}, NoAnswer),
    ("upstream_text_after_execution", {"status": 502}, Garbled),
    ("upstream_text_after_execution", {"status": 200}, Garbled),
    ("upstream_text_after_execution", {"status": 404}, Garbled),
    ("html_after_execution", {"status": 503}, Garbled),
    ("html_after_execution", {"status": 200}, Garbled),
    ("html_after_execution", {"status": 403}, Garbled),
    ("empty_after_execution", {"status": 200}, Garbled),
    ("empty_after_execution", {"status": 202}, Garbled),
    ("empty_after_execution", {"status": 302}, Garbled),
    ("error_500_after_execution", {}, NoAnswer),
    ("soap_fault_after_execution", {}, NoAnswer),
    ("odd_ack_after_execution", {"shape": "error_code"}, Garbled),
    ("odd_ack_after_execution", {"shape": "empty_ids"}, Garbled),
    ("odd_ack_after_execution", {"shape": "response_code"}, Garbled),
]


@pytest.mark.parametrize("version", ["v3", "v1"])
@pytest.mark.parametrize(("action", "options", "error"), AFTER_EXECUTION)
async def test_an_answer_that_is_no_acknowledgement_is_unknown_not_failed(
    bench: Bench, version: str, action: str, options: dict[str, Any], error: type[KivukoError]
) -> None:
    bench.fault("daraja.b2c.send", action, **options)
    with pytest.raises(error) as caught:
        await bench.client(b2c_version=version).send(bench.order())
    assert isinstance(caught.value, Unknown)
    assert len(bench.paid()) == 1, "the customer has the money although the caller learned nothing"


async def test_a_read_timeout_is_unknown_and_the_post_is_not_repeated(bench: Bench) -> None:
    """SCARS: an HTTP library repeats a POST three times after a read timeout."""
    bench.fault("daraja.b2c.send", "timeout_after_execution", times=5, seconds=5)
    with pytest.raises(NoAnswer):
        await bench.client(read_timeout=1.5).send(bench.order())
    assert bench.sent() == 1
    assert len(bench.paid()) == 1


async def test_a_proxys_plain_text_error_is_not_read_as_failure(bench: Bench) -> None:
    """SCARS: a proxy's plain-text error is read as failure, the payout is sent again, the customer is paid twice."""
    client = bench.client()
    bench.fault("daraja.b2c.send", "upstream_text_after_execution")
    with pytest.raises(Unknown):
        await client.send(bench.order())
    assert bench.sent() == 1
    with pytest.raises(Unknown):  # even a caller that repeats it under its reference pays once
        await client.send(bench.order())
    assert len(bench.paid()) == 1


async def test_a_503_without_execution_is_unknown_too_since_nobody_can_tell(bench: Bench) -> None:
    bench.fault("daraja.b2c.send", "drop_before")
    with pytest.raises(Garbled):
        await bench.client().send(bench.order())
    assert bench.paid() == []


REFUSED_HERE: list[tuple[dict[str, Any], str]] = [
    ({"reference": "a" * 37}, "reference"),
    ({"reference": "with space"}, "reference"),
    ({"reference": ""}, "reference"),
    ({"amount": Money.parse("1250.50", "KES")}, "amount"),
    ({"amount": Money.parse("0", "KES")}, "amount"),
    ({"amount": Money(-5_00, "KES")}, "amount"),
    ({"amount": Money.parse("1250", "UGX")}, "amount"),
    ({"msisdn": Msisdn("+256772123456")}, "phone"),
    ({"msisdn": Msisdn("+254202222222")}, "phone"),
    ({"result_url": "https://pay.example/Mpesa/1"}, "result_url"),
    ({"result_url": "https://pay.example/cb/EXECUTE"}, "result_url"),
    ({"timeout_url": "https://pay.example/cb/sql"}, "timeout_url"),
    ({"timeout_url": "https://pay.example/cb/1 "}, "timeout_url"),
    ({"result_url": "pay.example/cb/1"}, "result_url"),
]


@pytest.mark.parametrize(("change", "field"), REFUSED_HERE)
async def test_what_mpesa_cannot_carry_is_refused_before_anything_is_sent(
    bench: Bench, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await bench.client().send(bench.order(**change))
    assert caught.value.extra["field"] == field
    assert not bench.requests


@pytest.mark.parametrize(
    ("remarks", "sent"),
    [
        ("payout 5512", "payout 5512"),
        ("", "payment"),
        ("x", "payment"),
        ("x" * 101, "x" * 100),
        ("malipo ya Wanjirũ, BÖDA000012", "malipo ya Wanjiru, BODA000012"),
        ("two\nlines\x1b[31m & #7 @ <b>", "two lines 7 b"),
        ("ﬁrst ÆRØ “loan” – Łódź", "first AERO loan - Lodz"),
        ("支付", "payment"),
    ],
)
async def test_a_text_never_fails_a_payout(bench: Bench, remarks: str, sent: str) -> None:
    await bench.client().send(bench.order(remarks=remarks))
    assert [exchange.request["Remarks"] for exchange in bench.exchanges if exchange.operation == "b2c.send"] == [sent]


async def test_an_unusable_certificate_is_found_before_anything_is_sent(bench: Bench) -> None:
    client = bench.client(certificate_pem="not a certificate")
    with pytest.raises(InvalidRequest) as caught:
        await client.check()
    assert caught.value.extra["field"] == "certificate_pem"
    with pytest.raises(Transient) as held:
        await client.send(bench.order())
    assert (held.value.code, held.value.extra["operator_needed"]) == ("bad_certificate", "yes")
    assert not bench.requests


# ------------------------------------------------------------------------------------------------ status and balance

QUERY_TROUBLE: list[Case] = [
    ("upstream_text_after_execution", {}), ("html_after_execution", {}), ("empty_after_execution", {}),
    ("odd_ack_after_execution", {"shape": "empty_ids"}), ("reset_after_execution", {}), ("system_error", {}),
    ("spike_arrest_json", {}), ("drop_before", {}),
]  # fmt: skip


@pytest.mark.parametrize(("action", "options"), QUERY_TROUBLE)
async def test_trouble_with_a_query_is_transient_never_unknown(
    bench: Bench, action: str, options: dict[str, Any]
) -> None:
    client = bench.client()
    bench.fault("daraja.status.send", action, **options)
    bench.fault("daraja.balance.send", action, **options)
    with pytest.raises(Transient):
        await client.query_status(bench.inquiry())
    with pytest.raises(Transient):
        await client.query_balance(bench.callback_url("bal", "x"), bench.callback_url("bal", "y"))


async def test_a_refused_query_is_rejected(bench: Bench) -> None:
    bench.fault("daraja.status.send", "invalid_request")
    with pytest.raises(Rejected):
        await bench.client().query_status(bench.inquiry())


async def test_a_v1_payout_without_acknowledgement_cannot_be_asked_about(bench: Bench) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await bench.client(b2c_version="v1").query_status(bench.inquiry())
    assert caught.value.code == "nothing_to_ask"
    assert not bench.requests


# -------------------------------------------------------------------------------------------------------- the token


async def test_a_token_refused_twice_is_known_not_sent(bench: Bench) -> None:
    bench.fault("daraja.b2c.send", "invalid_token", times=2)
    with pytest.raises(Busy) as caught:
        await bench.client().send(bench.order())
    assert caught.value.code == "token_refused"
    assert (bench.sent(), bench.minted(), bench.paid()) == (2, 2, [])
