"""An invitation works once: with it somebody chooses a password and gives their phone the secret of the codes."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from api.http.auth import are_different, principal_of_person
from core.clock import utc_now
from models.tables.platform.security import Person
from models.tables.platform.signing_in import BrowserSession
from store.platform import sign_in_links
from tests.api.conftest import Door
from tests.api.console.conftest import COOKIE, Street, code_of, secret_on

PASSWORD = "three boats cross at dawn"


async def test_the_invited_sets_up_once_and_is_signed_in(door: Door, street: Street) -> None:
    person_id, path = await street.invited()
    browser = street.browser()
    page = await browser.get(path)
    assert "Grace Njeri" in page.text
    assert "<svg" in page.html
    secret = secret_on(page)
    again = await browser.get(path)  # opening it changes nothing, also not the secret
    assert secret_on(again) == secret
    await browser.post(path, password=PASSWORD, again=PASSWORD, code=code_of(secret))
    assert (browser.status, browser.location) == (303, "/console")
    assert browser.cookie
    assert (await browser.get("/console/account")).text.count("Grace Njeri") > 0
    (person,) = [row for row in await door.rows(Person) if row.id == person_id]
    assert person.password_hash.startswith("$argon2id$")
    assert secret not in person.totp_sealed
    (session,) = await door.rows(BrowserSession)
    assert (session.proven_by, session.digest != browser.cookie) == ("invitation", True)
    (act,) = await door.audit("people.set_up")
    assert (act.actor, act.person_id) == (session.id, person_id)
    other = street.browser()
    assert "has been used" in (await other.get(path)).text
    await other.post(path, password=PASSWORD, again=PASSWORD, code=code_of(secret, 1))
    assert (other.status, other.cookie) == (404, None)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "short", "again": "short"}, "shorter than 12"),
        ({"password": "passwordpassword", "again": "passwordpassword"}, "repeats itself"),
        ({"password": "i am grace njeri 1", "again": "i am grace njeri 1"}, "your own name"),
        ({"password": "grace is my name 7", "again": "grace is my name 7"}, "your own name"),
        ({"again": "another one entirely"}, "not the same"),
        ({"code": "000000"}, "not the code"),
        ({"code": ""}, "not the code"),
    ],
)
async def test_what_is_no_password_or_no_code_sets_nothing_up(
    door: Door, street: Street, wrong: dict[str, str], said: str
) -> None:
    _, path = await street.invited()
    browser = street.browser()
    secret = secret_on(await browser.get(path))
    page = await browser.post(path, **({"password": PASSWORD, "again": PASSWORD, "code": code_of(secret)} | wrong))
    assert (browser.status, browser.cookie) == (422, None)
    assert said in page.text
    assert secret_on(page) == secret  # the phone that has read it need not read another
    assert await door.rows(BrowserSession) == []


async def test_a_new_invitation_replaces_password_and_phone_and_ends_all_sessions(door: Door, street: Street) -> None:
    person_id, path = await street.invited()
    old = street.browser()
    secret = secret_on(await old.get(path))
    await old.post(path, password=PASSWORD, again=PASSWORD, code=code_of(secret))
    ann = await door.key("admin")
    link = (await ann.post(f"/api/v1/people/{person_id}/invite")).json()["link"]
    new = street.browser()
    path = link.partition(":8000")[2]
    other_secret = secret_on(await new.get(path))
    assert other_secret != secret
    await new.post(path, password=f"{PASSWORD} again", again=f"{PASSWORD} again", code=code_of(other_secret))
    await old.get("/console/account")
    assert (old.status, old.location.partition("?")[0]) == (303, "/console/sign-in")
    assert (await new.get("/console/account")).text
    assert new.status == 200


async def test_whoever_invites_by_their_own_right_is_no_second_person_to_the_invited(
    door: Door, street: Street
) -> None:
    """They were shown the link, and could have used it themselves."""
    person_id, _ = await street.invited()
    ann = await door.key("admin")
    link = (await ann.post(f"/api/v1/people/{person_id}/invite")).json()["link"]
    (invited,) = (await door.audit("people.invite"))[1:]
    browser = street.browser()
    path = link.partition(":8000")[2]
    secret = secret_on(await browser.get(path))
    await browser.post(path, password=PASSWORD, again=PASSWORD, code=code_of(secret))
    (person,) = [row for row in await door.rows(Person) if row.id == person_id]
    principal = principal_of_person("ses_1", person)
    assert principal.people == {person_id, invited.person_id}
    assert not are_different(principal.people, {invited.person_id or ""})


async def test_a_developers_link_is_none_anywhere_else(door: Door, street: Street) -> None:
    person_id = await street.person("disbursements:read")
    async with door.database.transaction() as session:
        token = await sign_in_links.make(
            session, person_id, "local", makers=[], by="test", now=utc_now(), until=utc_now() + timedelta(hours=1)
        )
    browser = street.browser()
    for _ in ("get", "post"):
        await browser.get(f"/console/in/{token}")
        assert browser.status == 404
        await browser.post(f"/console/in/{token}")
        assert (browser.status, browser.cookie) == (404, None)


@pytest.mark.parametrize("token", ["x", "x" * 64, "%00", "a b", "é"])
async def test_an_address_that_is_no_invitation_is_a_page_that_says_so(street: Street, token: str) -> None:
    browser = street.browser()
    await browser.get(f"/console/in/{token}")
    assert browser.status in (404, 422)
    assert COOKIE not in browser.answer.headers.get("set-cookie", "")


async def test_an_invitation_that_is_over_lets_nobody_in(door: Door, street: Street) -> None:
    _, path = await street.invited()
    async with door.database.transaction() as session:
        await (await session.connection()).execute(text("UPDATE sign_in_links SET expires_at = now()"))
    browser = street.browser()
    await browser.get(path)
    assert browser.status == 404
