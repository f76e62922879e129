"""``ccbridge report``: figures, from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, common, pass_here
from ccbridge.cli.levels import service_level
from ccbridge.cli.past import database, local_zone, to_day
from ccbridge.reports.day import day_report
from ccbridge.reports.menus import menus_report


@click.group()
def report() -> None:
    """Reports."""


@report.command()
@click.argument("day", callback=to_day, required=False, metavar="[YYYY-MM-DD]")
@common
@pass_here
def ivr(here: Here, day: date | None, as_json: bool) -> None:
    """Where the callers of a day (today if not given) went in the menus, and where they hung up."""
    zone = local_zone()
    with database(here) as db:
        found = menus_report(db, day or datetime.now(ZoneInfo(zone)).date(), zone=zone)
    if as_json:
        show.as_json(found)
        return
    click.echo(f"{found['day']} ({found['zone']})")
    columns = ("came", "time_out", "invalid", "left")
    for flow, steps in found["flows"].items():
        click.echo()
        ranked = sorted(steps.items(), key=lambda one: (-one[1]["came"], one[0]))
        rows = [(name, *(line[column] for column in columns)) for name, line in ranked]
        show.table([f"{flow}", ">came", ">time-outs", ">wrong keys", ">hung up here"], rows)


@report.command(name="day")
@click.argument("day", callback=to_day, required=False, metavar="[YYYY-MM-DD]")
@click.option("--queue", metavar="QUEUE", help="This queue only.")
@click.option("--department", metavar="DEPARTMENT", help="The queues of this department only.")
@service_level
@common
@pass_here
def day_(
    here: Here, day: date | None, queue: str | None, department: str | None, variant: str, as_json: bool
) -> None:
    """The figures of the calls that arrived on a day (today if not given), by queue and by agent."""
    zone = local_zone()
    plan = here.site().plan
    levels = {name: one.service_level for name, one in plan.queues.items()}
    if department is not None and department not in plan.departments:
        raise NotDone(f"there is no department {show.plain(department)}")
    with database(here) as db:
        found = day_report(db, day or datetime.now(ZoneInfo(zone)).date(), levels, zone=zone, variant=variant)
    if queue is not None:
        if queue not in found["queues"]:
            raise NotDone(
                f"there is no queue {show.plain(queue)}, neither configured nor in that day's calls"
            )
        found = {**found, "queues": {queue: found["queues"][queue]}}
    if department is not None:
        its = plan.departments[department]
        found = {**found, "queues": {name: one for name, one in found["queues"].items() if name in its}}
    if as_json:
        show.as_json(found)
        return
    click.echo(f"{found['day']} ({found['zone']}); service level: {variant}, {found['variant_formula']}")
    click.echo()
    lines = list(found["queues"].items())
    everything = queue is None and department is None
    if everything:
        lines.append(("total", found["total"]))
    show.table(
        [
            "queue",
            ">offered",
            ">answered",
            ">abandoned",
            ">overflowed",
            ">level",
            ">T",
            ">asa",
            ">longest",
            ">talk",
        ],
        [_queue(name, line) for name, line in lines],
    )
    _expected(lines)
    if everything and found["agents"]:
        click.echo()
        show.table(
            [
                "agent",
                ">answered",
                ">missed",
                ">refused",
                ">busy",
                ">unreachable",
                ">passed on",
                ">talk",
                ">hold",
                ">mean talk",
                ">occupancy",
                ">scored",
                ">score",
            ],
            [_agent(name, line) for name, line in found["agents"].items()],
        )
    if everything and found["tags"]:
        click.echo()
        show.table(["tag", ">calls"], list(found["tags"].items()))


def _queue(name: str, line: Mapping[str, Any]) -> list[Any]:
    return [
        name,
        line["offered"],
        line["answered"],
        line["abandoned"],
        line["overflowed"],
        _percent(line["service_level"]),
        None if line["t_s"] is None else f"{line['t_s']:g} s",
        show.minutes(line["asa_s"]),
        show.minutes(line["longest_wait_s"]),
        show.minutes(line["mean_talk_s"]),
    ]


def _expected(lines: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """The expected waits of those who had any, beside what app_queue would have said."""
    rows = [(name, line["expected_wait"]) for name, line in lines]
    told = [(name, row) for name, row in rows if row["compared"] or row["unanswered"]]
    if told:
        click.echo()
        show.table(
            ["expected wait", ">compared", ">unanswered"]
            + [f">{by}{what}" for by in ("", "app_queue ") for what in ("error", "off", "near")],
            [
                [name, row["compared"], row["unanswered"]]
                + [
                    cell
                    for by in ("", "app_queue_")
                    for cell in (
                        _signed(row[f"{by}error_s"]),
                        _signed(row[f"{by}off_s"], ""),
                        _percent(row[f"{by}near"]),
                    )
                ]
                for name, row in told
            ],
        )


def _signed(seconds: float | None, sign: str = "+") -> str | None:
    return None if seconds is None else f"{seconds:{sign}.0f} s"


def _agent(name: str, line: Mapping[str, Any]) -> list[Any]:
    return [
        name,
        line["answered"],
        line["missed"],
        line["refused"],
        line["busy"],
        line["unreachable"],
        line["transferred"],
        show.minutes(line["talk_s"]),
        show.minutes(line["hold_s"]),
        show.minutes(line["mean_talk_s"]),
        _percent(line["occupancy"]),
        line["score"]["cards"],
        None if line["score"]["mean"] is None else f"{line['score']['mean']:.1f}",
    ]


def _percent(share: float | None) -> str:
    return show.NOTHING if share is None else f"{share:.1%}"
