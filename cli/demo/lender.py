"""The demo lender and its simulated systems: plain facts, shared by the seed and the demos."""

from typing import Any, Final

LENDER: Final = "Demo Sacco"
CURRENCY: Final = "KES"
# Of the simulators alone; a real lender gives its own.
FINERACT_LOGIN: Final = ("mifos", "password")
TENANT: Final = "default"
SHORTCODE: Final = "600997"
DARAJA_APP: Final = {
    "consumer_key": "demo-sacco-consumer-key",
    "consumer_secret": "demo-sacco-consumer-secret",
    "shortcode": SHORTCODE,
    "initiator_name": "kivukoapi",
    "initiator_password": "Init#2026",
    "utility_balance": "90000000.00",
    "organisation": "DEMO SACCO",
    "passkey": "demo-sacco-passkey-of-the-simulator-alone",
}
WALLET_ACCOUNT: Final = "1000200030"
B2C_ACCOUNT: Final = "1000200047"
# What lies at the bank before Kivuko's books begin; top-ups come on top of it.
BANK_ACCOUNTS: Final = (
    {"number": WALLET_ACCOUNT, "name": "KIVUKO WALLET", "balance": "250000.00"},
    {"number": B2C_ACCOUNT, "name": "KIVUKO B2C", "balance": "0.00"},
)
BANK_TOKEN: Final = "demo-sacco-bank-token"  # noqa: S105 - of the simulator alone
PUSH_SECRET: Final = "demo-sacco-push-secret-of-the-simulator"  # noqa: S105 - of the simulator alone
BANK_CUSTOMER: Final[dict[str, Any]] = {
    "name": "demo-sacco", "accounts": [WALLET_ACCOUNT, B2C_ACCOUNT], "token": BANK_TOKEN,
}  # fmt: skip
AUTHORISED_PHONE: Final = "+254711000222"
AUTHORISED_EMAIL: Final = "grace@demosacco.example"
CONTACTS: Final = (
    {"name": "Grace Njeri", "phone": AUTHORISED_PHONE, "email": AUTHORISED_EMAIL, "role": "authorised"},
    {"name": "Operations", "email": "operations@demosacco.example", "role": "notify"},
)
FLAT_FEES: Final = {"processing": "10.00", "sms": "2.00", "bank_transfer": "30.00", "float_processing": "50.00"}
OPENING_CREDIT: Final = "5000.00"
