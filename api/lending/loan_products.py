"""The partner's loan products: fetched from Fineract, enabled and limited here."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http.auth import PartnerReader, PartnerWriter
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.values import BIGINT
from api.lending.loan_products_schemas import ProductLimits, ProductList, ProductOut, ProductsFetched
from api.partners import connection_jobs
from api.partners.partners import PartnerId
from core.errors import InvalidRequest, NotFound
from models.messages.lending.loan_watch import ProductsSynced, SyncProducts
from store.lending import loan_products
from store.platform import audit, partners

router = APIRouter(
    prefix="/api/v1/partners/{partner_id}/loan-products",
    tags=["loan products"],
    dependencies=KNOWN_PARAMETERS,
)

ProductId = Annotated[int, Path(ge=1, le=BIGINT)]


@router.post(
    "/fetch",
    response_model=ProductsFetched,
    responses=problems(404, "already_running", "idempotency_key_reused", 502),
    summary="Fetch the products from the partner's Fineract",
)
async def fetch_loan_products(
    partner_id: PartnerId, services: ServicesDep, principal: PartnerWriter, once: Idempotent
) -> Response:
    """New products come disabled; known ones keep their limits. Asking twice at once is one fetch."""
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        await partners.get(session, partner_id)
        await partners.connection(session, partner_id, "fineract")
    synced = await connection_jobs.run_job(
        services.client,
        "LoanProductSync",
        SyncProducts(partner_id=partner_id),
        workflow_id=f"loan-product-sync/{partner_id}",
        result=ProductsSynced,
        seconds=services.settings.api.max_wait_seconds,
        join=True,
    )
    async with services.database.transaction() as session:
        await audit.write(
            session,
            actor=principal.id,
            action="loan_products.fetch",
            subject=partner_id,
            after=synced.model_dump(mode="json"),
        )
        return await once.reply(session, ProductsFetched(found=synced.found, new=synced.new), status=200)


@router.get("", responses=problems(404), summary="The partner's products")
async def list_loan_products(partner_id: PartnerId, services: ServicesDep, principal: PartnerReader) -> ProductList:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        await partners.get(session, partner_id)
        rows = await loan_products.of_partner(session, partner_id)
    return ProductList(items=[ProductOut.of(row) for row in rows])


@router.put("/{product_id}", responses=problems(404, *WRITES), summary="Enable a product and set its limits")
async def set_loan_product(
    partner_id: PartnerId, product_id: ProductId, wanted: ProductLimits, services: ServicesDep, principal: PartnerWriter
) -> ProductOut:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        row = await loan_products.get(session, partner_id, product_id, for_update=True)
        if row is None:
            raise NotFound("The partner has no such product; fetch its products first.", field="product_id")
        check_limits(wanted, row.currency)
        before = ProductOut.of(row)
        row.enabled, row.above_maximum = wanted.enabled, wanted.above_maximum
        row.may_go_early = wanted.may_go_early
        row.min_minor, row.max_minor = wanted.minimum.money.minor, wanted.maximum.money.minor
        row.daily_minor = wanted.daily_limit.money.minor if wanted.daily_limit else None
        session.add(row)
        after = ProductOut.of(row)
        await audit.write(
            session,
            actor=principal.id,
            action="loan_products.set",
            subject=f"{partner_id}/{product_id}",
            before=before.model_dump(mode="json"),
            after=after.model_dump(mode="json"),
        )
    return after


def check_limits(wanted: ProductLimits, currency: str) -> None:
    """Raises InvalidRequest, naming the field."""
    for field in ("minimum", "maximum", "daily_limit"):
        money = getattr(wanted, field)
        if money is not None and money.currency != currency:
            raise InvalidRequest(
                f"The product's currency is {currency}.", code="currency_differs", field=f"{field}.currency"
            )
    if wanted.maximum.money < wanted.minimum.money:
        raise InvalidRequest("The maximum is below the minimum.", code="below_minimum", field="maximum")
