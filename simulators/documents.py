"""The simulators' memory: named collections of JSON documents, in memory and, if given a file, in SQLite as well.

A restart of the local stack must find the same loans and payouts, or the "real world" would forget what it did.
"""

import json
import sqlite3
from copy import deepcopy
from pathlib import Path
from typing import Any

Memory = dict[str, dict[str, dict[str, Any]]]


class Documents:
    """`collections[name][key]` is a dict; `put` writes through. One process, one event loop."""

    def __init__(self, path: Path | None = None) -> None:
        self._collections: Memory = {}
        self._db: sqlite3.Connection | None = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=wal")
        self._db.execute("PRAGMA synchronous=normal")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents (collection TEXT, key TEXT, body TEXT, PRIMARY KEY (collection, key))"
        )
        for collection, key, body in self._db.execute("SELECT collection, key, body FROM documents ORDER BY rowid"):
            self._collections.setdefault(collection, {})[key] = json.loads(body)

    def all(self, collection: str) -> list[dict[str, Any]]:
        """In the order of first writing."""
        return list(self._collections.get(collection, {}).values())

    def get(self, collection: str, key: str | int) -> dict[str, Any] | None:
        return self._collections.get(collection, {}).get(str(key))

    def put(self, collection: str, key: str | int, body: dict[str, Any]) -> dict[str, Any]:
        self._collections.setdefault(collection, {})[str(key)] = body
        if self._db is not None:
            self._db.execute(
                "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body",
                (collection, str(key), json.dumps(body)),
            )
        return body

    def next_number(self, sequence: str, start: int = 1) -> int:
        """The next of a named, persistent sequence."""
        last = (self.get("sequences", sequence) or {"last": start - 1})["last"]
        self.put("sequences", sequence, {"last": last + 1})
        return int(last) + 1

    def clear(self) -> None:
        self._collections.clear()
        if self._db is not None:
            self._db.execute("DELETE FROM documents")

    def copy(self) -> Memory:
        """Everything as it is now, to be gone back to."""
        return deepcopy(self._collections)

    def go_back(self, memory: Memory) -> None:
        """Everything as it was when `memory` was copied."""
        self.clear()
        for collection, documents in deepcopy(memory).items():
            for key, body in documents.items():
                self.put(collection, key, body)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
