"""A connection to a lender's Fineract or Mifos X."""

from core.outside import OutsideKey, fineract_tenant
from models.messages.base import Message
from models.messages.connections.reach import ConnectionSettings


class FineractSettings(ConnectionSettings):
    """`base_url` ends in `/fineract-provider/api`; `timezone` is the tenant's business zone."""

    tenant: str = "default"
    timezone: str = "Africa/Nairobi"
    # Only servers newer than April 2026 take an external id on a savings deposit; others refuse it (fineract.md 7.2).
    savings_external_ids: bool = False
    # Customers' payments are booked here too; without, the user needs fewer permissions.
    collections: bool = True

    def claims(self) -> tuple[OutsideKey, ...]:
        return (fineract_tenant(self.base_url, self.tenant),)


class FineractSecrets(Message):
    username: str
    password: str
