"""`kivuko cases unknown|ask|resolve`: what was sent to a provider and never answered."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cli import files
from cli.context import api
from cli.errors import Failure
from cli.output import AsJson, coloured, console, plain, print_json, table
from core import csv_files, desk_files
from core.csv_files import BadFile, Line
from core.desk_files import DECISION_COLUMNS, Decided

_COLOURS = {"asked": "green", "taken": "green", "saga_ended": "dim", "not_waiting": "dim", "busy": "yellow"}

Minutes = Annotated[int, typer.Option(min=0, help="Only what nobody has told anything of for so long.")]
Partner = Annotated[str | None, typer.Option(help="Of this partner only.")]


def unknown(
    ctx: typer.Context,
    minutes: Minutes = 5,
    partner: Partner = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    csv: Annotated[str | None, typer.Option(help="Write the file to fill in for `cases resolve`.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was sent and never answered, the oldest first."""
    with api(ctx) as client:
        if csv is not None:
            text = client.text("/unknown-outcomes/export", minutes=minutes, partner_id=partner)
            files.write_text(csv, text)
            count = files.count_rows(text)
            if as_json:
                print_json({"file": csv, "rows": count})
            else:
                console().print(f"[green]✓[/] {count} rows in {plain(csv)}; fill in decision, receipt and evidence")
            return
        rows = client.get("/unknown-outcomes", minutes=minutes, partner_id=partner, limit=limit)["items"]
    if as_json:
        print_json(rows)
    elif not rows:
        console().print(f"[green]✓[/] nothing is without an answer for {minutes} minutes")
    else:
        console().print(
            table(
                None,
                ["reference", "amount", "to", "age", "stage", "saga", "case", "provider's"],
                [
                    (row["reference"], row["amount"], row["to"], _age(row["age_seconds"]), row["saga"]["stage"],
                     row["saga"]["id"], row["case_id"], row["provider_reference"])
                    for row in rows
                ],
            )
        )  # fmt: skip


def ask(
    ctx: typer.Context,
    references: Annotated[
        list[str] | None, typer.Argument(help="Ours or the provider's: pay_…-a1, a conversation id.")
    ] = None,
    csv: Annotated[str | None, typer.Option(help="A file of one column, with or without a header.")] = None,
    as_json: AsJson = False,
) -> None:
    """Has the sagas of these references ask the provider now; exit code 1 if one could not."""
    if (csv is None) == (not references):
        raise Failure("Give references, or a file of them: --csv.", code="usage")
    lines = [Line(number, {"reference": name}) for number, name in enumerate(references or [], start=1)]
    if csv is not None:
        try:
            lines = desk_files.references(files.read_bytes(csv))
        except BadFile as error:
            raise files.wrong(csv, error) from None
    with api(ctx) as client:

        def send(part: Sequence[Line]) -> list[dict[str, Any]]:
            wanted = [line.cells["reference"] for line in part]
            answers: list[dict[str, Any]] = client.post("/unknown-outcomes/ask", {"references": wanted})["items"]
            return [{**row, "line": line.number} for row, line in zip(answers, part, strict=True)]

        answers, stopped = files.in_parts(lines, send, "Asking the providers")
    _tell(answers, stopped, "asked", len(lines), as_json)


def resolve(
    ctx: typer.Context,
    csv: Annotated[str, typer.Option(help="Columns reference, decision, receipt, evidence.")],
    as_json: AsJson = False,
) -> None:
    """Decides, with evidence, row by row of a file; exit code 1 if a row was not taken."""
    try:
        wanted = desk_files.decisions(files.read_bytes(csv))
    except BadFile as error:
        raise files.wrong(csv, error) from None
    with api(ctx) as client:

        def send(part: Sequence[Decided]) -> list[dict[str, Any]]:
            cells = [(row.reference, row.decision, row.receipt, row.evidence) for row in part]
            answers: list[dict[str, Any]] = client.post_csv(
                "/unknown-outcomes/resolve", csv_files.exactly(DECISION_COLUMNS, cells)
            )["items"]
            return [{**told, "line": row.line} for told, row in zip(answers, part, strict=True)]

        answers, stopped = files.in_parts(wanted, send, "Deciding")
    _tell(answers, stopped, "taken", len(wanted), as_json)


def _tell(answers: list[dict[str, Any]], stopped: Failure | None, good: str, count: int, as_json: bool) -> None:
    done = sum(row["result"] == good for row in answers)
    if as_json and stopped is None:
        print_json(answers)
    elif not as_json and answers:
        console().print(
            table(
                None,
                ["line", "reference", "result", "why", "saga"],
                [
                    (row["line"], row["reference"], coloured(row["result"], _COLOURS.get(row["result"], "red")),
                     row["detail"], (row["saga"] or {}).get("id"))
                    for row in answers
                ],
            )
        )  # fmt: skip
        console().print(f"{done} of {count} {good}")
    if stopped is not None:
        # What was answered before it stopped must not be lost to whoever has to go on.
        raise Failure(
            f"{stopped.sentence} {len(answers)} of {count} rows were answered before that.", code=stopped.code,
            **stopped.extra, answered=answers if as_json else len(answers),
        )  # fmt: skip
    if done < count:
        raise typer.Exit(1)


def _age(seconds: int) -> str:
    minutes, hours = seconds // 60, seconds // 3600
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
