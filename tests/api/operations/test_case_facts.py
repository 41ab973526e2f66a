"""What tells cases apart, read from the evidence of every way in which a case is opened."""

from typing import Any

import pytest

from api.operations.case_facts import facts_of

NOTHING = dict.fromkeys(("amount", "receipt", "phone", "account", "reference"))


@pytest.mark.parametrize(
    ("evidence", "facts"),
    [
        ({}, {}),
        ({"breach": "the ledger"}, {}),
        (
            {"reference": "pay_1-a1", "provider_reference": "AG_1", "amount": "KES 12,500.00", "to": "+2547•••••678"},
            {"reference": "pay_1-a1", "amount": "KES 12,500.00", "phone": "+2547•••••678"},
        ),
        (
            {"reference": "pay_1-a1", "to": "KIVUKO B2C 1000200047"},
            {"reference": "pay_1-a1", "account": "KIVUKO B2C 1000200047"},
        ),
        (
            {"receipt": "TKL91ABC23", "amount": "KES 1,000.00", "typed": "0712 345 678"},
            {"receipt": "TKL91ABC23", "amount": "KES 1,000.00", "account": "0712 345 678"},
        ),
        ({"bank_reference": "FT26325X7K", "narrative": "rent"}, {"receipt": "FT26325X7K", "account": "rent"}),
        ({"account_no": "000000091", "amount": "KES 12,500.00", "missing": "KES 13.00"},
         {"account": "000000091", "amount": "KES 12,500.00"}),
        ({"payer": "254712345678", "reference": "-"}, {"phone": "254•••••678"}),
        ({"reported_receipt": "-", "recorded_receipt": "TKL91ABC23"}, {"receipt": "TKL91ABC23"}),
        ({"amount": "a lot", "typed": "x" * 5000, "receipt": "\x1b[31mTKL\u202e"}, {"account": "x" * 60, "receipt": "TKL"}),
        ({"amount": None, "receipts": ["A", "B"], "to": 7}, {"receipt": "A, B", "account": "7"}),
    ],
)  # fmt: skip
def test_facts_are_read_where_the_evidence_has_them(evidence: dict[str, Any], facts: dict[str, str]) -> None:
    assert facts_of(evidence) == {**NOTHING, **facts}
