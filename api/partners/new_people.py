"""People are made with their first key, or before it; either way it is recorded."""

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.partners.keys_schemas import PersonOut
from core.clock import utc_now
from core.ids import PERSON, new_id
from models.tables.platform.security import Person
from store.platform import audit, people


async def person_made(session: AsyncSession, name: str, partner_id: str | None, admin: Principal) -> Person:
    row = Person(
        id=new_id(PERSON), name=name, partner_id=partner_id, created_at=utc_now(), created_by=admin.id
    )  # fmt: skip
    await people.add(session, row)
    after = PersonOut.of(row).model_dump(mode="json")
    await audit.write(session, actor=admin.id, action="people.create", subject=row.id, after=after)
    return row
