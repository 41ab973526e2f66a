"""What the code cites of the pages in `docs/providers/` is there, and so is every other document that it names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import house

FOLDER = house.ROOT / "docs" / "providers"
PAGES = {path.name: path for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md"}

_PART = r"(?:fact )?\d+(?:\.\d+)*(?!\w)(?: \([^()]*\))?"
_CITATION = re.compile(
    rf"(?<![\w/])({'|'.join(map(re.escape, PAGES))})(?:,? ({_PART}(?:(?:, and |, | and | to ){_PART})*))?"
)
_CITED = re.compile(r"(to )?(fact )?(\d+(?:\.\d+)*)")
_HEADING = re.compile(r"^#{2,4} (Fact )?(\d+(?:\.\d+)*)\b", re.MULTILINE)
_LINE_END = re.compile(r"\s*\n[ \t]*(?:#:? ?)?")
_DOCUMENT = re.compile(r"[\w./-]*\w\.md\b")


def citations(text: str) -> Iterator[tuple[str, str]]:
    """Page and section ("3.6", "fact 11") of each citation, each section of a range too; "" where it names none."""
    for found in _CITATION.finditer(_LINE_END.sub(" ", text)):
        page, listed = found.groups()
        if not listed:
            yield page, ""
        before = ""
        for until, fact, number in _CITED.findall(re.sub(r" \([^()]*\)", "", listed or "")):
            for section in _between(before, number) if until else [number]:
                yield page, f"{fact}{section}"
            before = number


def _between(first: str, last: str) -> list[str]:
    """What follows the first one, up to the last; both are counted under one heading ("3.4" and "3.6", "1" and "8")."""
    under, _, start = first.rpartition(".")
    also, _, end = last.rpartition(".")
    if under != also or int(start) >= int(end):
        return [f"{first} to {last}"]
    return [f"{under}.{number}".lstrip(".") for number in range(int(start) + 1, int(end) + 1)]


def headings(page: str) -> set[str]:
    return {f"{fact.lower()}{number}" for fact, number in _HEADING.findall(page)}


def unresolved(text: str) -> list[str]:
    there = {name: headings(path.read_text(encoding="utf-8")) for name, path in PAGES.items()}
    return [f"{page} {section}" for page, section in citations(text) if section not in there[page]]


def absent_documents(text: str, files: set[str]) -> list[str]:
    """Markdown files that the text names, by path or by name, of which none is among `files`."""
    return [name for name in _DOCUMENT.findall(text) if not any(f"/{file}".endswith(f"/{name}") for file in files)]


def texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    for path in house.repository_files():
        if path.suffix in suffixes and FOLDER not in path.parents:
            yield name_of(path), house.text_of(path) or ""


def name_of(path: Path) -> str:
    return path.relative_to(house.ROOT).as_posix()


def test_every_citation_of_a_page_finds_its_heading() -> None:
    found = {name: lost for name, text in texts(".py", ".json", ".md") if (lost := unresolved(text))}
    assert found == {}


def test_every_page_is_cited_by_code() -> None:
    cited = [page for _, text in texts(".py") for page, _ in citations(text)]
    assert set(cited) == set(PAGES)
    assert len(cited) > 200


def test_no_heading_has_a_number_twice() -> None:
    for name, path in PAGES.items():
        numbers = _HEADING.findall(path.read_text(encoding="utf-8"))
        assert len(numbers) == len(set(numbers)) > 0, name


def test_code_names_no_document_that_is_not_in_the_repository() -> None:
    files = {name_of(path) for path in house.repository_files()}
    found = {name: lost for name, text in texts(".py") if (lost := absent_documents(text, files))}
    assert found == {}


# In pieces, so that this file cites nothing itself.
DARAJA, FINERACT, PLAN = (f"{name}.{'md'}" for name in ("daraja", "fineract", "plan"))


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        (f"as told ({DARAJA} 3.4, 3.5). 7 more", ["3.4", "3.5"]),
        (f"{DARAJA} 4 and 6: nothing", ["4", "6"]),
        (f"{DARAJA} 3.4 to 3.6, 7 and 8 print them", ["3.4", "3.5", "3.6", "7", "8"]),
        (f"{DARAJA} 1 to 3.", ["1", "2", "3"]),
        (f"{DARAJA}, fact 9 and 3.4, fact 11", ["fact 9", "3.4", "fact 11"]),
        (f"{DARAJA} 5 (a summary, more of 6), 7.2 (savings), 8", ["5", "7.2", "8"]),
        (f"{DARAJA} 14.3: after 2, 4, 8 minutes", ["14.3"]),
        (f"    # cached ({DARAJA},\n    # fact 11); for 3 days", ["fact 11"]),
        (f'    """Read whole ({DARAJA} 3.4,\n    3.5).', ["3.4", "3.5"]),
        (f"{DARAJA} 5, 48h later", ["5"]),
        (f"of old ({DARAJA}) 3", [""]),
        (f"docs/providers/{DARAJA} and not{DARAJA} 3", []),
    ],
)
def test_the_search_for_citations_reads_every_way_of_citing(text: str, sections: list[str]) -> None:
    assert list(citations(text)) == [(DARAJA, section) for section in sections]


@pytest.mark.parametrize(
    "text",
    [
        f"# {DARAJA} 99",
        f"# {DARAJA} 3.6, 3.99",
        f"# {DARAJA} 3.6 to 3.99",
        f"# {DARAJA} 3.6 to 3.4",
        f"# {DARAJA}, fact 13",
        f"# ({DARAJA})",
        f"# {DARAJA}, last section",
        f"# {DARAJA} 3.6, {FINERACT} 99",
        f"# {FINERACT}\n# 7.9",
    ],
)
def test_a_citation_without_its_heading_is_found(text: str) -> None:
    assert unresolved(text)


@pytest.mark.parametrize("text", [f"# {DARAJA} 3.4 to 3.6, fact 11", f"# {DARAJA} 8, {FINERACT}\n# 7.2", "# 3.99"])
def test_a_citation_with_its_heading_is_left_alone(text: str) -> None:
    assert not unresolved(text)


@pytest.mark.parametrize("text", [f"see {PLAN}", f"see docs/{PLAN}.", f"see docs/adr/{PLAN}, part 2"])
def test_a_document_that_is_not_there_is_found(text: str) -> None:
    assert absent_documents(text, {"README.md", f"docs/my{PLAN}"})


@pytest.mark.parametrize("text", [f"see {PLAN}", f"see docs/{PLAN}.", "the {name}.md of it", "no document"])
def test_a_document_that_is_there_is_left_alone(text: str) -> None:
    assert not absent_documents(text, {f"docs/{PLAN}"})
