"""How long a search takes among a million payments, or as many as are asked for, against one indexed probe on the same
server.

Half of them are loans that were paid out, half customers' payments, of 200 lenders; each has its attempt or its announced
payment, and what people are found by. Names are drawn from few first names and more surnames, the first of which are common,
as names are. They are filled by the server itself; those that are searched for are real ones, written by our own code.
"""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from rich.console import Console
from sqlalchemy import text
from sqlmodel import col, select

from benchmarks.figures import Figure
from core.ids import new_id
from models.kinds import KINDS
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.saga.payout_attempt import PayoutAttempt
from store.database import Database
from store.saga import saga_facts, search, search_terms
from store.saga.search_plain import Scope

LENDERS: Final = 200
_TARGETS: Final = 200
_FIRST_NAMES, _SURNAMES = 300, 5000
_STEP: Final = 250_000  # payments of one statement
_AIM: Final = "within 20 ms"
_ALL: Final = frozenset(kind.name for kind in KINDS)

Target = tuple[Disbursement, str]  # a loan that was paid, and its receipt
Question = Callable[[Target], tuple[str, str | None]]  # what is searched for, and of which partner alone

_QUESTIONS: Final[dict[str, Question]] = {
    "receipt": lambda target: (target[1], None),
    "receipt, of one lender": lambda target: (target[1], target[0].partner_id),
    "phone": lambda target: (target[0].client_phone or "", None),
    "phone, of one lender": lambda target: (target[0].client_phone or "", target[0].partner_id),
    "name, whole": lambda target: (target[0].client_name or "", None),
    "name, two of three words": lambda target: (" ".join((target[0].client_name or "").split()[:2]), None),
    "name, one common word": lambda target: ((target[0].client_name or "").split()[0], None),
    "name, one common word, of one lender": lambda target: (
        (target[0].client_name or "").split()[0], target[0].partner_id,
    ),
    "loan": lambda target: (str(target[0].loan_id), None),
    "id": lambda target: (target[0].id, None),
    "what nobody has": lambda target: (new_id("dsb"), None),
}  # fmt: skip

# An id that sorts as ours do; one letter tells the tables apart.
_FILL: Final = (
    """
INSERT INTO disbursements (id, partner_id, tenant_key, loan_id, round, workflow_id, source, requested_by, stage, currency,
       amount_minor, paid_minor, receipts, policy, account_no, client_phone, client_name, created_at, updated_at, ended_at)
SELECT 'dsb_' || lpad(n::text, 26, '0'), 'prt_' || lpad((n % :lenders)::text, 26, '0'), 'tenant-' || n % :lenders, n, 1,
       'loan-disbursement/' || n, 'poll', 'bench', 'completed', 'KES', 100000 + n % 9000, 0, '[]', '{}',
       lpad(n::text, 9, '0'), '+2547' || lpad(n::text, 8, '0'), 'Client ' || n, at, at, at
  FROM made""",
    """
INSERT INTO payout_attempts (reference, leg_id, number, role, part, workflow_id, partner_id, provider, account, amount_minor,
       currency, kind, msisdn, state, provider_reference, receipt, created_at, updated_at)
SELECT 'pay_' || lpad(n::text, 26, '0') || '-a1', 'pay_' || lpad(n::text, 26, '0'), 1, 'client', 1,
       'loan-disbursement/' || n, 'prt_' || lpad((n % :lenders)::text, 26, '0'), 'daraja', '600997', 100000, 'KES', 'mobile',
       '+2547' || lpad(n::text, 8, '0'), 'paid', 'AG_2026_' || md5(n::text),
       'U' || upper(substr(md5(n::text), 1, 9)) || n, at, at
  FROM made""",
    """
INSERT INTO incoming_payments (id, partner_id, provider, external_id, source, account, amount_minor, currency, reference,
       payer_name, payer_phone, happened_at, announced, claimed_by, created_at, updated_at)
SELECT 'inp_' || lpad(n::text, 26, '0'), 'prt_' || lpad((n % :lenders)::text, 26, '0'), 'daraja',
       'Q' || upper(substr(md5(n::text), 1, 9)) || n, 'short/' || n % :lenders, '600997', 50000, 'KES',
       lpad((n % 100000)::text, 9, '0'), 'Payer ' || n,
       '+2547' || lpad(n::text, 8, '0'), at, '["confirmation"]', 'customer-collection/' || n, at, at
  FROM made""",
    """
INSERT INTO collections (id, partner_id, workflow_id, requested_by, stage, policy, channel, currency, amount_minor,
       account_ref, msisdn, incoming_id, receipt, allocations, created_at, updated_at, ended_at)
SELECT 'col_' || lpad(n::text, 26, '0'), 'prt_' || lpad((n % :lenders)::text, 26, '0'), 'customer-collection/' || n,
       'paybill', 'completed', '{}', 'paybill', 'KES', 50000, lpad((n % 100000)::text, 9, '0'),
       '+2547' || lpad(n::text, 8, '0'), 'inp_' || lpad(n::text, 26, '0'),
       'Q' || upper(substr(md5(n::text), 1, 9)) || n, '[]', at, at, at
  FROM made""",
)
_MADE: Final = """
WITH made AS (SELECT n, timestamptz '2026-01-01 00:00Z' + n * interval '20 seconds' AS at
                FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n)"""
# A phone and a name of two words for each row that has them. `word` holds the digests of names, common ones first.
_TERMS: Final = """
INSERT INTO search_terms (source, subject, digest, key_id, partner_id, what, at)
SELECT :source, :prefix || lpad(n::text, 26, '0') || :suffix, d.digest, 'bench',
       'prt_' || lpad((n % :lenders)::text, 26, '0'), d.what, at
  FROM made
 CROSS JOIN LATERAL (
       SELECT substr(sha256(convert_to('phone' || n, 'UTF8')), 1, 16) AS digest, 'phone' AS what
       UNION ALL
       SELECT substr(sha256(convert_to('name' || n, 'UTF8')), 1, 16), 'name' WHERE :named
       UNION ALL
       SELECT digest, 'name' FROM bench_words WHERE :named AND place IN (
              (n * 7919 % :firsts) * (n * 104729 % :firsts) / :firsts,
              :firsts + (n * 15485863 % :surnames) * (n * 32452843 % :surnames) / :surnames)) d
ON CONFLICT DO NOTHING"""
_WITH_TERMS: Final = (
    ("disbursements", "dsb_", "", True), ("payout_attempts", "pay_", "-a1", False),
    ("incoming_payments", "inp_", "", True), ("collections", "col_", "", False),
)  # fmt: skip


async def run(database_url: str, say: Console, *, payments: int) -> list[Figure]:
    """Fills an empty, migrated database, and searches it. A million payments take some minutes to fill."""
    database = Database(database_url, pool_size=2, statement_timeout_ms=60 * 60 * 1000)
    try:
        await _fill(database, say, payments)
        targets = await _real_ones(database, payments // 2)
        probe = await _times(lambda target: _probe(database, target[0].id), targets)
        figures = [Figure("search: one indexed probe", probe[0], "ms")]
        for what, question in _QUESTIONS.items():

            def ask(target: Target, question: Question = question) -> Awaitable[object]:
                return _search(database, *question(target))

            median, late = await _times(ask, targets)
            figures.append(Figure(f"search: {what}", median, "ms", None, median / probe[0]))
            figures.append(Figure(f"search: {what}, p95", late, "ms", None, late / probe[1], _AIM))
        return figures
    finally:
        await database.close()


async def _fill(database: Database, say: Console, payments: int) -> None:
    async with database.transaction() as session:
        connection = await session.connection()
        lenders = {"lenders": LENDERS}
        await connection.execute(
            text(
                "INSERT INTO partners (id, name, currency, country, timezone, language, status, low_balance_minor,"
                " created_at, updated_at)"
                " SELECT 'prt_' || lpad(n::text, 26, '0'), 'Lender ' || n, 'KES', 'KE', 'Africa/Nairobi', 'en',"
                " 'active', 0, now(), now() FROM generate_series(0, :lenders - 1) n"
            ),
            lenders,
        )
        hasher = search_terms.hasher_of(session)
        await connection.execute(text("CREATE TABLE bench_words (place bigint PRIMARY KEY, digest bytea NOT NULL)"))
        words = [f"first{_letters(n)}" for n in range(_FIRST_NAMES)] + [f"sur{_letters(n)}" for n in range(_SURNAMES)]
        await connection.execute(
            text("INSERT INTO bench_words VALUES (:place, :digest)"),
            [{"place": place, "digest": hasher.hash("name", word)} for place, word in enumerate(words)],
        )
    half = payments // 2
    for first in range(1, half + 1, _STEP):
        last = min(first + _STEP - 1, half)
        say.print(f"search: {first * 2 - 2:,} of {payments:,} payments are there …")
        async with database.transaction() as session:
            connection = await session.connection()
            # Rows that name each other are made by us alone.
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            span = {"first": first, "last": last, **lenders}
            for statement in _FILL:
                await connection.execute(text(_MADE + statement), span)
            for source, prefix, suffix, named in _WITH_TERMS:
                more = {"source": source, "prefix": prefix, "suffix": suffix, "named": named, "firsts": _FIRST_NAMES,
                        "surnames": _SURNAMES}  # fmt: skip
                await connection.execute(text(_MADE + _TERMS), span | more)
    async with database.engine.connect() as plain:
        await plain.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("VACUUM ANALYZE"))


def _letters(number: int) -> str:
    """A number as a word's ending: words of names hold no digits."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


async def _real_ones(database: Database, half: int) -> list[Target]:
    """Loans that are searched for, each with its receipt: what they are found by is written as a saga writes it."""
    chosen = [f"dsb_{random.randint(1, half):026}" for _ in range(_TARGETS * 2)]
    async with database.transaction() as session:
        rows = list(await session.exec(select(Disbursement).where(col(Disbursement.id).in_(chosen))))[:_TARGETS]
        attempts = await session.exec(
            select(PayoutAttempt.workflow_id, PayoutAttempt.receipt).where(
                col(PayoutAttempt.workflow_id).in_([row.workflow_id for row in rows])
            )
        )
        receipts = dict(attempts.all())
        for number, row in enumerate(rows):
            names = (_letters(number % 30), _letters(number), _letters(number * 7))
            row.client_name = f"First{names[0]} Sur{names[1]} Sur{names[2]}x"
            row.client_phone = f"+25471{number:07}"
            session.add(row)
            await search_terms.write(session, Disbursement, row.model_dump())
    return [(row, receipts[row.workflow_id] or "") for row in rows]


async def _times(ask: Callable[[Target], Awaitable[object]], targets: Sequence[Target]) -> tuple[float, float]:
    """Median and 95th percentile, in milliseconds, once the statements are known."""
    for target in targets[:20]:
        await ask(target)
    spent = []
    for target in targets:
        began = time.perf_counter()
        await ask(target)
        spent.append((time.perf_counter() - began) * 1000)
    spent.sort()
    return spent[len(spent) // 2], spent[len(spent) * 95 // 100]


async def _probe(database: Database, row_id: str) -> object:
    async with database.transaction() as session:
        return (await session.exec(select(Disbursement.stage).where(Disbursement.id == row_id))).first()


async def _search(database: Database, q: str, partner_id: str | None) -> object:
    """All that an answer needs of the database."""
    async with database.transaction() as session:
        found = await search.find(session, q, Scope(partner_id, _ALL, loose=True, lenders=True))
        await saga_facts.of_workflows(session, [one.workflow_id for one in found if one.workflow_id])
        return found
