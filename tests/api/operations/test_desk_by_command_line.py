"""The command line against the real API: what it sends is what is taken."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.api.conftest import ADMIN_KEY
from tests.api.operations.test_unknown_outcomes import in_review
from tests.support.house import House


async def kivuko(house: House, *words: str) -> Result:
    reach = ("--url", house.api_url, "--key", ADMIN_KEY)
    return await asyncio.to_thread(CliRunner().invoke, app, [*reach, *words])


async def answer(house: House, *words: str) -> Any:
    done = await kivuko(house, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def test_a_silent_payout_is_found_decided_from_the_exported_file_and_its_case_closes(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=50)
    started, attempt = await in_review(house)
    (payout,) = await house.payouts()

    (case,) = await answer(house, "cases", "list", "--kind", "payout_unknown")
    assert (await answer(house, "cases", "take", case["id"]))["owner"] == (
        await answer(house, "cases", "list", "--owner", "me")
    )[0]["owner"]
    shown = await kivuko(house, "cases", "show", case["id"])
    assert f"kivuko cases act {case['id']} paid" in shown.stdout
    assert attempt.reference in shown.stdout

    assert await answer(house, "cases", "unknown", "--minutes", "0", "--csv", "out.csv") == {
        "file": "out.csv", "rows": 1,
    }  # fmt: skip
    (row,) = csv.DictReader(io.StringIO((tmp_path / "out.csv").read_bytes().decode(), newline=""))
    row |= {"decision": "paid", "receipt": payout["receipt"], "evidence": "portal, 21 November, line 14"}
    with (tmp_path / "in.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    (taken,) = await answer(house, "cases", "resolve", "--csv", "in.csv")
    assert (taken["result"], taken["line"], taken["saga"]["id"]) == ("taken", 2, started.disbursement_id)
    assert (await house.result(started)).receipts == (payout["receipt"],)
    assert (await answer(house, "cases", "show", case["id"]))["state"] == "closed"

    late = await kivuko(house, "cases", "ask", attempt.reference)
    assert late.exit_code == 1
    assert "saga_ended" in late.stdout


async def test_tariffs_are_imported_from_a_file_and_its_mistakes_told(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "tariffs.csv"
    file.write_text(
        "charge,currency,from,to,fee,valid_from\n"
        "bank_transfer,KES,0,5000,20,2027-01-01T00:00:00+03:00\n"
        "bank_transfer,KES,5000.02,9000,30,2027-01-01T00:00:00+03:00\n"
    )
    failed = await kivuko(house, "tariffs", "import", "--csv", str(file))
    assert failed.exit_code == 1
    assert "line 3.from" in failed.stderr
    file.write_text(file.read_text().replace("5000.02", "5000.01"))
    assert await answer(house, "tariffs", "import", "--csv", str(file)) == {"bands": 2}
    assert await answer(house, "tariffs", "import", "--csv", str(file)) == {"bands": 0}
    listed = await answer(house, "tariffs", "list", "--charge", "bank_transfer")
    new = [row["fee"]["amount"] for row in listed if row["valid_from"] == "2026-12-31T21:00:00Z"]
    assert sorted(new) == ["20.00", "30.00"]
