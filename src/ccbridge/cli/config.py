"""``ccbridge config``: is the configuration file right, and what of it Asterisk needs as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ccbridge.cli.here import Here, NotDone, WrongUse, common, pass_here, with_config
from ccbridge.config import ConfigErrors, Mistake, Site, load
from ccbridge.core.plan import Plan
from ccbridge.fallback import QUEUE


class Known(click.Group):
    """`config history` and `config show` ask the database, whose driver the others do not load."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "history", "show"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ("history", "show"):
            return super().get_command(ctx, cmd_name)
        from ccbridge.cli import plans

        return plans.history if cmd_name == "history" else plans.show_


@click.group(cls=Known)
def config() -> None:
    """The configuration file, and what was in force when."""


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@common
@pass_here
def check(here: Here, file: Path | None, as_json: bool) -> None:
    """Check FILE (or the one that -c names, or the site's own) and list every mistake, one a line.

    Exit 0: no mistake. Exit 2: mistakes, on standard output. Warnings go to standard error.
    """
    if file and here.file and file != here.file:
        raise WrongUse("give the file once: as FILE or with -c")
    path = file or here.config_path()
    try:
        site = load(path)
    except ConfigErrors as errors:
        _report(path, errors.mistakes, errors.warnings, None, as_json)
        raise SystemExit(2) from None
    _report(path, [], list(site.warnings), site, as_json)


def _report(
    path: Path, mistakes: list[Mistake], warnings: list[Mistake], site: Site | None, as_json: bool
) -> None:
    if as_json:
        answer: dict[str, Any] = {
            "file": str(path),
            "ok": site is not None,
            "mistakes": [_plain(mistake) for mistake in mistakes],
            "warnings": [_plain(warning) for warning in warnings],
            "summary": _counts(site) if site else None,
        }
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    for warning in warnings:
        click.echo(str(warning), err=True)
    for mistake in mistakes:
        click.echo(str(mistake))
    if site:
        counts = ", ".join(
            f"{number} {noun.removesuffix('s') if number == 1 else noun}"
            for noun, number in _counts(site).items()
        )
        click.echo(f"{path}: OK: {counts}")


def _plain(mistake: Mistake) -> dict[str, str | int]:
    return {"file": mistake.file, "line": mistake.line, "key": mistake.key, "text": mistake.text}


def _counts(site: Site) -> dict[str, int]:
    plan = site.plan
    return {
        "queues": len(plan.queues),
        "agents": len(plan.agents),
        "flows": len(plan.flows),
        "steps": sum(len(flow.steps) for flow in plan.flows.values()),
        "numbers": len(plan.numbers),
    }


@config.command()
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write this file instead.")
@with_config
@pass_here
def queues(here: Here, to: Path | None) -> None:
    """Print the members of the fallback queues, as Asterisk's queues.conf includes them.

    One queue for everybody and one for each queue of ccbridge.yml, for the time when the daemon is away.
    A file that is there is replaced as a whole, and only by a configuration without mistakes.
    """
    text = "".join(f"{line}\n" for line in _members(here.site().plan))
    if to is None:
        click.echo(text, nl=False)
        return
    partial = to.with_name(f".{to.name}.partial")
    try:
        partial.write_text(text)
        partial.chmod(0o644)  # Asterisk's user reads it; it holds no secret
        partial.replace(to)
    except OSError as error:
        raise NotDone(f"{to} cannot be written ({error.strerror}); nothing has changed") from error
    click.echo(f'{to}: written; Asterisk takes it at: asterisk -rx "queue reload all"')


def _members(plan: Plan) -> Iterator[str]:
    yield "; Made by `ccbridge config queues` from ccbridge.yml: make it anew when agents or queues change."
    yield "; queues_ccbridge.conf, which has the template, is included before it."
    yield ""
    yield f"[{QUEUE}](+)"
    yield from (f"member => {agent.device},0,{agent.id}" for agent in plan.agents.values())
    for queue in plan.queues:
        yield ""
        yield f"[{QUEUE}-{queue}](ccbridge-queue)"
        yield from (
            f"member => {agent.device},0,{agent.id}"
            for agent in plan.agents.values()
            if queue in agent.queues
        )
