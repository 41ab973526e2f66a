"""One thing of the world has one spelling, however it is written."""

import pytest

from core.outside import bank_account, fineract_tenant, provider_id, server_of


@pytest.mark.parametrize(
    ("spelt", "same"),
    [
        ("https://Bank.Example", "bank.example"),
        ("https://bank.example.", "bank.example"),
        ("https://bank.example:443/fineract-provider/api", "bank.example"),
        ("http://bank.example:80", "bank.example"),
        ("https://bank.example:8443", "bank.example:8443"),
        ("http://2130706433", "127.0.0.1"),
        ("http://0x7f.1:9000", "127.0.0.1:9000"),
        ("http://127.1", "127.0.0.1"),
        ("https://1bank.example", "1bank.example"),
        ("https://BÜCHER.example", "xn--bcher-kva.example"),
    ],
)
def test_a_server_has_one_name(spelt: str, same: str) -> None:
    assert server_of(spelt) == same


def test_an_address_without_a_host_has_none() -> None:
    with pytest.raises(ValueError, match="no host"):
        server_of("https:///api")


@pytest.mark.parametrize("tenant", ["default", "Default", " default ", "DEFAULT", "défault"])
def test_a_tenant_is_compared_as_its_server_compares(tenant: str) -> None:
    assert fineract_tenant("https://BANK.example:443/x", tenant) == fineract_tenant("https://bank.example/y", "default")


def test_a_bank_account_is_the_banks_own() -> None:
    mine = bank_account("ncba", "https://bank.example", "1000200030")
    assert bank_account("ncba", "https://BANK.example.", "1000-2000-30") == mine
    assert bank_account("reference", "https://bank.example", "1000200030") != mine
    assert bank_account("ncba", "https://other.example", "1000200030") != mine


@pytest.mark.parametrize("spelt", ["ukl9m2t4vc", " UKL9M2T4VC ", "ＵＫＬ9M2T4VC", "UKL9M2T4VC\n", "\x1b[31mUKL9M2T4VC"])
def test_a_receipt_has_one_spelling(spelt: str) -> None:
    assert provider_id(spelt) == "UKL9M2T4VC"


def test_a_long_id_is_bounded_and_two_stay_two() -> None:
    one, other = provider_id("a" * 5000 + "1"), provider_id("a" * 5000 + "2")
    assert len(one) <= 64
    assert one != other
    assert provider_id("A" * 5000 + "1") == one
    assert provider_id("  ") == ""
