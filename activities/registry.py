"""Every activity of the house, found where it is written: the classes below `activities/` that have methods with
`@activity.defn`; nobody lists them."""

import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import activities

# Where the decorator leaves its definition; the SDK has no public way to ask for it.
_MARK: Final = "__temporal_activity_definition"


def activity_classes() -> list[type]:
    """By module and name."""
    found: list[type] = []
    for module_info in pkgutil.walk_packages(activities.__path__, f"{activities.__name__}."):
        module = import_module(module_info.name)
        for _, member in inspect.getmembers(module, inspect.isclass):
            if member.__module__ == module.__name__ and _names(member):
                found.append(member)
    return found


def activities_of(instance: object) -> list[Callable[..., Any]]:
    """The activities that an object offers, in the order of their names. Raises TypeError for one that offers none: a class
    without its decorators."""
    names = _names(type(instance))
    if not names:
        raise TypeError(f"{type(instance).__name__} has no method with @activity.defn.")
    return [getattr(instance, name) for name in names]


def _names(cls: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(cls, lambda member: hasattr(member, _MARK))]
