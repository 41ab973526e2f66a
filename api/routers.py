"""Finds what the application offers: every module under `api/` that has a `router` is a part of it, so that a new family or
page is a file and no line in a list."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

import api

# What makes routers and what all requests go through: no pages of their own.
_SHARED: Final = frozenset({"http", "saga"})


def find_routers() -> tuple[APIRouter, ...]:
    """In the order of their first paths. A brace comes after every letter, so that a fixed path (`/cb/hooks/…`) stands before
    an open one (`/cb/{route_hex}/…`), which would take its requests."""
    found = {id(router): router for router in _routers()}  # once, though another module may import it by name
    return tuple(sorted(found.values(), key=_first_path))


def _routers() -> Iterator[APIRouter]:
    for folder in pkgutil.iter_modules(api.__path__):
        if not folder.ispkg or folder.name in _SHARED:
            continue
        package = import_module(f"{api.__name__}.{folder.name}")
        for leaf in pkgutil.iter_modules(package.__path__):
            router = getattr(import_module(f"{package.__name__}.{leaf.name}"), "router", None)
            if isinstance(router, APIRouter):
                yield router


def _first_path(router: APIRouter) -> str:
    return min(route.path for route in router.routes if isinstance(route, APIRoute))
