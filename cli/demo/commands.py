"""`kivuko demo`: flows, shown live against the simulators; each ends with its promises, held against everybody's books."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from cli.context import wait_for
from cli.demo.guide import Guide, guided
from cli.demo.loan_disbursement import Crossing, Ferry, Trouble
from cli.demo.promises import Scene, conclude, masked, show
from cli.errors import STDERR, Failure
from cli.output import AsJson, console, money
from core.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Shows a flow live against the simulators; needs a running `kivuko up`.")

_TITLES: dict[Trouble, str] = {
    "none": "A loan crosses",
    "lost_callback": "The same, and M-Pesa's callback is lost",
    "unknown_outcome": "The same, and M-Pesa pays without ever answering",
}
_MONEY: Final = r"[1-9]\d{0,6}(\.\d{1,2})?"
_SHILLINGS: Final = r"[1-9]\d{0,5}"


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
    _check(amount, _MONEY, "12500 or 12500.00")
    troubles: list[Trouble] = ["lost_callback", "unknown_outcome"] if faults else ["none"]
    out = _live(as_json)
    crossings: list[Crossing] = []
    with guided(ctx, out) as guide:
        for trouble in troubles:
            guide.begin(_TITLES[trouble])
            ferry = Ferry(
                guide.api, guide.world, guide.partner_id, guide.narrator,
                lambda: wait_for(_poll_now(guide.here, guide.partner_id)),
            )  # fmt: skip
            crossing = ferry.cross(amount, product, trouble)
            crossings.append(crossing)
            if not as_json:
                show(_facts(crossing), [crossing.workflow_id], crossing.promises, guide.here)
    conclude(crossings, as_json=as_json, named="crossings")


@app.command()
def topup(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="Told three times; late, after a forgery; without a code.")
    ] = False,
    amount: Annotated[str, typer.Option(help="What is paid in, in KES.")] = "2500",
    as_json: AsJson = False,
) -> None:
    """A lender announces money, somebody pays it in at the bank under its code, the wallet grows by it once, live.

    Exit code 1 if anything is not as promised.
    """
    from cli.demo.wallet_top_up import TITLES, TopUpDemo

    _check(amount, _MONEY, "2500 or 2500.00")
    names = ["told_twice", "late_and_forged", "no_code"] if faults else ["announced"]
    _play(ctx, lambda guide: TopUpDemo(guide).play, names, TITLES, amount, as_json)


@app.command("float")
def float_(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="A wrong code, a bank that does not answer, a float that is rejected.")
    ] = False,
    amount: Annotated[str, typer.Option(help="The float in KES.")] = "2000",
    as_json: AsJson = False,
) -> None:
    """A lender buys M-Pesa float from its wallet; one of its people confirms it with the code of an SMS, live.

    Exit code 1 if anything is not as promised.
    """
    from cli.demo.float_purchase import TITLES, FloatDemo

    _check(amount, _MONEY, "2000 or 2000.00")
    names = ["silent_transfer", "rejected", "bought_after_all"] if faults else ["bought"]
    _play(ctx, lambda guide: FloatDemo(guide).play, names, TITLES, amount, as_json)


@app.command()
def collect(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="Announcements lost, doubled and shuffled; an account that nobody has.")
    ] = False,
    amount: Annotated[str, typer.Option(help="What the borrower pays, in whole KES.")] = "1000",
    as_json: AsJson = False,
) -> None:
    """A borrower pays a loan back, prompted on the phone and by paybill; Fineract books each payment once, live.

    Exit code 1 if anything is not as promised.
    """
    from cli.demo.customer_collection import TITLES, CollectDemo

    _check(amount, _SHILLINGS, "1000")
    lost: list[str] = ["lost_callback", "doubled_and_shuffled", "lost_confirmation", "unknown_account"]
    _play(ctx, lambda guide: CollectDemo(guide).play, lost if faults else ["paid"], TITLES, amount, as_json)


def _play(
    ctx: typer.Context,
    demo: Callable[[Guide], Callable[[str, str], Scene]],
    names: list[str],
    titles: Mapping[str, str],
    amount: str,
    as_json: bool,
) -> None:
    """Every scene, its facts and promises, the verdict."""
    scenes: list[Scene] = []
    with guided(ctx, _live(as_json)) as guide:
        play = demo(guide)
        for name in names:
            guide.begin(titles[name])
            scene = play(name, amount)
            scenes.append(scene)
            if not as_json:
                show(scene.facts, scene.workflow_ids, scene.promises, guide.here)
    conclude(scenes, as_json=as_json)


def _live(as_json: bool) -> Console:
    """Where the story is told: with `--json` standard output belongs to the answer."""
    return STDERR if as_json else console()


def _check(amount: str, pattern: str, such_as: str) -> None:
    if not re.fullmatch(pattern, amount):
        raise Failure(f"The amount is in KES, such as {such_as}.", code="usage")


async def _poll_now(here: Settings, partner_id: str) -> None:
    from temporal.client import connect
    from temporal.schedules import trigger_watch

    await trigger_watch(await connect(here), "fineract", partner_id)


def _facts(crossing: Crossing) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "Receipt": ", ".join(crossing.receipts),
        "M-Pesa's books": [
            f"KES {row['amount']} to {masked(row['msisdn'])} from {row['shortcode']}, {row['receipt']}"
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
    return facts
