"""`kivuko doctor`: looks at everything that Kivuko needs, one line each, and says what to do about what is wrong."""

from typing import Annotated, Any

import typer

from cli.context import reach_of, settings, wait_for
from cli.errors import Failure
from cli.output import AsJson, console, plain, print_json

_MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failing": "[red]✗[/]", "skipped": "[dim]-[/]"}


def doctor(
    ctx: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these: settings, database, temporal, queues, schedules, api, clock, callbacks, partners."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Checks settings, database, Temporal, workers, schedules, API, clock, callback address and every partner's connections.

    Exit code 1 if anything fails; warnings alone are 0.
    """
    from cli.commands.checks import GROUPS, Examination, Finding

    unknown = set(only or ()) - set(GROUPS)
    if unknown:
        raise Failure(f"There is no check called {', '.join(sorted(unknown))}: {', '.join(GROUPS)}.", code="usage")
    out = console()

    def told(finding: Finding) -> None:
        if not as_json:
            hint = f"\n    [dim]{plain(finding.hint)}[/]" if finding.hint else ""
            out.print(f"{_MARKS[finding.state]} {plain(finding.what)}: {plain(finding.detail)}{hint}")

    examination = Examination(settings(), reach_of(ctx), told)
    found = wait_for(examination.run(only or list(GROUPS)))
    bad = [finding for finding in found if finding.state == "failing"]
    if as_json:
        rows: list[dict[str, Any]] = [finding.__dict__ for finding in found]
        print_json({"healthy": not bad, "findings": rows})
    elif bad:
        out.print(f"\n[red]{len(bad)} of {len(found)} checks fail.[/]")
    else:
        out.print(f"\n[green]All {len(found)} checks are done; nothing fails.[/]")
    if bad:
        raise typer.Exit(1)
