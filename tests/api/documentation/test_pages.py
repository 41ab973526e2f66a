"""The documentation is whole, needs nothing from elsewhere, and lets no stranger's text in."""

import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser

import pytest

from api.documentation.reference import arranged
from api.documentation.rendering import ASSETS, asset, prose
from api.http.problem_words import WORDS
from models.kinds import KINDS
from models.statuses import MEANINGS
from tests.api.conftest import Door
from tests.support.openapi import document

PAGES = ("/docs", "/docs/payments", "/problems", "/problems/four_eyes", "/problems/2001", "/problems/no-such")
# What makes a browser fetch something, and what names it.
FETCHES = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("form", "action"),
    ("object", "data"),
}


class Page(HTMLParser):
    """A page's links, ids, what it fetches, and what it must not have."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[tuple[str, str | None]] = []
        self.inline: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.inline += ["style"] if tag == "style" else []
        self._in_script = tag == "script"
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        for name, value in given.items():
            if (tag, name) in FETCHES:
                self.fetched.append((str(value), given.get("integrity")))

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)


async def read(door: Door, path: str) -> Page:
    answer = await door.visitor().get(path)
    assert answer.headers["content-type"].startswith("text/html")
    return Page(answer.text)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_our_own_files_and_nothing_else(shared_door: Door, path: str) -> None:
    found = await read(shared_door, path)
    assert found.inline == []
    assert len(found.fetched) == 3
    for address, integrity in found.fetched:
        if address == "data:,":
            continue
        assert address.startswith("/docs/assets/")
        content = (await shared_door.visitor().get(address)).content
        digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
        assert integrity == f"sha384-{digest}"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_run_our_script_and_nothing_else(shared_door: Door, path: str) -> None:
    answer = await shared_door.visitor().get(path)
    (policy,) = answer.headers.get_list("content-security-policy")
    rules = dict(part.split(" ", 1) for part in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in policy
    assert "http" not in policy


def test_no_file_of_ours_names_an_address_elsewhere() -> None:
    for name in ASSETS:
        found = asset(name)
        assert found is not None
        assert re.search(rb"https?://|url\(|@import|import\(|fetch\(", found.content) is None, name


async def test_files_are_kept_by_browsers_and_others_are_not_there(shared_door: Door) -> None:
    visitor = shared_door.visitor()
    kept = await visitor.get("/docs/assets/search.js")
    assert (kept.status_code, kept.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in kept.headers["cache-control"]
    for name in ("pages.py", "..%2Fpages.py", "base.html", "x"):
        assert (await visitor.get(f"/docs/assets/{name}")).status_code == 404


async def test_every_link_of_the_reference_leads_somewhere(shared_door: Door) -> None:
    found = await read(shared_door, "/docs")
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    visitor = shared_door.visitor()
    for link in sorted({link for link in found.links if not link.startswith("#")}):
        assert (await visitor.get(link)).status_code == 200, link


async def test_every_operation_field_and_problem_of_the_document_is_shown(shared_door: Door) -> None:
    described = document()
    text = (await shared_door.visitor().get("/docs")).text
    reference = arranged(described)
    operations = [one for section in reference.sections for one in section.operations]
    assert len(operations) == sum(len(methods) for methods in described["paths"].values())
    for one in operations:
        assert f'id="{one.anchor}"' in text
    top_up = next(one for one in operations if one.anchor == "create_top_up")
    assert [one.name for one in top_up.parameters] == ["Idempotency-Key"]
    assert "idempotency_key_reused" in {code for answer in top_up.answers for code in answer.codes}
    assert all(answer.codes for one in operations for answer in one.answers if answer.status == "409")
    shapes = {shape.name: shape for shape in reference.shapes}
    amount = next(field for field in shapes["CollectionNew"].fields if field.name == "amount")
    assert amount.shapes == ("MoneyIn",)
    assert amount.required


async def test_the_documents_are_sent_small_to_who_takes_them_so(shared_door: Door) -> None:
    for path in ("/docs", "/openapi.json"):
        small = await shared_door.visitor(**{"accept-encoding": "gzip"}).get(path)
        whole = await shared_door.visitor(**{"accept-encoding": "identity"}).get(path)
        assert small.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in whole.headers
        assert small.content == whole.content  # unpacked by the client
        assert len(gzip.compress(whole.content)) * 4 < len(whole.content)
    assert (await shared_door.visitor().get("/openapi.json")).json()["openapi"].startswith("3.1")


# --------------------------------------------------------------------------------------------------- problems and stages


async def test_the_type_of_a_problem_leads_to_what_it_means(shared_door: Door) -> None:
    refused = await shared_door.visitor().get("/api/v1/partners")
    answer = await shared_door.visitor().get(refused.json()["type"])
    assert answer.status_code == 200
    assert "Authorization: Bearer kvk_" in answer.text


async def test_every_code_is_listed_and_has_its_page(shared_door: Door) -> None:
    listed = await read(shared_door, "/problems")
    linked = {link for link in listed.links if link.startswith("/problems/")}
    assert {f"/problems/{code}" for code in WORDS} <= linked
    visitor = shared_door.visitor()
    for link in sorted(linked):
        assert (await visitor.get(link)).status_code == 200, link


@pytest.mark.parametrize("code", ["no-such", "<script>alert(1)<", "%3Cb%3E", "x" * 5000, "__class__", "%00"])
async def test_a_code_that_there_is_not_is_no_page_and_not_repeated(shared_door: Door, code: str) -> None:
    answer = await shared_door.visitor().get(f"/problems/{code}")
    assert answer.status_code == 404
    assert "alert(1)" not in answer.text
    assert "xxxx" not in answer.text


async def test_stages_and_statuses_are_explained(shared_door: Door) -> None:
    text = (await shared_door.visitor().get("/docs/payments")).text
    for status in MEANINGS:
        assert f'id="status-{status}"' in text
    for kind in KINDS:
        for stage in kind.row_class.stages:
            assert f'id="{kind.name}-{stage}"' in text


def test_descriptions_become_text_and_never_markup() -> None:
    assert prose("a <b> `c<d>`\n  e\n\nf & g") == ("<p>a &lt;b&gt; <code>c&lt;d&gt;</code> e</p>\n<p>f &amp; g</p>")
