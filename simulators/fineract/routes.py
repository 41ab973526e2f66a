"""A simulated Apache Fineract, at `/fineract-provider/api/v1/…` and, shorter, at `/v1/…`.

Staff's side: `POST /simulator/{tenants,clients,loans,savings}` (seeding.py). Customers' payments: account_routes.py.
Faults: trouble.py, disbursing.py, paying.py, finding.py, listing.py, hooks.py, account_routes.py, and
  fineract.read    down, slow (options.seconds, 3), html, unauthorized      (facts tenant, what, loan_id)
  fineract.client  phone_missing, phone_malformed                            (facts tenant, client_id)
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from simulators.fineract.account_routes import Handler, account_fault, add_account_routes, body_of, number_of
from simulators.fineract.calendar_routes import add_calendar_routes
from simulators.fineract.catalogue import Catalogue
from simulators.fineract.commands import Commands
from simulators.fineract.deposits import Deposits
from simulators.fineract.disbursing import LoanCommands
from simulators.fineract.hooks import Hooks
from simulators.fineract.listing import Listing
from simulators.fineract.loans import Loans
from simulators.fineract.paying import PaymentCommands
from simulators.fineract.repayments import Repayments
from simulators.fineract.replies import Problem, html, invalid, problem, reply
from simulators.fineract.savings import Savings
from simulators.fineract.seeding import seeding_routes
from simulators.fineract.tenants import Caller, Tenants, unauthorized
from simulators.fineract.transitions import Transitions
from simulators.world import World

_BASES: Final = ("/fineract-provider/api/v1", "/v1")


def routes(world: World) -> APIRouter:
    router = APIRouter()
    tenants, catalogue, hooks = Tenants(world), Catalogue(world), Hooks(world)
    loans = Loans(world, catalogue)
    transitions = Transitions(loans, catalogue)
    listing = Listing(world, loans, transitions)
    savings, commands = Savings(world, catalogue), Commands(world, hooks)
    repayments, deposits = Repayments(loans, catalogue), Deposits(savings, catalogue)
    loan_commands = LoanCommands(world, loans, transitions, commands)
    payments = PaymentCommands(world, loans, savings, repayments, deposits, commands)
    world.faults.declare("fineract.read", "down", "slow", "html", "unauthorized")
    world.faults.declare("fineract.client", "phone_missing", "phone_malformed")
    router.include_router(seeding_routes(tenants, catalogue, loans, savings, hooks))

    async def read_fault(request: Request, caller: Caller, what: str) -> Response | None:
        facts = {"tenant": caller.tenant, "what": what}
        if what == "loan":
            facts["loan_id"] = request.path_params["number"]
        fault = world.faults.next("fineract.read", **facts)
        if fault is None:
            return None
        if fault.action == "slow":
            await asyncio.sleep(float(fault.options.get("seconds", 3)))
            return None
        if fault.action == "unauthorized":
            raise unauthorized(request)
        return html(503, "503 Service Unavailable") if fault.action == "down" else html(200, "Maintenance")

    def serve(method: str, path: str, what: str) -> Callable[[Handler], Handler]:
        """Registers a handler under both bases; its result is answered as JSON unless it is a Response."""

        def register(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                try:
                    caller = tenants.caller(request)
                    if method == "GET" and (broken := await read_fault(request, caller, what)) is not None:
                        return broken
                    result = await handler(request, caller)
                except Problem as refusal:
                    return refusal.response(request.url.path)
                return result if isinstance(result, Response) else reply(result)

            for base in _BASES:
                router.add_api_route(base + path, endpoint, methods=[method], include_in_schema=False)
            return handler

        return register

    async def authenticate(request: Request) -> Response:
        """Needs the tenant, not the Basic header."""
        try:
            settings, body = tenants.of(request), await body_of(request)
            if settings["authentication"] == "off":
                raise Problem(404, None)
            username, password = str(body.get("username", "")), str(body.get("password", ""))
            if not tenants.knows(settings, username, password):
                raise problem(401, "error.msg.not.authenticated")
        except Problem as refusal:
            return refusal.response(request.url.path)
        user = settings["users"][username]
        told = {"permissions": user["permissions"]} if settings["authentication"] == "full" else {}
        return reply({"username": username, "userId": 1, "authenticated": True, "officeId": 1,
                      "officeName": "Head Office", "base64EncodedAuthenticationKey": "c2ltdWxhdGVk",
                      "roles": [], "shouldRenewPassword": False} | told)  # fmt: skip

    for base in _BASES:
        router.add_api_route(f"{base}/authentication", authenticate, methods=["POST"], include_in_schema=False)

    # ----------------------------------------------------------------------------------------------------------- loans

    @serve("GET", "/loans", "loans")
    async def list_loans(request: Request, caller: Caller) -> Any:
        caller.must("READ_LOAN")
        return listing.page(caller.tenant, request.query_params)

    @serve("GET", "/loans/{number}", "loan")
    async def read_loan(request: Request, caller: Caller) -> Any:
        if (broken := await account_fault(world, request, caller, "loan")) is not None:
            return broken
        caller.must("READ_LOAN")
        loan = loans.get(caller.tenant, number_of(request, "error.msg.loan.id.invalid"))
        return loans.details(loan, request.query_params.get("associations", "").split(","))

    @serve("POST", "/loans/{number}", "loan")
    async def command_loan(request: Request, caller: Caller) -> Any:
        number = number_of(request, "error.msg.loan.id.invalid")
        return await loan_commands.run(request, caller, number, await body_of(request))

    add_account_routes(world, serve, loans, savings, repayments, payments)

    # ------------------------------------------------------------------------------------- products, clients, settings

    @serve("GET", "/loanproducts", "products")
    async def list_products(request: Request, caller: Caller) -> Any:
        caller.must("READ_LOANPRODUCT")
        return catalogue.products()

    @serve("GET", "/loanproducts/{number}", "products")
    async def read_product(request: Request, caller: Caller) -> Any:
        caller.must("READ_LOANPRODUCT")
        return catalogue.product(number_of(request, "error.msg.loanproduct.id.invalid"))

    @serve("GET", "/clients/{number}", "client")
    async def read_client(request: Request, caller: Caller) -> Any:
        caller.must("READ_CLIENT")
        body = catalogue.client_details(caller.tenant, number_of(request, "error.msg.client.id.invalid"))
        fault = world.faults.next("fineract.client", tenant=caller.tenant, client_id=str(body["id"]))
        if fault:
            body["mobileNo"] = None if fault.action == "phone_missing" else "07 twelve 34"
        return body

    @serve("GET", "/paymenttypes", "payment_types")
    async def list_payment_types(request: Request, caller: Caller) -> Any:
        caller.must("READ_PAYMENTTYPE")
        return catalogue.payment_types(caller.tenant)

    @serve("POST", "/paymenttypes", "payment_types")
    async def make_payment_type(request: Request, caller: Caller) -> Any:
        caller.must("CREATE_PAYMENTTYPE")
        body = await body_of(request)
        unknown = sorted(set(body) - {"name", "description", "isCashPayment", "position"})
        if unknown or not body.get("name"):
            raise invalid(*(("error.msg.parameter.unsupported", name) for name in unknown or ["name"]))
        number = catalogue.make_payment_type(
            caller.tenant, str(body["name"]), cash=body.get("isCashPayment") is True, position=body.get("position", 1)
        )
        return {"resourceId": number}

    @serve("DELETE", "/paymenttypes/{number}", "payment_types")
    async def delete_payment_type(request: Request, caller: Caller) -> Any:
        caller.must("DELETE_PAYMENTTYPE")
        number = number_of(request, "error.msg.payment.type.invalid")
        catalogue.delete_payment_type(caller.tenant, number)
        return {"resourceId": number}

    @serve("GET", "/businessdate", "business_date")
    async def read_business_date(request: Request, caller: Caller) -> Any:
        """Empty unless the tenant has switched its business date on."""
        caller.must("READ_BUSINESS_DATE")
        if not caller.settings.get("businessDate"):
            return []
        return [{"description": "Business Date", "type": "BUSINESS_DATE", "date": caller.business_date}]

    @serve("GET", "/offices", "offices")
    async def list_offices(request: Request, caller: Caller) -> Any:
        caller.must("READ_OFFICE")
        return [{"id": 1, "name": "Head Office", "nameDecorated": "Head Office", "externalId": "1",
                 "openingDate": [2009, 1, 1], "hierarchy": "."}]  # fmt: skip

    add_calendar_routes(serve)

    @serve("POST", "/makercheckers/{number}", "commands")
    async def check_command(request: Request, caller: Caller) -> Any:
        """A checker's agreement to what waits under maker-checker."""
        return commands.approve(number_of(request, "error.msg.command.id.invalid"))

    @serve("GET", "/clients", "clients")
    async def list_clients(request: Request, caller: Caller) -> Any:
        caller.must("READ_CLIENT")
        return catalogue.clients_page(caller.tenant, request.query_params)

    # ----------------------------------------------------------------------------------------------------------- hooks

    @serve("GET", "/hooks", "hooks")
    async def list_hooks(request: Request, caller: Caller) -> Any:
        caller.must("READ_HOOK")
        return hooks.all(caller.tenant)

    @serve("POST", "/hooks", "hooks")
    async def make_hook(request: Request, caller: Caller) -> Any:
        caller.must("CREATE_HOOK")
        return {"resourceId": await hooks.make(caller.tenant, await body_of(request))}

    @serve("GET", "/hooks/{number}", "hooks")
    async def read_hook(request: Request, caller: Caller) -> Any:
        caller.must("READ_HOOK")
        return hooks.get(caller.tenant, number_of(request, "error.msg.hook.identifier.not.found"))

    @serve("PUT", "/hooks/{number}", "hooks")
    async def change_hook(request: Request, caller: Caller) -> Any:
        caller.must("UPDATE_HOOK")
        number = number_of(request, "error.msg.hook.identifier.not.found")
        await hooks.change(caller.tenant, number, await body_of(request))
        return {"resourceId": number}

    @serve("DELETE", "/hooks/{number}", "hooks")
    async def delete_hook(request: Request, caller: Caller) -> Any:
        caller.must("DELETE_HOOK")
        number = number_of(request, "error.msg.hook.identifier.not.found")
        hooks.delete(caller.tenant, number)
        return {"resourceId": number}

    return router
