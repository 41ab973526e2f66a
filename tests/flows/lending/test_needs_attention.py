"""What sagas write down for whoever looks: when they go on by themselves, whose payment it is, and what ran by the clock."""

from datetime import timedelta

from api.operations import attention_words
from core.clock import utc_now
from core.money import Money
from models.kinds import KINDS
from models.problems import MEANS
from models.tables.platform.pulse import Pulse
from store.saga import attention, search
from store.saga.attention import Filters, Row
from store.saga.attention_sources import Sight
from store.saga.search_plain import Scope
from tests.flows.lending.test_loan_disbursement_doubts import patient
from tests.flows.lending.test_loan_watch import poll
from tests.support.house import House

EVERY_KIND = frozenset(kind.name for kind in KINDS)


async def problems(house: House) -> list[Row]:
    sight = Sight(
        house.partner_id, EVERY_KIND, loose=True, connections=True, acts=frozenset(), people=frozenset({"nobody"})
    )
    async with house.database.transaction() as session:
        return await attention.page(session, sight, Filters(frozenset(MEANS)))


async def test_what_is_unknown_says_when_the_provider_is_asked_next(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose")
    asks, case_after = timedelta(minutes=5), timedelta(seconds=0.3)
    started = await house.start(await house.approve_loan(), patient(query_after=(asks, asks), case_after=case_after))
    await house.until_stage(started, "in_review")
    (row,) = await problems(house)
    assert (row.problem, row.about, row.money) == ("unknown_outcome", "payout_unknown", "unknown")
    assert row.next_at is not None
    assert timedelta(minutes=4) < row.next_at - utc_now() < timedelta(minutes=6)
    assert attention_words.next_step(row) == "The provider is asked again."


async def test_what_fineract_refuses_says_when_it_is_booked_again(house: House) -> None:
    await house.fault(
        "fineract.disburse", "refuse", times=50,
        options={"status": 403, "code": "error.msg.client.not.active.exception"},
    )  # fmt: skip
    started = await house.start(await house.approve_loan(), patient())
    await house.until_stage(started, "post_review")
    (row,) = await problems(house)
    assert (row.problem, row.about, row.money) == ("posting", "post_failed", "with_client")
    assert row.next_at is not None
    assert attention_words.next_step(row) == "It is booked again."


async def test_a_loan_that_waits_for_float_is_found_by_its_client(house: House) -> None:
    await house.spend("1000.00")
    started = await house.start(await house.approve_loan("900.00", phone="254711000333"))
    await house.until_stage(started, "waiting_funds")
    (row,) = await problems(house)
    assert (row.problem, row.money, row.needed_minor) == ("waiting_funds", "with_us", 1700)
    assert row.saga is not None
    assert row.saga.amount == Money.parse("900.00", "KES")
    assert row.saga.masked_phone == "+2547•••••333"
    assert row.saga.name
    for known in ("0711 000 333", row.saga.name, row.saga.account or "-"):
        async with house.database.transaction() as session:
            found = await search.find(session, known, Scope(house.partner_id, EVERY_KIND, loose=True, lenders=False))
        assert [one.workflow_id for one in found] == [started.workflow_id], known


async def test_what_runs_by_the_clock_says_that_it_ran(house: House) -> None:
    await poll(house, "1")
    for workflow in ("Sweep", "BooksCheck", "Retention"):
        await house.client.execute_workflow(workflow, id=f"{workflow}/{house.partner_id}", task_queue="kivuko-flows")
    async with house.database.transaction() as session:
        for name in ("sweep", "books-check", "retention", f"loan-watch/{house.partner_id}"):
            ran = await session.get(Pulse, name)
            assert ran is not None, name
            assert utc_now() - ran.ran_at < timedelta(minutes=5)
    assert await problems(house) == []
