"""Which answers are a provider's own: what is none of them is not kept in the exchange log, since it may be the inside of
a server that was never meant to be read."""

from collections.abc import Mapping
from typing import Any, Final

# Of each protocol, names of which an object carries at least one.
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "daraja": frozenset({
        "responsecode", "responsestatus", "errorcode", "fault", "conversationid", "originatorconversationid",
        "originatorcoversationid", "checkoutrequestid", "merchantrequestid", "resultcode", "result", "responserefid",
        "access_token",
    }),
    "fineract": frozenset({
        "resourceid", "pageitems", "usermessageglobalisationcode", "httpstatuscode", "accountno", "displayname",
        "loanid", "savingsid", "clientid", "iscashpayment", "transactiontype", "currency", "activationdate", "shortname",
        "businessdate", "entityid",
    }),
    "ncba": frozenset({
        "resultcode", "reserrorcode", "statuscode", "transactionid", "hdrtranid", "statusdescription", "description",
        "transactions", "accesstoken", "access_token", "tokenid",
    }),
    "reference_bank": frozenset({"client_reference", "bank_reference", "entries", "event_id"}),
}  # fmt: skip
# A name that many protocols have says nothing by itself, but does as the whole of an answer.
_WHOLE: Final[Mapping[str, frozenset[str]]] = {"reference_bank": frozenset({"code", "field"})}


def is_spoken(provider: str, value: Any) -> bool:
    """Whether this JSON value is an answer of that provider's protocol. A provider without an entry is the house's own
    choice, and whatever it answers is kept."""
    names = _NAMES.get(provider)
    if names is None:
        return True
    if isinstance(value, list):
        return all(is_spoken(provider, item) for item in value[:20])
    if not isinstance(value, dict):
        return False
    return any(_plain(key) in names for key in value) or value.keys() <= _WHOLE.get(provider, frozenset())


def _plain(key: Any) -> str:
    return "".join(str(key).split()).lower()
