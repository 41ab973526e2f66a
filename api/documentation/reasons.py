"""Why a payment waits or ended, for the documentation: the sentence that people read, and what they do about it."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from notices.reason_words import WORDS

# What to do: its codes, as `notices/reason_words.py` spells them. `payout:` and `prompt:` before a provider's own number say
# what it speaks of.
_ADVICE: Final[tuple[tuple[str, str], ...]] = (
    (
        "Look at the loan or the account in Fineract and mend it there; then ask for the payment again, or let it go on.",
        "loan_not_approved loan_state_refused multi_tranche top_up_without_net top_up_too_small nothing_to_pay "
        "net_above_principal down_payment loan_changed phone_changed no_client group_loan joint_liability_loan "
        "client_not_active client_closed client_in_transfer group_not_active loan_charged_off amount_above_approved "
        "account_closed overpayment refused_by_rule duplicate_external_id data_integrity too_long awaiting_checker "
        "invalid_msisdn payment_type_gone payment_type_missing",
    ),
    (
        "Look in Fineract who booked it and why: money may have moved twice.",
        "disbursed_elsewhere disbursal_undone payment_undone booked_elsewhere credited_elsewhere payment_elsewhere "
        "loan_paid_elsewhere sent_before paid_twice",
    ),
    (
        "Nothing: it is tried again by itself, and goes on.",
        "loan_locked concurrent_change still_processing list_unsettled idempotency_key_reused not_verified not_booked "
        "not_reached transient busy throttled no_token no_usable_answer garbled_read answer_too_large not_yet too_late "
        "payout:expired",
    ),
    (
        "Nothing: it goes on when the day comes. If it should be paid earlier, mend the dates in Fineract.",
        "future_date before_approval before_disbursement before_activation before_last_transaction on_holiday "
        "on_non_working_day waiting_date no_allowed_date before_transfer books_closed",
    ),
    (
        "Change the limits of the product, or pay it by other ways.",
        "product_not_enabled below_minimum payout:2 prompt:2 above_maximum amount_too_large payout:3 prompt:3 "
        "above_daily_limit daily_limit limit_exceeded",
    ),
    (
        "Ask the platform: tariffs and currencies are set there, and it says why a partner is suspended.",
        "no_tariff empty_band currency_differs currency_mismatch partner_suspended",
    ),
    (
        "Put money into the account that pays; what waits goes on by itself.",
        "wallet_short insufficient_funds payout:5 payout:1",
    ),
    (
        "Talk to the client: the number, its limits or its account must take the money. Then ask for the payment again.",
        "payout:4 payout:8 prompt:8 payout:7 payout:12 payout:13 payout:14 payout:2040 payout:sfc_ic0003 account_not_found",
    ),
    (
        "Talk to the payer, and ask again when they are ready; they may also pay by paybill.",
        "prompt:1 prompt:4 prompt:17 prompt_living prompt:1001 prompt:1019 prompt:1037 prompt:1025 prompt:9999 never_sent "
        "prompt:1032 prompt:2001 prompt:8006 not_paid no_money",
    ),
    (
        "Mend the connection's settings, or ask M-Pesa or the bank to allow it; what waits goes on by itself.",
        "payout:11 payout:18 payout:19 payout:20 payout:21 payout:22 payout:24 payout:25 payout:29 payout:6 payout:2001 "
        "payout:2006 payout:2028 payout:8006 payout:tp40153 payout:r000002 bad_credentials credentials_refused "
        "password_expired permission_missing tenant_unknown not_entitled token_refused bad_certificate connection_blocked "
        "no_connection no_fineract_here wrong_address callback_url blocked_by_firewall invalid_settings "
        "connection_unproven address_refused no_address claimed_elsewhere prompt:2028 prompt:sfc_ic0003 no_till "
        "no_passkey nothing_to_ask sms_refused email_refused smtp_settings invalid_email",
    ),
    (
        "Do not pay it again. The provider is asked on a schedule; in the end a person decides with its evidence.",
        "payout:15 payout:17 payout:26 payout:100000000 payout:100000001 payout:100000002 payout:100000004 "
        "payout:100000005 payout:100000007 payout:100000009 payout:100000010 payout:100000011 maybe_duplicate timeout "
        "query_failed no_answer garbled unknown no_result no_verdict unlisted_code reference_conflict debited "
        "unreadable_line credited_back debited_twice operator_unavailable",
    ),
    (
        "Read what the provider said in the payment's attempts; ask for a new payment once that is mended.",
        "payout:declined payout:cancelled payout:failed failed rejected refused_by_gateway prompt_refused refused "
        "reversed payout:reversed payout:r000001 unsupported unsupported_operator wrong_rail own_bank",
    ),
    (
        "Look the receipt or the account up again: a person decides in the payment's case.",
        "receipt_taken unfit_receipt unknown_account ambiguous_account payment_differs allocation_amount allocation_sum "
        "allocation_twice not_a_payment returned",
    ),
    (
        "Look the day up on the provider's own portal.",
        "list_empty too_old day_ahead",
    ),
    (
        "Nothing moved. Ask for it again if it is still wanted.",
        "not_confirmed no_authorised_contact cancelled withdrawn resolved_not_paid invalid_request not_found not_allowed "
        "conflict",
    ),
    (
        "Ask the platform, naming the payment: it looks into it.",
        "already_ended ended_unpaid already_sent attempt_living fenced contradiction_open claim_contended name_taken "
        "idempotency_key_lost already_reversed account_differs key_reused hold_released hold_resolved hold_not_expired "
        "not_reversible not_a_hold capture_too_large ledger_busy sealed forged_callback forged_push stale_push "
        "window_too_long kivuko_error foreign_decision unknown_decision known row_lost claimed_already moved_meanwhile "
        "in_use is_a_name no_claim rotation_in_progress",
    ),
)
_ABOUT: Final = {"payout": "Of a payout", "prompt": "Of a prompt to a payer", "": ""}


@dataclass(frozen=True, slots=True)
class Reason:
    """`about` says what a provider's number speaks of, "" where the code is our own; `means` and `do` are sentences."""

    about: str
    means: str
    do: str


def reasons(code: str) -> list[Reason]:
    """What the code means as a payment's reason; a provider's number may mean one thing of payouts, another of prompts."""
    return _table().get(code.lower(), [])


def reason_codes() -> list[str]:
    """Every code that has words, in the order of the alphabet."""
    return sorted(_table())


def without_advice() -> set[str]:
    """Codes with words about which nobody is told what to do."""
    return {code for row in WORDS for code in row[0].split()} - set(_advice())


@cache
def _table() -> dict[str, list[Reason]]:
    advice = _advice()
    found: dict[str, list[Reason]] = {}
    for codes, english, _ in WORDS:
        for spelt in codes.split():
            about, _, code = spelt.rpartition(":")
            found.setdefault(code, []).append(Reason(_ABOUT[about], english, advice.get(spelt, "")))
    return found


@cache
def _advice() -> dict[str, str]:
    return {code: do for do, codes in _ADVICE for code in codes.split()}
