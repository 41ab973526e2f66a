"""Reports by email."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.scheduled.report_mails import ReportMails
    from models.messages.housekeeping import ReportsMailed
    from workflows.saga import policies


@workflow.defn(name="ReportsDue")
class ReportsDue:
    """Every hour: writes the mails of those whose hour it is (schedule `report-mails`)."""

    @workflow.run
    async def run(self) -> ReportsMailed:
        return await workflow.execute_activity_method(ReportMails.mail_due, **policies.SWEEP.options())
