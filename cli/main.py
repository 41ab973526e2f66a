"""`kivuko`: one program for the people who run the payments. Every command takes `--json`; errors are one plain sentence.

Commands are loaded with their module; what they need of Temporal or PostgreSQL is imported inside them, so that
`kivuko --help` answers at once and a production image needs none of the local servers.
"""

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from cli.commands import (
    approvals,
    attention,
    balances,
    bulk,
    cases,
    db,
    doctor,
    find,
    keys,
    monitor,
    partners,
    people,
    reconcile,
    reports,
    sagas,
    schedules,
    services,
    tariffs,
    up,
)
from cli.context import Reach
from cli.demo import commands
from cli.errors import PlainErrors
from core.logs import configure_logs
from core.settings import installed_version
from models.kinds import KINDS

app = typer.Typer(
    name="kivuko",
    cls=PlainErrors,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},  # every command inherits it
    pretty_exceptions_enable=False,  # pages of frames; locals hold secrets and phone numbers
    help="Durable mobile-money payments: start the stack, pay loans out, take money in, watch, check.",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"kivuko {installed_version()}")
        raise typer.Exit


@app.callback()
def reach(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
    url: Annotated[str | None, typer.Option(envvar="KIVUKO_URL", help="The API's address.")] = None,
    key: Annotated[str | None, typer.Option(envvar="KIVUKO_KEY", help="The API key to speak with.")] = None,
) -> None:
    # What we call may log; standard output belongs to the answer.
    configure_logs("console", "WARNING")
    ctx.obj = Reach(url=url, key=key)


app.command("up")(up.up)
app.add_typer(commands.app, name="demo")
app.command("api", rich_help_panel="Processes")(services.api)
app.command("worker", rich_help_panel="Processes")(services.worker)
app.command("simulators", rich_help_panel="Processes")(services.simulators)
for kind in KINDS:
    import_module(f"cli.commands.{kind.leaf}").add_to(app)
app.command("watch", rich_help_panel="Payments")(sagas.watch)
app.command("retry", rich_help_panel="Payments")(sagas.retry)
app.command("cancel", rich_help_panel="Payments")(sagas.cancel)
app.command("balances", rich_help_panel="Payments")(balances.balances)
app.command("find", rich_help_panel="Payments")(find.find)
app.command("attention", rich_help_panel="Payments")(attention.attention)
app.command("reconcile", rich_help_panel="Payments")(reconcile.reconcile)
app.command("report", rich_help_panel="Payments")(reports.report)
app.command("monitor", rich_help_panel="Payments")(monitor.monitor)
app.add_typer(cases.app, name="cases", rich_help_panel="Payments")
app.add_typer(bulk.app, name="bulk", rich_help_panel="Payments")
app.add_typer(approvals.app, name="approvals", rich_help_panel="Payments")
app.add_typer(partners.app, name="partner", rich_help_panel="Administration")
app.add_typer(tariffs.app, name="tariffs", rich_help_panel="Administration")
app.add_typer(keys.app, name="keys", rich_help_panel="Administration")
app.add_typer(people.app, name="people", rich_help_panel="Administration")
app.add_typer(schedules.app, name="schedules", rich_help_panel="Administration")
app.add_typer(db.app, name="db", rich_help_panel="Administration")
app.command("doctor", rich_help_panel="Administration")(doctor.doctor)


def main() -> None:
    """The script's entry. Ends without an interpreter shutdown, which Temporal's threads can crash."""
    code = 0
    try:
        app()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the reader of our pipe has gone
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    main()
