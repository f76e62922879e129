"""``ccbridge ivr``: flows checked, drawn, walked and tried without a phone; answers of menus."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, WrongUse, common, pass_here, with_config
from ccbridge.config import ConfigErrors, Mistake, load
from ccbridge.core.flows import Flow
from ccbridge.core.plan import Plan
from ccbridge.ivr import dialogues, draw
from ccbridge.ivr.walk import Assumed, HungUp, Person, ended
from ccbridge.ivr.walk import walk as walk_through

# Sections of the configuration that callers in menus meet.
ABOUT = ("flows", "lookups", "hours", "prompts", "numbers", "default_flow", "ivr", "languages", "speech")


@click.group()
def ivr() -> None:
    """What callers hear before a queue: see docs/ivr.md."""


@ivr.command()
@common
@pass_here
def check(here: Here, as_json: bool) -> None:
    """Every mistake and warning of the flows, a line each; exit code 2 with mistakes."""
    mistakes: list[Mistake] = []
    try:
        warnings = list(load(here.config_path(), secrets=False).warnings)
    except ConfigErrors as errors:
        mistakes, warnings = list(errors.mistakes), list(errors.warnings)
    wrong, odd = ([one for one in found if _is_ours(one)] for found in (mistakes, warnings))
    if as_json:
        show.as_json({"mistakes": [str(one) for one in wrong], "warnings": [str(one) for one in odd]})
    else:
        for one in (*wrong, *odd):
            click.echo(str(one))
        if not wrong:
            click.echo(f"no mistake in the flows, {_count(len(odd), 'warning')}")
    elsewhere = len(mistakes) - len(wrong)
    if elsewhere and not as_json:
        click.echo(f"{_count(elsewhere, 'mistake')} elsewhere: ccbridge config check", err=True)
    if mistakes:
        raise SystemExit(2)


def _is_ours(one: Mistake) -> bool:
    return not one.key or one.key.partition(".")[0].partition("[")[0] in ABOUT


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@ivr.command(name="draw")
@click.argument("flow", required=False)
@click.option(
    "--svg", "file", type=click.Path(path_type=Path, dir_okay=False), help="A picture, to this file."
)
@with_config
@pass_here
def draw_(here: Here, flow: str | None, file: Path | None) -> None:
    """FLOW (else that of unknown numbers) as text, or as a picture."""
    found = _flow(here.site().plan, flow, "")
    if file is None:
        click.echo(draw.as_text(found))
        return
    try:
        file.write_text(draw.as_svg(found), encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"{file}: {_count(len(found.steps), 'step')}")


@ivr.command()
@click.argument("flow", required=False)
@click.option("--did", default="", help="As a caller of this number.")
@click.option("--closed", multiple=True, metavar="HOURS", help="These hours are closed; else all are open.")
@click.option("--fact", multiple=True, metavar="NAME=VALUE", help="Such as caller.number=+302101234567.")
@with_config
@pass_here
def walk(here: Here, flow: str | None, did: str, closed: tuple[str, ...], fact: tuple[str, ...]) -> None:
    """Walk through FLOW: you press keys, and read what a caller would hear. `h` hangs up.

    Look-ups find nothing here; the dialogues of `ivr test` say what they find.
    """
    plan = here.site().plan
    facts = {"did": did, **dict(_fact(one) for one in fact)}
    assumed = Assumed(facts, dict.fromkeys(closed, False))
    person = Person(click.echo, _keys)
    try:
        ending = ended(walk_through(plan, _flow(plan, flow, did), assumed, person))
    except HungUp:
        ending = "the caller hangs up"
    click.echo(f"= {ending}")


def _keys(what: str) -> str | None:
    try:
        typed: str = click.prompt(what, default="", show_default=False, prompt_suffix=": ")
    except click.Abort:  # the end of what was piped in
        click.echo()
        return None
    return None if typed.strip() == "h" else typed


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise WrongUse(f"{show.plain(text)}: write it as name=value")
    return name, value


@ivr.command()
@click.argument("file", type=click.Path(path_type=Path))
@common
@pass_here
def test(here: Here, file: Path, as_json: bool) -> None:
    """Run the dialogues of FILE through the flows; exit code 1 if one went another way."""
    plan = here.site().plan
    try:
        results = [dialogues.run(plan, one) for one in dialogues.read(file)]
    except dialogues.BadDialogues as error:
        raise WrongUse(str(error)) from error
    failed = [one for one in results if one.wrong]
    if as_json:
        show.as_json([{"name": one.name, "wrong": one.wrong, "heard": one.heard} for one in results])
    else:
        for one in results:
            click.echo(f"{'FAILED' if one.wrong else 'ok':<7}{show.plain(one.name)}")
            if one.wrong:
                click.echo(f"       {show.plain(one.wrong)}; he heard: {', '.join(one.heard) or 'nothing'}")
    if failed:
        raise NotDone(f"{len(failed)} of {_count(len(results), 'dialogue')} failed")


def _flow(plan: Plan, name: str | None, did: str) -> Flow:
    if name is None:
        return plan.flow_for(did)
    if name not in plan.flows:
        raise NotDone(f"there is no flow {show.plain(name)}")
    return plan.flows[name]


@ivr.group()
def answers() -> None:
    """What keys lead to in menus with a `table`, without a reload."""


@answers.command(name="list")
@click.argument("menu", required=False)
@common
@pass_here
def list_(here: Here, menu: str | None, as_json: bool) -> None:
    """The keys of MENU, or of all."""
    from ccbridge.cli.past import database
    from ccbridge.store import queries

    with database(here) as db:
        rows = queries.menu_answers(db, menu)
    if as_json:
        show.as_json(rows)
        return
    columns = ["menu", "key", "queue", "since", "by"]
    lines: list[list[Any]] = [
        [row["menu"], row["key"], row["queue"], show.when(row["changed_at"]), row["changed_by"]]
        for row in rows
    ]
    show.table(columns, lines)


@answers.command(name="set")
@click.argument("menu")
@click.argument("key", type=click.Choice(list("0123456789*#")))
@click.argument("queue")
@common
@pass_here
def set_(here: Here, menu: str, key: str, queue: str, as_json: bool) -> None:
    """KEY of MENU leads to QUEUE, within some seconds."""
    from ccbridge.cli.past import database
    from ccbridge.store import queries

    plan = here.site().plan
    if queue not in plan.queues:
        raise NotDone(f"there is no queue {show.plain(queue)}")
    if menu not in plan.menu_tables():
        raise NotDone(f"no menu of the flows has the table {show.plain(menu)}")
    with database(here) as db:
        queries.answer_menu(db, menu, key, queue, getpass.getuser())
    told = f"{key} of {menu} leads to {queue}"
    show.as_json({"menu": menu, "key": key, "queue": queue}) if as_json else click.echo(told)


@answers.command()
@click.argument("menu")
@click.argument("key")
@common
@pass_here
def remove(here: Here, menu: str, key: str, as_json: bool) -> None:
    """KEY of MENU means nothing any more."""
    from ccbridge.cli.past import database
    from ccbridge.store import queries

    with database(here) as db:
        if not queries.unanswer_menu(db, menu, key):
            raise NotDone(f"{show.plain(key)} of {show.plain(menu)} leads nowhere")
    show.as_json({"menu": menu, "key": key}) if as_json else click.echo(f"{key} of {menu} leads nowhere")
