"""A payment that somebody recorded in Fineract is told to the customer."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.lending.payment_notice import PaymentNotices
    from models.messages.lending.payment_notice import PaymentRecorded, PaymentTold
    from workflows.saga import policies


@workflow.defn(name="PaymentNotice")
class PaymentNotice:
    """A payment that somebody recorded in Fineract leads to a confirmation, never to a second posting (A11)."""

    @workflow.run
    async def run(self, order: PaymentRecorded) -> PaymentTold:
        return await workflow.execute_activity_method(PaymentNotices.notify_recorded, order, **policies.TELL.options())
