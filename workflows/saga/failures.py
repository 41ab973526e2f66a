"""What an activity's failure means to a saga: its kind and code, never its text."""

from temporalio.exceptions import ActivityError, ApplicationError

from models.messages.errors import ErrorFacts


def facts_of(error: ActivityError) -> ErrorFacts:
    """The facts that `activities/translate.py` put in; anything else (a timeout, a dead worker, a cancellation, a bug
    in an activity) says nothing about the effect and is therefore `unknown`."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.details:
        return ErrorFacts.model_validate(cause.details[0])
    return ErrorFacts(kind="unknown", code="no_result", detail="The step ended without a result.")
