"""What the scheduled sweeps, checks and erasures did."""

from models.messages.base import Message


class Swept(Message):
    """What one sweep picked up."""

    delivered: int = 0
    started: int = 0


class ApprovalsCared(Message):
    """What was done for requests for approval: expired by time, answers told to sagas that had not heard them."""

    expired: int = 0
    told: int = 0


class Erased(Message):
    """How many rows lost the personal data that nobody needs any more; `finished` is False if more is left to do."""

    rows: int = 0
    finished: bool = True


class BooksChecked(Message):
    """What the check of the books found; each breach is a case."""

    breaches: int = 0
    open_holds: int = 0


class ReportsMailed(Message):
    """How many mails with reports were written."""

    mailed: int = 0
