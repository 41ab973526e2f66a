"""A partner's connection to the tin, as the platform gives it."""

from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter
from pydantic import Field

from api.http.auth import PartnerWriter
from api.http.dependencies import ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.values import Body, Currency, example
from api.partners.connections import Moved, give
from api.partners.connections_schemas import ConnectionOut, Secret, TrustIn, Url
from api.partners.partners import PartnerId
from models.messages.connections.tin import ACCOUNT, TinSecrets, TinSettings

router = APIRouter(prefix="/api/v1/partners/{partner_id}", tags=["partners"], dependencies=KNOWN_PARAMETERS)


class TinIn(Body):
    """The partner's account at the tin."""

    model_config = example(base_url="https://tin.example", account="TIN-0001", token="…")

    base_url: Url
    account: Annotated[str, Field(strict=True, pattern=ACCOUNT)]
    currency: Currency = "KES"
    token: Secret
    trust: TrustIn = TrustIn()

    provider: ClassVar[Literal["tin"]] = "tin"

    def settings(self) -> dict[str, Any]:
        kept = TinSettings(
            base_url=self.base_url, account=self.account, currency=self.currency, trust=self.trust.message
        )
        return kept.model_dump(mode="json")

    def secrets_json(self) -> str:
        return TinSecrets(token=self.token.get_secret_value()).model_dump_json()


@router.put("/connections/tin", responses=problems(404, 409, *WRITES), summary="Give or rotate the tin's settings")
async def put_tin(
    partner_id: PartnerId, wanted: TinIn, services: ServicesDep, principal: PartnerWriter, moved: Moved = False
) -> ConnectionOut:
    """For the platform alone, since what is announced there is believed. Tried first; the tin must be told its address: see
    `address`."""
    principal.only_platform("A tin connection tells of money, so the platform gives it.")
    return await give(partner_id, wanted, services, principal, moved)
