"""Every workflow class of the house, found where it is written: any module below `workflows/`."""

import inspect
import pkgutil
from importlib import import_module
from typing import Final

import workflows

# Where `@workflow.defn` leaves its definition; the SDK has no public way to ask for it.
_MARK: Final = "__temporal_workflow_definition"


def workflow_classes() -> list[type]:
    """The classes that carry `@workflow.defn` themselves (a base's mark is inherited), by module and name."""
    found: list[type] = []
    for module_info in pkgutil.walk_packages(workflows.__path__, f"{workflows.__name__}."):
        module = import_module(module_info.name)
        for _, member in inspect.getmembers(module, inspect.isclass):
            if member.__module__ == module.__name__ and _MARK in vars(member):
                found.append(member)
    return found
