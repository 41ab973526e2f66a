"""What every table shares: constraint names that migrations rely on, and a time column that refuses naive values."""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


def table_of(model: type[SQLModel]) -> Table:
    """The bare table of a row class: a statement on it skips the ORM, which costs more than our small writes do."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]


class UtcDateTime(TypeDecorator[datetime]):
    """`timestamptz` that refuses naive datetimes on the way in and gives UTC on the way out."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime may not be stored")
        return value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.astimezone(UTC)
