"""The demo lender and its simulated systems: plain facts, shared by the seed and the demo."""

from typing import Final

LENDER: Final = "Demo Sacco"
# Of the simulators alone; a real lender gives its own.
FINERACT_LOGIN: Final = ("mifos", "password")
TENANT: Final = "default"
DARAJA_APP: Final = {
    "consumer_key": "demo-sacco-consumer-key",
    "consumer_secret": "demo-sacco-consumer-secret",
    "shortcode": "600997",
    "initiator_name": "kivukoapi",
    "initiator_password": "Init#2026",
    "utility_balance": "90000000.00",
    "organisation": "DEMO SACCO",
}
CONTACTS: Final = (
    {"name": "Grace Njeri", "phone": "+254711000222", "role": "authorised"},
    {"name": "Operations", "email": "operations@demosacco.example", "role": "notify"},
)
FLAT_FEES: Final = {"processing": "10.00", "sms": "2.00"}
CURRENCY: Final = "KES"
