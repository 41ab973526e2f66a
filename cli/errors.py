"""What people read when a command cannot do what it was asked: one plain sentence, and exit code 1 (2 for bad usage)."""

from typing import Any

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console
from typer.core import TyperGroup

from cli.output import as_json_text, plain
from core.errors import KivukoError

STDERR = Console(stderr=True, highlight=False, emoji=False)


class Failure(Exception):
    """A command failed; `code` is a machine word for `--json`, `extra` small facts."""

    def __init__(self, sentence: str, *, code: str = "failed", **extra: Any) -> None:
        super().__init__(sentence)
        self.sentence, self.code, self.extra = sentence, code, extra


def in_plain_words(error: Exception) -> Failure | None:
    """The failure that this error means for a person; None for a bug, which deserves its traceback."""
    match error:
        case Failure():
            return error
        case KivukoError():
            return Failure(error.detail, code=error.code, **error.extra)
        case ValidationError():
            wrong = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
            return Failure("A setting or an answer is not as it should be. " + "; ".join(wrong), code="invalid")
        case httpx.TransportError():
            return Failure(f"No answer over HTTP: {error}.", code="not_reached")
    return _of_the_servers(error)


def _of_the_servers(error: Exception) -> Failure | None:
    # Looked at by name, since loading Temporal's and PostgreSQL's libraries for every command would cost a second.
    name, module = type(error).__name__, type(error).__module__
    if name in ("PortTaken", "StartFailed"):
        return Failure(str(error), code="not_started")
    if module.startswith("temporalio"):
        hint = " Is `kivuko up` running?" if name in ("RPCError", "RuntimeError") else ""
        return Failure(f"Temporal refused or did not answer: {error}.{hint}", code="temporal")
    if isinstance(error, RuntimeError) and "Failed client connect" in str(error):
        return Failure("Temporal cannot be reached. Is `kivuko up` running?", code="temporal")
    if name in ("OperationalError", "InterfaceError") and module.startswith(("sqlalchemy", "psycopg")):
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return Failure(f"The database cannot be reached: {reason}. Is `kivuko up` running?", code="database")
    return None


def show(failure: Failure, *, as_json: bool) -> None:
    """On standard error; as one JSON object on standard output where the command was asked for JSON."""
    if as_json:
        print(as_json_text({"error": {"code": failure.code, "detail": failure.sentence, **failure.extra}}))
        return
    STDERR.print(f"[red]✗[/red] {plain(failure.sentence)}", markup=True, soft_wrap=True)
    for name, value in failure.extra.items():
        STDERR.print(f"  {plain(name)}: {plain(value)}", soft_wrap=True)


class PlainErrors(TyperGroup):
    """The group that turns every expected error of its commands into a sentence."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            failure = in_plain_words(error)
            if failure is None:
                raise
            show(failure, as_json=bool(ctx.meta.get("kivuko.json")))
            raise typer.Exit(1) from None
