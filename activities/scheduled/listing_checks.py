"""What M-Pesa and the bank list against what our books have. Pure: the rules of the daily comparison of movements."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from core.crypto import sha256_hex
from core.money import Money
from core.outside import provider_id
from models.messages.reconciliation import Difference
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt
from providers.banking import BankEntry
from providers.collecting import PaymentSeen

_PREFIX: Final = "reconciliation"
_PAID: Final = "paid"


def subject_of(provider: str, external_id: str, what: str = "") -> str:
    """Under which a movement is looked at again: `what` "" asks whether our books know it, "amount" whether they have its
    amount, "unlisted" whether the provider lists it."""
    return ":".join(part for part in (provider, what, provider_id(external_id)) if part)


def payments(partner_id: str, seen: Iterable[PaymentSeen], known: Mapping[str, IncomingPayment]) -> list[Difference]:
    """M-Pesa's list of customers' payments; `known` are those of them that our books have, by their id there."""
    found: list[Difference] = []
    for one in seen:
        row = known.get(provider_id(one.external_id))
        facts = {"receipt": one.external_id, "amount": str(one.amount), "at": one.happened_at.isoformat()}
        if row is None:
            found.append(
                Difference(
                    kind="payment_unknown",
                    key=_key(partner_id, "daraja", one.external_id, "unknown"),
                    subject=subject_of("daraja", one.external_id),
                    summary=f"M-Pesa lists {one.amount} under {one.external_id}, which is not in our books.",
                    evidence=facts,
                )
            )
        elif Money(row.amount_minor, row.currency) != one.amount:
            ours = Money(row.amount_minor, row.currency)
            found.append(
                Difference(
                    kind="listing_differs",
                    key=_key(partner_id, "daraja", one.external_id, "amount"),
                    subject=subject_of("daraja", one.external_id, "amount"),
                    workflow_id=row.claimed_by,
                    summary=f"M-Pesa lists {one.amount} under {one.external_id}; our books have {ours}.",
                    evidence={**facts, "in_our_books": str(ours)},
                )
            )
    return found


def unlisted(
    partner_id: str, provider: str, title: str, ours: Iterable[IncomingPayment], listed: Iterable[str]
) -> list[Difference]:
    """Payments of our books that the provider's own list does not have."""
    there = {provider_id(one) for one in listed}
    return [
        Difference(
            kind="payment_unlisted",
            key=_key(partner_id, provider, row.external_id, "unlisted"),
            subject=subject_of(provider, row.external_id, "unlisted"),
            workflow_id=row.claimed_by,
            summary=f"{title} does not list {Money(row.amount_minor, row.currency)} under {row.external_id}, "
            "which our books have.",
            evidence={
                "receipt": row.external_id, "amount": str(Money(row.amount_minor, row.currency)),
                "told_by": ", ".join(row.announced),
            },
        )
        for row in ours
        if row.external_id not in there
    ]  # fmt: skip


def reported(
    partner_id: str, reports: Iterable[tuple[str, Mapping[str, object], str | None, str | None]]
) -> list[Difference]:
    """M-Pesa's word that it paid, where our books say otherwise."""
    found: list[Difference] = []
    for reference, report, state, receipt in reports:
        told = provider_id(str(report.get("receipt") or ""))
        if state == _PAID and (not told or not receipt or provider_id(receipt) == told):
            continue
        found.append(
            Difference(
                kind="payment_unknown",
                key=_key(partner_id, "daraja", told or reference, "reported"),
                subject=f"daraja:reported:{reference}",
                summary=f"M-Pesa says that it paid {reference} under {told or 'no receipt'}; our books say "
                f"{state or 'nothing'} of it.",
                evidence={
                    "reference": reference,
                    "receipt": told or "-",
                    "in_our_books": f"{state or '-'} {receipt or ''}",
                },
            )
        )
    return found


def unexplained(
    entries: Iterable[BankEntry], came_in: Mapping[str, IncomingPayment], sent: Sequence[PayoutAttempt]
) -> list[BankEntry]:
    """The lines of a statement that neither a payment in our books nor an instruction of ours explains. One with another
    amount is not explained."""
    by_id = {
        provider_id(name): one for one in sent for name in (one.receipt, one.provider_reference) if name
    }  # fmt: skip
    return [entry for entry in entries if not _explained(entry, came_in, by_id, sent)]


def unknown_line(partner_id: str, entry: BankEntry) -> Difference:
    """A movement at the bank that nothing of ours explains."""
    name = line_name(entry)
    way = "came in on" if entry.direction == "credit" else "left"
    return Difference(
        kind="payment_unknown",
        key=_key(partner_id, "bank", name, "unknown"),
        subject=subject_of("bank", name),
        summary=f"{entry.amount} {way} the account …{entry.account[-4:]} ({name[:40]}), which our books do not explain.",
        evidence={
            "account": entry.account, "amount": str(entry.amount), "direction": entry.direction,
            "bank_transaction_id": entry.bank_transaction_id or "-", "at": entry.value_time.isoformat(),
        },
    )  # fmt: skip


def line_name(entry: BankEntry) -> str:
    """The bank's id of a movement, or what stands for one that it gave none."""
    if entry.bank_transaction_id:
        return provider_id(entry.bank_transaction_id)
    facts = f"{entry.account} {entry.value_time:%Y%m%d} {entry.direction} {entry.amount} {entry.narration}"
    return f"LINE-{sha256_hex(facts.encode())[:16].upper()}"


def balance(partner_id: str, account: str, bank: Money, books: Money, before_us: Money) -> list[Difference]:
    """What the bank says lies on an account, against our books and what lay there before we came."""
    offset = bank - books - before_us
    if not offset.minor:
        return []
    return [
        Difference(
            kind="balance_differs",
            key=_key(partner_id, "bank", f"{account}:{offset.minor}", "balance"),
            subject=f"bank:balance:{account}",
            summary=f"The account …{account[-4:]} holds {bank}; by our books it should hold {books + before_us}.",
            evidence={
                "account": account, "at_the_bank": str(bank), "in_our_books": str(books), "before_us": str(before_us),
                "difference": str(offset),
            },
        )
    ]  # fmt: skip


def _explained(
    entry: BankEntry,
    came_in: Mapping[str, IncomingPayment],
    by_id: Mapping[str, PayoutAttempt],
    sent: Sequence[PayoutAttempt],
) -> bool:
    name = provider_id(entry.bank_transaction_id)
    row = came_in.get(name) if name and entry.direction == "credit" else None
    if row is not None:
        return Money(row.amount_minor, row.currency) == entry.amount
    narration = entry.narration.casefold()
    ours = by_id.get(name) or next((one for one in sent if one.reference.casefold() in narration), None)
    return ours is not None and Money(ours.amount_minor, ours.currency) == entry.amount


def _key(partner_id: str, provider: str, name: str, what: str) -> str:
    return f"{_PREFIX}:{partner_id}:{provider}:{provider_id(name)}:{what}"
