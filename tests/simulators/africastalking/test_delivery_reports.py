import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from providers.africastalking.client import AfricasTalking
from providers.africastalking.wire import parse_delivery_report
from providers.sms import SmsCredentials
from simulators.faults import Fault, FaultScript
from simulators.world import World
from tests.providers.message_servers import PHONE, TEXT, endpoint, gateways, serving

Reports = list[dict[str, str]]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.close()


async def reports_of(world: World, action: str | None = None, **options: object) -> tuple[str, Reports]:
    """Sends one message and returns its id with the reports that came, once no more can come."""
    received: Reports = []
    app = FastAPI()

    @app.post("/reports")
    async def take(request: Request) -> None:
        received.append({key: str(value) for key, value in (await request.form()).items()})

    async with serving(app) as receiver, gateways(world) as url:
        async with httpx.AsyncClient(verify=False) as http:
            answer = await http.post(
                f"{url}/africastalking/simulator/delivery-url", json={"url": f"{receiver}/reports"}
            )
            assert answer.status_code == 204
        if action:
            world.faults.add(
                FaultScript(faults=[Fault(operation="africastalking.report", action=action, options=options)])
            )
        async with AfricasTalking(
            endpoint(f"{url}/africastalking"), SmsCredentials("kivuko", "local-demo", "KIVUKO")
        ) as gateway:
            accepted = await gateway.send(PHONE, TEXT, reference="ntf_1")
        await asyncio.wait_for(asyncio.gather(*world.tasks), 5)
    assert accepted.message_id is not None
    return accepted.message_id, received


def states(reports: Reports) -> list[str]:
    return [parse_delivery_report(report).state for report in reports]


async def test_a_message_is_reported_as_progress_then_delivered(world: World) -> None:
    message_id, reports = await reports_of(world)
    assert states(reports) == ["progress", "delivered"]
    assert {parse_delivery_report(report).message_id for report in reports} == {message_id}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("lose", []),
        ("duplicate", ["progress", "delivered", "delivered"]),
        ("out_of_order", ["delivered", "progress"]),
        ("contradict", ["progress", "delivered", "failed"]),
    ],
)
async def test_reports_are_lost_doubled_and_shuffled_on_demand(world: World, action: str, expected: list[str]) -> None:
    _, reports = await reports_of(world, action)
    assert states(reports) == expected


async def test_a_failed_delivery_carries_its_reason(world: World) -> None:
    _, reports = await reports_of(world, "failed", reason="UserIsInactive")
    last = parse_delivery_report(reports[-1])
    assert (last.state, last.reason) == ("failed", "UserIsInactive")


async def test_late_reports_come_after_the_wait_and_complete(world: World) -> None:
    began = time.monotonic()
    _, reports = await reports_of(world, "late", seconds=0.3)
    assert states(reports) == ["progress", "delivered"]
    assert time.monotonic() - began >= 0.3


async def test_a_receiver_that_is_down_breaks_nothing(world: World) -> None:
    async with gateways(world) as url:
        async with httpx.AsyncClient(verify=False) as http:
            await http.post(f"{url}/africastalking/simulator/delivery-url", json={"url": "http://127.0.0.1:9/reports"})
        async with AfricasTalking(
            endpoint(f"{url}/africastalking"), SmsCredentials("kivuko", "local-demo", "KIVUKO")
        ) as gateway:
            await gateway.send(PHONE, TEXT, reference="ntf_1")
        await asyncio.wait_for(asyncio.gather(*world.tasks), 5)
