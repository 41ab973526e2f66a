"""The first admin key: the one thing that cannot be asked of the API, since the API would ask for a key."""

from api.http.auth import ensure_bootstrap_key, new_key, principal_of
from cli.context import key_file, write_secret
from cli.errors import Failure
from core.settings import Settings
from store.database import Database


async def ensure_admin_key(settings: Settings, database: Database) -> str:
    """A living admin key: the one of the settings, else the one in `.kivuko/admin.key`, else a fresh one that is
    written there. The database gets its hash alone. Raises Failure if the one of the settings was revoked."""
    given = settings.security.bootstrap_admin_key
    if given is not None:
        key = given.get_secret_value()
        await ensure_bootstrap_key(database, key)
        if await principal_of(database, key) is None:
            raise Failure("The key in KIVUKO_SECURITY__BOOTSTRAP_ADMIN_KEY was revoked.", code="key_revoked")
        return key
    file = key_file(settings)
    if file.is_file():
        key = file.read_text(encoding="utf-8").strip()
        # Written before it was made known, or the database is a new one: make it known now.
        if key:
            await ensure_bootstrap_key(database, key)
            if await principal_of(database, key) is not None:
                return key
    key, _ = new_key()
    write_secret(file, key)
    await ensure_bootstrap_key(database, key)
    return key
