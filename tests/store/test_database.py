"""What opens the database is enough to write to it."""

import subprocess
import sys


def test_whoever_opens_the_database_knows_every_table() -> None:
    """In a process of its own, as each of ours is: this one has read every table already. A flush sorts all known tables and
    fails at the first foreign key to one that nobody read."""
    look = (
        "import store.database; from sqlmodel import SQLModel; "
        "print(*(table.name for table in SQLModel.metadata.sorted_tables))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"providers", "claim_kinds", "partners", "ledger_transfers"} <= set(done.stdout.split())
