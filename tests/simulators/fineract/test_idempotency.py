"""One stored result per key, good or bad (fineract.md 9, 10)."""

import asyncio
from pathlib import Path

import pytest

from simulators.books import LOANS
from simulators.documents import Documents
from simulators.fineract.routes import routes as fineract_routes
from simulators.world import World
from tests.simulators.fineract.bank import Bank, disburse_body


async def test_a_success_is_replayed_and_says_so(bank: Bank) -> None:
    loan_id = await bank.loan()
    first = await bank.command(loan_id, "disburse", disburse_body(), key="k1")
    second = await bank.command(loan_id, "disburse", disburse_body(), key="k1")
    assert (first.status_code, second.status_code) == (200, 200)
    assert "x-served-from-cache" not in first.headers
    assert second.headers["x-served-from-cache"] == "true"
    assert first.json() == second.json()
    assert len(await bank.disbursals(loan_id)) == 1


async def test_a_failure_is_replayed_even_after_its_cause_is_gone(bank: Bank) -> None:
    loan_id = await bank.loan()
    bad = disburse_body(actualDisbursementDate="2999-01-01")
    first = await bank.command(loan_id, "disburse", bad, key="k1")
    again = await bank.command(loan_id, "disburse", disburse_body(), key="k1")
    assert (first.status_code, again.status_code, again.json()) == (403, 403, first.json())
    assert again.headers["x-served-from-cache"] == "true"
    assert (await bank.command(loan_id, "disburse", disburse_body(), key="k2")).status_code == 200


async def test_the_key_includes_the_action_but_not_the_loan(bank: Bank) -> None:
    first, second = await bank.loans(2)
    await bank.command(first, "disburse", disburse_body(), key="same")
    other = await bank.command(second, "disburse", disburse_body(), key="same")
    assert other.json()["loanId"] == first
    assert await bank.disbursals(second) == []
    undone = await bank.command(first, "undodisbursal", key="same")
    assert (undone.status_code, "x-served-from-cache" in undone.headers) == (200, False)


async def test_without_a_key_nothing_is_replayed(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.command(loan_id, "disburse", disburse_body())
    assert (await bank.command(loan_id, "disburse", disburse_body())).status_code == 403


async def test_a_key_of_more_than_fifty_characters_fails(bank: Bank) -> None:
    loan_id = await bank.loan()
    assert (await bank.command(loan_id, "disburse", disburse_body(), key="k" * 51)).status_code == 403
    assert (await bank.command(loan_id, "disburse", disburse_body(), key="k" * 50)).status_code == 200


async def test_while_a_command_runs_its_key_gets_425_with_the_request_as_body(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "slow", options={"seconds": 1})
    body = disburse_body()
    running = asyncio.create_task(bank.command(loan_id, "disburse", body, key="k1"))
    await asyncio.sleep(0.1)
    second = await bank.command(loan_id, "disburse", body, key="k1")
    assert (second.status_code, second.json()) == (425, body)
    assert second.headers["x-served-from-cache"] == "true"
    assert (await running).status_code == 200
    assert len(await bank.disbursals(loan_id)) == 1


@pytest.mark.parametrize(("action", "then"), [("locked", 200), ("conflict_409", 409), ("refuse", 403)])
async def test_a_lock_before_the_command_leaves_the_key_free_and_a_refusal_in_it_does_not(
    bank: Bank, action: str, then: int
) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", action, match={"loan_id": str(loan_id), "tenant": "default"})
    first = await bank.command(loan_id, "disburse", disburse_body(), key="k1")
    assert first.status_code in (403, 409)
    assert (await bank.command(loan_id, "disburse", disburse_body(), key="k1")).status_code == then


async def test_a_command_that_waits_for_its_checker_books_nothing(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "maker_checker")
    answer = await bank.command(loan_id, "disburse", disburse_body(), key="k1")
    assert (answer.status_code, answer.json()["rollbackTransaction"]) == (200, True)
    assert (await bank.command(loan_id, "disburse", disburse_body(), key="k1")).status_code == 425
    assert await bank.disbursals(loan_id) == []


def test_the_bank_remembers_its_tenants_and_loans_over_a_restart(tmp_path: Path) -> None:
    for expected in (0, 1):
        world = World(documents=Documents(tmp_path / "world.db"))
        fineract_routes(world)
        assert len(world.documents.all(LOANS)) == expected
        assert len(world.documents.all("fineract.tenants")) == 1
        if not expected:
            world.documents.put(LOANS, "default:91", {"id": 91, "tenant": "default"})
        world.documents.close()
