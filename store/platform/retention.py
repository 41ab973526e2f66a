"""Personal data that the books do not need, erased after a policy time. Amounts, receipts, references and ids stay.

Each rule is one pass over one table in the order of its key, in batches of a transaction each. What is erased no longer meets
its rule, so a pass that broke off is finished by the next one. Attempts to pay are part of the books: their numbers are the
evidence of who was paid, and stay for the statutory term. Keyed hashes, by which people are found, go with what they were
made of.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, delete, exists, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB

from core.clock import utc_now
from core.settings import Retention
from models import kinds
from models.tables.base import table_of
from models.tables.platform.security import IdempotencyKey
from models.tables.platform.traffic import InboxItem, Notification, ProviderExchange
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.prompt import Prompt
from models.tables.saga.search_term import SearchTerm
from store.database import Database
from store.platform.outbox import WIPED
from store.saga.search_plain import tables
from store.saga.search_terms import searched

_BATCH: Final = 1000
_INBOX, _NOTIFICATIONS, _EXCHANGES = table_of(InboxItem), table_of(Notification), table_of(ProviderExchange)
_PROMPTS, _INCOMING, _KEYS = table_of(Prompt), table_of(IncomingPayment), table_of(IdempotencyKey)
_ERASED: Final = {"erased": True}
_TERMS: Final = table_of(SearchTerm)
_FOUND_BY_HASH: Final = frozenset(table_of(model).name for model in tables() if searched(model).hashed)


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `table` that are `due` lose what `values` replaces; without values they go whole."""

    name: str
    table: Table
    due: ColumnElement[bool]
    values: dict[str, Any] | None = None

    @property
    def found_by(self) -> bool:
        """Whether keyed hashes of what is erased go with it."""
        return self.values is not None and self.table.name in _FOUND_BY_HASH


@dataclass(slots=True)
class Pass:
    """How many rows each rule has changed; `finished` is False if the time was used up first."""

    erased: dict[str, int]
    finished: bool = True


def rules(policy: Retention, now: datetime) -> list[Rule]:
    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    payers = before(policy.payers_days)
    takers = [table_of(kind.row_class) for kind in kinds.KINDS if kind.takes_money]
    ended = or_(
        *(exists().where(saga.c.workflow_id == _INCOMING.c.claimed_by, saga.c.ended_at < payers) for saga in takers)
    )
    return [
        # The row itself stays for ever: it is what makes a callback that comes again a copy.
        Rule(
            "webhook_inbox", _INBOX,
            and_(_INBOX.c.received_at < before(policy.bodies_days), _INBOX.c.delivered_at.is_not(None),
                 _INBOX.c.body.is_distinct_from(literal(_ERASED, JSONB))),
            {"body": _ERASED, "report": {}, "source": None, "raw_sealed": None},
        ),
        Rule("provider_exchanges", _EXCHANGES, _EXCHANGES.c.started_at < before(policy.exchanges_days)),
        Rule(
            "notifications", _NOTIFICATIONS,
            and_(_NOTIFICATIONS.c.created_at < before(policy.messages_days), _NOTIFICATIONS.c.state != "pending",
                 _NOTIFICATIONS.c.recipient != WIPED),
            {"recipient": WIPED, "text": WIPED, "subject": None},
        ),
        Rule(
            "prompts", _PROMPTS,
            and_(_PROMPTS.c.updated_at < payers, _PROMPTS.c.state.in_(("paid", "failed", "void")),
                 _PROMPTS.c.msisdn.is_not(None)),
            {"msisdn": None},
        ),
        *_of_sagas(payers),
        Rule(
            "incoming_payments", _INCOMING,
            and_(ended, or_(_INCOMING.c.payer_phone.is_not(None), _INCOMING.c.payer_name != "")),
            {"payer_phone": None, "payer_name": ""},
        ),
        Rule("idempotency_keys", _KEYS, _KEYS.c.claimed_at < before(policy.idempotency_days)),
    ]  # fmt: skip


def _of_sagas(ended_before: datetime) -> Iterator[Rule]:
    """What each kind's rows say is personal in them."""
    for kind in kinds.KINDS:
        table, personal = table_of(kind.row_class), kind.row_class.personal
        if personal:
            kept = or_(*(table.c[column].is_not(None) for column in personal))
            yield Rule(table.name, table, and_(table.c.ended_at < ended_before, kept), dict.fromkeys(personal))


async def erase(database: Database, policy: Retention, *, within: timedelta, now: datetime | None = None) -> Pass:
    """One pass over all rules. Stops between two batches once the time is used up."""
    ends = time.monotonic() + within.total_seconds()
    result = Pass({})
    for rule in rules(policy, now or utc_now()):
        result.erased[rule.name] = 0
        after: Sequence[Any] | None = None
        while True:
            count, after = await _batch(database, rule, after)
            result.erased[rule.name] += count
            if after is None:
                break
            if time.monotonic() > ends:
                result.finished = False
                return result
    return result


async def _batch(database: Database, rule: Rule, after: Sequence[Any] | None) -> tuple[int, Sequence[Any] | None]:
    keys = list(rule.table.primary_key.columns)
    # Rows that somebody holds are left for the next night: nobody waits for this.
    query = select(*keys).where(rule.due).order_by(*keys).limit(_BATCH).with_for_update(skip_locked=True)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    async with database.transaction() as session:
        connection = await session.connection()
        found = [tuple(row) for row in (await connection.execute(query)).all()]
        if found:
            these = tuple_(*keys).in_(found)
            if rule.values is None:
                await connection.execute(delete(rule.table).where(these))
            else:
                await connection.execute(update(rule.table).where(these).values(**rule.values))
            if rule.found_by:
                subjects = [str(key) for (key,) in found]
                ours = (_TERMS.c.source == rule.table.name) & _TERMS.c.subject.in_(subjects)
                await connection.execute(delete(_TERMS).where(ours))
    return len(found), found[-1] if len(found) == _BATCH else None
