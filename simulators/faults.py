"""What goes wrong next, on a seed: scripted faults first, then random ones at set rates.

An operation is a dotted name such as `daraja.b2c.send`; an action is one of those that the operation's simulator
documents ("timeout_after_execution", "lose", …). `POST /faults` fills this, `DELETE /faults` empties it.
"""

import random
from collections import Counter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """One scripted fault: the next `times` calls of `operation` (after skipping `skip`) that match get `action`."""

    model_config = ConfigDict(extra="forbid")

    operation: str
    action: str
    times: int = Field(default=1, ge=1, le=100_000)
    skip: int = Field(default=0, ge=0)
    match: dict[str, str] = {}  # facts of the call that must be equal, such as {"msisdn": "254…"} or {"loan_id": "7"}
    options: dict[str, Any] = {}  # such as {"seconds": 5} or {"code": "2001"}


class FaultRate(BaseModel):
    """A random fault: each call of `operation` gets `action` with this probability."""

    model_config = ConfigDict(extra="forbid")

    operation: str
    action: str
    probability: float = Field(ge=0, le=1)
    options: dict[str, Any] = {}


class FaultScript(BaseModel):
    """The body of `POST /faults`: adds faults, replaces the rates if any are given, reseeds if a seed is given."""

    model_config = ConfigDict(extra="forbid")

    faults: list[Fault] = []
    rates: list[FaultRate] | None = None
    seed: int | None = None


class FaultBook:
    """Hands out faults. Random ones depend on the seed and the order of calls within an operation only."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = self._first_seed = seed
        self._known: dict[str, frozenset[str]] = {}
        self.clear()

    def clear(self) -> None:
        self.faults: list[Fault] = []
        self.rates: list[FaultRate] = []
        self.dealt: Counter[str] = Counter()
        self._dice: dict[str, random.Random] = {}

    def start_over(self) -> None:
        """No faults, and the dice of the beginning."""
        self._seed = self._first_seed
        self.clear()

    @property
    def seed(self) -> int:
        """For a simulator's own choices, such as the order of parameters."""
        return self._seed

    def declare(self, operation: str, *actions: str) -> None:
        """A simulator says which actions an operation understands; any other in a script is refused."""
        self._known[operation] = frozenset(actions)

    @property
    def known(self) -> dict[str, list[str]]:
        return {operation: sorted(actions) for operation, actions in sorted(self._known.items())}

    def add(self, script: FaultScript) -> None:
        """Raises ValueError, naming what is known, for an operation or action that no simulator declared."""
        for asked in (*script.faults, *(script.rates or ())):
            actions = self._known.get(asked.operation)
            if actions is None:
                raise ValueError(f"operation {asked.operation!r} is not one of {sorted(self._known)}")
            if asked.action not in actions:
                raise ValueError(f"action {asked.action!r} of {asked.operation} is not one of {sorted(actions)}")
        if script.seed is not None:
            self._seed = script.seed
            self._dice.clear()
        if script.rates is not None:
            self.rates = script.rates
        self.faults += [fault.model_copy() for fault in script.faults]

    def next(self, operation: str, **facts: str) -> Fault | None:
        """The fault for this call, if any; a scripted one is used up by it."""
        for fault in self.faults:
            if fault.operation != operation or any(facts.get(k) != v for k, v in fault.match.items()):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self.faults.remove(fault)
            return self._deal(fault)
        dice = self._dice.setdefault(operation, random.Random(f"{self._seed}:{operation}"))
        for rate in self.rates:
            # Each rate rolls once per call, so that adding one does not shift what the others would have done.
            if rate.operation == operation and dice.random() < rate.probability:
                return self._deal(Fault(operation=operation, action=rate.action, options=rate.options))
        return None

    def _deal(self, fault: Fault) -> Fault:
        self.dealt[f"{fault.operation}:{fault.action}"] += 1
        return fault
