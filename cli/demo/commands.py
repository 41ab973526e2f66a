"""`kivuko demo`: flows, shown live against the simulators; each ends with its promises, held against everybody's books."""

from importlib import import_module

import typer

from models.kinds import KINDS

app = typer.Typer(no_args_is_help=True, help="Shows a flow live against the simulators; needs a running `kivuko up`.")

for kind in KINDS:
    import_module(f"cli.demo.{kind.leaf}").add_to(app)
