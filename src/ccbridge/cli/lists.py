"""The VIP list and the block list: two nouns with the same verbs."""

from __future__ import annotations

import getpass

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, WrongUse, common, pass_here
from ccbridge.cli.past import database
from ccbridge.numbers import parse_caller
from ccbridge.store import queries


def add_verbs(group: click.Group, kind: str) -> None:
    """``add``, ``remove`` and ``list`` for the list ``kind``: vip or block."""

    @group.command()
    @click.argument("number", nargs=-1, required=True)
    @click.option("--note", default="", metavar="TEXT", help="Why, for people.")
    @common
    @pass_here
    def add(here: Here, number: tuple[str, ...], note: str, as_json: bool) -> None:
        """Put NUMBER on the list: it counts within some seconds, from the caller's next call on."""
        e164 = _e164(here, number)
        with database(here) as db:
            was = queries.list_caller(db, e164, kind, note, getpass.getuser())
        told = f"{e164} is on the {kind} list"
        if was and was != kind:
            told += f", and no longer on the {was} list"
        show.as_json({"number": e164, "was": was}) if as_json else click.echo(told)

    @group.command()
    @click.argument("number", nargs=-1, required=True)
    @common
    @pass_here
    def remove(here: Here, number: tuple[str, ...], as_json: bool) -> None:
        """Take NUMBER from the list."""
        e164 = _e164(here, number)
        with database(here) as db:
            if not queries.unlist_caller(db, e164, kind):
                raise NotDone(f"{e164} is not on the {kind} list")
        told = f"{e164} is no longer on the {kind} list"
        show.as_json({"number": e164}) if as_json else click.echo(told)

    @group.command(name="list")
    @common
    @pass_here
    def list_(here: Here, as_json: bool) -> None:
        """Who is on the list, the newest first."""
        with database(here) as db:
            rows = queries.list_callers(db, kind)
        if as_json:
            show.as_json(rows)
            return
        show.table(
            ["number", "since", "by", "note"],
            [(row["e164"], show.when(row["added_at"]), row["added_by"], row["note"]) for row in rows],
        )


def _e164(here: Here, number: tuple[str, ...]) -> str:
    text = " ".join(number)
    e164 = parse_caller(text, here.site().callers.country).e164
    if e164 is None:
        raise WrongUse(f"{show.plain(text)} is no telephone number: write it as +302101234567")
    return e164
