"""`kivuko keys`: API keys, and the keys that seal credentials and payloads."""

import json
import secrets
from typing import Annotated, Final

import typer

from cli.context import api, open_database, settings, wait_for
from cli.output import AsJson, console, pairs, plain, print_json, table
from models.kinds import KINDS, Verb

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke. Sealing keys: generate, rotate.")

_VERBS: Final[tuple[Verb, ...]] = ("read", "write")
_PARTNER_SCOPES: Final = [
    "partners:read",
    "wallets:read",
    *(kind.scope(verb) for kind in KINDS for verb in _VERBS),
]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    partner: Annotated[str | None, typer.Option(help="The partner it belongs to; without one, an admin key.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Whose key it is, such as psn_01ktv…. Default: whose key makes it.")
    ] = None,
    new_person: Annotated[str | None, typer.Option(help="The name of a person who has no key yet.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do, such as disbursements:write; may be given again. Default: admin, or all "
            "that a partner's own back end needs."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Makes an API key and shows it, this once. Where two people are needed, all keys of one person are one, and so are
    the keys that they made."""
    scopes = scope or (_PARTNER_SCOPES if partner else ["admin"])
    whose = {"partner_id": partner, "person": person, "new_person": new_person}
    with api(ctx) as client:
        made = client.post(
            "/keys", {"name": name, "scopes": scopes} | {field: value for field, value in whose.items() if value}
        )
    if as_json:
        print_json(made)
        return
    console().print(pairs(None, made))
    console().print("[yellow]Keep it now: only its hash is stored, and it is never shown again.[/]")


@app.command("list")
def list_keys(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Every API key, without its secret part."""
    with api(ctx) as client:
        rows = list(client.pages("/keys"))
    if as_json:
        print_json(rows)
        return
    columns = ("id", "name", "prefix", "person_id", "partner_id", "scopes", "last_used_at", "revoked_at")
    console().print(
        table(None, [c.replace("_", " ") for c in columns], [[row.get(column) for column in columns] for row in rows])
    )


@app.command()
def revoke(
    ctx: typer.Context, key_id: Annotated[str, typer.Argument(help="Such as key_01ktv…")], as_json: AsJson = False
) -> None:
    """Ends a key at once and for good."""
    with api(ctx) as client:
        answer = client.delete(f"/keys/{key_id}")
    if as_json:
        print_json(answer or {"id": key_id, "revoked": True})
    else:
        console().print(f"[green]✓[/] {plain(key_id)} is revoked")


@app.command()
def generate(as_json: AsJson = False) -> None:
    """Fresh credential, payload, callback and search keys, as lines for .env."""
    from core.clock import utc_now
    from core.crypto import CredentialBox, KeyRing

    name = f"{utc_now():%Y-%m}"
    lines = {
        "KIVUKO_SECURITY__CREDENTIAL_KEYS": json.dumps([CredentialBox.new_key()]),
        "KIVUKO_SECURITY__PAYLOAD_KEYS": json.dumps({name: KeyRing.new_key()}),
        "KIVUKO_SECURITY__PAYLOAD_KEY_ACTIVE": name,
        "KIVUKO_SECURITY__CALLBACK_SECRETS": json.dumps([secrets.token_hex(32)]),
        "KIVUKO_SECURITY__SEARCH_KEYS": json.dumps([secrets.token_hex(32)]),
        "KIVUKO_SMS__REPORT_SECRET": secrets.token_hex(32),
    }
    if as_json:
        print_json(lines)
        return
    print("# Fresh keys. To rotate: put these in front of the old ones, which go on opening what they sealed.")
    for variable, value in lines.items():
        print(f"{variable}={value}")


@app.command()
def bootstrap(as_json: AsJson = False) -> None:
    """Takes over KIVUKO_SECURITY__BOOTSTRAP_ADMIN_KEY as the first admin key; without one, does nothing."""
    here = settings()
    if here.security.bootstrap_admin_key is None:
        done = False
    else:
        wait_for(_bootstrap())
        done = True
    if as_json:
        print_json({"bootstrapped": done})
    else:
        console().print("[green]✓[/] the bootstrap admin key is in place" if done else "No bootstrap key is set.")


async def _bootstrap() -> None:
    from cli.bootstrap import ensure_admin_key

    async with open_database(settings()) as database:
        await ensure_admin_key(settings(), database)


@app.command("rotate-credentials")
def rotate_credentials(as_json: AsJson = False) -> None:
    """Seals everything that rests sealed anew with the first credential key. Run it after putting a new key in front."""
    counts = wait_for(_reseal())
    if as_json:
        print_json({"resealed": counts})
        return
    console().print(pairs(None, counts))
    console().print(f"[green]✓[/] {sum(counts.values())} are sealed with the first key; the old ones may be removed")


async def _reseal() -> dict[str, int]:
    """By column. Raises NotAllowed if something opens with none of the keys."""
    from core.crypto import CredentialBox
    from store.platform.resealing import reseal

    here = settings()
    box = CredentialBox([key.get_secret_value() for key in here.security.credential_keys])
    async with open_database(here) as database:
        return await reseal(database, box)
