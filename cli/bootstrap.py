"""The first admin key: the one thing that cannot be asked of the API, since the API would ask for a key."""

import secrets
from typing import Final

from cli.context import key_file, write_secret
from core.clock import utc_now
from core.crypto import sha256_hex
from core.ids import API_KEY, new_id
from core.settings import Settings
from models.tables.security import ApiKey
from store import api_keys, audit
from store.database import Database

_BOOTSTRAP: Final = "bootstrap"


async def ensure_admin_key(settings: Settings, database: Database) -> str:
    """A key with the scope `admin`, known to the database by its hash: the one of the settings, else the one in
    `.kivuko/admin.key`, else a fresh one that is written there. A key that was revoked stays so and gets a successor.
    """
    given = settings.security.bootstrap_admin_key
    file = key_file(settings)
    if given is not None:
        key = given.get_secret_value()
        await _known(database, key)
        return key
    if file.is_file():
        key = file.read_text(encoding="utf-8").strip()
        if key and await _known(database, key):
            return key
    key = f"kvk_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    write_secret(file, key)
    await _known(database, key)
    return key


async def _known(database: Database, key: str) -> bool:
    """Makes the key known if it is new; False if it is known as revoked."""
    row = ApiKey(
        id=new_id(API_KEY), name=_BOOTSTRAP, partner_id=None, scopes=["admin"], prefix=key.split("_")[1][:8] if
        key.count("_") >= 2 else key[:8], hash=sha256_hex(key), created_at=utc_now(), created_by=_BOOTSTRAP,
    )  # fmt: skip
    async with database.transaction() as session:
        if await api_keys.ensure(session, row):
            await audit.write(session, actor=_BOOTSTRAP, action="api_key.create", subject=row.id,
                              after={"name": _BOOTSTRAP, "scopes": ["admin"]})  # fmt: skip
            return True
        return await api_keys.by_hash(session, row.hash) is not None
