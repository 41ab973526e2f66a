import asyncio
import smtplib
import subprocess
import sys

from simulators.books import MESSAGES
from simulators.faults import Fault, FaultScript
from simulators.smtp.sink import MailSink
from simulators.world import World
from tests.providers.message_servers import free_port

MAIL = "Subject: Paid\r\nMessage-ID: <ntf_1@kivuko.example>\r\n\r\nThe loan is paid."


def test_it_works_without_a_running_loop_and_stops_cleanly() -> None:
    world, port = World(), free_port()
    sink = MailSink(world, "127.0.0.1", port)
    sink.start()
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            client.sendmail("no-reply@kivuko.example", ["a@lender.example", "b@lender.example"], MAIL)
    finally:
        sink.stop()
        sink.stop()  # a second stop is harmless
    assert [message["to"] for message in world.documents.all(MESSAGES)] == ["a@lender.example", "b@lender.example"]
    try:
        smtplib.SMTP("127.0.0.1", port, timeout=1)
    except OSError:
        return
    raise AssertionError("the port is still open")


async def test_the_world_is_touched_on_the_loop_that_owns_it() -> None:
    world, port = World(), free_port()
    home = asyncio.get_running_loop()
    seen: list[bool] = []
    real_put = world.documents.put

    def put(collection: str, key: str | int, body: dict[str, object]) -> dict[str, object]:
        seen.append(asyncio.get_running_loop() is home)
        return real_put(collection, key, body)

    world.documents.put = put  # type: ignore[method-assign]
    sink = MailSink(world, "127.0.0.1", port)
    sink.start()

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            client.sendmail("no-reply@kivuko.example", ["a@lender.example"], MAIL)

    try:
        await asyncio.to_thread(send)
    finally:
        sink.stop()
        await world.close()
    assert seen
    assert all(seen)


async def test_a_fault_can_be_aimed_at_one_recipient() -> None:
    world, port = World(), free_port()
    sink = MailSink(world, "127.0.0.1", port)
    aim = {"to": "b@lender.example"}
    world.faults.add(FaultScript(faults=[Fault(operation="smtp.send", action="reject_recipient", match=aim)]))
    sink.start()

    def send() -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            return client.sendmail("no-reply@kivuko.example", ["a@lender.example", "b@lender.example"], MAIL)

    try:
        refused = await asyncio.to_thread(send)
    finally:
        sink.stop()
        await world.close()
    assert list(refused) == ["b@lender.example"]
    assert [message["to"] for message in world.documents.all(MESSAGES)] == ["a@lender.example"]


def test_importing_the_sink_does_not_need_the_mail_server_library() -> None:
    code = "import sys; sys.modules['aiosmtpd'] = None; import simulators.smtp.sink"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
