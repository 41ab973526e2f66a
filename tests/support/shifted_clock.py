"""Another time of day for a whole run of tests: `pytest --clock 2028-02-29T23:30:00+00:00`.

The product reads its clock in `core/clock.py` alone, and PostgreSQL's through `clock_timestamp()` alone; both are set forward
or back by the same distance, and go on from there. Monotonic clocks, and those of TLS, are left alone.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import psycopg
from psycopg import sql

from core import clock

_REAL: Final = datetime
_shift = timedelta(0)


class _Shifted(datetime):
    """`datetime` as `core/clock.py` sees it."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return _REAL.now(tz) + _shift


def set_clock(text: str) -> None:
    """From now on it is this moment. Raises ValueError for what is no ISO time with a zone."""
    global _shift
    moment = _REAL.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("give the clock's zone, such as 2028-02-29T23:30:00+00:00")
    _shift = moment - _REAL.now(UTC)
    vars(clock)["datetime"] = _Shifted


def set_database_clock(url: str) -> None:
    """Has every database of the server that has our function read the same clock; call it before the migrations."""
    if not _shift:
        return
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL(
                "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
                " $$ SELECT pg_catalog.clock_timestamp() + make_interval(secs => {}) $$"
            ).format(sql.Literal(_shift.total_seconds()))
        )
        # Named last, the catalogue's own function gives way to ours.
        connection.execute("ALTER ROLE CURRENT_USER SET search_path = public, pg_catalog")
