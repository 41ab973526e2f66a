"""Registering our address as a Fineract web hook (fineract.md 12)."""

from collections.abc import Sequence
from typing import Any

from core.errors import InvalidRequest
from providers.fineract.connection import FineractConnection
from providers.fineract.shapes import Unreadable

_PAYLOAD_URL = "Payload URL"


async def ensure_hook(connection: FineractConnection, url: str, events: Sequence[tuple[str, str]]) -> int:
    """The id of an active web hook to `url` for these (entity, action) pairs; makes or mends it only where needed.

    Fineract probes the URL with a GET before it agrees. Its path is the only secret of a delivery, so the answers stay
    out of the exchange log.
    """
    if not url.endswith("/"):
        # Retrofit refuses a base URL without it, when the hook is made or, worse, when it is fired.
        raise InvalidRequest("A Fineract hook's URL must end in a slash.", field="url")
    rows = await connection.read("hooks.list", "/v1/hooks", secret_answer=True)
    if not isinstance(rows, list):
        raise Unreadable("Fineract's answer is not a list of hooks.")
    existing = next((row for row in rows if isinstance(row, dict) and _payload_url(row) == url), None)
    body = {
        "name": "Web",
        "isActive": True,
        "displayName": "kivuko",
        "events": [{"entityName": entity, "actionName": action} for entity, action in events],
        "config": {_PAYLOAD_URL: url, "Content Type": "json"},
    }
    if existing is None:
        return await _write(connection, "hooks.make", "POST", "/v1/hooks", body)
    hook_id = int(existing["id"])
    if existing.get("isActive") is True and set(events) <= _events(existing):
        return hook_id
    return await _write(connection, "hooks.mend", "PUT", f"/v1/hooks/{hook_id}", body)


async def _write(connection: FineractConnection, operation: str, method: str, path: str, body: dict[str, Any]) -> int:
    # "read": a repeat is harmless, since the list is looked at first.
    answer = await connection.send(operation, path, body, method=method, effect="read", secret_answer=True)
    if answer.status == 400 and "www-authenticate" not in answer.headers:
        detail = "Fineract refuses the hook: it cannot reach the URL, or does not know an event."
        raise InvalidRequest(detail, field="url")
    made = connection.understood(operation, answer)
    if not isinstance(made, dict) or type(made.get("resourceId")) is not int:
        raise Unreadable("Fineract's answer does not name the hook.")
    return int(made["resourceId"])


def _payload_url(row: dict[str, Any]) -> str | None:
    """Written as an object, read back as a list of fields; both are understood."""
    config = row.get("config")
    if isinstance(config, dict):
        return config.get(_PAYLOAD_URL)
    for item in config if isinstance(config, list) else []:
        if isinstance(item, dict) and item.get("fieldName") == _PAYLOAD_URL:
            return item.get("fieldValue")
    return None


def _events(row: dict[str, Any]) -> set[tuple[str, str]]:
    return {(str(item.get("entityName")), str(item.get("actionName"))) for item in row.get("events") or []}
