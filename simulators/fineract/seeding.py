"""`/simulator/…`: making tenants, clients, loans and savings accounts outside the protocol, as a bank's staff would."""

from typing import Any

from fastapi import APIRouter, HTTPException

from simulators.fineract.catalogue import Catalogue, ClientSeed
from simulators.fineract.hooks import Hooks
from simulators.fineract.loans import Loans, LoanSeed, status_of
from simulators.fineract.replies import Problem
from simulators.fineract.savings import Savings, SavingsSeed
from simulators.fineract.tenants import Caller, Tenants, TenantSeed, business_date


def seeding_routes(tenants: Tenants, catalogue: Catalogue, loans: Loans, savings: Savings, hooks: Hooks) -> APIRouter:
    router = APIRouter(prefix="/simulator")

    def settings(tenant: str) -> dict[str, Any]:
        found = tenants.settings(tenant)
        if found is None:
            raise HTTPException(422, "no such tenant")
        return found

    @router.post("/tenants", status_code=201)
    async def make_tenant(seed: TenantSeed) -> dict[str, Any]:
        """Makes or changes a tenant and one of its users."""
        return tenants.seed(seed)

    @router.post("/clients", status_code=201)
    async def make_client(seed: ClientSeed) -> dict[str, Any]:
        """Makes a client, or changes the one with this id."""
        settings(seed.tenant)
        return catalogue.seed_client(seed)

    @router.post("/loans", status_code=201)
    async def make_loan(seed: LoanSeed) -> dict[str, Any]:
        """A loan as the books show it; an approved one fires LOAN/APPROVE to the hooks of its tenant."""
        tenant = settings(seed.tenant)
        today = business_date(tenant)
        try:
            loan = loans.seed(seed, today)
        except Problem as refusal:
            raise HTTPException(422, "no such client or product, or the number is taken") from refusal
        if loan["status"] == "approved" and seed.hook:
            number = loan["id"]
            answer = {"officeId": 1, "clientId": loan["clientId"], "loanId": number, "resourceId": number}
            request = {"approvedOnDate": loan["approvedOn"], "locale": "en", "dateFormat": "yyyy-MM-dd"}
            caller = Caller(seed.tenant, next(iter(tenant["users"])), tenant)
            answer["changes"] = {"status": status_of("approved")}
            hooks.fire(caller, ("LOAN", "APPROVE"), request, answer, number=number)
        return loan

    @router.post("/savings", status_code=201)
    async def make_savings(seed: SavingsSeed) -> dict[str, Any]:
        """A savings account as the books show it. Its number may be that of a loan, since the two are counted apart."""
        today = business_date(settings(seed.tenant))
        try:
            return savings.seed(seed, today)
        except Problem as refusal:
            raise HTTPException(422, "no such client, or the number is taken") from refusal

    return router
