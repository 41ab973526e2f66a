"""Browsers at the door: they keep cookies, say where a form came from, and send back what a form holds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
import pyotp
import pytest

from api.app import create_app
from api.console.visitors import lifetime
from core.clock import utc_now
from core.ids import PERSON, new_id
from models.tables.platform.security import Person
from store.platform import browser_sessions, people
from tests.api.conftest import Door
from tests.support.house import House

COOKIE = "__Host-kivuko_session"
HOST = "https://kivuko.test"


class Page(HTMLParser):
    """What a test looks for on a page: its forms' hidden fields, its links, its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.hidden: dict[str, str] = {}
        self.links: list[str] = []
        self.actions: list[str] = []
        self.text = ""
        self.attributes: set[str] = set()
        self._silent = 0
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.attributes |= {name for name, _ in attrs}
        self._silent += tag in ("script", "style")
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[str(given["name"])] = str(given["value"])
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "form" and given.get("action"):
            self.actions.append(str(given["action"]))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += f" {data}"


@dataclass
class Browser:
    """One person's browser."""

    client: httpx.AsyncClient
    person_id: str = ""
    answer: httpx.Response = field(default_factory=lambda: httpx.Response(0))
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> Page:
        self.answer = await self.client.get(path, headers=headers)
        page = Page(self.answer.text)
        self.csrf = page.hidden.get("csrf", self.csrf)
        return page

    async def post(self, path: str, headers: Any = None, **fields: Any) -> Page:
        """As the page's own form: `csrf` is what the last page held."""
        given = {"csrf": self.csrf} | fields if self.csrf else fields
        self.answer = await self.client.post(path, data=given, headers=headers)
        return Page(self.answer.text)

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def location(self) -> str:
        return str(self.answer.headers.get("location", ""))

    @property
    def cookie(self) -> str | None:
        return self.client.cookies.get(COOKIE)


@dataclass
class Street:
    """Where browsers come from."""

    door: Door

    def browser(self, *, address: str = "198.51.100.7", **headers: str) -> Browser:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.door.app, client=(address, 40000)), base_url=HOST,
            headers={"Sec-Fetch-Site": "same-origin", **headers},
        )  # fmt: skip
        self.door.opened.append(client)
        return Browser(client)

    async def person(self, *scopes: str, partner_id: str | None = None, email: str = "", **more: Any) -> str:
        """Somebody who may do this, without a password; their id."""
        row = Person(
            id=new_id(PERSON), name="Grace Njeri", partner_id=partner_id, created_at=utc_now(), created_by="test",
            email=email or f"{new_id('nam')}@example.com", scopes=list(scopes), **more,
        )  # fmt: skip
        async with self.door.database.transaction() as session:
            await people.add(session, row)
        return row.id

    async def signed_in(self, *scopes: str, person_id: str = "", **more: Any) -> Browser:
        """The browser of somebody who has signed in, without the cost of a password."""
        person_id = person_id or await self.person(*scopes, **more)
        async with self.door.database.transaction() as session:
            _, token = await browser_sessions.begin(
                session, person_id, "password_and_code", lifetime(self.door.settings), utc_now()
            )
        browser = self.browser()
        browser.client.cookies.set(COOKIE, token, domain="kivuko.test")
        browser.person_id = person_id
        await browser.get("/console/account")
        return browser

    async def invited(self, **person: Any) -> tuple[str, str]:
        """The id of a new person, and the path of their invitation."""
        body = {"name": "Grace Njeri", "email": "grace@example.com", "scopes": ["disbursements:read"]} | person
        made = await self.door.admin.post("/api/v1/people", json=body)
        assert made.status_code == 201, made.text
        return made.json()["id"], await self.invitation(made.json()["id"])

    async def invitation(self, person_id: str) -> str:
        answer = await self.door.admin.post(f"/api/v1/people/{person_id}/invite")
        assert answer.status_code == 200, answer.text
        return str(httpx.URL(answer.json()["link"]).path)


@pytest.fixture
def street(door: Door) -> Street:
    return Street(door)


def secret_on(page: Page) -> str:
    """The secret of the phone's codes that a page shows."""
    found: str = pyotp.parse_uri(next(word for word in page.text.split() if word.startswith("otpauth://"))).secret
    return found


def code_of(secret: str, steps: int = 0) -> str:
    """What a phone with this secret shows, so many half minutes from now."""
    return pyotp.TOTP(secret).at(utc_now(), counter_offset=steps)


@pytest.fixture
async def house_street(house: House) -> AsyncIterator[Street]:
    """Browsers at the whole house, where sagas run."""
    app = create_app(house.settings, database=house.database, client=house.client)
    async with app.router.lifespan_context(app):
        door = Door(app, house.settings, house.database, house.client)
        yield Street(door)
        for opened in door.opened:
            await opened.aclose()
