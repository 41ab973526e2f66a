"""Which activities an object of an activity class offers: its methods that carry `@activity.defn`; nobody lists them."""

import inspect
from collections.abc import Callable
from typing import Any, Final

# Where the decorator leaves its definition; the SDK has no public way to ask for it.
_MARK: Final = "__temporal_activity_definition"


def activities_of(instance: object) -> list[Callable[..., Any]]:
    """In the order of their names. Raises TypeError for an object that offers none: a class without its decorators."""
    names = [name for name, _ in inspect.getmembers(type(instance), lambda member: hasattr(member, _MARK))]
    if not names:
        raise TypeError(f"{type(instance).__name__} has no method with @activity.defn.")
    return [getattr(instance, name) for name in names]
