"""Which loans one payout can serve, and with how much money. Pure, so that every refusal is tested as a function.

Each refusal has a code of its own: none of these loans becomes payable by waiting, so a person is told (`NOT_PAYABLE`).
"""

from typing import Final

from core.errors import InvalidRequest, LimitExceeded, NotAllowed
from core.money import Money
from providers.ports import BankClient, Loan

# How the core-banking system names a loan's kind → our code and why one payout cannot serve it.
_KINDS: Final = {
    "group": ("group_loan", "The loan was given to a group, and a group has no single phone to pay."),
    "jlg": (
        "joint_liability_loan",
        "The loan is a joint liability loan of a group's member; the group's bank pays it.",
    ),
    "glim": ("group_loan", "The loan is one of a group's loans, which are disbursed together."),
    "gsim": ("group_loan", "The loan is one of a group's loans, which are disbursed together."),
}

# Refused for good as the loan or its client stands: somebody must look, beyond the message to the lender.
NOT_PAYABLE: Final = frozenset(
    {
        "nothing_to_pay", "net_above_principal", "top_up_without_net", "multi_tranche", "down_payment", "group_loan",
        "joint_liability_loan", "no_client", "loan_charged_off", "client_not_active", "client_in_transfer",
        "client_closed",
    }
)  # fmt: skip


def amount_to_pay(loan: Loan) -> Money:
    """What remains after charges and a closed older loan, where the server says so (zero is an amount too); else the
    approved principal. In whole units.

    Raises InvalidRequest or LimitExceeded for a loan that one payout cannot serve.
    """
    _refuse_kind(loan)
    net, principal = loan.net_disbursal, loan.approved_principal
    # A top-up loan closes an older one with a part of its principal: a net that takes nothing off is no net of it.
    if loan.top_up and (net is None or net.minor >= principal.minor):
        raise InvalidRequest(
            "The loan tops up an older one, and Fineract does not say what remains for the client.",
            code="top_up_without_net",
            field="netDisbursalAmount",
        )
    amount = principal if net is None else net
    if amount.minor <= 0:
        raise InvalidRequest(
            f"Nothing remains to be paid to the client ({amount}).", code="nothing_to_pay", field="netDisbursalAmount"
        )
    if amount.minor > principal.minor:
        raise LimitExceeded(
            f"The net amount of {amount} is above the approved principal of {principal}.",
            code="net_above_principal",
            field="netDisbursalAmount",
        )
    amount.whole_units()
    return amount


def check_client(client: BankClient) -> None:
    """Raises NotAllowed for a client for whom Fineract would refuse the booking after the money has moved."""
    if client.active:
        return
    state = client.status.rpartition("clientStatusType.")[2]
    if state.startswith("transfer"):
        raise NotAllowed("The client is being moved to another office.", code="client_in_transfer", field="clientId")
    if state in ("closed", "rejected", "withdrawn"):
        raise NotAllowed(f"The client's record is {state}.", code="client_closed", field="clientId")
    raise NotAllowed("The client is not active in Fineract.", code="client_not_active", field="clientId")


def _refuse_kind(loan: Loan) -> None:
    kind = loan.kind.rpartition(".")[2].lower()
    if kind in _KINDS:
        code, why = _KINDS[kind]
        raise InvalidRequest(why, code=code, field="loanType")
    if loan.client_id is None:
        raise InvalidRequest("The loan names no client whom to pay.", code="no_client", field="clientId")
    if loan.multi_disburse:
        raise InvalidRequest("The loan is paid out in several tranches.", code="multi_tranche", field="loanId")
    if loan.auto_down_payment:
        raise InvalidRequest(
            "Fineract books a down payment by itself when this loan is disbursed.", code="down_payment", field="loanId"
        )
    if loan.charged_off:
        raise NotAllowed("The loan is charged off.", code="loan_charged_off", field="loanId")
