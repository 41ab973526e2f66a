"""What may need attention, each kind of it as one question with the same columns (`COLUMNS`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from models import kinds
from models.messages.saga.cases import KINDS
from models.problems import Problem
from models.statuses import POSTING
from models.tables.base import UtcDateTime, table_of
from models.tables.platform.approval import ApprovalRequest
from models.tables.platform.connection import Connection
from models.tables.platform.pulse import Pulse
from models.tables.platform.traffic import InboxItem, Notification
from models.tables.saga.case import Case
from models.tables.saga.funds_wait import FundsWait
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.prompt import Prompt
from store.saga.unknown_outcomes import UNKNOWN_PAYOUTS, UNKNOWN_PROMPTS

_CASES, _WAITS, _REQUESTS = table_of(Case), table_of(FundsWait), table_of(ApprovalRequest)
_ATTEMPTS, _PROMPTS = table_of(PayoutAttempt), table_of(Prompt)
_CONNECTIONS, _INBOX = table_of(Connection), table_of(InboxItem)
_MESSAGES, _PULSES = table_of(Notification), table_of(Pulse)

_TYPES: Final[dict[str, Any]] = {
    "problem": Text(), "id": Text(), "since": UtcDateTime(), "partner_id": Text(), "workflow_id": Text(), "case_id": Text(),
    "about": Text(), "code": Text(), "says": Text(), "owner": Text(), "next_at": UtcDateTime(), "tries": Integer(),
    "needed_minor": BigInteger(), "evidence": JSONB(),
}  # fmt: skip
COLUMNS: Final = tuple(_TYPES)

_WITHOUT_SAGA_BEGINS: Final = timedelta(minutes=2)
_MESSAGES_FOR: Final = timedelta(days=7)  # an older one reaches nobody any more, whatever is done
MISSED: Final = 3  # turns that a schedule may be late
_LATE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person may see: of one partner or (None) of all; sagas of these kinds; `loose`: also cases and what belongs to
    no saga; `connections`; requests for approval of these acts, unless these people stand behind
    them."""

    partner_id: str | None
    kinds: frozenset[str]
    loose: bool
    connections: bool
    acts: frozenset[str]
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class _At:
    now: datetime
    silent_after: timedelta


def of(sight: Sight, problems: frozenset[Problem], *, now: datetime, silent_after: timedelta) -> list[Select[Any]]:
    """A question for each kind of problem that is wanted and may be seen."""
    at = _At(now, silent_after)
    return [query for name, make in _SOURCES if name is None or name in problems for query in make(sight, problems, at)]


def _columns(problem: ColumnElement[str] | Problem, **given: Any) -> list[ColumnElement[Any]]:
    """All columns, those that are not given as NULL."""
    given["problem"] = literal(problem) if isinstance(problem, str) else problem
    return [cast(given.get(name, null()), kind).label(name) for name, kind in _TYPES.items()]


def _mine(query: Select[Any], sight: Sight, partner: ColumnElement[Any]) -> Select[Any]:
    return query if sight.partner_id is None else query.where(partner == sight.partner_id)


def _open_case(workflow_id: ColumnElement[str], problem: Problem) -> ColumnElement[bool]:
    """A case says this of the saga already."""
    of_it = [name for name, kind in KINDS.items() if kind.problem == problem]
    return exists().where(_CASES.c.workflow_id == workflow_id, _CASES.c.state == "open", _CASES.c.kind.in_(of_it))


def _sagas(sight: Sight) -> list[tuple[kinds.SagaKind, Table]]:
    return [(kind, table_of(kind.row_class)) for kind in kinds.KINDS if kind.name in sight.kinds]


def _living(sight: Sight) -> FromClause | None:
    """Sagas that have not ended, of all kinds that may be seen."""
    parts = [
        select(*(row.c[name] for name in ("workflow_id", "id", "partner_id", "next_try_at"))).where(
            row.c.ended_at.is_(None)
        )
        for _, row in _sagas(sight)
    ]
    return union_all(*parts).subquery() if parts else None


# ---------------------------------------------------------------------------------------------------------------- cases


def _cases(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    if not sight.loose:
        return
    of_others = {name: kind.problem for name, kind in KINDS.items() if kind.problem != "decision"}
    problem = case(of_others, value=_CASES.c.kind, else_="decision")
    waits = exists().where(_WAITS.c.workflow_id == _CASES.c.workflow_id)
    query = select(
        *_columns(
            problem, id=_CASES.c.id, since=_CASES.c.opened_at, partner_id=_CASES.c.partner_id,
            workflow_id=_CASES.c.workflow_id, case_id=_CASES.c.id, about=_CASES.c.kind,
            code=_CASES.c.evidence["code"].astext, says=_CASES.c.summary, owner=_CASES.c.owner, evidence=_CASES.c.evidence,
        )
    ).where(
        _CASES.c.state == "open", problem.in_(sorted(problems)), ~((_CASES.c.kind == "waiting_funds") & waits)
    )  # fmt: skip
    yield _mine(query, sight, _CASES.c.partner_id)


def _waiting_funds(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    """The line itself, with the owner of the case that says so."""
    of_it = (
        (_CASES.c.workflow_id == _WAITS.c.workflow_id) & (_CASES.c.kind == "waiting_funds") & (_CASES.c.state == "open")
    )
    query = (
        select(
            *_columns(
                "waiting_funds", id=_WAITS.c.id, since=_WAITS.c.asked_at, partner_id=_WAITS.c.partner_id,
                workflow_id=_WAITS.c.workflow_id, case_id=_CASES.c.id, about=literal("wallet"), code=literal("wallet_short"),
                says=_CASES.c.summary, owner=_CASES.c.owner, needed_minor=_WAITS.c.needed_minor,
            )
        )
        .select_from(_WAITS.outerjoin(_CASES, of_it))
        .where(_WAITS.c.granted_at.is_(None), func.split_part(_WAITS.c.workflow_id, "/", 1).in_(sorted(sight.kinds)))
    )  # fmt: skip
    yield _mine(query, sight, _WAITS.c.partner_id)


# ------------------------------------------------------------------------------------------------------- living sagas


def _unknown(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    """Sent, and silent for longer than it usually takes. Sagas that have ended know."""
    for sent, states in ((_ATTEMPTS, UNKNOWN_PAYOUTS), (_PROMPTS, UNKNOWN_PROMPTS)):
        silent = (sent.c.updated_at <= at.now - at.silent_after) & sent.c.state.in_(states)
        for query in _of_sent("unknown_outcome", sent, sight, next_at=sent.c.next_query_at):
            yield query.where(silent, ~_open_case(sent.c.workflow_id, "unknown_outcome"))


def _not_sent(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    for sent in (_ATTEMPTS, _PROMPTS):
        for query in _of_sent("not_sent", sent, sight, next_at=None):
            yield query.where(sent.c.state == "not_sent")


def _of_sent(
    problem: Problem, sent: Table, sight: Sight, *, next_at: ColumnElement[Any] | None
) -> Iterator[Select[Any]]:
    living = _living(sight)
    if living is None:
        return
    query = select(
        *_columns(
            problem, id=sent.c.reference, since=sent.c.updated_at, partner_id=sent.c.partner_id,
            workflow_id=sent.c.workflow_id, about=sent.c.provider, code=sent.c.code, says=sent.c.detail,
            next_at=living.c.next_try_at if next_at is None else next_at,
        )
    ).join(living, living.c.workflow_id == sent.c.workflow_id)  # fmt: skip
    yield _mine(query, sight, sent.c.partner_id)


def _posting(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    for kind, row in _sagas(sight):
        query = select(
            *_columns(
                "posting", id=row.c.id, since=func.coalesce(row.c.trying_since, row.c.updated_at),
                partner_id=row.c.partner_id, workflow_id=row.c.workflow_id, about=literal(kind.providers[-1]),
                code=row.c.reason_code, says=row.c.reason, next_at=row.c.next_try_at, tries=row.c.tries,
            )
        ).where(
            row.c.ended_at.is_(None), row.c.stage.in_(POSTING), row.c.next_try_at.is_not(None),
            ~_open_case(row.c.workflow_id, "posting"),
        )  # fmt: skip
        yield _mine(query, sight, row.c.partner_id)


def _not_started(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    for _, row in _sagas(sight):
        query = select(
            *_columns(
                "not_started", id=row.c.id, since=row.c.created_at, partner_id=row.c.partner_id,
                workflow_id=row.c.workflow_id, about=literal("saga"),
            )
        ).where(
            row.c.ended_at.is_(None), row.c.stage == "requested", row.c.created_at <= at.now - _WITHOUT_SAGA_BEGINS
        )  # fmt: skip
        yield _mine(query, sight, row.c.partner_id)


# --------------------------------------------------------------------------------------------------------- the platform


def _connections(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    if not sight.connections:
        return
    c = _CONNECTIONS.c
    told = exists().where(_CASES.c.key == literal("blocked:") + c.id, _CASES.c.state == "open")
    query = select(
        *_columns(
            "connection", id=c.id, since=func.coalesce(c.checked_at, c.updated_at), partner_id=c.partner_id,
            about=c.provider, code=c.status, says=c.check_detail,
        )
    ).where(c.status.in_(("blocked", "unproven", "failing")))  # fmt: skip
    yield _mine(query if not sight.loose else query.where(~told), sight, c.partner_id)


def _requests(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    """Those that could be answered: neither who stands behind one nor who would profit can approve it."""
    p = _REQUESTS.c
    query = select(
        *_columns(
            "approval", id=p.id, since=p.created_at, partner_id=p.partner_id, about=p.act, says=p.evidence,
            next_at=p.expires_at,
        )
    ).where(
        p.state == "open", p.expires_at > at.now, p.act.in_(sorted(sight.acts)),
        ~p.barred.has_any(cast(sorted(sight.people), ARRAY(Text))),
        ~p.beneficiaries.has_any(cast(sorted(sight.people), ARRAY(Text))),
    )  # fmt: skip
    yield _mine(query, sight, p.partner_id)


def _messages(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    if not sight.loose:
        return
    m = _MESSAGES.c
    query = select(
        *_columns(
            "message", id=m.id, since=m.created_at, partner_id=m.partner_id, workflow_id=m.workflow_id, about=m.event,
            code=case((m.delivery == "failed", "undelivered"), else_=m.state), says=m.last_error, tries=m.attempts,
        )
    ).where(
        m.state.in_(("failed", "unclear")) | (m.delivery == "failed"), m.created_at > at.now - _MESSAGES_FOR
    )  # fmt: skip
    yield _mine(query, sight, m.partner_id)


def _deliveries(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    if not sight.loose:
        return
    i = _INBOX.c
    told = exists().where(_CASES.c.key == literal("inbox:") + i.id, _CASES.c.state == "open")
    query = select(
        *_columns(
            "delivery", id=i.id, since=i.received_at, partner_id=i.partner_id, workflow_id=i.workflow_id, about=i.provider,
            code=i.kind, next_at=i.next_attempt_at, tries=i.attempts,
        )
    ).where(i.delivered_at.is_(None), i.received_at <= at.now - at.silent_after, ~told)  # fmt: skip
    yield _mine(query, sight, i.partner_id)


def _schedules(sight: Sight, problems: frozenset[Problem], at: _At) -> Iterator[Select[Any]]:
    """Those that ran once and then did not for several turns."""
    if not sight.loose:
        return
    p = _PULSES.c
    every = func.make_interval(0, 0, 0, 0, 0, 0, p.every_seconds)
    query = select(
        *_columns("schedule", id=p.name, since=p.ran_at + every, partner_id=p.partner_id, about=p.name)
    ).where(p.ran_at + every * MISSED < at.now - _LATE)
    yield _mine(query, sight, p.partner_id)


_Source = Callable[[Sight, frozenset[Problem], _At], Iterator[Select[Any]]]
# A case may be any problem.
_SOURCES: Final[tuple[tuple[Problem | None, _Source], ...]] = (
    (None, _cases), ("waiting_funds", _waiting_funds), ("unknown_outcome", _unknown), ("not_sent", _not_sent),
    ("posting", _posting), ("not_started", _not_started), ("connection", _connections), ("approval", _requests),
    ("message", _messages), ("delivery", _deliveries), ("schedule", _schedules),
)  # fmt: skip
