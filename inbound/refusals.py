"""What is read and not believed: recorded, shown to a person, and without any effect."""

import structlog

from models.messages.inbound import CaseFound, Outcome, Reading

log = structlog.get_logger()


def foreign(reading: Reading, *, channel: str) -> Reading:
    """It names an instruction that was not sent by this partner and channel: whoever speaks here has no say in it."""
    log.warning("foreign_reference", partner_id=reading.partner_id, provider=reading.provider, channel=channel)
    case = CaseFound(
        kind="foreign_reference",
        summary=f"By {channel} came news of a payment that was not made there; nothing was believed.",
        evidence={"reference": reading.reference, "channel": channel},
    )
    return reading.model_copy(update={"outcome": "refused", "workflow_id": None, "case": case})


def unreadable(reading: Reading, why: str, *, key: str | None = None) -> Reading:
    """`key`: one case for all of these, where no money is announced."""
    case = CaseFound(
        kind="announcement_unreadable",
        summary="A provider's message came and cannot be understood; nothing was booked of it.",
        evidence={"why": why[:300], "channel": reading.kind},
        key=key,
    )
    outcome: Outcome = "unreadable"
    return reading.model_copy(update={"outcome": outcome, "case": case, "kind": "unreadable"})
