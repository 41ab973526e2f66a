"""Random commands with keys used again and again, against the model, with sound books after every step."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import text

from core.clock import utc_now
from core.errors import Rejected
from core.money import Money
from ledger.balances import balances, open_holds
from ledger.chart import Account
from ledger.invariants import violations
from ledger.posting import Posted, post
from ledger.rollups import roll_up
from ledger.transfers import Capture, Command, Expire, Hold, Post, Release, Reverse
from store.database import Database
from tests.ledger.books import BANK, FEES, OTHER, WALLET, kes
from tests.ledger.model import Model, Refused

T = TypeVar("T")

_OVERDRAFT = Account("test:overdraft:KES", "KES", "credit", floor_minor=-300, pool=False)
_TILL = Account("test:till:KES", "KES", "debit", floor_minor=0, pool=False, hot=True)
_DEADLINES = [None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=365_000)]

_keys = st.sampled_from([f"k{n}" for n in range(14)])
_accounts = st.sampled_from([WALLET, OTHER, _OVERDRAFT, _TILL, FEES, BANK])
_pairs = st.tuples(_accounts, _accounts).filter(lambda pair: pair[0] != pair[1])
_amounts = (st.integers(1, 100) | st.integers(100, 1500)).map(kes)

_posts = st.builds(lambda key, pair, amount: Post(key, pair[0], pair[1], amount, "post"), _keys, _pairs, _amounts)
_holds = st.builds(
    lambda key, pair, amount, until: Hold(key, pair[0], pair[1], amount, "hold", workflow_id="w/1", held_until=until),
    _keys,
    _pairs,
    _amounts,
    st.sampled_from(_DEADLINES),
)
_captures = st.builds(Capture, _keys, _keys, st.none() | _amounts)
_releases = st.builds(Release, _keys, _keys)
_expiries = st.builds(Expire, _keys, _keys)
_reversals = st.builds(Reverse, _keys, _keys, st.just("reversed"))
_any = st.one_of(_posts, _holds, _holds, _captures, _releases, _expiries, _reversals)


class Books(RuleBasedStateMachine):
    """Set `database` and `loop` before running: the machine drives async code on a loop of its own."""

    database: Database
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.last: Command | None = None

    def wait(self, awaitable: Awaitable[T]) -> T:
        async def run() -> T:
            return await awaitable

        return self.loop.run_until_complete(run())

    @initialize(funds=st.integers(1000, 3000))
    def books_with_some_money(self, funds: int) -> None:
        self.wait(self._empty())
        self._both([Post(f"funds:{w.id}", BANK, w, kes(funds), "top-up") for w in (WALLET, OTHER)])

    @rule(command=_posts)
    def post(self, command: Post) -> None:
        self._both([command])

    @rule(command=_holds)
    def hold(self, command: Hold) -> None:
        self._both([command])

    @rule(command=_holds, wallet=st.sampled_from([WALLET, OTHER]))
    def hold_with_a_new_key(self, command: Hold, wallet: Account) -> None:
        self._both([replace(command, key=self._new_key(), debit=wallet, credit=FEES)])

    @precondition(lambda self: self.model.open_holds())
    @rule(data=st.data(), part=st.none() | _amounts, kind=st.sampled_from([Capture, Release, Expire]))
    def resolve_an_open_hold(self, data: st.DataObject, part: Money | None, kind: type[Command]) -> None:
        of = data.draw(st.sampled_from(sorted(self.model.open_holds())))
        key = self._new_key()
        command: Command = Capture(key, of, part) if kind is Capture else kind(key, of)  # type: ignore[call-arg, arg-type]
        self._both([command])

    @precondition(lambda self: self.model.open_holds())
    @rule(data=st.data(), part=st.none() | st.integers(1, 60).map(kes))
    def spend_and_capture_in_one_batch(self, data: st.DataObject, part: Money | None) -> None:
        first, second = self._new_key(), self._new_key() + "b"
        of = data.draw(st.sampled_from(sorted(self.model.open_holds())))
        amount = data.draw(_amounts)
        batch: list[Command] = [
            Post(first, WALLET, OTHER, amount, "post"),
            Capture(second, of, part),
            Reverse(second + "r", of, "x"),
        ]
        self._both(batch[: data.draw(st.integers(2, 3))])

    @precondition(lambda self: self.model.done)
    @rule(data=st.data())
    def reverse_what_was_done(self, data: st.DataObject) -> None:
        of = data.draw(st.sampled_from(sorted(self.model.done)))
        self._both([Reverse(self._new_key(), of, "reversed")])

    @rule(command=st.one_of(_captures, _releases, _expiries, _reversals))
    def resolve_or_reverse_anything(self, command: Command) -> None:
        self._both([command])

    @rule(batch=st.lists(_any, min_size=2, max_size=4))
    def a_batch(self, batch: list[Command]) -> None:
        self._both(batch)

    @rule()
    def the_same_again(self) -> None:
        if self.last is not None:
            self._both([self.last])

    @rule()
    def roll_up(self) -> None:
        async def go() -> None:
            async with self.database.transaction() as session:
                await roll_up(session)

        self.wait(go())

    @invariant()
    def books_are_sound_and_as_the_model_says(self) -> None:
        async def look() -> None:
            async with self.database.transaction() as session:
                assert await violations(session) == []
                found = {b.account_id: (b.posted.minor, b.held.minor) for b in await balances(session)}
                holds = {hold.key for hold in await open_holds(session)}
            expected = {key: (minor, self.model.held[key]) for key, minor in self.model.balance.items()}
            assert {key: found[key] for key in expected} == expected
            assert all(found[key] == (0, 0) for key in found.keys() - expected.keys())
            assert holds == self.model.open_holds()

        self.wait(look())

    def _new_key(self) -> str:
        return f"new{len(self.model.done)}"

    def _both(self, batch: list[Command]) -> None:
        self.last = batch[-1]
        try:
            after, replays = self.model.apply(batch, utc_now())
        except Refused as refused:
            expected: Refused | None = refused
        else:
            expected = None
        posted, refusal = self.wait(self._post(batch))
        if expected is not None:
            assert refusal is not None, f"allowed, the model refuses with {expected}"
            # A batch may break several rules; which of them is named is not promised.
            assert len(batch) > 1 or refusal.code == expected.code
            return
        assert refusal is None, f"refused with {refusal}, the model allows it"
        self.model = after
        assert [found.replayed for found in posted] == replays
        for found in posted:
            assert (0 if found.amount is None else found.amount.minor) == after.done[found.key].amount

    async def _post(self, batch: list[Command]) -> tuple[list[Posted], Rejected | None]:
        async with self.database.transaction() as session:
            try:
                return await post(session, *batch), None
            except Rejected as refused:
                return [], refused

    async def _empty(self) -> None:
        async with self.database.transaction() as session:
            connection = await session.connection()
            await connection.execute(text("SET LOCAL session_replication_role = replica"))  # past the guards
            await connection.execute(text("TRUNCATE ledger_accounts, ledger_transfers, ledger_entries, ledger_rollups"))


@pytest.mark.slow
def test_random_commands_leave_the_books_as_the_model_says(database_url: str) -> None:
    loop = asyncio.new_event_loop()
    database = Database(database_url, pool_size=1)

    class Machine(Books):
        pass

    Machine.database, Machine.loop = database, loop
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=50,
                stateful_step_count=25,
                deadline=None,
                database=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(database.close())
        loop.close()
