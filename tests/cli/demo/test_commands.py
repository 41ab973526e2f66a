"""Every kind of saga has its demo, found where it is."""

from cli.demo.commands import app
from models.kinds import KINDS


def test_every_kind_of_saga_has_its_demo() -> None:
    found = {command.callback.__module__ for command in app.registered_commands if command.callback}
    assert found == {f"cli.demo.{kind.leaf}" for kind in KINDS}
