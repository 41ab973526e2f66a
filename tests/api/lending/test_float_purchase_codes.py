"""One-time codes at the front door: every try is counted, however many come at once, and the code is nowhere."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from core.clock import utc_now
from core.crypto import sha256_hex
from core.ids import new_id
from core.money import Money
from models.messages.lending.float_purchase import code_content
from models.tables.saga.one_time_code import OneTimeCode
from store.saga import one_time_codes
from temporal import commands
from tests.api.conftest import Door
from tests.api.lending.test_float_purchase import bought, purchase
from tests.api.money import BUY, rich_lender, say
from tests.support.house import House
from tests.support.money_in import MoneyDesk

CODE, WRONG = "042917", "111111"


async def begun(door: Door) -> dict[str, Any]:
    partner_id = await rich_lender(door)
    return dict((await say(door.admin, "/float-purchases", {**BUY, "partner_id": partner_id})).json())


async def send(
    door: Door, row: dict[str, Any], *, number: int = 1, code: str = CODE, lives: float = 600, tries: int = 5
) -> None:
    """What the saga's step leaves in the table."""
    content = code_content(Money.parse("2000", "KES"), Money.parse("2080", "KES"), "mpesa")
    hashed = door.services.codes.hash(row["workflow_id"], content, code)
    expires_at = utc_now() + timedelta(seconds=lives)
    async with door.database.transaction() as session:
        assert await one_time_codes.add(
            session, row["workflow_id"], number, hashed, expires_at=expires_at, max_tries=tries
        )


async def give(door: Door, row: dict[str, Any], code: str) -> httpx.Response:
    return await door.admin.post(f"/api/v1/float-purchases/{row['id']}/confirm", json={"code": code})


async def test_a_wrong_code_is_counted_although_it_is_refused(door: Door) -> None:
    row = await begun(door)
    await send(door, row)
    for left in ("4", "3"):
        answer = await give(door, row, WRONG)
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_code")
        assert answer.json()["facts"] == {"tries_left": left}
        assert answer.json()["errors"][0]["field"] == "code"
    (code,) = await door.rows(OneTimeCode)
    assert (code.tries, code.used_at) == (2, None)
    acts = await door.audit("float_purchases.confirm")
    assert [act.after["verdict"] for act in acts] == ["wrong", "wrong"]
    shown = (await door.admin.get(f"/api/v1/float-purchases/{row['id']}")).json()
    assert shown["code"]["tries_left"] == 3


@pytest.mark.parametrize("tries", [1, 5])
async def test_simultaneous_guesses_are_counted_one_by_one(door: Door, tries: int) -> None:
    row = await begun(door)
    await send(door, row, tries=tries)
    answers = await asyncio.gather(*(give(door, row, f"{guess:06d}") for guess in range(100_000, 100_020)))
    codes = [answer.json()["code"] for answer in answers]
    assert codes.count("wrong_code") == tries - 1
    assert codes.count("code_used_up") == 20 - (tries - 1)
    left = sorted(answer.json()["facts"]["tries_left"] for answer in answers if answer.status_code == 422)
    assert left == [str(number) for number in range(1, tries)]
    (code,) = await door.rows(OneTimeCode)
    assert code.tries == tries
    # The right one comes too late.
    late = await give(door, row, CODE)
    assert (late.status_code, late.json()["code"]) == (409, "code_used_up")
    assert len(await door.audit("float_purchases.confirm")) == 21


async def test_a_code_that_is_not_there_or_expired_or_older_says_so(door: Door) -> None:
    row = await begun(door)
    none = await give(door, row, CODE)
    assert (none.status_code, none.json()["code"]) == (409, "no_code")
    await send(door, row, lives=-1)
    expired = await give(door, row, CODE)
    assert (expired.status_code, expired.json()["code"]) == (409, "code_expired")
    await send(door, row, number=2, code="777777")
    older = await give(door, row, CODE)
    assert (older.status_code, older.json()["code"]) == (422, "wrong_code")


async def test_a_code_of_another_purchase_confirms_nothing(door: Door) -> None:
    row = await begun(door)
    other = (await say(door.admin, "/float-purchases", {**BUY, "partner_id": row["partner_id"]})).json()
    await send(door, row)
    await send(door, other, code="555555")
    answer = await give(door, other, CODE)
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_code")


async def test_a_right_code_that_no_worker_hears_of_can_be_given_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "TIMEOUT", timedelta(seconds=0.3))
    row = await begun(door)
    await send(door, row)
    for _ in range(2):
        answer = await give(door, row, CODE)
        assert (answer.status_code, answer.json()["code"]) == (503, "saga_busy")
    assert [act.after["verdict"] for act in await door.audit("float_purchases.confirm")] == ["right", "right"]
    assert len(await door.audit("float_purchases.confirm.refused")) == 2
    (code,) = await door.rows(OneTimeCode)
    assert code.tries == 1


async def test_who_may_not_write_may_not_confirm(door: Door) -> None:
    row = await begun(door)
    await send(door, row)
    other = await rich_lender(door, "Other")
    for visitor, status in (
        (await door.key("float-purchases:read", "float-purchases:resolve"), 403),
        (await door.key("float-purchases:write", partner_id=other), 404),
    ):
        answer = await visitor.post(f"/api/v1/float-purchases/{row['id']}/confirm", json={"code": CODE})
        assert answer.status_code == status
    (code,) = await door.rows(OneTimeCode)
    assert code.tries == 0


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "١٢٣٤٥٦", " 12345", 123456, None])
async def test_what_is_no_code_is_no_try(door: Door, code: object) -> None:
    row = await begun(door)
    await send(door, row)
    answer = await door.admin.post(f"/api/v1/float-purchases/{row['id']}/confirm", json={"code": code})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["code"]
    (kept,) = await door.rows(OneTimeCode)
    assert kept.tries == 0


# ----------------------------------------------------------------------------------------------------- whole house


async def test_the_code_is_in_no_log_no_table_and_no_answer(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk, capfd: pytest.CaptureFixture[str]
) -> None:
    row = await bought(house, house_admin)
    code = await desk.code_of(await purchase(desk, row))
    path = f"/api/v1/float-purchases/{row['id']}/confirm"
    headers = {"Idempotency-Key": new_id("idk")}
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    answers = [await house_admin.post(path, json={"code": one}, headers=headers) for one in (wrong, code)]
    assert [answer.status_code for answer in answers] == [422, 200]
    async with house.database.transaction() as session:
        connection = await session.connection()
        tables = (await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))).all()
        kept = {
            str(name): [
                str(line) for line in (await connection.execute(text(f'SELECT t::text FROM "{name}" t'))).scalars()
            ]
            for (name,) in tables
        }
    secret = {name: [line for line in lines if code in line or wrong in line] for name, lines in kept.items()}
    # A code may stand by chance in the digits of an amount or of a time; in the acts and the stored answers it must not.
    for name in ("audit_log", "idempotency_keys", "one_time_codes", "saga_events", "notifications"):
        assert secret[name] == [], name
    # From a plain hash of such a body six digits are found at once.
    plain = {sha256_hex(json.dumps({"code": one}, sort_keys=True)) for one in (wrong, code)}
    assert not [line for line in kept["idempotency_keys"] if any(one in line for one in plain)]
    assert code not in "".join(answer.text for answer in answers)
    said = capfd.readouterr()
    assert code not in said.out + said.err


async def test_a_new_code_kills_the_one_before_and_there_is_an_end_to_them(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    row = await bought(house, house_admin)
    path, begun = f"/api/v1/float-purchases/{row['id']}", await purchase(desk, row)
    first = await desk.code_of(begun)
    assert (await house_admin.post(f"{path}/resend-code", json={"note": "no message came"})).status_code == 200
    second = await desk.code_of(begun, 2)
    if first != second:
        old = await house_admin.post(f"{path}/confirm", json={"code": first})
        assert (old.status_code, old.json()["code"]) == (422, "wrong_code")
    assert (await house_admin.post(f"{path}/resend-code")).status_code == 200
    third = await desk.code_of(begun, 3)
    enough = await house_admin.post(f"{path}/resend-code")
    assert (enough.status_code, enough.json()["code"]) == (409, "resend_limit")
    assert (await house_admin.get(path)).json()["code"]["number"] == 3
    assert (await house_admin.post(f"{path}/confirm", json={"code": third})).status_code == 200
    assert (await house_admin.get(path, params={"wait": "20"})).json()["stage"] == "completed"


async def test_simultaneous_right_codes_buy_once(house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk) -> None:
    row = await bought(house, house_admin)
    path = f"/api/v1/float-purchases/{row['id']}"
    code = await desk.code_of(await purchase(desk, row))
    answers = await asyncio.gather(*(house_admin.post(f"{path}/confirm", json={"code": code}) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], len(done["attempts"])) == ("completed", 2)
    await desk.assert_books_agree()


@pytest.mark.parametrize("guesser", ["one person", "many people of one partner"])
async def test_guesses_are_counted_across_purchases(door: Door, guesser: str) -> None:
    """Three tries of each of many purchases are many tries: after ten the right code is not taken either."""
    partner_id = await rich_lender(door)
    scopes = ("float-purchases:read", "float-purchases:write")
    visitors = [await door.key(*scopes, partner_id=partner_id) for _ in range(1 if guesser == "one person" else 4)]
    rows = [
        dict((await say(door.admin, "/float-purchases", {**BUY, "partner_id": partner_id})).json()) for _ in range(4)
    ]
    codes = []
    for number, row in enumerate(rows):
        await send(door, row)
        visitor = visitors[number % len(visitors)]
        for _ in range(3):
            answer = await visitor.post(f"/api/v1/float-purchases/{row['id']}/confirm", json={"code": WRONG})
            codes.append(answer.json()["code"])
    assert codes == ["wrong_code"] * 10 + ["codes_locked"] * 2
    right = await give(door, rows[0], CODE)
    assert (right.status_code, right.json()["code"]) == (409, "codes_locked")
    assert (await door.audit("float_purchases.confirm"))[-1].after["verdict"] == "locked"
    async with door.database.transaction() as session:
        await (await session.connection()).execute(text("UPDATE wrong_codes SET at = at - interval '25 hours'"))
    assert (await give(door, rows[0], CODE)).json().get("code") != "codes_locked"


async def test_one_persons_guesses_count_at_every_partner(door: Door) -> None:
    lenders = [await rich_lender(door, "Mine"), await rich_lender(door, "Other")]
    guesser = await door.key("float-purchases:read", "float-purchases:write")
    codes = []
    for partner_id in (*lenders, *lenders):
        row = dict((await say(door.admin, "/float-purchases", {**BUY, "partner_id": partner_id})).json())
        await send(door, row)
        for _ in range(3):
            answer = await guesser.post(f"/api/v1/float-purchases/{row['id']}/confirm", json={"code": WRONG})
            codes.append(answer.json()["code"])
    assert codes == ["wrong_code"] * 10 + ["codes_locked"] * 2
