"""``ccbridge vip``: numbers whose calls come before others (``callers.vip_priority``)."""

from __future__ import annotations

import click

from ccbridge.cli.lists import add_verbs


@click.group()
def vip() -> None:
    """Numbers whose calls come before others (`callers.vip_priority`)."""


add_verbs(vip, "vip")
