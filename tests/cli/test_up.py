"""`kivuko up` as a person runs it: a real process with everything in it, the demo, Ctrl-C, and a second start."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cli.demo.world import SimulatedWorld
from cli.local.ports import free_port
from tests.architecture.house import ROOT
from tests.support.folders import quick_folder

pytestmark = pytest.mark.slow


class Installation:
    """One data folder with ports of its own, and the program in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("KIVUKO_", "TEMPORAL_"))}
        self.environment = ours | {"PYTHONPATH": str(ROOT)}
        self.move()
        self.up: subprocess.Popen[str] | None = None
        self.family: list[psutil.Process] = []

    def move(self) -> None:
        """To ports that nobody has."""
        for name in ("API__PORT", "SIMULATORS__PORT", "SIMULATORS__SMTP_PORT", "TEMPORAL__PORT", "TEMPORAL__UI_PORT"):
            self.environment[f"KIVUKO_{name}"] = str(free_port())

    @property
    def simulators(self) -> str:
        return f"http://127.0.0.1:{self.environment['KIVUKO_SIMULATORS__PORT']}"

    def start(self) -> dict[str, Any]:
        """What `up --json` says when it is ready."""
        with (self.folder / "up.log").open("a") as log:
            self.up = subprocess.Popen(
                self._argv("up", "--json"), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=log,
                text=True,
            )  # fmt: skip
        assert self.up.stdout is not None
        said = ""
        while line := self.up.stdout.readline():
            said += line
            if line == "}\n":
                self.family = psutil.Process(self.up.pid).children(recursive=True)
                return dict(json.loads(said))
        raise AssertionError(f"up ended with {self.up.wait()}: {said}\n{(self.folder / 'up.log').read_text()}")

    def stop(self, number: int) -> int:
        """Its exit code."""
        assert self.up is not None
        self.up.send_signal(number)
        self.up.communicate(timeout=60)
        return self.up.returncode

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._argv(*words), cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    def answer(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    @staticmethod
    def _argv(*words: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "cli.main", *words]


@pytest.fixture
def installation() -> Iterator[Installation]:
    with quick_folder() as folder:
        made = Installation(folder)
        try:
            yield made
        finally:
            if made.up is not None and made.up.poll() is None:
                made.stop(signal.SIGTERM)


def _until(there: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_up_demo_stop_and_up_again(installation: Installation) -> None:
    ready = installation.start()
    assert ready["ready"] is True
    assert Path(ready["admin_key_file"]).stat().st_mode & 0o777 == 0o600
    assert len(installation.family) >= 6  # PostgreSQL, Temporal, simulators, workers, API and the guard

    # One loan is paid out, and every promise is held against the books of what really happened.
    demo = installation.answer("demo", "loan", "--amount", "12500")
    assert demo["as_promised"] is True
    [run] = demo["runs"]
    assert [line["amount"]["amount"] for line in run["charges"]] == ["-11.00", "-10.00", "-2.00"]
    assert run["receipts"] == [payout["receipt"] for payout in run["payouts"]]
    assert installation.answer("balances", "--check")["balanced"] is True
    _money_in_keeps_its_promises(installation)
    _doctor_is_content(installation, ready["partner_id"])
    balance = installation.answer("partner", "show", ready["partner_id"])["wallet"]["balance"]["amount"]

    # A second one is under way, its callback lost, when everything is stopped.
    waiting = _leave_one_waiting(installation, ready["partner_id"])
    assert installation.stop(signal.SIGINT) == 0
    assert psutil.wait_procs(installation.family, timeout=5)[1] == []

    # The second start, on other ports, finds the same data, and the saga goes on from where it was.
    installation.move()
    again = installation.start()
    assert again["partner_id"] == ready["partner_id"]
    assert installation.answer("partner", "show", again["partner_id"])["wallet"]["balance"]["amount"] == balance
    assert installation.answer("disbursements")[0]["id"] == waiting
    installation.answer("retry", waiting)
    assert installation.run("watch", waiting, "--seconds", "30").returncode == 0
    rows = {row["id"]: row["stage"] for row in installation.answer("disbursements")}
    assert rows == {run["disbursement_id"]: "completed", waiting: "completed"}
    # The bank and M-Pesa have followed us to the new address.
    for demo in ("topup", "float", "collect"):
        assert installation.answer("demo", demo)["as_promised"] is True
    assert installation.answer("balances", "--check")["balanced"] is True
    assert installation.stop(signal.SIGTERM) == 0
    assert psutil.wait_procs(installation.family, timeout=5)[1] == []


def _money_in_keeps_its_promises(installation: Installation) -> None:
    """Each demo holds its promises against the books of all sides, whatever goes wrong. Collections touch neither wallet nor
    bank, so that they may run beside the others."""
    with ThreadPoolExecutor(1) as beside:
        collecting = beside.submit(installation.answer, "demo", "collect", "--faults")
        shown = {demo: installation.answer("demo", demo, "--faults") for demo in ("topup", "float")}
        shown["collect"] = collecting.result()
    assert {demo: [scene["name"] for scene in one["scenes"]] for demo, one in shown.items()} == {
        "topup": ["told_twice", "late_and_forged", "no_code"],
        "float": ["silent_transfer", "rejected", "bought_after_all"],
        "collect": ["lost_callback", "doubled_and_shuffled", "lost_confirmation", "unknown_account"],
    }
    for one in shown.values():
        assert one["as_promised"] is True
        assert all(len(scene["promises"]) >= 4 for scene in one["scenes"])


def _doctor_is_content(installation: Installation, partner_id: str) -> None:
    found = {finding["what"]: finding for finding in installation.answer("doctor")["findings"]}
    assert [what for what, finding in found.items() if finding["state"] == "failing"] == []
    assert found["Demo Sacco: bank"]["detail"] == "works"
    for schedule in ("loan-watch", "payment-pull", "bank-statement"):
        assert found[f"schedule {schedule}/{partner_id}"]["state"] == "ok"


def _leave_one_waiting(installation: Installation, partner_id: str) -> str:
    with SimulatedWorld(installation.simulators) as world:
        client = world.make_client()
        world.script("daraja.b2c.result", "lose", client["phone"])
        loan_id = world.submit_loan(client["id"], "2000", 1)
        world.approve(loan_id)
        _until(lambda: world.payouts(client["phone"]))
    row = _until(lambda: [row for row in installation.answer("disbursements") if row["loan_id"] == loan_id])[0]
    assert row["partner_id"] == partner_id
    assert row["stage"] == "paying"
    return str(row["id"])


def test_a_taken_port_is_named_with_its_setting_and_nothing_is_left(installation: Installation) -> None:
    port = installation.environment["KIVUKO_API__PORT"]
    with subprocess.Popen(
        [sys.executable, "-c", f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"]
    ) as squatter:
        _until(lambda: _answers(int(port)))
        done = installation.run("up")
        squatter.terminate()
    assert done.returncode == 1
    assert "KIVUKO_API__PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (installation.folder / ".kivuko").exists()


def test_a_signal_while_it_starts_stops_what_was_started(installation: Installation) -> None:
    with subprocess.Popen(
        installation._argv("up"), cwd=installation.folder, env=installation.environment, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE,
    ) as up:  # fmt: skip
        assert up.stderr is not None
        for line in up.stderr:
            if "workers" in line and "starting" in line:
                break
        family = psutil.Process(up.pid).children(recursive=True)
        assert family
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
        assert up.returncode == 0
    assert psutil.wait_procs(family, timeout=5)[1] == []


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}", timeout=0.2)
    except httpx.ConnectError:
        return False
    except httpx.HTTPError:
        return True
    return True
