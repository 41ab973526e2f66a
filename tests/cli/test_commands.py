"""What commands send, what they print, and in which words they fail."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from cli.commands.checks import schedule_finding
from cli.context import write_secret
from cli.demo.promises import temporal_link
from cli.main import app
from core.crypto import KeyRing
from core.settings import Settings, get_settings, installed_version
from tests.cli.conftest import Answering, Run
from tests.support.production import production_settings

DSB = "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0"
PRT = "prt_01ktv0r5m8e9a7d3c2b4x6y8z0"


def row(stage: str, **more: Any) -> dict[str, Any]:
    return {"id": DSB, "loan_id": 91, "stage": stage, "receipts": [], "created_at": "2026-11-21T06:14:03Z", **more}


def event(key: str, text: str, tone: str = "info", **facts: str) -> dict[str, Any]:
    return {"key": key, "at": "2026-11-21T06:14:03.5Z", "tone": tone, "text": text, "facts": facts}


def test_help_names_every_command(run: Run) -> None:
    shown = run("--help").output
    for name in ("up", "demo", "api", "worker", "simulators", "db", "schedules", "keys", "partner", "disburse", "watch",
                 "resolve", "retry", "cancel", "topups", "floats", "collections", "balances", "cases", "doctor"):  # fmt: skip
        assert re.search(rf"\b{name}\b", shown), name


@pytest.mark.parametrize(
    "words", [[], ["cases"], ["cases", "list"], ["demo", "loan"], ["watch"], ["partner", "create"]]
)
def test_h_is_help_everywhere(run: Run, words: list[str]) -> None:
    short, long = run(*words, "-h"), run(*words, "--help")
    assert short.exit_code == 0
    assert short.stdout == long.stdout
    assert "Usage" in short.stdout


def test_the_version_is_said(run: Run) -> None:
    said = run("--version")
    assert (said.exit_code, said.stdout) == (0, f"kivuko {installed_version()}\n")


@pytest.mark.parametrize(
    ("address", "ui_port", "link"),
    [
        (None, None, "http://127.0.0.1:8233/namespaces/default/workflows/loan%2F1"),
        ("127.0.0.1:7233", None, "http://127.0.0.1:8233/namespaces/default/workflows/loan%2F1"),
        ("temporal.internal:7233", None, None),  # nobody knows where its UI is
        ("127.0.0.1:9999", None, None),
        ("temporal.internal:7233", 8080, "http://temporal.internal:8080/namespaces/default/workflows/loan%2F1"),
        ("kivuko.a1b2.tmprl.cloud:7233", None, "https://cloud.temporal.io/namespaces/default/workflows/loan%2F1"),
    ],
)
def test_a_demos_link_follows_temporals_address(
    monkeypatch: pytest.MonkeyPatch, address: str | None, ui_port: int | None, link: str | None
) -> None:
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    if address:
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    here = Settings(_env_file=None, **({"temporal": {"ui_port": ui_port}} if ui_port else {}))  # type: ignore[arg-type]
    assert temporal_link(here, "loan/1") == link


def test_every_command_takes_json() -> None:
    """The three that become another process have nothing to say."""
    commands = [(info.name, info.callback) for info in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        commands += [(f"{group.name} {info.name}", info.callback) for info in group.typer_instance.registered_commands]
    silent = {name for name, callback in commands if callback and "as_json" not in callback.__annotations__}
    assert silent == {"api", "worker", "simulators"}


# ------------------------------------------------------------------------------------------------------ where it looks


def test_without_a_stack_a_command_says_what_to_do(run: Run) -> None:
    failed = run("partner", "list")
    assert failed.exit_code == 1
    assert "No API key: give --key or KIVUKO_KEY" in failed.stderr
    assert failed.stdout == ""


def test_an_api_that_is_not_there_is_one_sentence(run: Run) -> None:
    failed = run("--key", "kvk_a_b", "partner", "list")
    assert failed.exit_code == 1
    assert "The API does not answer at http://127.0.0.1:1. Is `kivuko up` running?" in failed.stderr


def test_a_database_that_nobody_named_is_one_sentence(run: Run) -> None:
    failed = run("balances", "--check", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["error"]["code"] == "no_database"


def test_a_temporal_that_is_not_there_is_one_sentence(run: Run) -> None:
    failed = run("schedules", "list")
    assert failed.exit_code == 1
    assert "Temporal cannot be reached. Is `kivuko up` running?" in failed.stderr
    assert "Traceback" not in failed.output


def test_the_socket_of_the_local_stack_is_found_by_its_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".kivuko").mkdir()
    (tmp_path / ".kivuko" / "database.url").write_text("postgresql://postgres@/kivuko?host=%2Fsomewhere&port=5432\n")
    assert run("db", "url").stdout == "postgresql://postgres@/kivuko?host=%2Fsomewhere&port=5432\n"


def test_a_database_that_was_named_outranks_the_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".kivuko").mkdir()
    (tmp_path / ".kivuko" / "database.url").write_text("postgresql://local/kivuko")
    monkeypatch.setenv("KIVUKO_DATABASE__URL", "postgresql://elsewhere/kivuko")
    assert run("db", "url", "--json").stdout == '{\n  "url": "postgresql://elsewhere/kivuko"\n}\n'


def test_the_key_that_up_wrote_is_used(
    run: Run, answering: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KIVUKO_KEY")
    write_secret(tmp_path / ".kivuko" / "admin.key", "kvk_c_d")
    answering.will(200, {"items": [], "next_cursor": None})
    assert run("partner", "list", "--json").stdout == "[]\n"
    assert answering.asked[0][3]["Authorization"] == "Bearer kvk_c_d"


def test_a_secret_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "admin.key"
    file.parent.mkdir()
    file.write_text("an older one, open to all")
    file.chmod(0o666)
    write_secret(file, "kvk_c_d")
    assert (stat.S_IMODE(file.stat().st_mode), file.read_text()) == (0o600, "kvk_c_d\n")


# ------------------------------------------------------------------------------------------------------- problem words


def test_a_problem_is_told_with_the_field_and_the_rule(run: Run, answering: Answering) -> None:
    problem = {
        "type": "/problems/validation_failed", "title": "The request breaks a rule", "status": 422,
        "detail": "1 field breaks a rule.", "code": "validation_failed",
        "errors": [{"field": "loan_id", "rule": "greater_than_equal", "detail": "Give 1 or more"}],
    }  # fmt: skip
    answering.will(422, problem)
    failed = run("disburse", PRT, "0")
    assert failed.exit_code == 1
    assert "1 field breaks a rule." in failed.stderr
    assert "loan_id: Give 1 or more (greater_than_equal)" in failed.stderr


def test_a_problem_with_json_is_one_object(run: Run, answering: Answering) -> None:
    answering.will(409, {"title": "Conflict", "detail": "It has ended.", "code": "ended", "facts": {"stage": "failed"}})
    failed = run("retry", DSB, "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout) == {"error": {"code": "ended", "detail": "It has ended.", "stage": "failed"}}


def test_an_answer_that_is_no_problem_document_is_told_by_its_status(run: Run, answering: Answering) -> None:
    answering.will(502, b"<html>Bad gateway</html>")
    assert "The API answered 502 without saying why." in run("partner", "list").stderr


def test_too_many_requests_are_waited_out(run: Run, answering: Answering) -> None:
    answering.will(429, {"detail": "This key asks too often.", "code": "rate_limited"}, Retry_After="0")
    answering.will(200, {"items": [{"id": PRT, "name": "Jaza"}], "next_cursor": None})
    assert json.loads(run("partner", "list", "--json").stdout) == [{"id": PRT, "name": "Jaza"}]


def test_lists_are_read_page_after_page(run: Run, answering: Answering) -> None:
    answering.will(200, {"items": [{"id": "prt_2"}], "next_cursor": "prt_2"})
    answering.will(200, {"items": [{"id": "prt_1"}], "next_cursor": None})
    assert [one["id"] for one in json.loads(run("partner", "list", "--json").stdout)] == ["prt_2", "prt_1"]
    assert [asked[1] for asked in answering.asked] == ["/api/v1/partners", "/api/v1/partners?cursor=prt_2"]


# ------------------------------------------------------------------------------------------------------------ commands


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "exactly one of --paid"),
        (("--paid", "--not-paid", "--evidence", "portal"), "exactly one of --paid"),
        (("--not-paid",), "--evidence"),
        (("--paid", "--evidence", "portal, line 14"), "--receipt"),
    ],
)
def test_a_resolution_without_its_facts_is_not_even_sent(
    run: Run, answering: Answering, words: tuple[str, ...], complaint: str
) -> None:
    failed = run("resolve", DSB, *words)
    assert failed.exit_code == 1
    assert complaint in failed.stderr
    assert answering.asked == []


def test_a_resolution_is_sent_with_its_evidence(run: Run, answering: Answering) -> None:
    answering.will(200, {"disbursement_id": DSB, "stage": "in_review", "at": "2026-11-21T06:14:05Z"})
    done = run("resolve", DSB, "--paid", "--receipt", "UKL4X7QW2D", "--evidence", "portal, line 14")
    assert done.exit_code == 0, done.output
    method, path, body, headers = answering.asked[0]
    assert (method, path) == ("POST", f"/api/v1/disbursements/{DSB}/resolve")
    assert body == {"decision": "paid", "evidence": "portal, line 14", "receipt": "UKL4X7QW2D"}
    assert headers["Idempotency-Key"]


def test_watching_tells_each_line_once_and_ends_with_the_saga(run: Run, answering: Answering) -> None:
    first, second = event("requested", "Requested by hook."), event("paid", "M-Pesa paid.", "good", receipt="UKL4")
    answering.will(200, row("paying"))
    answering.will(200, {"items": [first]})
    answering.will(200, row("completed"))
    answering.will(200, {"items": [first, second]})
    answering.will(200, row("completed", receipts=["UKL4"]))
    lines = [json.loads(line) for line in run("watch", DSB, "--json").stdout.splitlines()]
    assert [line["event"]["key"] for line in lines[:-1]] == ["requested", "paid"]
    assert lines[-1]["disbursement"]["receipts"] == ["UKL4"]


def test_watching_shows_people_the_words_and_the_facts(run: Run, answering: Answering) -> None:
    answering.will(200, row("completed"))
    answering.will(200, {"items": [event("paid", "M-Pesa paid [KES 100].", "good", receipt="UKL4")]})
    answering.will(200, row("completed", amount={"amount": "12500.00", "currency": "KES"}))
    shown = run("watch", DSB).stdout
    assert "✓ M-Pesa paid [KES 100]." in shown  # brackets are the saga's, not markup
    assert "receipt UKL4" in shown
    assert "KES 12,500.00" in shown


def test_credentials_come_from_a_file_and_never_from_the_command_line(
    run: Run, answering: Answering, tmp_path: Path
) -> None:
    (tmp_path / "daraja.json").write_text('{"consumer_secret": "s"}')
    answering.will(200, {"provider": "daraja", "status": "ok"})
    assert run("partner", "rotate", PRT, "daraja", "daraja.json").exit_code == 0
    answering.will(200, {"provider": "daraja", "status": "ok"})
    assert run("partner", "rotate", PRT, "daraja", "-", input='{"consumer_secret": "s"}').exit_code == 0
    assert [asked[:3] for asked in answering.asked] == [
        ("PUT", f"/api/v1/partners/{PRT}/connections/daraja", {"consumer_secret": "s"})
    ] * 2


def test_a_file_that_is_no_json_is_named(run: Run, answering: Answering, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{")
    assert "p.json is not JSON" in run("partner", "create", "p.json").stderr
    assert "q.json cannot be read: No such file" in run("partner", "create", "q.json").stderr
    assert answering.asked == []


def test_a_partner_key_gets_what_its_back_end_needs_and_no_more(run: Run, answering: Answering) -> None:
    answering.will(201, {"id": "key_1", "key": "kvk_x_y"})
    assert run("keys", "create", "loan app", "--partner", PRT).exit_code == 0
    body = answering.asked[0][2]
    assert body["partner_id"] == PRT
    assert "admin" not in body["scopes"]
    assert "wallets:credit" not in body["scopes"]


def test_generated_keys_are_fresh_and_fit_the_settings(run: Run, tmp_path: Path) -> None:
    shown = [run("keys", "generate").stdout for _ in range(2)]
    assert shown[0] != shown[1]
    others = "".join(f"{name}={value}\n" for name, value in production_settings().items() if name not in shown[0])
    (tmp_path / ".env").write_text(others + shown[0])
    get_settings.cache_clear()
    security = get_settings().security  # production would refuse what does not fit
    Fernet(security.credential_keys[0].get_secret_value())
    KeyRing({name: key.get_secret_value() for name, key in security.payload_keys.items()}, security.payload_key_active)


def test_an_unknown_queue_is_refused_before_anything_starts(run: Run) -> None:
    assert "No queue is called emails" in run("worker", "--queue", "emails").stderr


def test_the_demo_takes_whole_amounts_of_money_alone(run: Run) -> None:
    for wrong in ("0", "-5", "1e9", "12.345", "lots"):
        assert "such as 12500" in run("demo", "loan", f"--amount={wrong}").stderr


# -------------------------------------------------------------------------------------------------------------- doctor


def test_doctor_finds_what_is_wrong_and_says_so_in_json(run: Run, tmp_path: Path) -> None:
    write_secret(tmp_path / ".kivuko" / "admin.key", "kvk_c_d")
    (tmp_path / ".kivuko" / "admin.key").chmod(0o644)
    examined = run("doctor", "--only", "settings", "--only", "api", "--json")
    assert examined.exit_code == 1
    answer = json.loads(examined.stdout)
    states = {finding["what"]: finding["state"] for finding in answer["findings"]}
    assert states == {"keys": "warning", "data folder": "failing", "api": "failing"}
    assert answer["healthy"] is False


def test_doctor_is_content_with_warnings_alone(run: Run, tmp_path: Path) -> None:
    write_secret(tmp_path / ".kivuko" / "admin.key", "kvk_c_d")
    assert run("doctor", "--only", "settings").exit_code == 0


def test_doctor_names_the_words_that_daraja_refuses(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_CALLBACKS__BASE_URL", "https://mpesa.lender.example")
    examined = run("doctor", "--only", "callbacks")
    assert examined.exit_code == 1
    assert "holds mpesa" in examined.output


def test_doctor_reads_the_clock_from_an_answer(run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_CALLBACKS__BASE_URL", answering.url)
    answering.will(200, {})
    assert run("doctor", "--only", "clock").exit_code == 0


def test_doctor_tells_a_missing_schedule_from_one_that_somebody_paused() -> None:
    running = {"every": "1:00:00", "paused": False, "note": ""}
    assert schedule_finding("payment-pull/prt_1", running).state == "ok"
    missing = schedule_finding("payment-pull/prt_1", None)
    assert (missing.state, missing.hint) == ("failing", "Run `kivuko schedules ensure`.")
    paused = schedule_finding("payment-pull/prt_1", {**running, "paused": True, "note": "M-Pesa asked us to"})
    assert (paused.state, paused.detail) == ("warning", "paused: M-Pesa asked us to")
    assert "kivuko schedules resume payment-pull/prt_1" in str(paused.hint)


def test_doctor_refuses_a_check_that_it_does_not_know(run: Run) -> None:
    assert "There is no check called weather" in run("doctor", "--only", "weather").stderr
