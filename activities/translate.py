"""The one place where our errors become Temporal's: the kind decides what a saga does next, the code which branch it takes.

Rejected    ApplicationError, not retried, category BENIGN (a refusal is business as usual)
Transient   ApplicationError, retried by the activity's policy; a provider's `retry_after` sets the delay
Unknown     ApplicationError, retried only where the policy says that repeating is safe
anything else is a bug: it travels as it is, is retried, and never looks like a refusal
"""

from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from core.errors import KivukoError, Rejected, Throttled, Unknown
from models.messages.errors import ErrorFacts, ErrorKind


def to_application_error(error: KivukoError) -> ApplicationError:
    """Ours, as Temporal carries it: `type` is the code, the only detail is an `ErrorFacts`."""
    kind: ErrorKind = (
        "rejected" if isinstance(error, Rejected) else "unknown" if isinstance(error, Unknown) else "transient"
    )
    facts = ErrorFacts(kind=kind, code=error.code, detail=error.detail, extra=error.extra)
    return ApplicationError(
        error.detail,
        facts.model_dump(),
        type=error.code,
        non_retryable=kind == "rejected",
        next_retry_delay=error.retry_after if isinstance(error, Throttled) else None,
        category=ApplicationErrorCategory.BENIGN if kind == "rejected" else ApplicationErrorCategory.UNSPECIFIED,
    )


class ErrorTranslation(Interceptor):
    """Put on every worker: no activity translates by itself."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Translating(next)


class _Translating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except KivukoError as error:
            raise to_application_error(error) from error
