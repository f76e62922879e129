"""What every command starts from: which site it is about, its daemon and its database; and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from ccbridge.cli import show
from ccbridge.config import DEFAULT_PATH, ConfigErrors, Site, load
from ccbridge.control.client import ControlClient, DaemonAway
from ccbridge.control.wire import Answer

NEAR_PATH = Path("config/ccbridge.yml")

Command = TypeVar("Command", bound=Callable[..., Any])


class Stop(click.ClickException):
    """The command ends here: one sentence on standard error, and an exit code."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=True)


class NotDone(Stop):
    """It was understood and refused, or what it is about does not exist."""

    exit_code = 1


class WrongUse(Stop):
    """The command line or the configuration is wrong."""

    exit_code = 2


class Away(Stop):
    """The daemon or the database does not answer."""

    exit_code = 3


class Here:
    """The site that the command line names. Nothing is read before it is asked for."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file

    def config_path(self) -> Path:
        """The file named by -c or CCBRIDGE_CONFIG, else the first that is there. Raises WrongUse."""
        if self.file is not None:
            return self.file
        for path in (NEAR_PATH, DEFAULT_PATH):
            if path.is_file():
                return path
        raise WrongUse(f"no configuration: neither {NEAR_PATH} nor {DEFAULT_PATH} is there; name it with -c")

    def site(self, *, secrets: bool = False) -> Site:
        """The checked configuration; without ``secrets`` whoever may not read them can use it, too."""
        try:
            return load(self.config_path(), secrets=secrets)
        except ConfigErrors as errors:
            raise WrongUse("\n".join(str(mistake) for mistake in errors.mistakes)) from errors

    def ask(self, do: str, **fields: Any) -> Answer:
        """The daemon's answer. Raises NotDone if it refuses, Away if none answers."""
        answer = self.asked(do, **fields)
        if not answer.ok:
            raise NotDone(show.plain(answer.text))
        return answer

    def asked(self, do: str, **fields: Any) -> Answer:
        """The daemon's answer, a refusal included. Raises Away if none answers."""
        try:
            with ControlClient(self.site().control.socket) as client:
                return client.ask(do, **fields)
        except DaemonAway as away:
            raise Away(str(away)) from away


def changed(here: Here, as_json: bool, do: str, **fields: str) -> None:
    """Have the daemon change one thing, and show its words; as JSON with the thing as it is then.

    What is changed stands before the dot of ``do``: ``queue.pause``. Raises as ``Here.ask`` does.
    """
    answer = here.ask(do, **fields)
    if as_json:
        show.as_json({"text": answer.text, do.partition(".")[0]: answer.data})
    else:
        click.echo(show.plain(answer.text))


def with_config(command: Command) -> Command:
    """``-c`` after the command, too."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember,
        help="The site's configuration.",
    )(command)


def common(command: Command) -> Command:
    """The options of every command: ``--json`` (as ``as_json``), and ``-c``."""
    return with_config(click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")(command))


def _remember(context: click.Context, option: click.Parameter, file: Path | None) -> None:
    if file is not None:
        context.obj.file = file


pass_here = click.make_pass_decorator(Here)
