import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.errors import (
    Garbled,
    InsufficientFunds,
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
from providers.africastalking import wire
from providers.africastalking.client import AfricasTalking
from providers.africastalking.wire import DeliveryReport, parse_delivery_report
from providers.ports import SmsAccepted, SmsPort
from providers.sms import SmsCredentials
from simulators.books import MESSAGES
from simulators.faults import Fault, FaultScript
from simulators.world import World
from tests.providers.message_servers import (
    PHONE,
    TEXT,
    Notebook,
    client_side_log,
    endpoint,
    free_port,
    gateways,
    golden,
    http_answer,
    raw_server,
)

ANYWHERE_REFUSED = {"401", "403", "406", "409"}


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[tuple[World, str]]:
    """One server for all tests here: starting one takes longer than most of them."""
    world = World()
    async with gateways(world) as base:
        yield world, f"{base}/africastalking"
    await world.close()


@pytest.fixture
def world(stack: tuple[World, str]) -> World:
    world = stack[0]
    world.documents.clear()
    world.faults.clear()
    return world


@pytest.fixture
def url(stack: tuple[World, str], world: World) -> str:
    return stack[1]


def credentials(api_key: str = "local-demo") -> SmsCredentials:
    return SmsCredentials("kivuko", api_key, "KIVUKO")


def fault(world: World, action: str, **options: object) -> None:
    world.faults.add(FaultScript(faults=[Fault(operation="africastalking.send", action=action, options=options)]))


async def failure(
    url: str, *, patience: float = 5.0, api_key: str = "local-demo", book: Notebook | None = None
) -> KivukoError:
    """The error of one send."""
    async with AfricasTalking(
        endpoint(url, patience=patience), credentials(api_key), recorder=book or Notebook()
    ) as gateway:
        with pytest.raises(KivukoError) as caught:
            await gateway.send(PHONE, TEXT, reference="ntf_1")
    return caught.value


async def test_a_message_is_taken_with_id_and_cost(world: World, url: str) -> None:
    async with AfricasTalking(endpoint(url), credentials()) as gateway:
        port: SmsPort = gateway
        accepted = await port.send(PHONE, TEXT, reference="ntf_1")
    (message,) = world.documents.all(MESSAGES)
    assert accepted == SmsAccepted("africastalking", message["message_id"], "KES 0.8000")
    assert (message["to"], message["text"], message["gateway"]) == (PHONE.e164, TEXT, "africastalking")


@pytest.mark.parametrize("code", sorted(wire.REFUSED))
async def test_every_recipient_code_says_whether_the_other_gateway_may_take_it(
    world: World, url: str, code: str
) -> None:
    fault(world, "refuse", status_code=int(code))
    error = await failure(url)
    assert isinstance(error, Rejected)
    assert error.extra["failover"] == ("no" if code in ANYWHERE_REFUSED else "yes")
    assert error.extra["provider_code"] == code
    assert isinstance(error, InsufficientFunds) is (code == "405")
    assert world.documents.all(MESSAGES) == []


async def test_an_empty_list_of_recipients_is_a_refusal(world: World, url: str) -> None:
    fault(world, "no_recipients")
    error = await failure(url)
    assert isinstance(error, Rejected)
    assert error.extra["failover"] == "yes"


async def test_a_recipient_code_that_is_in_no_table_is_unknown(world: World, url: str) -> None:
    fault(world, "refuse", status_code=499)
    assert isinstance(await failure(url), Garbled)


async def test_a_read_timeout_is_unknown_although_the_message_went_out(world: World, url: str) -> None:
    fault(world, "timeout_after_send")
    assert isinstance(await failure(url, patience=0.3), NoAnswer)
    assert len(world.documents.all(MESSAGES)) == 1


async def test_a_slow_answer_within_patience_is_an_answer(world: World, url: str) -> None:
    fault(world, "slow", seconds=0.2)
    async with AfricasTalking(endpoint(url), credentials()) as gateway:
        await gateway.send(PHONE, TEXT, reference="ntf_1")


async def test_a_5xx_is_unknown(world: World, url: str) -> None:
    fault(world, "down")
    assert isinstance(await failure(url), Unknown)


async def test_nobody_listening_is_not_sent() -> None:
    assert isinstance(await failure(f"http://127.0.0.1:{free_port()}"), NotReached)


async def test_a_reset_after_the_request_left_is_unknown() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(hang_up) as port:
        assert isinstance(await failure(f"http://127.0.0.1:{port}"), NoAnswer)


@pytest.mark.parametrize(
    ("status", "kind", "failover"),
    [
        ("400 Bad Request", Rejected, "yes"),
        ("401 Unauthorized", NotAllowed, "yes"),
        ("409 Conflict", Rejected, "no"),
        ("429 Too Many Requests", Throttled, None),
        ("200 OK", Garbled, None),
        ("201 Created", Garbled, None),
        ("302 Found", Garbled, None),
        ("404 Not Found", Garbled, None),
        ("500 Internal Server Error", Garbled, None),
    ],
)
async def test_plain_text_is_sorted_by_its_status(status: str, kind: type[KivukoError], failover: str | None) -> None:
    async with raw_server(http_answer(status, "upstream connect error")) as port:
        error = await failure(f"http://127.0.0.1:{port}")
    assert type(error) is kind
    assert error.extra.get("failover") == failover


async def test_wrong_credentials_are_not_allowed_and_the_other_gateway_may_take_it(url: str) -> None:
    error = await failure(url, api_key="wrong-key")
    assert isinstance(error, NotAllowed)
    assert error.extra["failover"] == "yes"


async def test_the_simulated_outage_of_our_account_looks_like_a_wrong_key(world: World, url: str) -> None:
    fault(world, "unauthorized")
    assert isinstance(await failure(url), NotAllowed)


async def test_neither_secret_nor_phone_nor_text_reaches_a_log(
    world: World, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    book = Notebook()
    async with AfricasTalking(endpoint(url), credentials(), recorder=book) as gateway:
        await gateway.send(PHONE, TEXT, reference="ntf_1")
    fault(world, "refuse", status_code=403)
    error = await failure(url, book=book)
    everything = repr(book.exchanges) + client_side_log(caplog) + str(error)
    assert [word for word in ("local-demo", PHONE.digits, "Wanjiru") if word in everything] == []
    assert book.exchanges[0].reference == "ntf_1"
    assert book.exchanges[0].url == "/version1/messaging"


async def test_check_passes_with_good_credentials_and_sends_nothing(world: World, url: str) -> None:
    async with AfricasTalking(endpoint(url), credentials()) as gateway:
        await gateway.check()
    assert world.documents.all(MESSAGES) == []


async def test_check_names_refused_credentials(url: str) -> None:
    async with AfricasTalking(endpoint(url), credentials("wrong-key")) as gateway:
        with pytest.raises(NotAllowed):
            await gateway.check()


async def test_check_is_transient_where_no_verdict_came() -> None:
    async with (
        raw_server(http_answer("200 OK", "<html>")) as port,
        AfricasTalking(endpoint(f"http://127.0.0.1:{port}"), credentials()) as gateway,
    ):
        with pytest.raises(Transient):
            await gateway.check()


def test_the_golden_answers_are_read_as_the_vendor_means_them() -> None:
    mixed = golden("africastalking_mixed")
    taken = wire.send_answer(mixed["http_status"], mixed["body"], "")
    assert taken == SmsAccepted("africastalking", "ATXid_5b1c7d40e2f94a", "KES 0.8000")
    empty = golden("africastalking_no_recipients")
    assert isinstance(wire.send_answer(empty["http_status"], empty["body"], ""), Rejected)


@pytest.mark.parametrize("message_id", ["None", "", None])
def test_an_accepted_message_without_an_id_has_none_and_not_the_word(message_id: str | None) -> None:
    recipient = {"statusCode": 102, "number": PHONE.e164, "status": "Success", "cost": "0", "messageId": message_id}
    taken = wire.send_answer(201, {"SMSMessageData": {"Message": "", "Recipients": [recipient]}}, "")
    assert isinstance(taken, SmsAccepted)
    assert taken.message_id is None


def test_the_golden_delivery_reports_are_read_as_the_vendor_means_them() -> None:
    delivered = parse_delivery_report(golden("africastalking_delivered")["body"])
    assert delivered == DeliveryReport("ATXid_5b1c7d40e2f94a", "delivered", None)
    failed = parse_delivery_report(golden("africastalking_undelivered")["body"])
    assert failed == DeliveryReport("ATXid_5b1c7d40e2f94a", "failed", "UserIsInactive")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Sent", "progress"),
        ("Submitted", "progress"),
        ("Buffered", "progress"),
        ("SomethingNew", "progress"),
        ("Success", "delivered"),
        ("Failed", "failed"),
        ("Rejected", "failed"),
        ("AbsentSubscriber", "failed"),
    ],
)
def test_only_three_families_of_status_are_final(status: str, state: str) -> None:
    assert parse_delivery_report({"id": "ATXid_1", "status": status}).state == state


@pytest.mark.parametrize(
    "form",
    [{}, {"id": "ATXid_1"}, {"status": "Success"}, {"id": "", "status": "Success"}, {"id": "a b", "status": "Success"}],
)
def test_a_report_without_id_or_status_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        parse_delivery_report(form)


@pytest.mark.parametrize(
    ("reason", "curable"),
    [
        ("DeliveryFailure", True),
        ("NotNetworkSubcriber", True),
        ("UserInBlackList", False),
        ("UserDoesNotExist", False),
        ("DoNotDisturbRejection", False),
        ("UserAccountSuspended", False),
        ("SomethingNew", False),
    ],
)
def test_only_a_failure_that_lies_with_the_gateway_is_curable(reason: str, curable: bool) -> None:
    report = parse_delivery_report({"id": "ATXid_1", "status": "Failed", "failureReason": reason})
    assert (report.reason, report.curable) == (reason, curable)


def test_a_delivered_message_needs_no_cure() -> None:
    assert not parse_delivery_report({"id": "ATXid_1", "status": "Success"}).curable


def test_a_reason_that_is_no_plain_word_is_dropped() -> None:
    report = parse_delivery_report({"id": "ATXid_1", "status": "Failed", "failureReason": "call +254712000111"})
    assert report.reason == "Failed"


@pytest.mark.parametrize(
    ("status", "body", "text", "kind", "failover"),
    [
        (201, {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}, "", Rejected, "yes"),
        (201, {"SMSMessageData": {"Message": "InsufficientBalance", "Recipients": []}}, "", InsufficientFunds, "yes"),
        (201, {"SMSMessageData": {"Message": "", "Recipients": [{"statusCode": 499, "status": "InvalidPhoneNumber"}]}},
         "", InvalidRequest, "no"),
        (201, {"SMSMessageData": {"Message": "InvalidSenderId"}}, "", Rejected, "yes"),
        (404, {"errorMessage": "Invalid username"}, "", NotAllowed, "yes"),
        (422, {}, "Missing required field: to", Rejected, "yes"),
        (400, {}, "The supplied authentication is invalid", NotAllowed, "yes"),
    ],
)  # fmt: skip
def test_an_answer_without_a_known_code_is_read_for_what_it_says(
    status: int, body: dict[str, Any], text: str, kind: type[Rejected], failover: str
) -> None:
    said = wire.send_answer(status, body, text)
    assert isinstance(said, kind)
    assert said.extra["failover"] == failover


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (404, {}, "<html>invalid</html>"),
        (503, {"message": "invalid phone number"}, ""),
        (200, {}, "hello"),
        (404, {}, ""),
    ],
)
def test_an_answer_that_says_nothing_is_neither(status: int, body: dict[str, Any], text: str) -> None:
    assert wire.send_answer(status, body, text) is None
