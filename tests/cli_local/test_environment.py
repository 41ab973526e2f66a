"""The settings that child processes get: the same as ours, with every address inside this stack."""

from pathlib import Path

import pytest

from cli.local.environment import child_environment, fitted
from core.settings import Settings


def _read_back(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.items():
        if name.startswith("KIVUKO_"):
            monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


def test_a_child_reads_exactly_our_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = fitted(settings, "postgresql://postgres@/kivuko?host=/short/run&port=5432")
    assert _read_back(child_environment(ours, "127.0.0.1:7233"), monkeypatch) == ours


def test_other_ports_move_every_address_that_nobody_chose(tmp_path: Path) -> None:
    chosen = Settings.model_validate(
        {"data_dir": tmp_path, "api": {"port": 8100}, "simulators": {"port": 9100, "smtp_port": 9125}}
    )
    moved = fitted(chosen, "postgresql:///x")
    assert moved.sms.damza.base_url == "http://127.0.0.1:9100/damza"
    assert moved.sms.africastalking.base_url == "http://127.0.0.1:9100/africastalking"
    assert (moved.email.port, moved.callbacks.base_url) == (9125, "http://127.0.0.1:8100")


def test_an_address_that_somebody_chose_is_kept(tmp_path: Path) -> None:
    chosen = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "email": {"host": "mail.example", "port": 587},
            "callbacks": {"base_url": "https://pay.example"},
            "sms": {"damza": {"base_url": "https://sms.example"}},
        }
    )
    kept = fitted(chosen, "postgresql:///x")
    assert kept.email.host == "mail.example"
    assert kept.callbacks.base_url == "https://pay.example"
    assert kept.sms.damza.base_url == "https://sms.example"
