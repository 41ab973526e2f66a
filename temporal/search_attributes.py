"""What operators may search sagas by. These values are stored in clear: no phone number, no name, no amount."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

STAGE = SearchAttributeKey.for_keyword("KivukoStage")
PARTNER = SearchAttributeKey.for_keyword("KivukoPartner")
PROVIDER = SearchAttributeKey.for_keyword("KivukoProvider")

ALL = (STAGE, PARTNER, PROVIDER)


async def ensure_search_attributes(client: Client, namespace: str) -> None:
    """Registers what is missing. Safe to run at every start and by several processes at once.

    The development server ignores its `--search-attribute` flags on an existing database file, hence this call.
    """
    known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
    missing = [key.name for key in ALL if key.name not in known.custom_attributes]
    if not missing:
        return
    wanted = dict.fromkeys(missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=namespace, search_attributes=wanted)
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
