"""``ccbridge agent``: who works, and on what."""

from __future__ import annotations

import sys
from typing import Any

import click

from ccbridge.cli import idle, show
from ccbridge.cli.here import Command, Here, NotDone, common, pass_here, with_config
from ccbridge.codes import card as table_card
from ccbridge.supervision.card import card as supervisors_card

Names = tuple[str, ...]
CLI = {"from": "cli"}  # the door, as the audit keeps it
KEPT = ("agent.login", "agent.logout")


@click.group()
def agent() -> None:
    """Agents: look, log in and out, pause."""


def agent_row(row: dict[str, Any]) -> list[Any]:
    """An agent in a table: agent, name, state, reason, for, left, call."""
    return [
        row["agent"],
        row["name"],
        row["state"],
        row["reason"],
        show.minutes(row["for_s"]),
        show.minutes(row["left_s"]),
        row["call"],
    ]


def whose(command: Command) -> Command:
    """``--queue`` and ``--department``."""
    for option in (
        click.option("--department", metavar="DEPARTMENT", help="Who serves one of its queues."),
        click.option("--queue", metavar="QUEUE", help="Who serves this queue."),
    ):
        command = option(command)
    return command


@agent.command(name="list")
@whose
@common
@pass_here
def list_(here: Here, queue: str | None, department: str | None, as_json: bool) -> None:
    """All agents, and what each one is doing."""
    rows = _of(here, queue, department)
    if as_json:
        show.as_json(rows)
        return
    show.table(
        ["agent", "name", "state", "reason", ">for", ">left", "call", "device", "queues"],
        [[*agent_row(row), row["personal"] or row["device"], row["queues"]] for row in rows],
    )


def _of(here: Here, queue: str | None, department: str | None) -> list[dict[str, Any]]:
    given = {"queue": queue, "department": department}
    rows: list[dict[str, Any]] = here.ask(
        "agent.list", **{name: value for name, value in given.items() if value is not None}
    ).data
    return rows


@agent.command(name="show")
@click.argument("name", metavar="AGENT")
@common
@pass_here
def show_(here: Here, name: str, as_json: bool) -> None:
    """One agent, with what explains his state."""
    row = here.ask("agent.show", agent=name).data
    if as_json:
        show.as_json(row)
        return
    left = "" if row["left_s"] is None else f", {show.minutes(row['left_s'])} left"
    reason = f" ({row['reason']})" if row["reason"] else ""
    show.fields(
        [
            ("agent", row["agent"]),
            ("name", row["name"]),
            ("state", f"{row['state']}{reason} for {show.minutes(row['for_s'])}{left}"),
            ("logged in", row["logged_in"]),
            ("pause", row["pause"]),
            ("call", row["call"]),
            ("last call", row["last_call"]),
            ("device", f"{row['device']}, {row['phone_state']}"),
            ("personal", row["personal"]),
            ("dead offers", row["dead_offers"]),
            ("queues", row["queues"]),
        ]
    )


@agent.command()
@click.argument("name", metavar="AGENT")
@common
@pass_here
def explain(here: Here, name: str, as_json: bool) -> None:
    """Why an agent has no call now: his state, what lifts it and when, and who waits in his queues."""
    row = here.ask("agent.explain", agent=name).data
    told = [idle.state(row)]
    for sentence, more in idle.queues(row):
        told += [sentence, *(f"  {one}" for one in more)]
    if as_json:
        show.as_json({**row, "told": told})
        return
    for line in told:
        click.echo(line)


@agent.command()
@click.argument("names", metavar="[AGENT]...", nargs=-1)
@whose
@common
@pass_here
def login(here: Here, names: Names, queue: str | None, department: str | None, as_json: bool) -> None:
    """Log agents in: calls are offered to them."""
    _changed(here, as_json, "agent.login", names, queue, department)


@agent.command()
@click.argument("names", metavar="[AGENT]...", nargs=-1)
@whose
@common
@pass_here
def logout(here: Here, names: Names, queue: str | None, department: str | None, as_json: bool) -> None:
    """Log agents out; the call one is in goes on."""
    _changed(here, as_json, "agent.logout", names, queue, department)


@agent.command()
@click.argument("names", metavar="[AGENT]...", nargs=-1)
@click.option("--reason", help="One of the site's pause_reasons; the first of them if not given.")
@whose
@common
@pass_here
def pause(
    here: Here, names: Names, reason: str | None, queue: str | None, department: str | None, as_json: bool
) -> None:
    """Offer no more calls to agents until they are unpaused; the call one is in goes on.

    With --queue or --department only those who are logged in are paused.
    """
    fields = {} if reason is None else {"reason": reason}
    _changed(here, as_json, "agent.pause", names, queue, department, logged_in=True, **fields)


@agent.command()
@click.argument("names", metavar="[AGENT]...", nargs=-1)
@whose
@common
@pass_here
def unpause(here: Here, names: Names, queue: str | None, department: str | None, as_json: bool) -> None:
    """End agents' pauses."""
    _changed(here, as_json, "agent.unpause", names, queue, department, logged_in=True)


@agent.command()
@click.argument("name", metavar="AGENT")
@click.argument("device", metavar="[DEVICE]", required=False)
@click.option("--off", is_flag=True, help="His phone rings again.")
@click.option("--as", "as_", metavar="SUPERVISOR", help="In whose name; a supervisor acts in his own.")
@common
@pass_here
def personal(here: Here, name: str, device: str | None, off: bool, as_: str | None, as_json: bool) -> None:
    """Ring an agent's own telephone (DEVICE, of agents.AGENT.personal) from his next call on.

    Whoever picks it up presses 1 to take the call. It ends when he logs out. A supervisor may do so in his
    departments. It is kept: see `ccbridge audit`.
    """
    if off == (device is not None):
        raise click.UsageError("give a DEVICE, or --off")
    fields = {**CLI, **{key: one for key, one in (("device", device), ("as", as_)) if one is not None}}
    _changed(here, as_json, "agent.personal", (name,), None, None, logged_in=False, **fields)


@agent.command()
@click.argument("name", metavar="AGENT|PHONE")
@click.option("--as", "as_", metavar="SUPERVISOR", help="In whose name; a supervisor acts in his own.")
@common
@pass_here
def unlock(here: Here, name: str, as_: str | None, as_json: bool) -> None:
    """Forget the wrong PINs of an agent, or of a phone such as PJSIP/1001: either may try again.

    A supervisor may do so in his departments. It is kept: see `ccbridge audit`.
    """
    whose_name = {} if as_ is None else {"as": as_}
    text = here.ask("agent.unlock", agent=name, **CLI, **whose_name).text
    if as_json:
        show.as_json({"text": text})
    else:
        click.echo(show.plain(text))


@agent.command()
@click.argument("name", metavar="AGENT")
@click.option("--supervisor", is_flag=True, help="AGENT is a supervisor: for codes that ask for his PIN.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the PIN from standard input, for programs.")
@with_config
@pass_here
def pin(here: Here, name: str, supervisor: bool, from_stdin: bool) -> None:
    """Set the PIN with which an agent logs in at a phone: 4 to 10 digits, asked for twice.

    It counts at once. Who runs this must be able to write the file of PINs (phones.pins_file).
    """
    from ccbridge import pins

    site = here.site()
    if name not in (site.supervisors if supervisor else site.plan.agents):
        raise NotDone(f"there is no {'supervisor' if supervisor else 'agent'} {show.plain(name)}")
    if from_stdin:
        text = sys.stdin.readline().strip()
    else:
        text = str(click.prompt("PIN", hide_input=True, confirmation_prompt=True))
    try:
        pins.keep(site.phones.pins_file, pins.of(name) if supervisor else name, text)
    except (ValueError, OSError, pins.PinsUnreadable) as error:
        raise NotDone(str(error)) from error
    click.echo(f"{name} has a new PIN")
    if not supervisor and name not in site.agent_numbers.values():
        click.echo(f"agents.{name}.number is missing: without it nobody can log in with this PIN", err=True)


@agent.command()
@click.option("--supervisors", is_flag=True, help="The supervisors' card.")
@with_config
@pass_here
def card(here: Here, supervisors: bool) -> None:
    """The codes of this site's phones, as a card to print (Markdown)."""
    site = here.site()
    codes = site.codes.model_dump()
    if supervisors:
        click.echo(supervisors_card(codes), nl=False)
        return
    click.echo(table_card(codes, site.plan.pause_reasons, site.plan.outcomes, site.tickets.tags), nl=False)


def _changed(
    here: Here,
    as_json: bool,
    do: str,
    names: Names,
    queue: str | None,
    department: str | None,
    *,
    logged_in: bool = False,
    **fields: str,
) -> None:
    """Each in turn, also after one who was refused: then the exit code is 1."""
    grouped = queue is not None or department is not None
    if grouped:
        if names:
            raise click.UsageError("name agents, or choose them by --queue and --department")
        rows = _of(here, queue, department)
        names = tuple(row["agent"] for row in rows if row["logged_in"] or not logged_in)
    elif not names:
        raise click.UsageError("which agents? Name them, or choose them by --queue and --department")
    door = CLI if do in KEPT else {}
    answers = [here.asked(do, agent=name, **fields, **door) for name in dict.fromkeys(names)]
    if as_json:
        told = [{"ok": one.ok, "text": one.text, "agent": one.data} for one in answers]
        show.as_json(told[0] if len(told) == 1 and not grouped else told)
    for answer in answers:
        if not as_json or not answer.ok:
            click.echo(show.plain(answer.text), err=not answer.ok)
    if not all(answer.ok for answer in answers):
        raise SystemExit(NotDone.exit_code)
