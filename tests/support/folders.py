"""Where test servers keep their files."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 1024**3
_PREFIX = "kvk-"


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder with a short path that every account can enter; in memory where there is room.

    Copying a database makes three hundred files: up to half a second on a disk, ten milliseconds in memory.
    """
    in_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    if in_memory:
        _forget_dead_sessions()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_MEMORY if in_memory else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _forget_dead_sessions() -> None:
    """Memory is not emptied by time: what killed test sessions left there is removed after an hour."""
    for folder in _MEMORY.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        with suppress(FileNotFoundError):  # another session forgets it at this moment
            if owner.isdigit() and not Path(f"/proc/{owner}").exists() and folder.stat().st_mtime < time.time() - 3600:
                shutil.rmtree(folder, ignore_errors=True)
