"""The application finds its routers by itself, and none takes the requests of another."""

import re
from itertools import combinations
from pathlib import Path

from fastapi.routing import APIRoute

from api.routers import find_routers
from tests.architecture.house import ROOT

_PARAMETER = re.compile(r"{\w+}")


def routes() -> list[APIRoute]:
    return [route for router in find_routers() for route in router.routes if isinstance(route, APIRoute)]


def test_every_module_that_makes_a_router_is_found() -> None:
    makes = re.compile(r"^router = ", re.MULTILINE)
    folders = [folder for folder in (ROOT / "api").iterdir() if folder.is_dir() and folder.name not in ("http", "saga")]
    files: list[Path] = [file for folder in folders for file in folder.glob("*.py") if makes.search(file.read_text())]
    assert len(find_routers()) == len(files) > 20


def test_the_order_is_the_same_every_time() -> None:
    assert find_routers() == find_routers()


def test_no_route_takes_the_requests_of_a_later_one() -> None:
    taken = [
        (first.path, later.path)
        for first, later in combinations(routes(), 2)
        if (first.methods or set()) & (later.methods or set())
        and first.path_regex.match(_PARAMETER.sub("x", later.path))
    ]
    assert taken == []


def test_fixed_paths_stand_before_open_ones() -> None:
    """Hooks and delivery reports before the callbacks, whose addresses begin with a parameter."""
    under_cb = [route.path for route in routes() if route.path.startswith("/cb/")]
    opened = [path.startswith("/cb/{") for path in under_cb]
    assert opened == sorted(opened)
    assert {True, False} == set(opened)
