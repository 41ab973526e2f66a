"""The step that books money in a core bank which has moved already: tried for ever under one key, fast at first, then slowly
with an open case, until the core bank takes it or a person says that they booked it by hand."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.messages.errors import ErrorFacts
    from models.messages.saga.decisions import Resolution
    from workflows.saga.base import Saga, StepFailed

Posted = TypeVar("Posted")


class PostingStep(Generic[Posted]):
    """`post` books under the given key number; `by_hand` is what a person's booking counts as; `review` records why it does
    not go, and when it is tried again. `question` names the step to people while it is in review."""

    def __init__(
        self,
        saga: Saga,
        question: str,
        post: Callable[[int], Awaitable[Posted]],
        *,
        by_hand: Callable[[Resolution], Posted],
        review: Callable[[ErrorFacts, int, datetime], Awaitable[None]],
        again_every: timedelta,
        retry: Callable[[], bool],
    ) -> None:
        self.saga, self._question, self.post, self.by_hand, self.review = saga, question, post, by_hand, review
        self.again_every, self.retry = again_every, retry
        self.in_review = False
        self._said: Resolution | None = None

    async def run(self) -> Posted:
        self.saga.enter("posting")
        key_number = 1
        while True:
            try:
                return await self.post(key_number)
            except StepFailed as failed:
                reason = failed.reason
            if reason.extra.get("new_key") == "yes":
                key_number += 1  # the core bank replays a stored failure under the same key for ever
            await self._wait_for_better_times(reason, key_number)
            if self._said is not None:
                return self.by_hand(self._said)

    async def _wait_for_better_times(self, reason: ErrorFacts, key_number: int) -> None:
        self.in_review = True
        self.saga.enter("post_review", searchable=True)
        await self.review(reason, key_number, workflow.now() + self.again_every)
        await self.saga.until(
            lambda: self._said or self.retry(),
            timeout=self.again_every,
            waiting_for="Fineract to take the posting, or an operator who posted it by hand",
        )
        self.in_review = False
        self.saga.enter("posting", searchable=True)

    @property
    def question(self) -> str | None:
        return self._question if self.in_review else None

    def resolve(self, said: Resolution) -> None:
        """A person booked it."""
        self._said = said
