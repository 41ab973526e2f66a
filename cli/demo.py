"""`kivuko demo`: the crossing, shown live against the simulators."""

import re
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape

from cli.context import api, settings, wait_for
from cli.crossing import Crossing, Ferry, Trouble
from cli.demo_lender import LENDER
from cli.demo_world import SimulatedWorld
from cli.errors import STDERR, Failure
from cli.follow import Narrator
from cli.output import AsJson, console, money, pairs, print_json
from core.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Shows a flow live against the simulators; needs a running `kivuko up`.")

_TITLES: dict[Trouble, str] = {
    "none": "A loan crosses",
    "lost_callback": "The same, and M-Pesa's callback is lost",
    "unknown_outcome": "The same, and M-Pesa pays without ever answering",
}


@app.callback()
def demo() -> None:
    """Keeps `loan` a command of its own, since more flows follow."""


@app.command()
def loan(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="With a lost callback, then with an unknown outcome.")
    ] = False,
    amount: Annotated[str, typer.Option(help="The principal in KES.")] = "12500",
    product: Annotated[int, typer.Option(help="The loan product's id in Fineract.")] = 1,
    as_json: AsJson = False,
) -> None:
    """An approved loan is paid out by M-Pesa, posted back to Fineract, charged and told, live.

    Exit code 1 if anything is not as promised.
    """
    if not re.fullmatch(r"[1-9]\d{0,6}(\.\d{1,2})?", amount):
        raise Failure("The amount is in KES, such as 12500 or 12500.00.", code="usage")
    here = settings()
    troubles: list[Trouble] = ["lost_callback", "unknown_outcome"] if faults else ["none"]
    out = STDERR if as_json else console()
    crossings: list[Crossing] = []
    with api(ctx) as client, SimulatedWorld(f"http://{here.simulators.host}:{here.simulators.port}") as world:
        partner = next((one for one in client.pages("/partners") if one["name"] == LENDER), None)
        if partner is None:
            raise Failure(f"There is no lender called {LENDER}: `kivuko up` makes it.", code="not_found")
        for trouble in troubles:
            out.print(f"\n[bold]{_TITLES[trouble]}[/]\n")
            ferry = Ferry(client, world, partner["id"], Narrator(out), lambda: wait_for(_poll_now(here, partner["id"])))
            crossing = ferry.cross(amount, product, trouble)
            crossings.append(crossing)
            if not as_json:
                _show(crossing, here)
    kept = all(crossing.as_promised for crossing in crossings)
    if as_json:
        print_json({"as_promised": kept, "crossings": [crossing.plain() for crossing in crossings]})
    elif kept:
        out.print("\n[bold green]Everything is as promised.[/]\n")
    else:
        out.print("\n[bold red]Something is not as promised: see the crosses above.[/]\n")
    if not kept:
        raise typer.Exit(1)


async def _poll_now(here: Settings, partner_id: str) -> None:
    from temporal.client import connect
    from temporal.schedules import trigger_loan_watch

    await trigger_loan_watch(await connect(here), partner_id)


def _show(crossing: Crossing, here: Settings) -> None:
    out = console()
    facts: dict[str, Any] = {
        "Receipt": ", ".join(crossing.receipts),
        "M-Pesa's books": [
            f"KES {row['amount']} to {_masked(row['msisdn'])} from {row['shortcode']}, {row['receipt']}"
            for row in crossing.payouts
        ],
        "Loan in Fineract": f"{crossing.loan_id}, {crossing.loan['status']}",
        "Wallet before": money(crossing.wallet_before["balance"]),
    }
    for line in crossing.charges:
        facts[f"  {line['charge']}"] = money(line["amount"])
    facts["Wallet after"] = money(crossing.wallet_after["balance"])
    for number, message in enumerate(crossing.messages, 1):
        facts[f"SMS {number} ({message['gateway']})"] = message["text"]
    facts["Time"] = f"{crossing.seconds:.1f} s"
    out.print()
    out.print(pairs(None, facts))
    out.print(f"\n[dim]In Temporal[/] {_temporal_link(here, crossing.workflow_id)}\n")
    for promise in crossing.promises:
        mark = "[green]✓[/]" if promise.kept else "[red]✗[/]"
        out.print(f"  {mark} {escape(promise.text)} [dim]({escape(promise.seen)})[/]")


def _masked(phone: str) -> str:
    return f"{phone[:4]}•••••{phone[-3:]}"


def _temporal_link(here: Settings, workflow_id: str) -> str:
    namespace = here.temporal.namespace
    return f"http://127.0.0.1:{here.temporal.ui_port}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}"
