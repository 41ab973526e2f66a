"""Servers at which partners may prove connections of their own. For the platform alone."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.http.auth import Admin
from api.http.dependencies import ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.partners.vetted_addresses_schemas import VetIn, VettedList, VettedOut
from core.errors import InvalidRequest, NotFound
from core.outside import server_of
from models.providers import VettableName
from store.platform import audit, vetted_addresses

router = APIRouter(prefix="/api/v1/vetted-addresses", tags=["partners"], dependencies=KNOWN_PARAMETERS)

Server = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?$",
        description="`host`, or `host:port` where the port is not the usual one",
        examples=["mifos.jaza.example"],
    ),
]


@router.get("", responses=problems(), summary="Servers that people have vetted")
async def list_vetted_addresses(services: ServicesDep, admin: Admin) -> VettedList:
    async with services.database.transaction() as session:
        return VettedList(items=[VettedOut.of(row) for row in await vetted_addresses.page(session)])


@router.put("/{provider}/{server}", responses=problems(404, *WRITES), summary="Vet a server")
async def vet_address(
    provider: VettableName, server: Server, wanted: VetIn, services: ServicesDep, admin: Admin
) -> VettedOut:
    """Partners' connections there can be proven from now on: `POST …/connections/{provider}/check` tries those that wait."""
    spelt = _spelt(server)
    async with services.database.transaction() as session:
        shown = VettedOut.of(await vetted_addresses.put(session, provider, spelt, note=wanted.note, by=admin.id))
        await audit.write(
            session, actor=admin.id, action="addresses.vet", subject=f"{provider}/{spelt}",
            after=shown.model_dump(mode="json"),
        )  # fmt: skip
    return shown


@router.delete("/{provider}/{server}", responses=problems(404), summary="Vet a server no longer")
async def unvet_address(provider: VettableName, server: Server, services: ServicesDep, admin: Admin) -> VettedOut:
    """What was proven there stays proven; nothing more is."""
    spelt = _spelt(server)
    async with services.database.transaction() as session:
        row = await vetted_addresses.get(session, provider, spelt)
        if row is None:
            raise NotFound("Nobody has vetted that server.", field="server")
        shown = VettedOut.of(row)
        await vetted_addresses.remove(session, row)
        await audit.write(
            session, actor=admin.id, action="addresses.unvet", subject=f"{provider}/{spelt}",
            before=shown.model_dump(mode="json"),
        )  # fmt: skip
    return shown


def _spelt(server: str) -> str:
    try:
        return server_of(f"https://{server}")
    except ValueError:
        raise InvalidRequest("Give a server as host or host:port.", field="server") from None
