"""``ccbridge prompts``: say beforehand what can be, and tell what is missing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, WrongUse, common, pass_here
from ccbridge.prompts.speech import AT_ONCE, Unspoken
from ccbridge.prompts.speech import render as render_to
from ccbridge.prompts.stock import Item, stock, without_text
from ccbridge.prompts.wording import Speech, Wording

LANGUAGE = click.option("--language", metavar="LANGUAGE", help="Only this one of the site's languages.")


@click.group()
def prompts() -> None:
    """What callers and agents are told, in each language of the site."""


@prompts.command()
@LANGUAGE
@common
@pass_here
def render(here: Here, language: str | None, as_json: bool) -> None:
    """Have everything spoken that can be beforehand: so the first caller does not wait for it.

    All prompts without values, and the places in line and minutes of waiting that are usual. What is there
    already stays. To be run as the daemon's user. Exit 1: some could not be spoken.
    """
    wording = here.site().wording
    chosen, speech = _chosen(wording, language), wording.speech
    if speech is None or not speech.command:
        raise NotDone("nothing speaks: `speech` is not set up in the configuration (docs/prompts.md)")
    items = {one: list(stock(wording, one)) for one in chosen}
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=as_json or not console.is_terminal,
        transient=True,
    ) as bar:
        failed = {one: asyncio.run(_render(speech, one, items[one], bar)) for one in chosen}
    counts = {one: _counts(items[one], len(failed[one])) for one in chosen}
    lost = [(one, item, why) for one in chosen for item, why in failed[one]]
    if as_json:
        show.as_json({"languages": counts, "failed": [_plain(*one) for one in lost]})
    else:
        for one in chosen:
            click.echo(f"{one}: " + ", ".join(f"{count} {state}" for state, count in counts[one].items()))
        if lost:
            show.table(
                ("language", "prompt", "n", "why"),
                ((one, item.name, item.count, why) for one, item, why in lost),
            )
    if lost:
        sys.exit(1)


async def _render(speech: Speech, language: str, items: list[Item], bar: Progress) -> list[tuple[Item, str]]:
    """Those that could not be spoken, and why."""
    task = bar.add_task(language, total=len(items))
    failed: list[tuple[Item, str]] = []
    todo = iter(items)

    async def work() -> None:
        for item in todo:
            if not item.there and item.path is not None:
                try:
                    await render_to(speech, item.text, language, item.path)
                except Unspoken as error:
                    failed.append((item, str(error)))
            bar.advance(task)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return failed


def _counts(items: list[Item], failed: int) -> dict[str, int]:
    recorded = sum(item.recorded for item in items)
    there = sum(item.there for item in items) - recorded
    rendered = len(items) - recorded - there - failed
    return {"rendered": rendered, "there": there, "recorded": recorded, "failed": failed}


@prompts.command()
@LANGUAGE
@common
@pass_here
def missing(here: Here, language: str | None, as_json: bool) -> None:
    """List what has no text, or no file yet, in each language. Exit 1: there is some."""
    wording = here.site().wording
    found = [row for one in _chosen(wording, language) for row in _missing(wording, one)]
    if as_json:
        show.as_json(found)
    elif found:
        show.table(
            ("language", "prompt", "lacks", "text"),
            ((row["language"], row["prompt"], _lacks(row), row["text"]) for row in found),
        )
    else:
        click.echo("nothing is missing")
    if found:
        sys.exit(1)


def _missing(wording: Wording, language: str) -> Iterator[dict[str, Any]]:
    """A row for each prompt; ``text``: what there is of it, in the default language if not in this one."""
    for name in without_text(wording, language):
        sentence = wording.sentence(name, wording.default)
        text = "" if sentence is None else sentence.forms["other"]
        yield {"language": language, "prompt": name, "lacks": "text", "files": 0, "of": 0, "text": text}
    by_name: dict[str, list[Item]] = {}
    for item in stock(wording, language):
        by_name.setdefault(item.name, []).append(item)
    for name, items in by_name.items():
        lacking = [item for item in items if not item.there]
        if lacking:
            counts = {"files": len(lacking), "of": len(items)}
            yield {"language": language, "prompt": name, "lacks": "file", **counts, "text": lacking[0].text}


def _lacks(row: dict[str, Any]) -> str:
    return f"{row['files']} of {row['of']} files" if row["of"] > 1 else row["lacks"]


def _plain(language: str, item: Item, why: str) -> dict[str, Any]:
    return {"language": language, "prompt": item.name, "n": item.count, "text": item.text, "why": why}


def _chosen(wording: Wording, language: str | None) -> Iterable[str]:
    if language is None:
        return wording.languages
    if language not in wording.languages:
        raise WrongUse(f"no language {show.plain(language)}; the site has {', '.join(wording.languages)}")
    return (language,)
