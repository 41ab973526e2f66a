"""The search box: what is known of a payment leads to it, and never stands in an address."""

import pytest

from tests.api.conftest import Door
from tests.api.console.conftest import Page, Street
from tests.support.payments import NAME, PHONE, RECEIPT, paid_loan, paybill

READS = "disbursements:read"
SEARCH, REVEAL = "/console/search", "/console/search/reveal"


def found_on(page: Page) -> list[str]:
    return [link for link in page.links if link.startswith("/console/disbursements/")]


async def test_what_is_found_alone_is_shown_at_once(door: Door, street: Street) -> None:
    loan = await paid_loan(door.database, await door.lender())
    ann = await street.signed_in(READS)
    page = await ann.get("/console/account")
    assert SEARCH in page.actions
    assert "data-search" in page.attributes
    for text in (RECEIPT, "0712 345 678", "Wanjiku", loan["id"]):
        await ann.post(SEARCH, q=text)
        assert (ann.status, ann.location) == (303, f"/console/disbursements/{loan['id']}"), text


async def test_of_several_the_exact_ones_come_first(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    exact = await paid_loan(door.database, partner_id, 1, name="Jane Njeri", receipt="AAAAAAAAAA")
    in_part = await paid_loan(door.database, partner_id, 2, name="Jane Njeri Otieno", receipt="BBBBBBBBBB")
    ann = await street.signed_in(READS)
    page = await ann.post(SEARCH, q="Jane Njeri")
    assert ann.status == 200
    assert found_on(page) == [f"/console/disbursements/{one['id']}" for one in (exact, in_part)]
    assert page.text.index("Found") < page.text.index("fits in part")
    assert "+2547•••••678" in page.text
    assert "712345678" not in page.html
    page = await ann.post(SEARCH, q="Nobody At All")
    assert "Nothing that you may see fits." in page.text


@pytest.mark.parametrize("q", ["", "   ", "x" * 201, "a\x00b", "a\nb"])
async def test_what_can_be_nobodys_is_refused(street: Street, q: str) -> None:
    ann = await street.signed_in(READS)
    await ann.post(SEARCH, q=q)
    assert ann.status == 422


async def test_what_is_looked_for_stands_in_no_address(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    await paid_loan(door.database, partner_id, 1, receipt="AAAAAAAAAA")
    await paid_loan(door.database, partner_id, 2, receipt="BBBBBBBBBB")
    ann = await street.signed_in(READS, "phones:read")
    page = await ann.post(SEARCH, q=PHONE)
    assert len(found_on(page)) == 2
    assert not [one for one in (*page.links, *page.actions) if "712345678" in one or "2547" in one]
    await ann.get(f"{SEARCH}?q=0712345678")
    assert "0712345678" not in ann.answer.text


async def test_anothers_payment_is_never_found(door: Door, street: Street) -> None:
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    loan = await paid_loan(door.database, jaza)
    theirs = await street.signed_in(READS, "phones:read", partner_id=other)
    for text in (PHONE, NAME, RECEIPT, loan["id"], "Jaza"):
        page = await theirs.post(SEARCH, q=text)
        assert (theirs.status, found_on(page)) == (200, []), text
    await theirs.post(REVEAL, q=loan["id"], id=loan["id"])
    assert theirs.status == 404
    assert await door.audit("phones.reveal") == []


async def test_a_phone_is_shown_whole_to_those_who_may_and_it_is_written_down(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    loan = await paid_loan(door.database, partner_id, 1, receipt="AAAAAAAAAA")
    other = await paid_loan(door.database, partner_id, 2, receipt="BBBBBBBBBB")
    ann, ben = await street.signed_in(READS, "phones:read"), await street.signed_in(READS)
    page = await ann.post(SEARCH, q="Wanjiku")
    assert REVEAL in page.actions
    page = await ann.post(REVEAL, q="Wanjiku", id=loan["id"])
    assert len(found_on(page)) == 2
    assert page.text.count(PHONE) == 1
    (shown,) = await door.audit("phones.reveal")
    assert (shown.subject, shown.actor[:4], shown.person_id) == (loan["id"], "ses_", ann.person_id)
    page = await ben.post(SEARCH, q="Wanjiku")
    assert REVEAL not in page.actions
    await ben.post(REVEAL, q="Wanjiku", id=other["id"])
    assert ben.status == 403
    for wrong in ("", "x", "dsb_%00"):
        await ann.post(REVEAL, q="Wanjiku", id=wrong)
        assert ann.status == 422, wrong
    assert len(await door.audit("phones.reveal")) == 1


async def test_what_has_no_page_is_shown_where_it_was_found(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    await paybill(door.database, partner_id, "QAB1CDE2FH", claimed=False)
    ann = await street.signed_in(READS, "partners:read")
    page = await ann.post(SEARCH, q="QAB1CDE2FH")
    assert (ann.status, "Payment that came in" in page.text, "KES 500.00" in page.text) == (200, True, True)
    page = await ann.post(SEARCH, q="Jaza")
    assert f"/console?partner={partner_id}" in page.links
