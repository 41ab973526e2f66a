"""A partner's bank: its accounts, and the secrets that its dialect needs."""

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.http.values import Body, Currency, ShortLine, example
from api.partners.connections_schemas import Secret, ShortCode, TrustIn, Url, plain
from models.messages.connections.bank import BankSecrets, BankSettings

AccountNumber = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9-]{4,34}$")]

# Which secrets a dialect cannot do without (bank_ncba.md 1, 2 and 6); those of the other one are a slip of the pen.
_NEEDS: Final[dict[str, frozenset[str]]] = {
    "ncba": frozenset({"username", "password", "subscription_key", "push_user", "push_password"}),
    "reference": frozenset({"token"}),
}
_SECRETS: Final = ("username", "password", "subscription_key", "token", "push_user", "push_password")


class TillIn(Body):
    """NCBA's Till API, which prompts payers for top-ups."""

    model_config = example(
        base_url="https://c2bapis.ncbagroup.com", paybill="880100", account="KVKTILL1", username="till", password="…"  # noqa: S106 - an example
    )  # fmt: skip

    base_url: Url
    paybill: ShortCode
    account: str = Field(strict=True, pattern=r"^[A-Za-z0-9]{1,20}$")
    username: ShortLine
    password: Secret


class BankIn(Body):
    """The partner's bank. `wallet_account` holds the prepaid wallet's money and takes top-ups; float is bought from
    `b2c_account` for `float_account`, the short code that gets it.

    The dialect `ncba` needs username, password, subscription_key, push_user and push_password, and may have a till;
    `reference` needs token. `push_secrets` prove that a push is the bank's: the newest first, older ones are still taken.
    """

    model_config = example(
        dialect="ncba", base_url="https://openbanking.example/apigateway", wallet_account="1000200030",
        wallet_name="KIVUKO WALLET", b2c_account="1000200031", b2c_name="KIVUKO B2C", float_account="600997",
        float_name="JAZA SACCO", username="KVKOB01", password="…", subscription_key="…", push_user="kvkuser",  # noqa: S106 - an example
        push_password="…", push_secrets=["…"],  # noqa: S106 - an example
    )  # fmt: skip

    dialect: Literal["ncba", "reference"]
    base_url: Url
    wallet_account: AccountNumber
    wallet_name: ShortLine
    b2c_account: AccountNumber
    b2c_name: ShortLine
    float_account: AccountNumber
    float_name: ShortLine
    currency: Currency = "KES"
    settlement_window_minutes: int = Field(
        default=30, strict=True, ge=1, le=7 * 24 * 60, description="Before this has passed, “not found” proves nothing"
    )
    username: ShortLine | None = Field(default=None, validate_default=True)
    password: Secret | None = Field(default=None, validate_default=True)
    subscription_key: Secret | None = Field(default=None, validate_default=True)
    token: Secret | None = Field(default=None, validate_default=True)
    push_user: ShortLine | None = Field(default=None, validate_default=True)
    push_password: Secret | None = Field(default=None, validate_default=True)
    push_secrets: list[Secret] = Field(min_length=1, max_length=5)
    till: TillIn | None = None
    trust: TrustIn = TrustIn()

    provider: ClassVar[Literal["bank"]] = "bank"

    @field_validator("b2c_account")
    @classmethod
    def _another_account(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("wallet_account"):
            raise PydanticCustomError("same_account", "Float is bought from another account than the wallet's")
        return value

    @field_validator("float_account")
    @classmethod
    def _short_code_at_ncba(cls, value: str, info: ValidationInfo) -> str:
        # NCBA buys float for M-Pesa short codes alone (bank_ncba.md 1).
        if info.data.get("dialect") == "ncba" and not (value.isdigit() and 5 <= len(value) <= 7):
            raise PydanticCustomError("not_a_short_code", "NCBA buys float for a short code of 5 to 7 digits")
        return value

    @field_validator(*_SECRETS)
    @classmethod
    def _fits_the_dialect(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        dialect = info.data.get("dialect")
        if dialect is not None:
            needed = info.field_name in _NEEDS[dialect]
            if needed and value is None:
                raise PydanticCustomError("missing", "The dialect {dialect} needs it", {"dialect": dialect})
            if not needed and value is not None:
                raise PydanticCustomError("not_of_dialect", "The dialect {dialect} has none", {"dialect": dialect})
        return value

    @field_validator("till")
    @classmethod
    def _till_of_the_dialect(cls, value: TillIn | None, info: ValidationInfo) -> TillIn | None:
        if value is not None and info.data.get("dialect") == "reference":
            raise PydanticCustomError("not_of_dialect", "The dialect reference has no till")
        return value

    def settings(self) -> dict[str, Any]:
        till = self.till
        kept = BankSettings(
            dialect=self.dialect,
            base_url=self.base_url,
            wallet_account=self.wallet_account,
            wallet_name=self.wallet_name,
            b2c_account=self.b2c_account,
            b2c_name=self.b2c_name,
            float_account=self.float_account,
            float_name=self.float_name,
            currency=self.currency,
            settlement_window_minutes=self.settlement_window_minutes,
            till_base_url=till.base_url if till else None,
            till_paybill=till.paybill if till else None,
            till_account=till.account if till else None,
            trust=self.trust.message,
        )
        return kept.model_dump(mode="json")

    def secrets_json(self) -> str:
        return BankSecrets(
            username=self.username,
            password=plain(self.password),
            subscription_key=plain(self.subscription_key),
            token=plain(self.token),
            till_username=self.till.username if self.till else None,
            till_password=plain(self.till.password) if self.till else None,
            push_user=self.push_user,
            push_password=plain(self.push_password),
            push_secrets=tuple(secret.get_secret_value() for secret in self.push_secrets),
        ).model_dump_json()
