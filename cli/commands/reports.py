"""`kivuko report`: what was done on a day, or on several, as tables, or as a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.context import api
from cli.errors import Failure
from cli.files import write_text
from cli.output import AsJson, console, plain, print_json, table
from reports.shapes import Kind


def report(
    ctx: typer.Context,
    kind: Annotated[Kind, typer.Argument(help="Which report.")],
    date: Annotated[str | None, typer.Option(help="The day, such as 2026-11-21; yesterday if none is named.")] = None,
    from_date: Annotated[str | None, typer.Option("--from", help="The first of several days.")] = None,
    to_date: Annotated[str | None, typer.Option("--to", help="The last of them.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only this partner's: its id.")] = None,
    csv: Annotated[str | None, typer.Option(help="Write one table to this file, for spreadsheets.")] = None,
    pdf: Annotated[str | None, typer.Option(help="Write all tables to this file, for printing.")] = None,
    table_name: Annotated[
        str | None, typer.Option("--table", help="Which table: of the CSV, or of the screen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A report of whole local days."""
    path = f"/reports/{kind}"
    asked = {"date": date, "from_date": from_date, "to_date": to_date, "partner_id": partner}
    with api(ctx) as client:
        if csv:
            write_text(csv, client.text(path, format="csv", table=table_name, **asked))
        if pdf:
            _write(pdf, client.content(path, format="pdf", **asked))
        found = None if csv or pdf else client.get(path, **asked)
    if found is None:
        written = [file for file in (csv, pdf) if file]
        print_json({"written": written}) if as_json else console().print(f"[green]✓[/] {', '.join(written)}")
    elif as_json:
        print_json(found)
    else:
        _show(found, table_name)


def _show(found: dict[str, Any], only: str | None) -> None:
    out = console()
    about = found["partner_name"] or "all partners"
    days = found["first_date"] + ("" if found["first_date"] == found["last_date"] else f" to {found['last_date']}")
    out.print(f"[bold]{plain(found['title'])}[/], {plain(about)}, {plain(days)} ({plain(found['timezone'])})")
    for one in found["tables"]:
        if only in (None, one["name"]) and one["rows"]:
            names = [column["name"] for column in one["columns"]]
            titles = [column["title"].lower() for column in one["columns"]]
            out.print(table(f"\n{one['title']}", titles, [[row[name] for name in names] for row in one["rows"]]))


def _write(file: str, content: bytes) -> None:
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.", code="usage") from None
