"""What a connection's check demands: all that is needed after the money has moved; and what a server says of itself."""

import pytest

from core.errors import NotAllowed
from tests.simulators.fineract.bank import Bank

TRIED = ["READ_LOAN", "READ_LOANPRODUCT", "READ_CLIENT", "DISBURSE_LOAN"]  # paid a client, and nothing could be booked
PAYOUTS = [*TRIED, "READ_PAYMENTTYPE"]
COLLECTIONS = [*PAYOUTS, "REPAYMENT_LOAN", "READ_SAVINGSACCOUNT", "DEPOSIT_SAVINGSACCOUNT"]


async def missing(bank: Bank, permissions: list[str], *, collections: bool = True, **tenant: str) -> str | None:
    """Which permissions the check of such a user's connection names; None if it passes."""
    await bank.tenant("default", username="kivuko", password="pw", permissions=permissions, **tenant)
    async with bank.fineract(username="kivuko", password="pw", collections=collections) as fineract:
        try:
            await fineract.check()
            return None
        except NotAllowed as error:
            refusal = error
    assert (refusal.code, refusal.extra["field"]) == ("permission_missing", "username")
    assert all(name in refusal.detail for name in refusal.extra["permissions"].split(","))
    return refusal.extra["permissions"]


async def test_the_permissions_that_paid_and_booked_nothing_are_not_enough(bank: Bank) -> None:
    await bank.payment_type()
    assert await missing(bank, TRIED, collections=False) == "READ_PAYMENTTYPE"


@pytest.mark.parametrize("collections", [False, True])
async def test_each_permission_that_a_direction_needs_is_demanded_by_name(bank: Bank, collections: bool) -> None:
    await bank.payment_type()
    needed = COLLECTIONS if collections else PAYOUTS
    assert await missing(bank, needed, collections=collections) is None
    for name in needed:
        held = [other for other in needed if other != name]
        assert await missing(bank, held, collections=collections) == name


async def test_a_payment_type_that_is_missing_may_have_to_be_made(bank: Bank) -> None:
    assert await missing(bank, COLLECTIONS) == "CREATE_PAYMENTTYPE"
    assert await missing(bank, [*COLLECTIONS, "CREATE_PAYMENTTYPE"]) is None
    await bank.payment_type()
    assert await missing(bank, COLLECTIONS) is None


async def test_permissions_for_everything_count(bank: Bank) -> None:
    await bank.payment_type()
    assert await missing(bank, ["ALL_FUNCTIONS"]) is None
    writes = ["DISBURSE_LOAN", "REPAYMENT_LOAN", "DEPOSIT_SAVINGSACCOUNT"]
    assert await missing(bank, ["ALL_FUNCTIONS_READ", *writes]) is None
    assert await missing(bank, ["ALL_FUNCTIONS_READ"]) == ",".join(writes)


@pytest.mark.parametrize("authentication", ["silent", "off"])
async def test_a_server_that_names_no_permissions_is_read_from(bank: Bank, authentication: str) -> None:
    await bank.payment_type()
    assert await missing(bank, COLLECTIONS, authentication=authentication) is None
    reads = [name for name in COLLECTIONS if name.startswith("READ_")]
    for name in reads:
        held = [other for other in COLLECTIONS if other != name]
        assert await missing(bank, held, authentication=authentication) == name


async def test_a_wrong_password_is_named_also_where_there_is_no_sign_in(bank: Bank) -> None:
    await bank.tenant("default", authentication="off")
    async with bank.fineract(password="wrong") as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.check()
    assert (caught.value.code, caught.value.extra["field"]) == ("credentials_refused", "password")


# ------------------------------------------------------------------------------------------------------------ identity


async def test_a_tenant_says_the_same_of_itself_to_all_users_and_while_it_grows(bank: Bank) -> None:
    await bank.tenant("default", username="clerk", password="pw", permissions=["READ_LOAN", "READ_CLIENT"])
    async with bank.fineract() as one, bank.fineract(username="clerk", password="pw") as other:
        assert await one.identity() is None
        for _ in range(3):
            await bank.loan()
        first = await one.identity()
        assert first is not None
        await bank.loan()
        assert await other.identity() == first == await one.identity()


async def test_another_tenant_says_something_else(bank: Bank) -> None:
    await bank.tenant("faulu")
    for tenant in ("default", "faulu"):
        for _ in range(3):
            await bank.loan(tenant=tenant)
    async with bank.fineract() as default, bank.fineract(tenant="faulu") as faulu:
        assert await default.identity() != await faulu.identity()
