"""The command line: one file per noun, imported when its command is used."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import click

from ccbridge import __version__
from ccbridge.cli.here import Here

# Name and module, in the order of the help page. The command has the name of its module.
NOUNS = (
    "run",
    "status",
    "top",
    "health",
    "drain",
    "reload",
    "queue",
    "agent",
    "call",
    "monitor",
    "audit",
    "score",
    "customer",
    "vip",
    "block",
    "ivr",
    "hours",
    "ticket",
    "recording",
    "prompts",
    "report",
    "reconcile",
    "doctor",
    "config",
    "db",
    "jobs",
    "ami",
    "replay",
    "simulate",
    "lab",
)


class Nouns(click.Group):
    """Commands by name, each imported from its own file: `ccbridge agent pause` loads no database driver."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [noun for noun in NOUNS if importlib.util.find_spec(f"ccbridge.cli.{noun}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"ccbridge.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.command(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path),
    envvar="CCBRIDGE_CONFIG",
    show_envvar=True,
    help="The site's configuration; else ./config/ccbridge.yml, else /etc/ccbridge/ccbridge.yml.",
)
@click.version_option(__version__, prog_name="ccbridge")
@click.pass_context
def main(context: click.Context, file: Path | None) -> None:
    """Call-centre software beside an Asterisk PBX.

    Exit codes: 0 done, 1 refused, 2 wrong usage or configuration, 3 the daemon or the database is away.
    """
    context.obj = Here(file)
