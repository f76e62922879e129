"""``ccbridge block``: numbers whose calls are turned away before any menu."""

from __future__ import annotations

import click

from ccbridge.cli.lists import add_verbs


@click.group()
def block() -> None:
    """Numbers whose calls are turned away before any menu."""


add_verbs(block, "block")
