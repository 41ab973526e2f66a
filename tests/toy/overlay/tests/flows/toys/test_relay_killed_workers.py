"""Workers die at every line of a relay's books and in the middle of every call (real processes, SIGKILL); the tin's book
judges: every payer is debited once, and every recipient credited once or the payer paid back once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest

from models.tables.toys.relay import Relay
from tests.flows.toys.relay_desk import QUICK, RelayDesk, given_back, passed_on
from tests.support.bank_books import until_running
from tests.support.gates import gates_of
from tests.support.house import House
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

# The lines of a relay: 1 requested, 2 prompt told, 3 received, 4 payout told, 5 ended; of one that goes back: 5 turned back,
# 6 return told, 7 ended.
PROMPT_TOLD, PASSED_LINES, RETURNED_LINES = 2, range(2, 6), range(5, 8)

# A dead worker is noticed after ten seconds: until then nothing is given up, and nobody is asked to decide.
_LONG: Final = timedelta(minutes=2)
PATIENT: Final = QUICK.model_copy(
    update={
        "prompt": QUICK.prompt.model_copy(update={"send_within": _LONG, "evidence_within": _LONG}),
        "payout": QUICK.payout.model_copy(update={"send_within": _LONG, "case_after": _LONG}),
    }
)


@dataclass
class Passing:
    """One relay between two people of its own, by whose numbers faults and movements are told apart."""

    what: str
    row: Relay
    payer: str
    recipient: str
    ends: str = "completed"

    @property
    def expected(self) -> list[tuple[str, str, str]]:
        moved = {"completed": passed_on(self.payer, self.recipient), "returned": given_back(self.payer)}
        return moved.get(self.ends, [])


async def passing(desk: RelayDesk, what: str, ends: str = "completed") -> Passing:
    number = len(await desk.rows()) + 1
    payer, recipient = f"2547120001{number:02}", f"2547330001{number:02}"
    if ends == "returned":
        await desk.fault("payout", "refuse", recipient)
    return Passing(what, await desk.row(payer, recipient, PATIENT), payer, recipient, ends)


@pytest.mark.slow
async def test_workers_killed_at_every_line_pass_every_payment_on_once(
    house: House, desk: RelayDesk, worker: WorkerProcess
) -> None:
    """Where nothing was written nothing can have left: that prompt is fenced off, that payout is sent under another
    reference."""
    await desk.patience(40)  # so that a call that is not answered is in a worker's hands until that dies
    gated = [
        (await passing(desk, f"line {line}", "failed" if line == PROMPT_TOLD else "completed"), line)
        for line in PASSED_LINES
    ] + [(await passing(desk, f"return, line {line}", "returned"), line) for line in RETURNED_LINES]
    called = [
        (await passing(desk, "prompt taken"), "prompts.send"),
        (await passing(desk, "payout taken"), "payouts.send"),
    ]
    await desk.fault("prompt", "timeout_after_execution", called[0][0].payer)
    await desk.fault("payout", "timeout_after_execution", called[1][0].recipient)
    async with gates_of(house) as gates:
        for one, line in gated:
            await gates.shut(one.row.workflow_id, line)
            await desk.start(one.row)
        worker.start()
        await gates.reached(*(one.row.workflow_id for one, _ in gated), timeout=120)
        for one, activity in called:
            await desk.start(one.row)
            await until_running(house, one.row, activity)

        async def both_executed() -> bool:
            """The tin has moved the money, and the worker waits for an answer that does not come."""
            dealt = (await house.http.get("/faults")).json()["dealt"]
            return all(dealt.get(f"tin.{what}:timeout_after_execution") for what in ("prompt", "payout"))

        await eventually(both_executed)
        worker.kill()
    worker.start()

    async def all_ended() -> bool:
        await desk.sweep()
        return all(row.ended_at is not None for row in await desk.rows())

    await eventually(all_ended, timeout=120)
    for one in [one for one, _ in (*gated, *called)]:
        assert (await desk.now(one.row)).stage == one.ends, one.what
        assert await desk.movements(one.payer, one.recipient) == one.expected, one.what
    assert len(await desk.rows()) == len(gated) + len(called)
    assert await house.cases() == []
