"""What a query of a prompt says: a verdict, not yet, or nothing at all. Never Unknown."""

from typing import Any

import pytest

from core.errors import InvalidRequest, KivukoError, NotAllowed, NotReached, Rejected, Throttled, Transient
from providers.collecting import PromptQuery
from tests.providers.daraja.bench import PHONE
from tests.providers.daraja.desk import Desk


async def test_a_prompt_on_its_way_is_pending_in_whichever_form_it_is_told(desk: Desk) -> None:
    desk.behave(stk_payer_seconds=20, stk_prompt_seconds=25)
    client = desk.client()
    asked = await client.prompt(desk.order())
    said = [await client.query_prompt(desk.inquiry(asked)) for _ in range(12)]
    assert {result.state for result in said} == {"pending"}
    assert {result.code for result in said} == {"4999", "500.001.1001"}


@pytest.mark.parametrize(
    ("does", "code"),
    [
        ("cancel", "1032"), ("wrong_pin", "2001"), ("no_funds", "1"), ("no_answer", "1037"), ("locked", "1001"),
        ("expire", "1019"),
    ],
)  # fmt: skip
async def test_a_final_failure_is_told_alike_by_callback_and_query(desk: Desk, does: str, code: str) -> None:
    await desk.payer(does)
    client = desk.client()
    asked = await client.prompt(desk.order())
    (report,) = await desk.reports()
    queried = await client.query_prompt(desk.inquiry(asked))
    assert (report.state, report.code, report.receipt, report.amount) == ("failed", code, None, None)
    assert (queried.state, queried.code, queried.detail) == ("failed", code, report.detail)
    assert desk.collected() == []


async def test_a_queried_success_names_no_receipt(desk: Desk) -> None:
    client = desk.client()
    asked = await client.prompt(desk.order())
    await desk.reports()
    queried = await client.query_prompt(desk.inquiry(asked))
    assert (queried.state, queried.receipt, queried.provider_reference) == ("paid", None, asked.provider_reference)


@pytest.mark.parametrize(
    ("action", "options"),
    [("random_error", {"status": 200}), ("random_error", {"status": 500}), ("empty", {}), ("no_verdict", {}),
     ("pending", {})],
)  # fmt: skip
async def test_an_answer_that_says_nothing_is_pending_even_of_a_paid_prompt(
    desk: Desk, action: str, options: dict[str, Any]
) -> None:
    client = desk.client()
    asked = await client.prompt(desk.order())
    await desk.reports()
    desk.bench.fault("daraja.stk.query", action, **options)
    assert (await client.query_prompt(desk.inquiry(asked))).state == "pending"
    assert (await client.query_prompt(desk.inquiry(asked))).state == "paid"


async def test_an_id_that_mpesa_does_not_know_is_pending(desk: Desk) -> None:
    never = PromptQuery("col_01a-a1", "ws_CO_211120260914021712345678")
    assert (await desk.client().query_prompt(never)).state == "pending"


TROUBLE: list[tuple[str, dict[str, Any], type[KivukoError]]] = [
    ("html", {"status": 503}, Transient), ("html", {"status": 200}, Transient), ("drop_before", {}, Transient),
    ("system_error", {}, Transient), ("spike_arrest_json", {}, Throttled), ("spike_arrest", {}, Throttled),
    ("invalid_request", {}, Rejected), ("timeout", {"seconds": 3}, NotReached),
]  # fmt: skip


@pytest.mark.parametrize(("action", "options", "error"), TROUBLE)
async def test_trouble_with_a_query_is_transient_or_rejected_never_unknown(
    desk: Desk, action: str, options: dict[str, Any], error: type[KivukoError]
) -> None:
    client = desk.client(read_timeout=1.0)
    asked = await client.prompt(desk.order())
    desk.bench.fault("daraja.stk.query", action, **options)
    with pytest.raises(error) as caught:
        await client.query_prompt(desk.inquiry(asked))
    assert PHONE.digits[-9:] not in f"{caught.value.detail} {caught.value.extra}"


async def test_a_queried_failure_may_be_followed_by_the_payment(desk: Desk) -> None:
    desk.behave(stk_payer_seconds=0.2)
    client = desk.client()
    asked = await client.prompt(desk.order())
    desk.bench.fault("daraja.stk.query", "failed_but_paid")
    queried = await client.query_prompt(desk.inquiry(asked))
    assert (queried.state, queried.code, desk.collected()) == ("failed", "1037", [])
    (report,) = await desk.reports()
    assert report.state == "paid"
    assert len(desk.collected()) == 1


async def test_a_prompt_without_an_acknowledgement_cannot_be_asked_about(desk: Desk) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.client().query_prompt(PromptQuery("col_01a-a1", ""))
    assert caught.value.code == "nothing_to_ask"
    assert not desk.bench.requests


async def test_a_refused_token_is_renewed_for_a_query_too(desk: Desk) -> None:
    client = desk.client()
    asked = await client.prompt(desk.order())
    await desk.reports()
    desk.bench.fault("daraja.stk.query", "invalid_token")
    assert (await client.query_prompt(desk.inquiry(asked))).state == "paid"
    assert desk.bench.minted() == 2


async def test_a_success_that_names_another_prompt_says_nothing_of_this_one(desk: Desk) -> None:
    await desk.payer("cancel")
    asked = await desk.client().prompt(desk.order())
    await desk.reports()
    desk.bench.fault("daraja.stk.query", "other_prompt")
    read = await desk.client().query_prompt(desk.inquiry(asked))
    assert (read.state, read.code) == ("pending", "other_prompt")
    assert (await desk.client().query_prompt(desk.inquiry(asked))).state == "failed"


async def test_an_empty_404_is_a_wrong_address_and_not_a_pending_prompt(desk: Desk) -> None:
    asked = await desk.client().prompt(desk.order())
    desk.bench.fault("daraja.stk.query", "empty_404")
    with pytest.raises(NotAllowed) as caught:
        await desk.client().query_prompt(desk.inquiry(asked))
    assert caught.value.code == "wrong_address"
