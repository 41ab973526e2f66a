"""Customers' payments: repayments, savings accounts and the search, beside the loans of routes.py.

Faults of `fineract.accounts` (facts tenant, kind "loan" or "savings", account_id), on every read of an account or of its
transactions: `down`, `slow` (options.seconds, 3), `html`, `unauthorized`, `gone` (404, as after a transfer to an office that
the user does not see). Others: paying.py, finding.py.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from simulators.faults import Fault
from simulators.fineract.finding import Finding
from simulators.fineract.loans import Loans
from simulators.fineract.paying import PaymentCommands
from simulators.fineract.repayments import Repayments
from simulators.fineract.replies import Problem, html, malformed_json, not_found
from simulators.fineract.savings import Savings
from simulators.fineract.tenants import Caller, unauthorized
from simulators.world import World

Handler = Callable[[Request, Caller], Awaitable[Any]]
Serve = Callable[[str, str, str], Callable[[Handler], Handler]]


def add_account_routes(
    world: World, serve: Serve, loans: Loans, savings: Savings, repayments: Repayments, payments: PaymentCommands
) -> None:
    """`serve(method, path, what)` registers a handler (routes.py)."""
    finding = Finding(world, loans, savings)
    world.faults.declare("fineract.search", "down", "slow", "html", "ignores_exact")
    world.faults.declare("fineract.accounts", "down", "slow", "html", "unauthorized", "gone")

    def serve_read(path: str, kind: str) -> Callable[[Handler], Handler]:
        """Registers a GET that the faults of `fineract.accounts` may break."""

        def register(handler: Handler) -> Handler:
            async def guarded(request: Request, caller: Caller) -> Any:
                if (broken := await account_fault(world, request, caller, kind)) is not None:
                    return broken
                caller.must("READ_LOAN" if kind == "loan" else "READ_SAVINGSACCOUNT")
                return await handler(request, caller)

            return serve("GET", path, kind)(guarded)

        return register

    # ----------------------------------------------------------------------------------------------------- repayments

    @serve("POST", "/loans/{number}/transactions", "loan")
    async def repay(request: Request, caller: Caller) -> Any:
        number = number_of(request, "error.msg.loan.id.invalid")
        return await payments.repay(request, caller, number, await body_of(request))

    @serve_read("/loans/{number}/transactions/external-id/{external_id}", "loan")
    async def read_repayment_under(request: Request, caller: Caller) -> Any:
        loan = loans.get(caller.tenant, number_of(request, "error.msg.loan.id.invalid"))
        return loans.transaction(repayments.transaction_under(loan, request.path_params["external_id"]))

    @serve_read("/loans/{number}/transactions/{transaction}", "loan")
    async def read_repayment(request: Request, caller: Caller) -> Any:
        loan = loans.get(caller.tenant, number_of(request, "error.msg.loan.id.invalid"))
        return loans.transaction(repayments.transaction(loan, _transaction(request)))

    @serve("POST", "/loans/{number}/transactions/{transaction}", "loan")
    async def adjust(request: Request, caller: Caller) -> Any:
        number = number_of(request, "error.msg.loan.id.invalid")
        return await payments.adjust(request, caller, number, _transaction(request), await body_of(request))

    # -------------------------------------------------------------------------------------------------------- savings

    @serve_read("/savingsaccounts", "savings")
    async def list_savings(request: Request, caller: Caller) -> Any:
        return savings.page(caller.tenant, request.query_params)

    @serve_read("/savingsaccounts/{number}", "savings")
    async def read_savings(request: Request, caller: Caller) -> Any:
        account = savings.get(caller.tenant, number_of(request, "error.msg.saving.account.id.invalid"))
        return savings.details(account, request.query_params.get("associations", "").split(","))

    @serve_read("/savingsaccounts/{number}/transactions/search", "savings")
    async def search_deposits(request: Request, caller: Caller) -> Any:
        account = savings.get(caller.tenant, number_of(request, "error.msg.saving.account.id.invalid"))
        return savings.found(account, request.query_params)

    @serve_read("/savingsaccounts/{number}/transactions/{transaction}", "savings")
    async def read_deposit(request: Request, caller: Caller) -> Any:
        account = savings.get(caller.tenant, number_of(request, "error.msg.saving.account.id.invalid"))
        return savings.shown(account, savings.transaction(account, _transaction(request)))

    @serve("POST", "/savingsaccounts/{number}/transactions", "savings")
    async def deposit(request: Request, caller: Caller) -> Any:
        number = number_of(request, "error.msg.saving.account.id.invalid")
        return await payments.deposit(request, caller, number, await body_of(request))

    @serve("POST", "/savingsaccounts/{number}/transactions/{transaction}", "savings")
    async def undo_deposit(request: Request, caller: Caller) -> Any:
        number = number_of(request, "error.msg.saving.account.id.invalid")
        return await payments.undo_deposit(request, caller, number, _transaction(request), await body_of(request))

    # --------------------------------------------------------------------------------------------------------- search

    @serve("GET", "/search", "search")
    async def search(request: Request, caller: Caller) -> Any:
        fault = world.faults.next("fineract.search", tenant=caller.tenant)
        if (broken := await _broken(fault, request)) is not None:
            return broken
        ignores = fault is not None and fault.action == "ignores_exact"
        return finding.rows(caller.tenant, request.query_params, ignores_exact=ignores)


async def account_fault(world: World, request: Request, caller: Caller, kind: str) -> Response | None:
    """What `fineract.accounts` answers instead of this account, if anything."""
    number = str(request.path_params.get("number", ""))
    return await _broken(
        world.faults.next("fineract.accounts", tenant=caller.tenant, kind=kind, account_id=number), request
    )


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a command; an empty body is an empty object."""
    text = await request.body()
    if text and not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise Problem(415, None)
    try:
        body = json.loads(text or b"{}")
    except ValueError:
        raise malformed_json() from None
    if not isinstance(body, dict):
        raise malformed_json()
    return body


def number_of(request: Request, code: str, name: str = "number") -> int:
    text = str(request.path_params[name])
    if not text.isdecimal():
        raise not_found(code)
    return int(text)


def _transaction(request: Request) -> int:
    return number_of(request, "error.msg.loan.transaction.id.invalid", "transaction")


async def _broken(fault: Fault | None, request: Request) -> Response | None:
    if fault is None:
        return None
    if fault.action == "slow":
        await asyncio.sleep(float(fault.options.get("seconds", 3)))
    if fault.action == "unauthorized":
        raise unauthorized(request)
    if fault.action == "gone":
        raise not_found("error.msg.account.id.invalid")
    if fault.action == "down":
        return html(503, "503 Service Unavailable")
    return html(200, "Maintenance") if fault.action == "html" else None
