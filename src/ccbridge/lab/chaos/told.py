"""How a chaos or a soak ends, told to whoever called it from a shell."""

import sys
from collections.abc import Callable

import click

from ccbridge.lab.chaos.house import FAILURES
from ccbridge.lab.demo_running import stoppable


def told(name: str, run: Callable[[], bool], broken: str, again: str = "") -> None:
    """Run it; exit with 1 where it says False (`broken` says what) or fails, with 130 on Ctrl-C.

    `again` is how to repeat it.
    """
    try:
        with stoppable():
            good = run()
    except KeyboardInterrupt:
        click.echo(f"{name}: interrupted; nothing is left running.", err=True)
        sys.exit(130)
    except FAILURES as error:
        click.echo(f"{name}: {error}{f' ({again})' if again else ''}", err=True)
        sys.exit(1)
    if not good:
        click.echo(f"{name}: {broken} {again}".rstrip(), err=True)
        sys.exit(1)
