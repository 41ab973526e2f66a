"""Signing in: what is asked, what a wrong answer tells, what it costs to guess, and what ends a session."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from core import passwords, phone_codes
from core.clock import utc_now
from core.crypto import CredentialBox
from core.errors import Throttled
from models.tables.platform.security import Person
from models.tables.platform.signing_in import BrowserSession, SignInFailure
from store.platform import people, sign_in_failures
from store.platform.sign_in_failures import OF_A_NETWORK, OF_AN_EMAIL
from tests.api.conftest import Door
from tests.api.console.conftest import COOKIE, Browser, Street, code_of

PASSWORD = "three boats cross at dawn"
HASH = passwords.hashed(PASSWORD)
SECRET = phone_codes.new_secret()
EMAIL = "grace@example.com"
SIGN_IN = "/console/sign-in"


async def grace(street: Street, **more: Any) -> str:
    box: CredentialBox = street.door.services.box
    given = {"email": EMAIL, "password_hash": HASH, "totp_sealed": box.seal(SECRET)} | more
    return await street.person("disbursements:read", **given)


async def knock(browser: Browser, **more: str) -> int:
    await browser.post(SIGN_IN, **({"email": EMAIL, "password": PASSWORD, "code": code_of(SECRET)} | more))
    return browser.status


async def forget_failures(door: Door) -> None:
    async with door.database.transaction() as session:
        await (await session.connection()).execute(text("DELETE FROM sign_in_failures"))


async def test_password_and_code_let_in_and_lead_to_the_page_that_was_asked_for(door: Door, street: Street) -> None:
    person_id = await grace(street)
    browser = street.browser()
    await browser.get("/console/account?done=ways")
    assert browser.location == f"{SIGN_IN}?then=/console/account%3Fdone%3Dways"
    page = await browser.get(browser.location)
    assert page.hidden["then"] == "/console/account?done=ways"
    assert await knock(browser, email="  GRACE@example.com ", then=page.hidden["then"]) == 303
    assert browser.location == "/console/account?done=ways"
    sent = browser.answer.headers["set-cookie"]
    for part in (f"{COOKIE}=", "HttpOnly", "Path=/", "SameSite=lax", "Secure"):
        assert part in sent
    assert "Domain" not in sent
    (session,) = await door.rows(BrowserSession)
    assert (session.person_id, session.proven_by) == (person_id, "password_and_code")
    (act,) = await door.audit("sessions.begin")
    assert (act.actor, act.person_id) == (session.id, person_id)
    assert (await browser.get("/console/account")).text.count("Grace") > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "three boats cross at dusk"}, {"password": ""}, {"code": "000000"}, {"code": ""},
        {"email": "nobody@example.com"}, {"email": ""}, {"email": "grace"},
    ],
)  # fmt: skip
async def test_whatever_is_wrong_the_answer_is_the_same(street: Street, wrong: dict[str, str]) -> None:
    await grace(street)
    browser = street.browser()
    assert await knock(browser, **wrong) == 403
    assert "The address, the password or the code is wrong." in browser.answer.text
    assert browser.cookie is None
    assert PASSWORD not in browser.answer.text


@pytest.mark.parametrize("field", ["email", "password", "code", "then", "csrf", "more"])
async def test_what_cannot_be_read_is_refused(street: Street, field: str) -> None:
    browser = street.browser()
    for value in ("a\x00b", "x" * 2000):
        if field == "csrf":
            continue
        assert await knock(browser, **{field: value}) == 422
        assert browser.cookie is None


async def test_somebody_who_is_disabled_or_has_no_password_does_not_come_in(street: Street) -> None:
    await grace(street, disabled_at=utc_now())
    await street.person(
        "disbursements:read", email="new@example.com", totp_sealed=street.door.services.box.seal(SECRET)
    )
    assert await knock(street.browser()) == 403
    assert await knock(street.browser(), email="new@example.com") == 403


async def test_somebody_without_codes_does_not_come_in_by_a_password_alone(street: Street) -> None:
    await grace(street, totp_sealed=None)
    assert await knock(street.browser()) == 403
    assert await knock(street.browser(), code="") == 403


async def test_an_unknown_address_costs_the_same_work_as_a_wrong_password(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow hash is what takes the time: it is worked out once for either, with the same cost."""
    await grace(street)
    worked: list[str] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, stored: str, password: str) -> bool:
        worked.append(stored.rpartition("$")[0].rpartition("$")[0])  # kind, version and cost
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    for wrong in ({"password": "three boats cross at dusk"}, {"email": "nobody@example.com"}):
        assert await knock(street.browser(), **wrong) == 403
        await forget_failures(street.door)
    known, unknown = worked
    assert known == unknown != ""


async def test_a_code_counts_once_and_an_older_one_never_after_it(street: Street) -> None:
    await grace(street)
    assert await knock(street.browser(), code=code_of(SECRET)) == 303
    assert await knock(street.browser(), code=code_of(SECRET)) == 403
    assert await knock(street.browser(), code=code_of(SECRET, -1)) == 403
    assert await knock(street.browser(), code=code_of(SECRET, 1)) == 303


async def test_two_browsers_cannot_use_one_code(street: Street) -> None:
    await grace(street)
    code = code_of(SECRET)
    statuses = await asyncio.gather(*(knock(street.browser(), code=code) for _ in range(3)))
    assert sorted(statuses) == [303, 403, 403]


# -------------------------------------------------------------------------------------------------------- guessing


async def test_guesses_at_one_address_wait_wherever_they_come_from(door: Door, street: Street) -> None:
    await grace(street)
    for number in range(OF_AN_EMAIL.free):
        assert await knock(street.browser(address=f"198.51.100.{number}"), password="wrong guess") == 403
    browser = street.browser(address="203.0.113.9")
    assert await knock(browser) == 429  # also for the right password: who knows it waits with the others
    assert int(browser.answer.headers["retry-after"]) >= 1
    assert "Wait a little" in browser.answer.text
    await forget_failures(door)
    assert await knock(browser) == 303
    assert [row for row in await door.rows(SignInFailure) if row.subject.startswith("email:")] == []


async def test_guesses_from_one_network_wait_whomever_they_name(street: Street) -> None:
    await grace(street)
    patience = OF_A_NETWORK.free
    for number in range(patience):
        browser = street.browser(address=f"2001:db8:1:2::{number:x}")
        assert await knock(browser, email=f"nobody{number}@example.com", password="x") == 403
    assert await knock(street.browser(address="2001:db8:1:2:ffff::1")) == 429
    assert await knock(street.browser(address="2001:db8:1:3::1")) == 303


async def test_guesses_at_once_are_no_better_than_one_after_the_other(street: Street) -> None:
    await grace(street)
    statuses = await asyncio.gather(*(knock(street.browser(), password="wrong guess") for _ in range(12)))
    assert statuses.count(403) == OF_AN_EMAIL.free
    assert statuses.count(429) == 12 - OF_AN_EMAIL.free


def test_waits_double_up_to_the_longest() -> None:
    waits = [OF_AN_EMAIL.wait_after(failures).total_seconds() for failures in range(1, 16)]
    assert waits == [0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]
    assert OF_AN_EMAIL.wait_after(10**9) == OF_AN_EMAIL.longest


async def test_failures_are_forgotten_and_their_number_is_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_failures, "_MOST", 5)
    now = utc_now()

    async def fail(subject: str, at: Any) -> None:
        async with door.database.transaction() as session:
            await sign_in_failures.count_first(session, {subject: OF_AN_EMAIL}, at)

    for _ in range(OF_AN_EMAIL.free):
        await fail("email:old", now)
    with pytest.raises(Throttled):
        await fail("email:old", now)
    for number in range(8):
        await fail(f"email:{number}", now + timedelta(seconds=number))
    assert len(await door.rows(SignInFailure)) == 5
    later = now + OF_AN_EMAIL.memory + timedelta(minutes=1)
    await fail("email:7", later)
    (left,) = await door.rows(SignInFailure)
    assert (left.subject, left.count) == ("email:7", 1)


async def test_whoever_may_come_in_cannot_guess_for_others_without_end(door: Door, street: Street) -> None:
    """A right try gives back its own count of the network's failures, and no other."""
    await grace(street)
    for number in range(3):
        await knock(street.browser(), email=f"nobody{number}@example.com")
    assert await knock(street.browser()) == 303
    (left,) = [row for row in await door.rows(SignInFailure) if row.subject.startswith("from:")]
    assert left.count == 3


# --------------------------------------------------------------------------------------------- sessions and forms


async def test_a_cookie_that_was_there_before_is_not_the_sessions_cookie_after(door: Door, street: Street) -> None:
    """Session fixation: whoever put a cookie into the browser must not share its session."""
    mallory = await street.signed_in("cases:read")
    await grace(street)
    victim = street.browser()
    victim.client.cookies.set(COOKIE, mallory.cookie or "", domain="kivuko.test")
    assert await knock(victim) == 303
    token = victim.answer.cookies[COOKIE]
    assert token != mallory.cookie
    await mallory.get("/console/account")
    assert (mallory.status, mallory.location.partition("?")[0]) == (303, SIGN_IN)
    ended = [row.ended_why for row in await door.rows(BrowserSession) if row.ended_at]
    assert ended == ["signed_in_again"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403), ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "", "Origin": "https://kivuko.test"}, 403),
        ({"Origin": "https://kivuko.test"}, 303), ({"Origin": "https://evil.test"}, 403), ({"Origin": "null"}, 403),
        ({"Origin": "https://kivuko.test.evil.test"}, 403), ({}, 403), ({"Origin": "https://[evil"}, 403),
    ],
)  # fmt: skip
async def test_a_form_is_taken_from_our_own_pages_alone(street: Street, headers: dict[str, str], status: int) -> None:
    browser = await street.signed_in("cases:read")
    del browser.client.headers["sec-fetch-site"]
    await browser.post("/console/sign-out", headers=headers)
    assert browser.status == status
    knocking = street.browser()
    del knocking.client.headers["sec-fetch-site"]
    await knocking.post(SIGN_IN, headers=headers, email=EMAIL, password="x")
    assert "was not sent by a page of Kivuko" in knocking.answer.text or status == 303


@pytest.mark.parametrize("path", [
    "sign-out", "account/ways", "account/password", "account/phone", "account/sign-out-everywhere",
])  # fmt: skip
async def test_a_form_without_the_sessions_own_secret_does_nothing(door: Door, street: Street, path: str) -> None:
    other = await street.signed_in("cases:read")
    browser = await street.signed_in("cases:read")
    fields = {"language": "sw"} if path == "account/ways" else {}
    for csrf in ("", "x", other.csrf, "é"):
        page = await browser.post(f"/console/{path}", csrf=csrf, **fields)
        assert browser.status == 403
        assert "out of date" in page.text
    assert all(row.ended_at is None for row in await door.rows(BrowserSession))
    assert {row.language for row in await door.rows(Person)} == {"en"}


async def test_signing_out_ends_the_session_and_not_only_the_cookie(street: Street) -> None:
    browser = await street.signed_in("cases:read")
    token = browser.cookie
    await browser.post("/console/sign-out")
    assert (browser.status, browser.location, browser.cookie) == (303, SIGN_IN, None)
    browser.client.cookies.set(COOKIE, token or "", domain="kivuko.test")
    await browser.get("/console/account")
    assert browser.status == 303


@pytest.mark.parametrize("column", ["idle_until", "ends_at"])
async def test_a_session_ends_by_itself(door: Door, street: Street, column: str) -> None:
    browser = await street.signed_in("cases:read")
    await browser.get("/console/account")
    assert browser.status == 200
    async with door.database.transaction() as session:
        await (await session.connection()).execute(text(f"UPDATE browser_sessions SET {column} = now()"))
    await browser.get("/console/account")
    assert browser.status == 303


async def test_using_a_session_keeps_it_awake_but_never_beyond_its_end(door: Door, street: Street) -> None:
    browser = await street.signed_in("cases:read")
    (before,) = await door.rows(BrowserSession)
    async with door.database.transaction() as session:
        long_ago = "UPDATE browser_sessions SET last_seen_at = now() - interval '30 minutes'"
        await (await session.connection()).execute(text(long_ago))
    await browser.get("/console/account")
    (after,) = await door.rows(BrowserSession)
    assert after.idle_until > before.idle_until
    assert after.ends_at == before.ends_at


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "é", "a;b"])
async def test_a_cookie_that_is_none_leads_to_the_door(street: Street, cookie: str) -> None:
    browser = street.browser()
    browser.answer = await browser.client.get("/console/account", headers=[(b"Cookie", f"{COOKIE}={cookie}".encode())])
    assert browser.status == 303


async def test_a_person_who_is_shut_out_is_out_at_once(door: Door, street: Street) -> None:
    browser = await street.signed_in("cases:read")
    await door.admin.post(f"/api/v1/people/{browser.person_id}/disable")
    await browser.get("/console/account")
    assert browser.status == 303
    (row,) = await door.rows(BrowserSession)
    assert row.ended_why == "disabled"


async def test_a_session_alone_does_not_keep_somebody_in_who_is_disabled(door: Door, street: Street) -> None:
    """Whatever forgot to end it."""
    browser = await street.signed_in("cases:read")
    async with door.database.transaction() as session:
        await people.disable(session, browser.person_id, utc_now())
    await browser.get("/console/account")
    assert browser.status == 303


async def test_a_cookie_is_no_key_of_the_api(street: Street) -> None:
    browser = await street.signed_in("admin")
    await browser.get("/api/v1/partners")
    assert browser.status == 401


@pytest.mark.parametrize("then", [
    "https://evil.test/", "//evil.test", "/\\evil.test", "/console//evil.test", "/api/v1/keys", "/console\\..\\",
    "javascript:x", "/consolex",
])  # fmt: skip
async def test_after_signing_in_nobody_is_sent_elsewhere(street: Street, then: str) -> None:
    await grace(street)
    browser = street.browser()
    page = await browser.get(SIGN_IN + "?then=" + then.replace("\\", "%5C"))
    assert page.hidden["then"] == "/console"
    assert await knock(browser, then=then) == 303
    assert browser.location == "/console"


async def test_the_browsers_language_is_spoken_before_anybody_is_known(street: Street) -> None:
    browser = street.browser()
    assert "Nenosiri" in (await browser.get(SIGN_IN, **{"Accept-Language": "fr, sw-KE;q=0.9"})).text
    assert "Password" in (await browser.get(SIGN_IN, **{"Accept-Language": "fr"})).text
