"""Secret addresses as those know them who were told."""

from core.crypto import CredentialBox
from core.settings import Settings
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner
from store.platform import secret_addresses


def secret_of(settings: Settings, row: Partner | Connection) -> str:
    """The secret part of a partner's hook or of a connection's push address."""
    box = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
    return secret_addresses.opened(row, "hook" if isinstance(row, Partner) else "push", box)
