"""`kivuko balances`: what every account holds, read from the ledger itself, and whether the books balance."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_database, settings, wait_for
from cli.output import AsJson, console, money, print_json, table
from cli.output import plain as shown

if TYPE_CHECKING:
    from core.money import Money


@dataclass(frozen=True)
class Books:
    """Everything that one look at the books shows; amounts as {"amount", "currency"}."""

    wallets: list[dict[str, Any]]
    pools: list[dict[str, Any]]
    providers: list[dict[str, Any]]
    open_holds: int
    breaches: list[dict[str, str]] | None = None


def balances(
    check: Annotated[
        bool, typer.Option("--check", help="Verify every rule of the books as well; exit code 1 on a breach.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Wallets, fee and funding pools, and what M-Pesa last told of the lenders' accounts there."""
    books = wait_for(read_books(check=check))
    if as_json:
        print_json({**asdict(books), "balanced": books.breaches == [] if check else None})
    else:
        _show(books)
    if books.breaches:
        raise typer.Exit(1)


async def read_books(*, check: bool) -> Books:
    from sqlmodel import col, select

    from ledger.balances import balances as ledger_balances
    from ledger.balances import open_holds
    from models.tables.platform.partner import Partner
    from models.tables.platform.provider_balance import ProviderBalance

    async with open_database(settings()) as database:
        async with database.transaction() as session:
            accounts = await ledger_balances(session)
            holds = await open_holds(session)
            names = dict((await session.exec(select(Partner.id, Partner.name))).all())
            told = list(await session.exec(select(ProviderBalance).order_by(col(ProviderBalance.partner_id))))
        breaches = await find_breaches(database) if check else None
    wallets, pools = [], []
    for account in accounts:
        kind, _, rest = account.account_id.partition(":")
        row = {"account": account.account_id, "posted": plain(account.posted)}
        if kind == "wallet":
            owner = rest.split(":")[0]
            row |= {"partner": names.get(owner, owner), "partner_id": owner}
            wallets.append(row | {"held": plain(account.held), "available": plain(account.available)})
        else:
            pools.append(row)
    providers = [
        {
            "partner": names.get(row.partner_id, row.partner_id),
            "provider": row.provider,
            "account": row.account,
            "amount": plain_minor(row.amount_minor, row.currency),
            "told_at": row.told_at,
        }
        for row in told
    ]
    return Books(wallets, pools, providers, len(holds), breaches)


async def find_breaches(database: Any) -> list[dict[str, str]]:
    """What is wrong with the books: the ledger's own rules, and open holds that name no living saga (P4)."""
    from ledger.balances import open_holds
    from ledger.invariants import violations
    from store.saga import saga_rows

    async with database.transaction() as session:
        found = [asdict(violation) for violation in await violations(session)]
        holds = await open_holds(session)
        living = await saga_rows.unended(session)
    return found + [
        {"rule": "open_hold_has_a_living_saga", "subject": hold.key, "detail": f"{hold.amount} held for no living saga"}
        for hold in holds
        if hold.workflow_id not in living
    ]


def plain(amount: "Money") -> dict[str, str]:
    return {"amount": str(amount.amount), "currency": amount.currency}


def plain_minor(minor: int, currency: str) -> dict[str, str]:
    from core.money import Money

    return plain(Money(minor, currency))


def _show(books: Books) -> None:
    out = console()
    out.print(
        table(
            "Wallets",
            ["partner", "posted", "held", "available"],
            [(w["partner"], w["posted"], w["held"], w["available"]) for w in books.wallets],
        )
    )
    out.print(table("\nPools", ["account", "balance"], [(p["account"], p["posted"]) for p in books.pools]))
    if books.providers:
        out.print(
            table(
                "\nAt the providers, as last told",
                ["partner", "provider", "account", "amount", "at"],
                [
                    (p["partner"], p["provider"], p["account"], money(p["amount"]), p["told_at"])
                    for p in books.providers
                ],
            )
        )
    out.print(f"\n{books.open_holds} open hold{'' if books.open_holds == 1 else 's'}")
    if books.breaches is None:
        return
    if not books.breaches:
        out.print("[green]✓ The books balance.[/]")
        return
    out.print(f"[red]✗ The books do not balance: {len(books.breaches)} breaches.[/]")
    for breach in books.breaches:
        out.print(f"  [red]{shown(breach['rule'])}[/] {shown(breach['subject'])}: {shown(breach['detail'])}")
