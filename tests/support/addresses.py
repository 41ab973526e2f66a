"""Secret addresses as those know them who were told."""

from core.crypto import CredentialBox
from core.settings import Settings
from models.tables.platform.connection import Connection
from store.platform import secret_addresses


def secret_of(settings: Settings, row: Connection) -> str:
    """The secret part of the address at which a connection's provider calls us."""
    box = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
    return secret_addresses.opened(row, box)
