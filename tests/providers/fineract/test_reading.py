"""Reading products, loans and clients, and the check of a connection."""

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from core.errors import InvalidRequest, NotAllowed, NotFound, NotReached, Transient
from core.money import Money
from core.msisdn import Msisdn
from providers.fineract.client import Fineract
from providers.fineract.wire import FineractCredentials
from providers.ports import Endpoint, Exchange
from simulators.fineract.loans import months_later
from tests.simulators.fineract.bank import Bank, disbursal, disburse_body, today
from tests.support.dialling import LOOPBACK


async def test_products_come_with_their_currency_and_limits(bank: Bank) -> None:
    async with bank.fineract() as fineract:
        products = await fineract.products()
    assert [(product.product_id, product.name) for product in products] == [
        (1, "Boda Boda Loan"),
        (2, "Kilimo Loan"),
        (3, "Biashara Loan"),
    ]
    kilimo = products[1]
    assert (kilimo.active, kilimo.currency, kilimo.multi_disburse) == (True, "KES", False)
    assert (kilimo.min_principal, kilimo.max_principal) == (Money(100_000, "KES"), Money(15_000_000, "KES"))


async def test_only_loans_that_await_disbursal_are_listed_in_order(bank: Bank) -> None:
    waiting = await bank.loans(5)
    await bank.loan(status="submitted")
    paid = await bank.loan()
    assert (await bank.command(paid, "disburse", disburse_body())).status_code == 200
    async with bank.fineract() as fineract:
        loans = (await fineract.approved_loans(page=2)).loans
        newer = (await fineract.approved_loans(after_id=waiting[2])).loans
    assert [loan.loan_id for loan in loans] == waiting
    assert all(loan.awaiting_disbursal and not loan.active and loan.disbursals == () for loan in loans)
    assert [loan.loan_id for loan in newer] == waiting[3:]


async def test_a_server_that_ignores_the_status_does_not_make_us_pay_other_loans(bank: Bank) -> None:
    waiting, submitted = await bank.loan(), await bank.loan(status="submitted")
    paid = await bank.loan()
    await bank.command(paid, "disburse", disburse_body())
    await bank.fault("fineract.loans.list", "ignores_status", times=10)
    async with bank.fineract() as fineract:
        loans = (await fineract.approved_loans()).loans
    assert [loan.loan_id for loan in loans] == [waiting]
    assert submitted not in [loan.loan_id for loan in loans]


async def test_250_loans_are_all_found_while_half_of_them_leave_between_pages(bank: Bank) -> None:
    """SCARS: the loan list is read as one page without an order: loans are missed for ever."""
    made = await bank.loans(250)
    await bank.fault("fineract.loans.list", "shift", times=5, options={"count": 25})
    async with bank.fineract() as fineract:
        found = [loan.loan_id for loan in (await fineract.approved_loans(page=100)).loans]
    left = {loan_id for loan_id, loan in (await bank.books()).items() if loan["status"] == "withdrawn"}
    assert len(left) == 125
    assert found == sorted(set(found))
    assert set(made) - left <= set(found)


async def test_a_partial_list_is_never_passed_off_as_the_whole(bank: Bank) -> None:
    await bank.loans(5)
    await bank.fault("fineract.read", "html", match={"what": "loans"}, skip=1)
    async with bank.fineract() as fineract:
        with pytest.raises(Transient):
            await fineract.approved_loans(page=2)


async def test_the_phone_is_read_from_the_client_since_no_loan_carries_one(bank: Bank) -> None:
    """SCARS: the phone is read from a field that Fineract never sends."""
    client_id = await bank.client(displayName="Njeri Kamau", mobileNo="0722 000 222")
    loan_id = await bank.loan(clientId=client_id)
    async with bank.fineract() as fineract:
        loan = await fineract.loan(loan_id)
        assert loan.client_id is not None
        client = await fineract.client(loan.client_id)
    assert (client.name, client.active) == ("Njeri Kamau", True)
    assert client.phone is not None
    assert Msisdn.parse(client.phone, "KE") == Msisdn("+254722000222")
    raw = (await bank.call("GET", f"/loans/{loan_id}", associations="all")).text
    assert "mobileNo" not in raw
    assert "0722" not in raw


async def test_a_missing_phone_is_none_and_a_malformed_one_is_passed_on_as_typed(bank: Bank) -> None:
    none, some = await bank.client(mobileNo=None), await bank.client()
    async with bank.fineract() as fineract:
        assert (await fineract.client(none)).phone is None
        await bank.fault("fineract.client", "phone_missing")
        assert (await fineract.client(some)).phone is None
        await bank.fault("fineract.client", "phone_malformed", match={"client_id": str(some)})
        typed = (await fineract.client(some)).phone
    assert typed is not None
    with pytest.raises(InvalidRequest):
        Msisdn.parse(typed, "KE")


async def test_a_loan_is_read_with_exact_amounts_dates_and_its_next_instalment(bank: Bank) -> None:
    loan_id = await bank.loan(principal="10000.10", netDisbursalAmount="9700.05", productId=2)
    async with bank.fineract() as fineract:
        loan = await fineract.loan(loan_id)
    assert (loan.approved_principal, loan.net_disbursal) == (Money(1_000_010, "KES"), Money(970_005, "KES"))
    assert (loan.product_id, loan.product_name, loan.status) == (2, "Kilimo Loan", "loanStatusType.approved")
    assert (loan.approved_on, loan.expected_disbursement_on) == (today() - timedelta(days=7), today())
    assert loan.next_repayment_on == months_later(today(), 1)
    assert (loan.account_no, loan.multi_disburse, loan.disbursals) == (f"{loan_id:09d}", False, ())


async def test_a_booked_disbursal_is_seen_on_the_loan_beside_its_charges(bank: Bank) -> None:
    loan_id = await bank.loan(netDisbursalAmount="9700")
    async with bank.fineract() as fineract:
        await fineract.post_disbursal(disbursal(loan_id))
        loan = await fineract.loan(loan_id)
        [item] = loan.disbursals
        assert (loan.active, loan.awaiting_disbursal) == (True, False)
        assert (item.amount, item.external_id, item.receipt, item.reversed) == (
            Money(1_000_000, "KES"),
            f"kvk-d-{loan_id}",
            f"SFT{loan_id}K2QX9P",
            False,
        )
        await bank.command(loan_id, "undodisbursal")
        assert (await fineract.loan(loan_id)).disbursals == ()
    assert len((await bank.book(loan_id))["transactions"]) == 2


async def test_an_unknown_loan_or_client_is_not_found(bank: Bank) -> None:
    async with bank.fineract() as fineract:
        with pytest.raises(NotFound):
            await fineract.loan(424242)
        with pytest.raises(NotFound):
            await fineract.client(424242)


@pytest.mark.parametrize("action", ["down", "html", "slow"])
async def test_a_read_that_brings_nothing_usable_is_transient(bank: Bank, action: str) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.read", action, options={"seconds": 1})
    async with bank.fineract(patience=0.3) as fineract:
        with pytest.raises(Transient):
            await fineract.loan(loan_id)
        assert (await fineract.loan(loan_id)).loan_id == loan_id


async def test_a_read_that_is_refused_is_not_allowed(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.read", "unauthorized", match={"loan_id": str(loan_id)})
    async with bank.fineract() as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.loan(loan_id)
    assert caught.value.code == "credentials_refused"


async def test_tenants_do_not_see_each_others_loans(bank: Bank) -> None:
    await bank.tenant("faulu", username="faulu", password="faulu-pass")
    ours, theirs = await bank.loan(), await bank.loan(tenant="faulu")
    async with (
        bank.fineract() as default,
        bank.fineract(tenant="faulu", username="faulu", password="faulu-pass") as faulu,
    ):
        assert [loan.loan_id for loan in (await default.approved_loans()).loans] == [ours]
        assert [loan.loan_id for loan in (await faulu.approved_loans()).loans] == [theirs]
        with pytest.raises(NotFound):
            await default.loan(theirs)


@pytest.mark.parametrize(
    ("credentials", "code", "field"),
    [
        ({"password": "wrong"}, "credentials_refused", "password"),
        ({"username": "nobody"}, "credentials_refused", "password"),
        ({"tenant": "nowhere"}, "tenant_unknown", "tenant"),
    ],
)
async def test_the_check_names_what_is_wrong_with_the_credentials(
    bank: Bank, credentials: dict[str, str], code: str, field: str
) -> None:
    user = {"username": "mifos", "password": "password", "tenant": "default"} | credentials
    async with bank.fineract(username=user["username"], password=user["password"], tenant=user["tenant"]) as fineract:
        with pytest.raises(NotAllowed) as caught:
            await fineract.check()
        assert (caught.value.code, caught.value.extra["field"]) == (code, field)
        with pytest.raises(NotAllowed) as read:
            await fineract.products()
        assert read.value.code == code


async def test_the_check_of_an_address_without_fineract_says_so(bank: Bank) -> None:
    # /health answers, but no Fineract is below it.
    credentials = FineractCredentials(username="mifos", password="password")
    async with Fineract(Endpoint(f"{bank.root}/health", rules=LOOPBACK), credentials) as elsewhere:
        with pytest.raises(NotFound) as caught:
            await elsewhere.check()
        assert caught.value.extra["field"] == "base_url"
        # A 404 that is not Fineract's (a container being redeployed) says nothing about the loan.
        with pytest.raises(Transient):
            await elsewhere.loan(91)
    async with Fineract(Endpoint("http://127.0.0.1:1", rules=LOOPBACK), credentials) as nowhere:
        with pytest.raises(NotReached):
            await nowhere.check()


async def test_the_exchange_log_holds_no_secret_phone_or_name(bank: Bank) -> None:
    client_id = await bank.client(displayName="Wanjiru Mwangi", mobileNo="0712000111")
    loan_id = await bank.loan(clientId=client_id)
    calls: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        calls.append(exchange)

    async with bank.fineract(recorder=keep) as fineract:
        await fineract.check()
        await fineract.approved_loans()
        await fineract.client(client_id)
        await fineract.post_disbursal(disbursal(loan_id))
        await fineract.loan(loan_id)
        await fineract.register_hook(f"{bank.root}/health/s3cret-path/", [("LOAN", "APPROVE")])
    logged = repr(calls)
    assert {"authentication", "loans.list", "loans.disburse", "hooks.make"} <= {call.operation for call in calls}
    for secret in ("'password': 'password'", "bWlmb3M", "0712000111", "254712000111", "Wanjiru", "Mwangi", "s3cret"):
        assert secret not in logged
    assert next(call for call in calls if call.operation == "loans.disburse").reference == f"kvk-d-{loan_id}"


def test_credentials_do_not_print_themselves() -> None:
    assert "hunter2" not in repr(FineractCredentials(username="kivuko", password="hunter2"))


async def test_amounts_of_any_size_arrive_to_the_cent(bank: Bank) -> None:
    dice = random.Random(7)
    client_id = await bank.client()
    principals = {
        await bank.loan(clientId=client_id, principal=str(Decimal(minor).scaleb(-2))): minor
        for minor in [1, 99, 100, *(dice.randrange(1, 10**11) for _ in range(10))]
    }
    async with bank.fineract() as fineract:
        loans = (await fineract.approved_loans()).loans
    assert {loan.loan_id: loan.approved_principal.minor for loan in loans} == principals
    assert all(isinstance(loan.approved_on, date) for loan in loans)
