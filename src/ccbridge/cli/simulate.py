"""``ccbridge simulate``: what a configuration would make of a load, beside another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from ccbridge.cli import loads, show
from ccbridge.cli.here import Here, NotDone, WrongUse, common, pass_here
from ccbridge.cli.levels import service_level
from ccbridge.cli.loads import Load
from ccbridge.cli.past import to_day
from ccbridge.core.plan import Plan
from ccbridge.reports.metrics import formula
from ccbridge.simulate.driver import NotPlayed, play
from ccbridge.simulate.figures import Figures, Result

# What is shown of a queue: figure, heading, how it looks
COLUMNS = (
    ("offered", "offered", "count"),
    ("answered", "answered", "count"),
    ("abandoned", "abandoned", "count"),
    ("overflowed", "overflowed", "count"),
    ("service_level", "level", "share"),
    ("t_s", "T", "whole"),
    ("mean_wait_s", "mean wait", "seconds"),
    ("p95_wait_s", "p95 wait", "seconds"),
    ("longest_wait_s", "longest", "seconds"),
    ("occupancy", "occupancy", "share"),
)


@click.command()
@click.option(
    "--synthetic",
    "source",
    metavar="SPEC",
    help='A made-up load: a YAML file, or text such as "calls=60 talk=180 patience=120 hours=8".',
)
@click.option(
    "--day",
    callback=to_day,
    metavar="YYYY-MM-DD",
    help="Who came on this day, as the database has it, and the agents who were at work.",
)
@click.option(
    "--journal",
    "journals",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The same from the daemon's journal of events: a segment, or its folder. May be given again.",
)
@click.option(
    "--against",
    "base",
    type=click.Path(path_type=Path),
    metavar="BASE",
    help="Another configuration: the same callers come to both, and the figures stand side by side.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same callers.",
)
@service_level
@common
@pass_here
def simulate(
    here: Here,
    source: str | None,
    day: date | None,
    journals: tuple[Path, ...],
    base: Path | None,
    seed: int,
    variant: str,
    as_json: bool,
) -> None:
    """Let callers come to the configuration, on a simulated clock; nothing real is touched.

    They are made up (--synthetic), or those of a past day (--day, --journal). The routing core itself
    decides, and every agent takes his calls. Exit codes: 0 done, 1 the simulation broke off, or nobody came;
    2 the configuration or the load is wrong, 3 the database is away.
    """
    if sum((source is not None, day is not None, bool(journals))) != 1:
        raise WrongUse("give one of --synthetic, --day and --journal: where the callers come from")
    sites = {str(here.config_path()): here.site().plan}
    if base is not None:
        sites[str(base)] = Here(base).site().plan
    if source is not None:
        load = loads.made_up(source, sites, seed)
    elif day is not None:
        load = loads.of_day(here, day, sites, seed)
    else:
        load = loads.of_journal(journals, sites, seed)
    results = {name: _run(plan, load, seed, variant) for name, plan in sites.items()}
    name, *others = results
    against = others[0] if others else None
    if as_json:
        head: dict[str, Any] = {"config": name, **load.about}
        head |= {"variant": variant, "variant_formula": formula(variant)}
        beside = None if against is None else {"config": against, **asdict(results[against])}
        show.as_json({**head, **asdict(results[name]), "against": beside})
        return
    click.echo(f"{load.title}; service level: {variant}, {formula(variant)}; waits in seconds")
    click.echo()
    if against is None:
        _show(results[name])
    else:
        _compare(against, results[against], name, results[name])


def _run(plan: Plan, load: Load, seed: int, variant: str) -> Result:
    figures = Figures(plan, load.hours * 3600)
    duties = load.duties(plan)
    try:
        play(plan, load.arrivals(plan), figures.see, answer=load.answer, seed=seed, duties=duties)
    except NotPlayed as error:
        raise NotDone(f"the simulation broke off: {show.plain(str(error))}") from error
    return figures.result(variant)


def _lines(result: Result) -> Iterator[tuple[str, Mapping[str, float | None]]]:
    yield from result.queues.items()
    if len(result.queues) > 1:
        yield "total", result.total


def _show(result: Result) -> None:
    show.table(
        ["queue", *(f">{heading}" for _, heading, _ in COLUMNS)],
        [[queue, *(_text(line[key], how) for key, _, how in COLUMNS)] for queue, line in _lines(result)],
    )
    click.echo()
    show.table(
        ["agent", ">talks", ">talk", ">wrap-up", ">available", ">occupancy"],
        [
            [
                agent,
                line["talks"],
                *(show.minutes(line[state]) for state in ("talk_s", "wrap_up_s", "available_s")),
                _text(line["occupancy"], "share"),
            ]
            for agent, line in result.agents.items()
        ],
    )


def _compare(base: str, before: Result, name: str, after: Result) -> None:
    """Figure by figure. A queue or agent that one of the two has not is shown with nothing there."""
    earlier = dict(_lines(before))
    later = dict(_lines(after))
    rows: list[list[Any]] = []
    for queue in dict.fromkeys((*later, *earlier)):
        for key, heading, how in COLUMNS:
            pair = earlier.get(queue, {}).get(key), later.get(queue, {}).get(key)
            rows.append([queue, heading, *(_text(one, how) for one in pair), _change(*pair, how)])
    show.table(["queue", "figure", f">{base}", f">{name}", ">change"], rows)
    click.echo()
    rows = []
    for agent in dict.fromkeys((*after.agents, *before.agents)):
        pair = before.agents.get(agent, {}).get("occupancy"), after.agents.get(agent, {}).get("occupancy")
        rows.append([agent, "occupancy", *(_text(one, "share") for one in pair), _change(*pair, "share")])
    show.table(["agent", "figure", f">{base}", f">{name}", ">change"], rows)


def _text(value: float | None, how: str) -> str:
    if value is None:
        return show.NOTHING
    return {"count": f"{value:.0f}", "whole": f"{value:g}", "share": f"{value:.1%}"}.get(how, f"{value:.1f}")


def _change(before: float | None, after: float | None, how: str) -> str:
    """The difference; of shares in percentage points."""
    if before is None or after is None:
        return show.NOTHING
    change = after - before
    if how == "share":
        return f"{100 * change:+.1f}"
    return f"{change:+.1f}" if how == "seconds" else f"{change:+g}"
