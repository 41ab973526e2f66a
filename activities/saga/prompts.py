"""Prompts to payers by any rail: written down before they leave, sent once, queried after. Runs on the provider's queue."""

from dataclasses import dataclass

from temporalio import activity

from activities.clients.callback_urls import CallbackUrls
from activities.clients.connections import Connections
from activities.saga.send_errors import block_if_needed, state_after
from core.crypto import CallbackRoute
from core.errors import KivukoError
from core.recovery import RecoveryWindow
from models.messages.saga.prompts import PromptQueried, PromptSent, QueryPrompt, SendPrompt
from providers.collecting import PromptOrder, PromptQuery
from store.database import Database
from store.saga import prompts, saga_rows, timeline


@dataclass(frozen=True)
class Prompts:
    database: Database
    connections: Connections
    urls: CallbackUrls
    recovery: tuple[RecoveryWindow, ...] = ()

    @activity.defn(name="prompts.send")
    async def send(self, order: SendPrompt) -> PromptSent:
        """Writes the prompt, commits, sends once. The caller gives it one attempt.

        Raises Rejected or Transient only if it is certain that no prompt left; everything else counts as maybe sent.
        """
        instruction, reference = order.instruction, order.reference
        async with self.database.transaction() as session:
            rail = await self.connections.collection_rail(session, instruction.provider, instruction.partner_id)
            await prompts.begin(session, order, recovery=self.recovery)
            await saga_rows.change(session, instruction.workflow_id, stage="prompting")
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:send",
                f"Asking {instruction.msisdn.masked} for {instruction.amount}, code {instruction.payer_reference}.",
                reference=reference,
            )  # fmt: skip
        try:
            accepted = await rail.send(
                PromptOrder(
                    reference=reference,
                    msisdn=instruction.msisdn,
                    amount=instruction.amount,
                    payer_reference=instruction.payer_reference,
                    description=instruction.description,
                    callback_url=self.urls.of(instruction.provider).prompt(
                        CallbackRoute(instruction.workflow_id, reference)
                    ),
                    send_by=order.send_by,
                )
            )
        except KivukoError as error:
            await self._mark_error(reference, error)
            await block_if_needed(self.database, instruction.partner_id, instruction.provider, error)
            raise
        async with self.database.transaction() as session:
            await prompts.mark(session, reference, "asked", provider_reference=accepted.provider_reference)
        return PromptSent(reference=reference, provider_reference=accepted.provider_reference)

    @activity.defn(name="prompts.query")
    async def query(self, order: QueryPrompt) -> PromptQueried:
        """Asks the provider what became of a prompt. Without its acknowledgement there is no id to ask by: then nothing is
        said. If no row of it was ever written it never left, and a fence makes sure that it never will."""
        instruction, reference = order.instruction, order.reference
        async with self.database.transaction() as session:
            if await prompts.fence(session, order, recovery=self.recovery):
                return PromptQueried(never_sent=True)
            prompt = await prompts.get(session, reference)
            assert prompt is not None
            await prompts.query_next(session, reference, order.again_at)
            if prompt.provider_reference is None:
                return PromptQueried()
            rail = await self.connections.collection_rail(session, instruction.provider, instruction.partner_id)
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:query",
                f"No answer of the payer yet: asking {rail.title} what became of the prompt.", reference=reference,
            )  # fmt: skip
        report = await rail.query(PromptQuery(reference, prompt.provider_reference))
        return PromptQueried(report=report.about(reference))

    async def _mark_error(self, reference: str, error: KivukoError) -> None:
        async with self.database.transaction() as session:
            await prompts.mark(session, reference, state_after(error), code=error.code, detail=error.detail[:500])
