"""Web hooks: a GET on the URL when one is made, unsigned POSTs when something happens, no retry (fineract.md 12).

Faults of `fineract.hook` (facts loan_id or savings_id, tenant, action): `lose`; `duplicate`; `late` (options.seconds, 1);
`error_event` sends the event as a failed command does, without `response`, instead of the true one.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import httpx

from core.clock import utc_now
from simulators.fineract.replies import encode, invalid, malformed_json, not_found, server_error
from simulators.fineract.tenants import Caller
from simulators.world import World

HOOKS: Final = "fineract.hooks"
_URL: Final = "Payload URL"


class Hooks:
    def __init__(self, world: World) -> None:
        self._world = world
        world.faults.declare("fineract.hook", "lose", "duplicate", "error_event", "late")

    def all(self, tenant: str) -> list[dict[str, Any]]:
        """As the server shows them: `config` is written as an object and read back as a list of fields."""
        return [self._shown(hook) for hook in self._stored(tenant)]

    def get(self, tenant: str, number: int) -> dict[str, Any]:
        return self._shown(self._find(tenant, number))

    async def make(self, tenant: str, body: dict[str, Any]) -> int:
        await self._probe(body)
        number = self._world.documents.next_number("fineract.hooks")
        self._keep(tenant, number, body)
        return number

    async def change(self, tenant: str, number: int, body: dict[str, Any]) -> None:
        self._find(tenant, number)
        await self._probe(body)
        self._keep(tenant, number, body)

    def delete(self, tenant: str, number: int) -> None:
        self._world.documents.put(HOOKS, f"{tenant}:{number}", self._find(tenant, number) | {"deleted": True})

    def fire(
        self, caller: Caller, event: tuple[str, str], request: dict[str, Any], response: dict[str, Any] | None,
        *, number: int,
    ) -> None:  # fmt: skip
        """Tells every active hook of the tenant in the background. `response` is None for a command that failed.

        `event` is entity and action, `number` the loan's or the savings account's.
        """
        entity, action = event
        wanted = {"entityName": entity, "actionName": action}
        for hook in self._stored(caller.tenant):
            if hook["isActive"] and wanted in hook["events"]:
                self._world.later(self._deliver(hook, caller, event, request, response, number))

    async def _deliver(
        self, hook: dict[str, Any], caller: Caller, event: tuple[str, str], request: dict[str, Any],
        response: dict[str, Any] | None, number: int,
    ) -> None:  # fmt: skip
        entity, action = event
        account = {"loan_id" if entity == "LOAN" else "savings_id": str(number)}
        fault = self._world.faults.next("fineract.hook", tenant=caller.tenant, action=action, **account)
        if fault and fault.action == "lose":
            return
        if fault and fault.action == "late":
            await asyncio.sleep(float(fault.options.get("seconds", 1)))
        body: dict[str, Any] = {
            "entityName": entity,
            "actionName": action,
            "createdBy": 1,
            "createdByName": caller.username,
            "createdByFullName": "App Administrator",
            "request": {key: _floating(value) for key, value in request.items()},
            "timestamp": utc_now().isoformat(timespec="microseconds").replace("+00:00", "000Z"),  # nanoseconds
        }  # fmt: skip
        if response is not None and not (fault and fault.action == "error_event"):
            inner = {key: value for key, value in response.items() if key != "officeId"}
            body |= {"officeId": 1, "clientId": response.get("clientId"), "response": inner}
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Fineract-Endpoint": "http://simulated/fineract-provider/api/v1",
            "X-Fineract-Entity": entity,
            "X-Fineract-Action": action,
            "Fineract-Platform-TenantId": caller.tenant,
        }
        for _ in range(2 if fault and fault.action == "duplicate" else 1):
            try:
                await self._world.http.post(hook["config"][_URL], content=encode(body).encode(), headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL):
                return  # the server only logs it

    async def _probe(self, body: dict[str, Any]) -> None:
        config = body.get("config")
        if not isinstance(config, dict):
            raise malformed_json()
        if config.get("Content Type") not in ("json", "form"):
            raise invalid(("validation.msg.hook.content.type.invalid", "Content Type"))
        url = str(config.get(_URL, ""))
        if not url.endswith("/"):
            raise server_error()  # Retrofit throws, and nobody catches it
        try:
            await self._world.http.get(url)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise invalid(("validation.msg.hook.url.invalid", _URL)) from None

    def _keep(self, tenant: str, number: int, body: dict[str, Any]) -> None:
        hook = {
            "id": number,
            "tenant": tenant,
            "name": body.get("name", "Web"),
            "displayName": body.get("displayName", ""),
            "isActive": body.get("isActive") is True,
            "events": [
                {"entityName": event["entityName"], "actionName": event["actionName"]}
                for event in _events(body.get("events"))
            ],
            "config": body["config"],
            "deleted": False,
        }
        self._world.documents.put(HOOKS, f"{tenant}:{number}", hook)

    def _stored(self, tenant: str) -> list[dict[str, Any]]:
        return [h for h in self._world.documents.all(HOOKS) if h["tenant"] == tenant and not h["deleted"]]

    def _find(self, tenant: str, number: int) -> dict[str, Any]:
        found = next((hook for hook in self._stored(tenant) if hook["id"] == number), None)
        if found is None:
            raise not_found("error.msg.hook.identifier.not.found")
        return found

    @staticmethod
    def _shown(hook: dict[str, Any]) -> dict[str, Any]:
        config = [{"fieldName": name, "fieldValue": value} for name, value in hook["config"].items()]
        return {key: v for key, v in hook.items() if key not in ("tenant", "deleted")} | {"config": config}


def _floating(value: Any) -> Any:
    """The server's map turns every number into a float on its way to the hook."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _events(events: Any) -> Iterable[dict[str, Any]]:
    if not isinstance(events, list) or not events or not all(isinstance(event, dict) for event in events):
        raise invalid(("validation.msg.hook.events.cannot.be.blank", "events"))
    return events
