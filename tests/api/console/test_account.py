"""What people change of themselves, and what of it ends their sessions."""

import pytest

from core import passwords, phone_codes
from models.tables.platform.security import Person
from models.tables.platform.signing_in import BrowserSession
from tests.api.conftest import Door
from tests.api.console.conftest import COOKIE, Browser, Street, code_of, secret_on

PASSWORD = "three boats cross at dawn"
HASH = passwords.hashed(PASSWORD)
NEW = "four boats return at dusk"


async def someone(street: Street) -> Browser:
    sealed = street.door.services.box.seal(phone_codes.new_secret())
    person_id = await street.person("disbursements:read", password_hash=HASH, totp_sealed=sealed)
    return await street.signed_in(person_id=person_id)


async def person_of(door: Door, browser: Browser) -> Person:
    (found,) = [row for row in await door.rows(Person) if row.id == browser.person_id]
    assert isinstance(found, Person)
    return found


async def test_language_and_zone_are_the_persons_own(door: Door, street: Street) -> None:
    browser = await someone(street)
    await browser.post("/console/account/ways", language="sw", timezone="Africa/Kigali")
    page = await browser.get(browser.location)
    assert "Akaunti yako" in page.html
    assert "Africa/Kigali" in page.text
    assert 'lang="sw"' in page.html
    for wrong in ({"language": "fr"}, {"language": "en", "timezone": "Mars/Olympus"}):
        await browser.post("/console/account/ways", **wrong)
        assert browser.status == 422
    person = await person_of(door, browser)
    assert (person.language, person.timezone) == ("sw", "Africa/Kigali")


async def test_without_a_zone_of_their_own_a_lenders_people_see_its_time(door: Door, street: Street) -> None:
    browser = await street.signed_in("disbursements:read", partner_id=await door.lender())
    assert "Africa/Nairobi" in (await browser.get("/console/account")).text


async def test_another_password_ends_every_session_and_gives_this_browser_a_new_one(door: Door, street: Street) -> None:
    browser = await someone(street)
    elsewhere = await street.signed_in(person_id=browser.person_id)
    before = browser.cookie
    await browser.get("/console/account")
    await browser.post("/console/account/password", password=PASSWORD, new=NEW, again=NEW)
    assert (browser.status, browser.location) == (303, "/console/account?done=password")
    await browser.get("/console/account")
    assert browser.status == 200
    assert browser.cookie != before
    await elsewhere.get("/console/account")
    assert elsewhere.status == 303
    old = street.browser()
    old.client.cookies.set(COOKIE, before or "", domain="kivuko.test")
    await old.get("/console/account")
    assert old.status == 303
    assert passwords.is_right(NEW, (await person_of(door, browser)).password_hash)
    (act,) = await door.audit("people.change_password")
    assert act.person_id == browser.person_id
    assert NEW not in str((act.before, act.after))


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"password": "wrong guess"}, 403), ({"new": "short", "again": "short"}, 422), ({"again": "another one"}, 422)],
)
async def test_a_password_is_changed_only_by_who_knows_it(
    door: Door, street: Street, wrong: dict[str, str], status: int
) -> None:
    browser = await someone(street)
    await browser.post("/console/account/password", **({"password": PASSWORD, "new": NEW, "again": NEW} | wrong))
    assert browser.status == status
    assert (await person_of(door, browser)).password_hash == HASH
    assert [row.ended_at for row in await door.rows(BrowserSession)] == [None]


async def test_guesses_at_the_present_password_wait_too(street: Street) -> None:
    browser = await someone(street)
    statuses = []
    for _ in range(6):
        await browser.post("/console/account/password", password="wrong guess", new=NEW, again=NEW)
        statuses.append(browser.status)
    assert statuses == [403] * 4 + [429] * 2


async def test_another_phone_takes_password_and_its_own_code(door: Door, street: Street) -> None:
    browser = await someone(street)
    before = (await person_of(door, browser)).totp_sealed
    page = await browser.get("/console/account")
    secret, offer = secret_on(page), page.hidden["offer"]
    assert secret not in offer
    for wrong in ({"password": "wrong guess"}, {"code": "000000"}, {"offer": "x"}, {"offer": ""}):
        given = {"password": PASSWORD, "code": code_of(secret), "offer": offer} | wrong
        await browser.post("/console/account/phone", **given)
        assert browser.status in (403, 422)
    assert (await person_of(door, browser)).totp_sealed == before
    await browser.post("/console/account/phone", password=PASSWORD, code=code_of(secret), offer=offer)
    assert browser.location == "/console/account?done=phone"
    person = await person_of(door, browser)
    assert street.door.services.box.open(person.totp_sealed or "") == secret
    assert person.totp_last_step is not None  # the code that showed it is used


async def test_a_secret_that_another_session_was_offered_is_not_taken(street: Street) -> None:
    browser, other = await someone(street), await someone(street)
    page = await other.get("/console/account")
    given = {"password": PASSWORD, "code": code_of(secret_on(page)), "offer": page.hidden["offer"]}
    assert "out of date" in (await browser.post("/console/account/phone", **given)).text


async def test_signing_out_everywhere_is_everywhere(street: Street) -> None:
    browser = await someone(street)
    elsewhere = await street.signed_in(person_id=browser.person_id)
    somebody_else = await someone(street)
    await browser.post("/console/account/sign-out-everywhere")
    assert browser.location == "/console/sign-in"
    for one, status in ((browser, 303), (elsewhere, 303), (somebody_else, 200)):
        await one.get("/console/account")
        assert one.status == status


async def test_scopes_count_as_they_are_now(door: Door, street: Street) -> None:
    browser = await street.signed_in("disbursements:read")
    assert "/console/cases" in (await browser.get("/console/account")).links
    await door.admin.patch(f"/api/v1/people/{browser.person_id}", json={"scopes": ["partners:read"]})
    assert "/console/cases" not in (await browser.get("/console/account")).links
