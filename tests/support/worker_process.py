"""A worker as a real process, to be killed without warning."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import dataclass, field

from cli.local.environment import child_environment
from tests.support.house import House


@dataclass
class WorkerProcess:
    """`python -m workers` with the house's settings. Its log is kept and shown if a test fails."""

    house: House
    running: subprocess.Popen[bytes] | None = None
    kills: int = 0
    log: list[str] = field(default_factory=list)

    def start(self) -> None:
        address = self.house.client.service_client.config.target_host
        environment = child_environment(self.house.settings, address)
        self.running = subprocess.Popen(
            [sys.executable, "-m", "workers"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        """SIGKILL: no handler, no goodbye."""
        assert self.running is not None
        self.running.send_signal(signal.SIGKILL)
        self.running.wait()
        self.running = None
        self.kills += 1

    async def stop(self) -> None:
        if self.running is not None:
            self.running.terminate()
            await asyncio.to_thread(self.running.wait, 20)
            self.running = None
