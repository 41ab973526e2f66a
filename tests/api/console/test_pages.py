"""What holds for every page: its policy, its words, its files."""

import hashlib
import re

import pytest

from api.console import showing, static_files
from api.console.navigation import ENTRIES
from api.console.wording import LANGUAGES, texts
from store.platform import people
from tests.api.console.conftest import Street

# As the registry of its package has it.
HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
_KEY = re.compile(r"""\bt(?:\.has)?\(\s*"([a-z_.-]+)"\s*(~)?""")
TEMPLATES = sorted(showing.TEMPLATES.glob("*.html"))


def test_htmx_is_the_one_that_was_looked_at() -> None:
    assert hashlib.sha256((static_files.FOLDER / "htmx-2.0.11.min.js").read_bytes()).hexdigest() == HTMX


async def test_files_are_kept_for_long_under_addresses_that_change_with_them(street: Street) -> None:
    browser = street.browser()
    for name in ("console.css", "keys.js", "htmx-2.0.11.min.js", "icon.svg"):
        await browser.get(static_files.address(name))
        assert browser.status == 200
        assert browser.answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert browser.answer.headers["x-content-type-options"] == "nosniff"
    for wrong in ("/console/static/0123456789abcdef/console.css", "/console/static/x/..%2f..%2fshowing.py"):
        await browser.get(wrong)
        assert browser.status in (303, 404)  # the first is a place where a file could be
        assert "class" not in browser.answer.text


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/account", "/console/in/x", "/console/nowhere"])
async def test_every_page_forbids_what_it_does_not_need(street: Street, path: str) -> None:
    browser = await street.signed_in("admin")
    page = await browser.get(path)
    assert browser.answer.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert browser.answer.headers["cache-control"] == "no-store"
    assert browser.answer.headers["referrer-policy"] == "same-origin"
    assert "style" not in page.attributes
    assert not [name for name in page.attributes if name.startswith(("on", "hx-on"))]
    assert "<style" not in page.html
    assert not re.search(r"<script(?![^>]* src=)", page.html)


def test_no_template_holds_a_script_or_a_style_or_marks_text_as_safe() -> None:
    for file in TEMPLATES:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe|autoescape", text), file.name
        assert not re.search(r"<script(?! src=)", text), file.name


def test_both_languages_have_the_same_words_with_the_same_facts() -> None:
    english = texts("en")
    for language in LANGUAGES:
        other = texts(language)
        assert set(other) == set(english), language
        facts = re.compile(r"{(\w+)}")
        assert {key: sorted(facts.findall(text)) for key, text in other.items()} == {
            key: sorted(facts.findall(text)) for key, text in english.items()
        }


def test_templates_use_only_words_that_there_are() -> None:
    known = texts("en")
    used = 0
    for file in TEMPLATES:
        for key, goes_on in _KEY.findall(file.read_text(encoding="utf-8")):
            used += 1
            there = any(one.startswith(key) for one in known) if goes_on else key in known
            assert there, f"{file.name}: {key}"
    assert used > 50
    assert all(f"{entry.group}.{entry.word}" in known for entry in ENTRIES)


async def test_what_a_stranger_wrote_is_text(street: Street) -> None:
    person_id = await street.person("admin", email="x'@example.com")
    async with street.door.database.transaction() as session:
        await people.change(session, person_id, name="<script>alert(1)</script>\"'>")
    browser = await street.signed_in(person_id=person_id)
    page = await browser.get("/console/account")
    assert "<script>alert" not in page.html
    assert "<script>alert(1)</script>" in page.text


async def test_a_page_that_there_is_not_is_said_so_in_a_page(street: Street) -> None:
    for browser in (street.browser(), await street.signed_in("admin")):
        page = await browser.get("/console/nowhere")
        assert browser.status in (303, 404)
        assert "text/html" in browser.answer.headers.get("content-type", "text/html")
        assert "internal" not in page.text


async def test_the_console_is_no_part_of_the_apis_document(street: Street) -> None:
    document = (await street.browser().client.get("/openapi.json")).json()
    assert not [path for path in document["paths"] if path.startswith("/console")]
