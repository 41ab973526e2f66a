"""The command pipeline: one result per (action, entity, key), good or bad (fineract.md 9).

A stored success is replayed, a stored failure too, both with `x-served-from-cache: true`; a running one is 425. The key
includes neither the account nor the body, so one key on two loans gives the first loan's answer for both.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from fastapi.responses import Response

from simulators.faults import Fault
from simulators.fineract.hooks import Hooks
from simulators.fineract.replies import (
    Problem,
    data_integrity,
    encode,
    not_found,
    problem,
    raw_reply,
    reply,
    server_error,
)
from simulators.fineract.tenants import Caller
from simulators.world import World

COMMANDS: Final = "fineract.commands"
_LONGEST_KEY: Final = 50
_FROM_CACHE: Final = {"x-served-from-cache": "true"}
# The server looks three more times, after 1, 2 and 4 seconds; here it waits less.
_LOOKS: Final = (0.0, 0.05, 0.1, 0.2)

Work = Callable[[], dict[str, Any]]


class Commands:
    def __init__(self, world: World, hooks: Hooks) -> None:
        self._documents = world.documents
        self._hooks = hooks
        self._awaiting: dict[int, Callable[[], Response]] = {}

    async def run(
        self,
        caller: Caller,
        event: tuple[str, str],
        key: str | None,
        number: int,
        body: dict[str, Any],
        work: Work,
        fault: Fault | None = None,
    ) -> Response:
        """Runs `work` once per key. `event` is entity and action, such as ("LOAN", "DISBURSE"); `number` the account's.

        `fault`: slow, maker_checker, conflict_409, refuse, error_500_before (recorded).
        """
        if key is not None and len(key) > _LONGEST_KEY:
            return data_integrity().response()
        entity, action = event
        row = f"{caller.tenant}:{action}:{entity}:{key or uuid4()}"
        for pause in _LOOKS:
            await asyncio.sleep(pause)
            stored = self._documents.get(COMMANDS, row)
            if stored is None:
                break
            if stored["state"] in ("processed", "error"):
                return raw_reply(stored["body"], stored["status"], _FROM_CACHE)
        else:
            return still_processing(body)
        self._documents.put(COMMANDS, row, {"state": "under_processing"})
        try:
            if fault and fault.action == "slow":
                await asyncio.sleep(float(fault.options.get("seconds", 3)))
            if fault and fault.action == "maker_checker":
                command_id = self._documents.next_number("fineract.commands")
                self._documents.put(COMMANDS, row, {"state": "awaiting_approval"})
                self._hooks.fire(caller, event, body, None, number=number)
                self._awaiting[command_id] = lambda: self._execute(row, caller, event, number, body, work)
                # The external ids come as empty objects.
                return reply({"commandId": command_id, "resourceId": number, "rollbackTransaction": True,
                              "resourceExternalId": {}, "subResourceExternalId": {}})  # fmt: skip
            _refuse(fault)
        except Problem as refusal:
            return self._failed(row, caller, event, number, body, refusal)
        return self._execute(row, caller, event, number, body, work)

    def approve(self, command_id: int) -> Response:
        """A checker agrees: the command runs, and its key is served as done from then on."""
        if command_id not in self._awaiting:
            raise not_found("error.msg.command.id.invalid")
        return self._awaiting.pop(command_id)()

    def _execute(
        self, row: str, caller: Caller, event: tuple[str, str], number: int, body: dict[str, Any], work: Work
    ) -> Response:
        try:
            answer = work()
        except Problem as refusal:
            return self._failed(row, caller, event, number, body, refusal)
        text = encode(answer)
        self._documents.put(COMMANDS, row, {"state": "processed", "status": 200, "body": text})
        self._hooks.fire(caller, event, body, answer, number=number)
        return raw_reply(text)

    def _failed(
        self, row: str, caller: Caller, event: tuple[str, str], number: int, body: dict[str, Any], refusal: Problem
    ) -> Response:
        text = encode(refusal.body)
        self._documents.put(COMMANDS, row, {"state": "error", "status": refusal.status, "body": text})
        self._hooks.fire(caller, event, body, None, number=number)
        return raw_reply(text, refusal.status)


def still_processing(body: dict[str, Any]) -> Response:
    """The body is the request itself."""
    return raw_reply(json.dumps(body), 425, _FROM_CACHE)


def _refuse(fault: Fault | None) -> None:
    if fault is None:
        return
    if fault.action == "conflict_409":
        raise problem(409, "error.msg.platform.service.optimistic.lock.conflict")
    if fault.action == "error_500_before":
        raise server_error()
    if fault.action == "refuse":
        code = str(fault.options.get("code", "error.msg.loan.disbursal.not.allowed.on.charged.off"))
        status = int(fault.options.get("status", 403))
        top = "validation.msg.validation.errors.exist" if status == 400 else "validation.msg.domain.rule.violation"
        item = {"developerMessage": code, "userMessageGlobalisationCode": code, "parameterName": "id", "args": []}
        raise problem(status, top, item)
