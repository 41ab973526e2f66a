"""Small workflows for tests of the plumbing, in a file of their own: the sandbox imports a workflow's module anew."""

from datetime import timedelta

from pydantic import BaseModel
from temporalio import workflow
from temporalio.exceptions import ApplicationError


class Customer(BaseModel):
    name: str


@workflow.defn
class Greets:
    @workflow.run
    async def run(self, customer: Customer) -> Customer:
        return Customer(name=f"hello {customer.name}")


@workflow.defn
class Refuses:
    @workflow.run
    async def run(self, customer: Customer) -> None:
        raise ApplicationError(f"no loan for {customer.name}", type="no_loan")


@workflow.defn
class SleepsForADay:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(timedelta(days=1))
        return "rested"
