"""Names of ours, as people say them: what an error tells of a provider's call is read at the desk and in other houses."""

import re
from typing import Final

# The calls of the exchange log, as the thing that was asked for.
CALLS: Final[dict[str, str]] = {
    # Fineract
    "authentication": "the sign-in",
    "accounts.search": "the search for an account",
    "business_date.read": "the question for its business date",
    "clients.read": "the question about a client",
    "configurations.read": "the question for its settings",
    "details.read": "the question about this user",
    "holidays.read": "the question for its holidays",
    "hooks.list": "the question for its hooks",
    "hooks.make": "the making of a hook",
    "hooks.mend": "the change of a hook",
    "loan_products.list": "the question for loan products",
    "loans.disburse": "the posting of a disbursement",
    "loans.list": "the question for approved loans",
    "loans.read": "the question about a loan",
    "loans.repay": "the posting of a repayment",
    "payment_types.list": "the question for payment types",
    "payment_types.make": "the making of a payment type",
    "savings.deposit": "the posting of a deposit",
    "savings.deposits": "the question for deposits",
    "savings.read": "the question about a savings account",
    "working_days.read": "the question for its working days",
    # M-Pesa
    "b2c.send": "the payout",
    "balance.query": "the question for balances",
    "pull.query": "the question for payments",
    "pull.register": "the registration of the list of payments",
    "c2b.register": "the registration for payments",
    "reversal.send": "the reversal",
    "status.query": "the question about a payout",
    "stk.query": "the question about a prompt",
    "stk.send": "the prompt",
    "token": "the sign-in",
    # banks
    "check": "the check of the connection",
    "find": "the question about a movement",
    "float": "the float purchase",
    "statement": "the question for the statement",
    "till.prompt": "the prompt",
    "till.query": "the question about a prompt",
    "till.token": "the sign-in",
    "transfer": "the transfer",
    "transfer.internal": "the transfer",
    "transfer.pesalink": "the transfer",
    # messages
    "sms.balance": "the question for the balance",
    "sms.send": "the SMS",
    "email.send": "the email",
}
PROVIDERS: Final[dict[str, str]] = {
    "fineract": "Fineract", "daraja": "M-Pesa", "reference_bank": "The bank", "ncba": "NCBA", "damza": "Damza",
    "africastalking": "Africa's Talking", "smtp": "The mail server",
}  # fmt: skip

_CALL: Final = re.compile(
    r"\b(answered|answer|refused|refuses|refuse) (?:the )?([a-z_0-9]+(?:\.[a-z_0-9]+)*)(?=[ .,:]|$)"
)
_FIRST: Final = re.compile(rf"^({'|'.join(PROVIDERS)})\b(?! v?\d)")


def in_plain_words(detail: str) -> str:
    """A sentence without our names of calls and providers. What is no name of ours stays as it is."""
    named = _FIRST.sub(lambda found: PROVIDERS[found.group(1)], detail)
    return _CALL.sub(_said, named)


def _said(found: re.Match[str]) -> str:
    verb, name = found.groups()
    if name in CALLS:
        return f"{verb} {CALLS[name]}"
    return f"{verb} our request" if "." in name else found.group()
