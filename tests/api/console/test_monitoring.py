"""How things go, on one page: what one may read of it, and a lender's people their own alone."""

from models.kinds import KINDS
from tests.api.conftest import Door
from tests.api.console.conftest import Street
from tests.api.operations.test_attention import silent_loan
from tests.support.approving import alone


async def funded(door: Door, name: str = "Jaza Sacco") -> str:
    """A lender with something in its wallet."""
    partner_id = await door.lender(name)
    await alone(door.database, "wallets.credit")
    body = {"amount": {"amount": "500.00", "currency": "KES"}, "reference": f"FT-{name[:3]}"}
    assert (await door.admin.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=body)).status_code == 201
    return partner_id


async def test_the_page_tells_what_the_api_tells(door: Door, street: Street) -> None:
    partner_id = await funded(door)
    await silent_loan(door, partner_id)
    ann = await street.signed_in("disbursements:read", "wallets:read", "partners:read")
    page = await ann.get("/console/monitoring")
    assert ann.status == 200
    for told in (
        "Payments",
        "loan-disbursement",
        "KES 500.00",
        "Wallets",
        "Jaza Sacco",
        "Connections, in the last hour",
        "Queues",
    ):
        assert told in page.text, told
    assert "/console/monitoring" in (await ann.get("/console/cases")).links


async def test_only_what_one_may_read_is_there(door: Door, street: Street) -> None:
    mine, other = await funded(door, "Mine"), await funded(door, "Other")
    reader = await street.signed_in("disbursements:read")
    page = await reader.get("/console/monitoring")
    assert "Wallets" not in page.text
    assert all(kind.name not in page.text for kind in KINDS[1:])
    theirs = await street.signed_in("disbursements:read", "wallets:read", partner_id=mine)
    page = await theirs.get("/console/monitoring")
    assert "Mine" in page.text
    assert "Other" not in page.text
    assert "Queues" not in page.text
    await theirs.get(f"/console/monitoring?partner={other}")
    assert theirs.status == 404
