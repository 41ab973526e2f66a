"""The low-balance alert names the way to top up that the installation's settings give."""

import pytest

from core.settings import Notices, Settings
from tests.support.house import House
from tests.support.waiting import eventually


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"notices": Notices(top_up_url="https://pay.example/{partner_id}/top-up")})


async def test_the_alert_of_a_disbursement_carries_the_partners_own_link(house: House) -> None:
    await house.spend("910.00")  # below the alert after the next hold
    await house.disburse("900.00")

    async def alerts() -> list[str]:
        return [m["text"] for m in await house.messages() if "allet is low" in m["text"] or "alert" in m["text"]]

    await eventually(alerts)
    assert f"https://pay.example/{house.partner_id}/top-up" in (await alerts())[0]


@pytest.mark.parametrize("url", ["ftp://x", "pay.example", "https://x/{partner}", "https://x/a b", "https://x/{0}"])
def test_an_address_that_would_not_work_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="top-up address"):
        Notices(top_up_url=url)


def test_no_address_is_an_address_that_is_not_told() -> None:
    assert Notices(top_up_url="").top_up_url == ""
