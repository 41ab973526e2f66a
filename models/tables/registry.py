"""Every table of every file beside this one, so that Alembic and the tests see one complete metadata."""

from importlib import import_module
from pkgutil import walk_packages

from sqlmodel import SQLModel

from models import tables

for _found in walk_packages(tables.__path__, f"{tables.__name__}."):
    if not _found.ispkg and _found.name != __name__:
        import_module(_found.name)

metadata = SQLModel.metadata
