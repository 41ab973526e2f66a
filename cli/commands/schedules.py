"""`kivuko schedules`: what Temporal runs by the clock (polls, sweeps, the check of the books)."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_database, settings, wait_for
from cli.errors import Failure
from cli.output import AsJson, console, plain, print_json, table
from core.settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

app = typer.Typer(no_args_is_help=True, help="Schedules: list, make, pause, go on, run now.")

ScheduleId = Annotated[str, typer.Argument(help="Such as sweep, books-check, loan-watch/prt_… or payment-pull/prt_…")]


async def _client() -> "Client":
    from temporal.client import connect

    return await connect(settings())


@app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """Every schedule: how often, when last and next, paused or not."""
    rows = wait_for(_listed())
    if as_json:
        print_json(rows)
        return
    console().print(
        table(
            None,
            ["schedule", "workflow", "every", "last run", "next run", "state"],
            [
                (r["id"], r["workflow"], r["every"], r["last_run"], r["next_run"], "paused" if r["paused"] else "on")
                for r in rows
            ],
        )
        if rows
        else "No schedules yet: `kivuko schedules ensure` makes them."
    )


async def _listed() -> list[dict[str, Any]]:
    return await rows_of(await _client())


async def rows_of(client: "Client") -> list[dict[str, Any]]:
    """Every schedule that Temporal has, by id."""
    from temporalio.client import ScheduleActionStartWorkflow

    rows: list[dict[str, Any]] = []
    # Described one by one: the list itself is brought up to date only after a while.
    async for listed in await client.list_schedules():
        described = await client.get_schedule_handle(listed.id).describe()
        action, info = described.schedule.action, described.info
        rows.append(
            {
                "id": listed.id,
                "workflow": str(action.workflow) if isinstance(action, ScheduleActionStartWorkflow) else "?",
                "every": ", ".join(str(interval.every) for interval in described.schedule.spec.intervals),
                "paused": described.schedule.state.paused,
                "note": described.schedule.state.note,
                "runs": info.num_actions,
                "skipped_because_running": info.num_actions_skipped_overlap,
                "last_run": info.recent_actions[-1].started_at if info.recent_actions else None,
                "next_run": info.next_action_times[0] if info.next_action_times else None,
            }
        )
    return sorted(rows, key=lambda row: str(row["id"]))


@app.command()
def ensure(as_json: AsJson = False) -> None:
    """Registers the search attributes and makes every schedule that is missing. Leaves paused ones paused."""
    made = wait_for(_ensure())
    if as_json:
        print_json({"ensured": made})
    else:
        console().print(f"[green]✓[/] {len(made)} schedules are in place: {', '.join(made)}")


async def _ensure() -> list[str]:
    from temporal.search_attributes import ensure_search_attributes

    here, client = settings(), await _client()
    await ensure_search_attributes(client, client.namespace)
    wanted = await expected(here)
    for make in wanted.values():
        await make(client)
    return list(wanted)


async def expected(here: Settings) -> dict[str, Callable[["Client"], Awaitable[None]]]:
    """Every schedule that this installation should have, and what makes it: the house's, and for each active partner what
    its connections ask for. Payments are pulled for a connection to M-Pesa that has a pass key; one that takes paybill
    payments alone gets its schedule when it is registered for them."""
    from models import providers
    from store.platform import partner_admin
    from temporal import schedules

    found: dict[str, Callable[[Client], Awaitable[None]]] = {
        schedules.SWEEP_SCHEDULE: schedules.ensure_house_schedules,
        schedules.BOOKS_SCHEDULE: schedules.ensure_house_schedules,
        schedules.RETENTION_SCHEDULE: schedules.ensure_house_schedules,
        schedules.RECONCILIATION_SCHEDULE: schedules.ensure_house_schedules,
        schedules.REPORT_MAILS_SCHEDULE: schedules.ensure_house_schedules,
    }
    async with open_database(here) as database, database.transaction() as session:
        partners = await partner_admin.page(session, only=None, before=None, limit=10_000)
        for partner in (partner for partner in partners if partner.status == "active"):
            for connection in await partner_admin.connections(session, partner.id):
                provider = connection.provider
                unused = provider == "daraja" and not _prompts(here, connection.sealed)
                if providers.named(provider).watch is None or unused:
                    continue
                make = partial(schedules.ensure_watch, provider=provider, partner_id=partner.id)
                found[schedules.watch_id(provider, partner.id)] = make
    return found


def _prompts(here: Settings, sealed: str) -> bool:
    """Whether a stored connection to M-Pesa has a pass key."""
    from core.crypto import CredentialBox
    from core.errors import NotAllowed
    from models.messages.connections.daraja import DarajaSecrets

    box = CredentialBox([key.get_secret_value() for key in here.security.credential_keys])
    try:
        return DarajaSecrets.model_validate_json(box.open(sealed)).passkey is not None
    except NotAllowed:  # sealed with a key that is lost: new credentials must mend that
        return False


@app.command()
def pause(
    schedule_id: ScheduleId,
    note: Annotated[str, typer.Option(help="Why, for whoever looks next.")] = "paused by an operator",
    as_json: AsJson = False,
) -> None:
    """Stops a schedule until `resume`; a deploy does not start it again."""
    _act(schedule_id, "paused", as_json, note=note)


@app.command()
def resume(schedule_id: ScheduleId, as_json: AsJson = False) -> None:
    """Lets a paused schedule go on."""
    _act(schedule_id, "resumed", as_json)


@app.command()
def trigger(schedule_id: ScheduleId, as_json: AsJson = False) -> None:
    """Runs a schedule's workflow now, besides its times."""
    _act(schedule_id, "triggered", as_json)


def _act(schedule_id: str, deed: str, as_json: bool, *, note: str | None = None) -> None:
    wait_for(_told(schedule_id, deed, note))
    if as_json:
        print_json({"schedule": schedule_id, "state": deed})
    else:
        console().print(f"[green]✓[/] {plain(schedule_id)} {deed}")


async def _told(schedule_id: str, deed: str, note: str | None) -> None:
    from temporalio.service import RPCError, RPCStatusCode

    handle = (await _client()).get_schedule_handle(schedule_id)
    try:
        if deed == "paused":
            await handle.pause(note=note)
        elif deed == "resumed":
            await handle.unpause()
        else:
            await handle.trigger()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise Failure(
                f"No schedule is called {schedule_id}: see `kivuko schedules list`.", code="not_found"
            ) from None
        raise
