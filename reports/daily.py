"""What happened on a day: payments asked for and ended, why some failed, what waits, cases, messages."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from models.kinds import KINDS
from models.messages.saga.cases import KINDS as CASE_KINDS
from notices.reasons import sentence
from reports.messages import message_table
from reports.shapes import Column, Scope, Table
from store.reports import case_counts, saga_counts
from store.reports.saga_counts import SagaCount

_STATUSES: Final = ("pending", "processing", "completed", "failed", "cancelled")


async def tables(session: AsyncSession, scope: Scope) -> tuple[Table, ...]:
    since, until, partner_id = scope.period.since, scope.period.until, scope.partner_id
    begun: list[SagaCount] = []
    ended: list[SagaCount] = []
    waiting: list[SagaCount] = []
    for kind in KINDS:
        begun += await saga_counts.begun(session, kind, since, until, partner_id)
        ended += await saga_counts.ended(session, kind, since, until, partner_id)
        waiting += await saga_counts.under_way(session, kind, partner_id)
    return (
        _payments("asked", "Payments asked for", "Payments that began in the period, as far as they are now.", begun),
        _payments("ended", "Payments ended", "Payments that ended in the period, whenever they began.", ended),
        _failures(ended),
        _waiting(waiting),
        await _cases(session, since, until, partner_id),
        await message_table(session, scope),
    )


def _payments(name: str, title: str, about: str, counted: Iterable[SagaCount]) -> Table:
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in counted:
        found = sums[one.kind.word, one.status, one.currency]
        found[0] += one.number
        found[1] += one.asked_minor
        found[2] += one.moved_minor
    order = [kind.word for kind in KINDS]
    rows = [
        (word, status, number, Money(asked, currency), Money(moved, currency))
        for (word, status, currency), (number, asked, moved) in sorted(
            sums.items(), key=lambda item: (order.index(item[0][0]), _STATUSES.index(item[0][1]), item[0][2])
        )
    ]
    return Table(name, title, about, _PAYMENT_COLUMNS, rows)


_PAYMENT_COLUMNS: Final = (
    Column("kind", "Kind"),
    Column("status", "Status"),
    Column("number", "Number", right=True),
    Column("asked", "Asked for", right=True),
    Column("moved", "Moved", right=True),
)


def _failures(ended: Iterable[SagaCount]) -> Table:
    numbers: Counter[tuple[str, str, str]] = Counter()
    for one in ended:
        if one.status in ("failed", "cancelled"):
            code = one.reason_code or one.stage
            # A provider's number means one thing of a payout, another of a prompt to a payer.
            numbers[one.kind.word, code, sentence(code, "en", "prompt" if one.kind.takes_money else "payout")] += (
                one.number
            )
    rows = [(*reason, number) for reason, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0]))]
    columns = (
        Column("kind", "Kind"), Column("reason_code", "Code"), Column("reason", "Reason"),
        Column("number", "Number", right=True),
    )  # fmt: skip
    return Table("reasons", "Why payments failed", "Payments that ended unpaid in the period.", columns, rows)


def _waiting(counted: Iterable[SagaCount]) -> Table:
    numbers: Counter[tuple[str, str]] = Counter()
    oldest: dict[tuple[str, str], datetime] = {}
    for one in counted:
        key = one.kind.word, one.stage
        numbers[key] += one.number
        oldest[key] = min(oldest.get(key, one.oldest), one.oldest)
    rows = [(word, stage, number, oldest[word, stage]) for (word, stage), number in sorted(numbers.items())]
    columns = (
        Column("kind", "Kind"), Column("stage", "Stage"), Column("number", "Number", right=True),
        Column("oldest", "Oldest"),
    )  # fmt: skip
    return Table("under_way", "Under way", "Payments that have not ended, when this was read.", columns, rows)


async def _cases(session: AsyncSession, since: datetime, until: datetime, partner_id: str | None) -> Table:
    rows = [
        (one.kind, _means(one.kind), one.opened, one.closed, one.open_now, one.oldest_open)
        for one in await case_counts.counts(session, since, until, partner_id)
    ]
    columns = (
        Column("kind", "Kind"), Column("means", "Means"), Column("opened", "Opened", right=True),
        Column("closed", "Closed", right=True), Column("open_now", "Open now", right=True),
        Column("oldest_open", "Oldest open"),
    )  # fmt: skip
    return Table("cases", "Cases", "What people were asked to look at.", columns, rows)


def _means(kind: str) -> str:
    known = CASE_KINDS.get(kind)
    return known.means if known else ""
