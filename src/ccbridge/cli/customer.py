"""``ccbridge customer``: who is behind a number."""

from __future__ import annotations

import click

from ccbridge.cli import show
from ccbridge.cli.call import past_calls
from ccbridge.cli.here import Here, NotDone, WrongUse, common, pass_here
from ccbridge.cli.past import database
from ccbridge.cli.ticket import ticket_rows
from ccbridge.numbers import parse_caller
from ccbridge.store import queries


@click.group()
def customer() -> None:
    """Customers, known by their numbers."""


@customer.command(name="show")
@click.argument("number", nargs=-1, required=True)
@common
@pass_here
def show_(here: Here, number: tuple[str, ...], as_json: bool) -> None:
    """The customer of NUMBER, as people write it: national or with +, with blanks and slashes."""
    e164 = _e164(here, number)
    with database(here) as db:
        row = queries.customer_by_number(db, e164)
    if row is None:
        raise NotDone(f"there is no customer with the number {e164}")
    if as_json:
        show.as_json(row)
        return
    show.fields(
        [
            ("customer", row["id"]),
            ("name", row["name"]),
            ("numbers", row["numbers"]),
            ("language", row["language"]),
            ("priority", row["priority"]),
            ("owner", row["owner"]),
            ("since", show.when(row["created_at"])),
        ]
    )
    if row["calls"]:
        click.echo()
        show.table(*past_calls(row["calls"]))
    if row["tickets"]:
        click.echo()
        show.table(*ticket_rows(row["tickets"]))


@customer.command()
@click.argument("number", nargs=-1, required=True)
@click.option(
    "--to", "value", type=click.IntRange(-100, 100), required=True, help="Added to the priority of his calls."
)
@common
@pass_here
def priority(here: Here, number: tuple[str, ...], value: int, as_json: bool) -> None:
    """Put the customer of NUMBER before others, or behind: from his next call on."""
    e164 = _e164(here, number)
    with database(here) as db:
        if not queries.rank_customer(db, e164, value):
            raise NotDone(f"there is no customer with the number {e164}")
    if as_json:
        show.as_json({"number": e164, "priority": value})
    else:
        click.echo(f"{e164} has the priority {value}")


@customer.command()
@click.argument("number", nargs=-1, required=True)
@click.option("--to", "agent", help="The agent's id; an empty one is --nobody.")
@click.option("--nobody", is_flag=True, help="Take the customer from whose he was.")
@common
@pass_here
def owner(here: Here, number: tuple[str, ...], agent: str | None, nobody: bool, as_json: bool) -> None:
    """Give the customer of NUMBER an agent of his own: from his next call on."""
    if (agent is None) != nobody:
        raise WrongUse("give either --to AGENT or --nobody")
    if agent and agent not in here.site().plan.agents:
        raise WrongUse(f"no agent {show.plain(agent)} in the configuration")
    e164 = _e164(here, number)
    with database(here) as db:
        if not queries.own_customer(db, e164, agent or None):
            raise NotDone(f"there is no customer with the number {e164}")
    if as_json:
        show.as_json({"number": e164, "owner": agent or None})
    else:
        click.echo(f"{e164} belongs to {show.plain(agent or 'nobody')}")


def _e164(here: Here, number: tuple[str, ...]) -> str:
    text = " ".join(number)
    country = here.site().callers.country
    e164 = parse_caller(text, country).e164
    if e164 is None:
        raise WrongUse(f"{show.plain(text)} is no telephone number, seen from {country}")
    return e164
