"""The answer that the check of an M-Pesa connection waits for, given to the run that asked for it."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from models.messages.connections.jobs import BalanceTold

# What the route of a balance's callback begins with, before the run of the check that asked for it.
CHECK_ROUTE: Final = "balance/check/"


def check_id(partner_id: str, provider: str) -> str:
    return f"connection-check/{partner_id}/{provider}"


async def give(client: Client, route: str, partner_id: str, told: BalanceTold, *, rpc_timeout: timedelta) -> str:
    """The outcome for the inbox: an answer that came too late is nobody's. Raises RPCError where nobody could be told."""
    run = client.get_workflow_handle(check_id(partner_id, "daraja"), run_id=route.removeprefix(CHECK_ROUTE))
    try:
        await run.signal("balance_told", told, rpc_timeout=rpc_timeout)
    except RPCError as error:
        if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            raise
        return "redundant"
    return "taken"
