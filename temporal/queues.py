"""Task queues: one for the sagas and our own books, one per rate-limited provider."""

from typing import Final

FLOWS_QUEUE: Final = "kivuko-flows"
MPESA_QUEUE: Final = "kivuko-mpesa"
FINERACT_QUEUE: Final = "kivuko-fineract"
BANK_QUEUE: Final = "kivuko-bank"
