"""The simulated bank: one set of books, reached in two dialects (bank_ncba.md 1, 2, 3 and 6).

/ncba/api/v1/…, /ncba/payments/api/v1/…   NCBA's Open Banking and Till API
/reference/v1/…                           our own bank protocol
/simulator/…                              accounts, customers, pushes, deposits, orders, behaviour

Faults, with their options in parentheses; facts for matching stand behind:

bank.transfer     refuse (code) · timeout_before (seconds) · server_error_before · slow (seconds) · not executed by
                  not_json (executed: false)
bank.float        executed, the caller learns nothing: paid_but_answered_otherwise (code) · timeout_after_execution
                  (seconds) · drop_after_debit · server_error_after · not_json
                  reject_later (code, debited): accepted, then rejected; with `debited` the money leaves and comes back.
                  A transfer that NCBA answered "000" always comes back (seconds).
                  transfers alone: reverse_later (seconds): settled, then moved back
                  facts: dialect, reference, account, amount ("1500.00"), rail or operator
bank.push         lose · double · late (seconds) · wrong_hash (the reference bank then retries rightly) · shuffle
                  (seconds): lets the account's next push go first; facts: account, dialect, type, reference
bank.till.ask     refuse · timeout_after_execution (seconds) · payer_refuses; facts: msisdn, account_no
bank.till.query   failed_but_credited_later (seconds): FAILED, although the payment is still in flight; facts: msisdn,
                  account
bank.statement    down · unnamed_lines (NCBA: no line names its transaction) · torn_line: before the others stands one that
                  nobody can read; facts: dialect, account
bank.find         down · not_found (reference bank); facts: reference

Money of prompts that were waiting when the simulator stopped never comes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from simulators.bank.control import control_routes
from simulators.bank.courier import PUSH_ACTIONS
from simulators.bank.mishaps import ORDER_ACTIONS
from simulators.bank.ncba import open_banking_routes
from simulators.bank.orders import Bank
from simulators.bank.reference import reference_routes
from simulators.bank.till import ASK_ACTIONS, QUERY_ACTIONS, till_routes
from simulators.world import World


def routes(world: World) -> APIRouter:
    """Everything under /bank. What was left open when the simulator stopped is taken up at its start."""
    bank = Bank(world)
    faults = world.faults
    faults.declare("bank.transfer", *ORDER_ACTIONS, "reverse_later")
    faults.declare("bank.float", *ORDER_ACTIONS)
    faults.declare("bank.push", *PUSH_ACTIONS)
    faults.declare("bank.till.ask", *ASK_ACTIONS)
    faults.declare("bank.till.query", *QUERY_ACTIONS)
    faults.declare("bank.statement", "down", "unnamed_lines", "torn_line")
    faults.declare("bank.find", "down", "not_found")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        bank.resume()
        yield

    router = APIRouter(lifespan=lifespan)
    router.include_router(control_routes(world, bank))
    router.include_router(open_banking_routes(world, bank), prefix="/ncba")
    router.include_router(till_routes(world, bank), prefix="/ncba")
    router.include_router(reference_routes(world, bank), prefix="/reference")
    return router
