"""What is said of an attempt, and what it is worth: what settles it, what must be confirmed first, what only a person may
believe, and when a person may be believed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.messages.saga.payouts import PayoutInstruction
    from models.messages.saga.policies import PayoutPolicy
    from models.messages.saga.reports import Report
    from workflows.saga.attempts import Attempt, Effect, LegEvent, contradiction

# Told of a payout, and no machine may decide on it: a person sees them at once.
FOR_A_PERSON: Final = frozenset({"unfit_receipt", "receipt_taken", "attempt_living"})


@dataclass(frozen=True)
class Scale:
    """The rules by which the reports on one instruction are believed."""

    instruction: PayoutInstruction
    policy: PayoutPolicy

    def weigh(self, attempt: Attempt, report: Report, *, is_open: bool) -> tuple[Effect, LegEvent | None]:
        """Puts what is to be believed into the attempt: what that changed, and what must be written down about it. `is_open`
        while no newer attempt was made and the leg has not ended."""
        attempt.provider_reference = attempt.provider_reference or report.provider_reference
        if report.source == "query":
            # That a bank does not find it is no word that it is under way.
            attempt.query_said = "not_found" if report.code == "not_found" else report.state
        if report.state in ("pending", "unclear"):
            return self._weigh_unclear(attempt, report)
        if report.state == "paid" and not self._fits(report):
            attempt.query_now = attempt.outcome is None
            return "contradicts", contradiction(self.instruction, attempt, report, "does not fit what was asked")
        if attempt.outcome is None:
            if self._needs_confirmation(report):
                attempt.query_now = True
                attempt.detail = f"A callback says paid, receipt {report.receipt}; the status answer must agree."
                return "noted", None
            self._settle(attempt, report)
            return "settled", None
        if attempt.outcome == report.state:
            return "agrees", None
        why = f"contradicts the recorded outcome ({attempt.outcome})"
        note = contradiction(self.instruction, attempt, report, why)
        if report.state == "paid" and is_open:
            self._settle(attempt, report)  # the money is out: no new attempt may be made
        return "contradicts", note

    def failure_needs_a_person(self, attempt: Attempt) -> bool:
        """Whether a failure, about which the provider was asked again, may not be believed by a machine: the status answer
        did not agree, and the amount is large or the payment is still under way."""
        limit = self.policy.confirm_failure_from_minor
        large = limit is not None and self.instruction.amount.minor >= limit
        return attempt.query_said != "failed" and (large or attempt.query_said == "pending")

    def may_be_decided(self, attempt: Attempt | None, decision: str) -> str | None:
        """Why a person may not say "paid" or "not_paid" of this payment now; None if it may be said.

        That money has left can be known at any time. That it has not can be known only once the instruction can no longer
        leave and the rail's settlement window has passed, by a status question put after that which said neither paid
        nor pending.
        """
        if attempt is None or attempt.outcome is not None or not attempt.in_doubt:
            return "Its outcome is known, or nothing has been sent."
        if decision == "paid":
            return None
        ends = self.window_ends(attempt)
        if workflow.now() < ends:
            return f"Until {ends:%Y-%m-%d %H:%M:%S} UTC it may still be carried out; nobody can say before that it was not."
        if attempt.querying or not self.queried_since_window(attempt):
            return "The provider has not been asked since it can no longer be carried out; ask it first (retry)."
        if attempt.query_said in ("paid", "pending"):
            return f"The provider's last answer was “{attempt.query_said}”."
        return None

    def window_ends(self, attempt: Attempt) -> datetime:
        assert attempt.send_by is not None
        return attempt.send_by + self.policy.settlement_window

    def queried_since_window(self, attempt: Attempt) -> bool:
        return attempt.queried_at is not None and attempt.queried_at >= self.window_ends(attempt)

    def _weigh_unclear(self, attempt: Attempt, report: Report) -> tuple[Effect, LegEvent | None]:
        if attempt.outcome is None:
            attempt.code, attempt.detail = report.code, report.detail
        attempt.query_now = attempt.query_now or (report.state == "unclear" and report.source != "query")
        if report.code not in FOR_A_PERSON or attempt.outcome is not None:
            return "noted", None
        attempt.review_now = True
        return "noted", contradiction(self.instruction, attempt, report, f"cannot be believed ({report.detail})")

    def _settle(self, attempt: Attempt, report: Report) -> None:
        if report.state == "paid":
            attempt.outcome, attempt.code, attempt.detail = "paid", report.code, report.detail
            attempt.receipt = report.receipt
            attempt.paid_at = self._believable(attempt, report.happened_at)
        else:
            # What a person must mend first (a locked credential) may be tried again too: the sending activity holds
            # back while the connection is blocked.
            attempt.fail(report.code, report.detail, retriable=report.retriable or report.operator_needed)
            attempt.failure_told = report.source == "callback"

    def _believable(self, attempt: Attempt, told: datetime | None) -> datetime:
        """The provider's time of a payment, unless its clock cannot have said that of this one."""
        now, tolerance = workflow.now(), self.policy.clock_tolerance
        first = attempt.sent_at or now
        return told if told is not None and first - tolerance <= told <= now + tolerance else now

    def _fits(self, report: Report) -> bool:
        """A success counts only if it names a receipt, and our amount and party where it names them at all."""
        phone = self.instruction.msisdn
        return (
            report.receipt is not None
            and report.amount in (None, self.instruction.amount)
            and (phone is None or report.party_digits in (None, phone.digits))
        )

    def _needs_confirmation(self, report: Report) -> bool:
        """A callback carries no signature: a large success, and one that does not say how much went to whom, is asked
        about first."""
        if report.state != "paid" or report.source != "callback":
            return False
        limit = self.policy.confirm_from_minor
        large = limit is not None and self.instruction.amount.minor >= limit
        silent = report.amount is None or (self.instruction.msisdn is not None and report.party_digits is None)
        return large or silent
