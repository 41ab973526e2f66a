"""What one partner's channel says of another's payments, or of accounts that are not the wallet's, changes nothing."""

from typing import Any

import pytest
from sqlmodel import select

from core.clock import utc_now
from core.crypto import CallbackRoute
from core.ids import PAYOUT, new_id
from core.money import Money
from models.messages.saga.payouts import BankOrder, PayoutInstruction
from models.tables.lending.wallet_top_up import TopUp
from models.tables.platform.traffic import InboxItem
from models.tables.saga.case import Case
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt
from store.saga import payouts
from tests.api.conftest import Door
from tests.api.money import rich_lender
from tests.support.orders import to_send
from tests.support.pushes import B2C, WALLET, credited, event, ncba, push


async def bank_attempt(door: Door, partner_id: str) -> str:
    """The reference of a bank transfer of this partner that is under way."""
    leg_id = new_id(PAYOUT)
    instruction = PayoutInstruction(
        leg_id=leg_id, role="wallet", begun_at=utc_now(), partner_id=partner_id,
        workflow_id=f"float-purchase/{leg_id}", provider="bank",
        bank=BankOrder(
            kind="bank_transfer", source_account=WALLET, source_name="KIVUKO WALLET", account=B2C, name="KIVUKO B2C"
        ),
        amount=Money.parse("1500", "KES"), remarks="Float",
    )  # fmt: skip
    async with door.database.transaction() as session:
        await payouts.begin(session, to_send(instruction), account=WALLET)
    return f"{leg_id}-a1"


async def attempt(door: Door, reference: str) -> PayoutAttempt:
    async with door.database.transaction() as session:
        return (await session.exec(select(PayoutAttempt).where(PayoutAttempt.reference == reference))).one()


async def only_item(door: Door) -> InboxItem:
    (found,) = await door.rows(InboxItem)
    assert isinstance(found, InboxItem)
    return found


async def only_case(door: Door) -> Case:
    (found,) = await door.rows(Case)
    assert isinstance(found, Case)
    return found


@pytest.mark.parametrize("kind", ["transfer.settled", "transfer.rejected", "transfer.reversed", "account.debited"])
@pytest.mark.parametrize("rail", ["bank", "daraja"])
async def test_another_partners_bank_has_no_say_in_a_payment(
    door: Door, kind: str, rail: str, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = await rich_lender(door, "Theirs", dialect="reference")
    liar = await rich_lender(door, "Liar", dialect="reference")
    reference = await bank_attempt(door, theirs) if rail == "bank" else (await door.attempt(theirs)).reference
    before = await attempt(door, reference)
    said = {
        "client_reference": reference,
        "bank_reference": "FT1",
        "reason": "X",
        "amount": "1500.00",
        "currency": "KES",
    }
    if kind == "account.debited":
        said |= {"bank_transaction_id": "FT1", "account": WALLET}
    assert (await push(door, liar, *event(kind, **said))).status_code == 200
    assert await attempt(door, reference) == before
    item, case = await only_item(door), await only_case(door)
    assert (item.outcome, item.workflow_id, item.partner_id) == ("refused", None, liar)
    assert item.delivered_at is not None
    assert (case.kind, case.partner_id, case.workflow_id) == ("foreign_reference", liar, None)
    assert case.evidence["reference"] == reference
    assert "foreign_reference" in caplog.text
    assert 'kind="bank_push",outcome="refused"} 1.0' in (await door.visitor().get("/metrics")).text


async def test_the_bank_has_no_say_in_its_own_partners_mobile_payment(door: Door) -> None:
    partner_id = await rich_lender(door, dialect="reference")
    route = await door.attempt(partner_id)
    raw, headers = event(
        "transfer.settled", client_reference=route.reference, bank_reference="FT1", amount="1250.00", currency="KES"
    )
    await push(door, partner_id, raw, headers)
    assert (await only_item(door)).outcome == "refused"
    assert (await attempt(door, route.reference)).state == "sending"


async def test_ones_own_bank_is_heard(door: Door) -> None:
    partner_id = await rich_lender(door, dialect="reference")
    reference = await bank_attempt(door, partner_id)
    raw, headers = event(
        "transfer.settled", client_reference=reference, bank_reference="FT1", amount="1500.00", currency="KES"
    )
    await push(door, partner_id, raw, headers)
    item = await only_item(door)
    assert (item.kind, item.workflow_id) == ("result", (await attempt(door, reference)).workflow_id)


async def test_a_debit_of_ncba_that_names_another_partners_payment_is_refused(door: Door) -> None:
    theirs, liar = await rich_lender(door, "Theirs"), await rich_lender(door, "Liar")
    reference = await bank_attempt(door, theirs)
    assert (await push(door, liar, ncba(TransAmount="-1500.00", Narrative=reference))).status_code == 200
    assert ((await only_item(door)).outcome, (await only_case(door)).kind) == ("refused", "foreign_reference")


async def test_a_credit_that_names_another_partners_payment_is_credited_to_nobody(door: Door) -> None:
    theirs, liar = await rich_lender(door, "Theirs"), await rich_lender(door, "Liar")
    reference = await bank_attempt(door, theirs)
    await push(door, liar, ncba(Narrative=f"BACK {reference}", AccountNr="1000200130"))  # the second lender's wallet
    assert await door.rows(IncomingPayment) == []
    assert ((await only_item(door)).outcome, (await only_case(door)).kind) == ("refused", "foreign_reference")


@pytest.mark.parametrize("path", ["out", "out-late", "ask"])
async def test_a_callback_for_a_payment_of_another_saga_or_rail_is_refused(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    route, by_bank = await door.attempt(partner_id), await bank_attempt(door, partner_id)
    addresses = (
        CallbackRoute("loan-disbursement/other/1", route.reference),
        CallbackRoute((await attempt(door, by_bank)).workflow_id, by_bank),
    )
    for address in addresses:
        await door.visitor().post(
            door.callback_path(address, path), json={"Result": {"ResultCode": 0, "ResultType": 0}}
        )
    assert [(row.outcome, row.workflow_id) for row in await door.rows(InboxItem)] == [("refused", None)] * 2
    assert {case.kind for case in await door.rows(Case)} == {"foreign_reference"}


# ------------------------------------------------------------------------------------------------- accounts of a bank


@pytest.mark.parametrize("dialect", ["reference", "ncba"])
@pytest.mark.parametrize(("account", "kind"), [(B2C, "credit_elsewhere"), ("0099887766", "foreign_account")])
async def test_only_the_wallets_own_account_feeds_the_wallet(door: Door, dialect: str, account: str, kind: str) -> None:
    partner_id = await rich_lender(door, dialect=dialect)
    told: Any = event("account.credited", **credited(account)) if dialect == "reference" else (ncba(AccountNr=account),)
    for _ in range(2):
        assert (await push(door, partner_id, *told)).status_code == 200
    assert await door.rows(IncomingPayment) == []
    assert await door.rows(TopUp) == []
    case = await only_case(door)
    assert (case.kind, case.partner_id) == (kind, partner_id)
    assert (case.evidence["amount"], case.evidence["account"]) == ("KES 1,500.00", account)


@pytest.mark.parametrize("spelling", [WALLET, "1000-200-030", "10002 00030"])
async def test_the_wallets_account_is_known_in_every_spelling(door: Door, spelling: str) -> None:
    partner_id = await rich_lender(door, dialect="reference")
    await push(door, partner_id, *event("account.credited", **credited(spelling)))
    (row,) = await door.rows(IncomingPayment)
    assert (row.amount_minor, row.partner_id) == (150_000, partner_id)
    assert await door.rows(Case) == []


async def test_other_leading_zeros_are_another_account(door: Door) -> None:
    partner_id = await rich_lender(door, dialect="reference")
    await push(door, partner_id, *event("account.credited", **credited(f"0{WALLET}")))
    assert ((await only_case(door)).kind, await door.rows(IncomingPayment)) == ("foreign_account", [])


async def test_a_debit_of_a_foreign_account_proves_no_payment(door: Door) -> None:
    partner_id = await rich_lender(door)
    reference = await bank_attempt(door, partner_id)
    await push(door, partner_id, ncba(AccountNr="0099887766", TransAmount="-1500.00", Narrative=reference))
    assert ((await only_item(door)).outcome, (await only_case(door)).kind) == ("refused", "foreign_account")
