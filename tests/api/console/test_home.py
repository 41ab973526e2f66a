"""The first page: what needs somebody, where its money is, what happens next, and where one does something about it."""

from datetime import timedelta

from api.console.list_query import PAGE
from api.console.wording import LANGUAGES, texts
from core.clock import utc_now
from models.problems import MEANS
from models.tables.saga.payout_attempt import PayoutAttempt
from tests.api.conftest import Door
from tests.api.console.conftest import Page, Street
from tests.api.operations.test_attention import LONG_AGO, change, silent_loan
from tests.api.operations.test_case_desk import opened

READS = "disbursements:read"


def pages_on(page: Page) -> list[str]:
    """Where its rows lead."""
    return [link for link in page.links if link.startswith("/console/") and "_" in link.rpartition("/")[2]]


async def test_each_problem_says_where_the_money_is_and_leads_to_its_page(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    loan = await silent_loan(door, partner_id)
    ann = await street.signed_in(READS, "disbursements:resolve")
    page = await ann.get("/console")
    assert pages_on(page) == [f"/console/disbursements/{loan['id']}"]
    for told in ("Outcome unknown", "KES 12,500.00", "Jane Wanjikũ Njeri", "+2547•••••678", "for 30 min", "unknown",
                 "The provider is asked again.", "Jaza Sacco"):  # fmt: skip
        assert told in page.text, told
    assert loan["id"] not in page.text
    case_id = await opened(door, partner_id, "books_do_not_balance")
    await ann.post(f"/console/cases/{case_id}/take")
    page = await ann.get("/console?owner=me")
    assert pages_on(page) == [f"/console/cases/{case_id}"]
    assert "Grace Njeri" in page.text
    await ann.get(pages_on(page)[0])
    assert ann.status == 200


async def test_filters_stand_in_the_address_and_nothing_else_is_taken(door: Door, street: Street) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    loan = await silent_loan(door, mine)
    case_id = await opened(door, other, "books_do_not_balance")
    ann = await street.signed_in(READS)
    shown = {
        "": [f"/console/disbursements/{loan['id']}", f"/console/cases/{case_id}"],
        "problem=unknown_outcome": [f"/console/disbursements/{loan['id']}"],
        f"partner={other}": [f"/console/cases/{case_id}"],
        "minutes=15": [f"/console/disbursements/{loan['id']}"],
        "problem=&owner=nobody&minutes=": [f"/console/disbursements/{loan['id']}", f"/console/cases/{case_id}"],
    }
    for query, pages in shown.items():
        assert pages_on(await ann.get(f"/console?{query}")) == pages, query
    for wrong in ("problem=tea", "minutes=7", "owner=key_1", "cursor=x", "phone=254712345678", "partner=%00"):
        await ann.get(f"/console?{wrong}")
        assert ann.status == 422, wrong


async def test_a_long_list_goes_on_page_by_page(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    wanted = [await opened(door, partner_id, actions=["retry"] * number) for number in range(PAGE + 2)]
    ann = await street.signed_in(READS)
    found, path = [], "/console"
    while path:
        page = await ann.get(path)
        assert ann.status == 200
        found += [link.rpartition("/")[2] for link in pages_on(page)]
        path = next((link for link in page.links if "cursor=" in link), "")
    assert found == wanted


async def test_a_lenders_people_see_its_own_alone(door: Door, street: Street) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    await silent_loan(door, other)
    ann = await street.signed_in(READS, partner_id=mine)
    page = await ann.get("/console")
    assert (pages_on(page), "Other" in page.text) == ([], False)
    assert "Nothing needs anybody" in page.text
    await ann.get(f"/console?partner={other}")
    assert ann.status == 404


async def test_only_what_one_may_read_is_told(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    await silent_loan(door, partner_id)
    await opened(door, partner_id, "books_do_not_balance")
    for scope in ("top-ups:read", "partners:read"):
        page = await (await street.signed_in(scope)).get("/console")
        assert pages_on(page) == [], scope
    nobody = await street.signed_in()
    await nobody.get("/console")
    assert (nobody.status, nobody.location) == (303, "/console/account")


async def test_what_happens_next_has_its_time_in_the_readers_zone(door: Door, street: Street) -> None:
    await silent_loan(door, await door.lender())
    soon = (utc_now() + timedelta(days=3)).replace(hour=20, minute=30)
    await change(door, PayoutAttempt, updated_at=utc_now() - LONG_AGO, next_query_at=soon)
    ann = await street.signed_in(READS, timezone="Africa/Nairobi", language="sw")
    page = await ann.get("/console")
    assert f"{soon:%Y-%m-%d} 23:30" in page.text
    assert "Matokeo hayajulikani" in page.text


def test_every_problem_has_its_words() -> None:
    for language in LANGUAGES:
        assert {f"problems.{one}" for one in MEANS} <= set(texts(language))
