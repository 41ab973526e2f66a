"""A hook that tells of an approved loan leads to a look at the loan, and to nothing more for one that is not to be paid."""

from typing import Any

from models.messages.lending.loan_watch import LoanLookedAt
from models.tables.lending.loan_disbursement import Disbursement
from store.platform import partners
from store.saga import saga_rows
from tests.support.addresses import secret_of
from tests.support.house import House
from tests.support.waiting import eventually


async def hook(house: House, loan_id: int) -> int:
    """Fineract's word, from wherever it comes; the status of our answer."""
    async with house.database.transaction() as session:
        secret = secret_of(house.settings, await partners.connection(session, house.partner_id, "fineract"))
    event = {"entityName": "LOAN", "actionName": "APPROVE", "response": {"loanId": loan_id}}
    return (await house.http.post(f"{house.api_url}/cb/hooks/{secret}/", json=event)).status_code


async def looked(house: House, loan_id: int) -> LoanLookedAt:
    handle: Any = house.client.get_workflow_handle(f"loan-look/{house.partner_id}/{loan_id}", result_type=LoanLookedAt)

    async def there() -> bool:
        return loan_id > 0 and await house.undelivered() == []

    await eventually(there, 30)
    found: LoanLookedAt = await handle.result()
    return found


async def rows(house: House) -> list[int]:
    async with house.database.transaction() as session:
        return [row.loan_id for row in await saga_rows.page(session, Disbursement)]


async def test_only_an_approved_loan_of_an_enabled_product_is_claimed_by_a_hook(house: House) -> None:
    approved = await house.approve_loan("900.00")
    other_product = await house.approve_loan("900.00", productId=2)
    for loan_id in (approved, other_product, 987_654):
        assert await hook(house, loan_id) == 200
    assert (await looked(house, 987_654)).why == "no such loan"
    assert (await looked(house, other_product)).why == "product not enabled"
    assert (await looked(house, approved)).started

    async def paid() -> bool:
        return len(await house.payouts()) == 1

    await eventually(paid, 30)
    assert await rows(house) == [approved]
    # Told again, and of a loan that is paid: nothing new.
    assert await hook(house, approved) == 200

    async def looked_again() -> bool:
        return not (await looked(house, approved)).started

    await eventually(looked_again, 30)
    assert (await rows(house), len(await house.payouts())) == ([approved], 1)
