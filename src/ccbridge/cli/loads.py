"""Where the callers of ``ccbridge simulate`` come from: made up, of a past day, or of a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ccbridge.cli import show
from ccbridge.cli.here import Here, NotDone, WrongUse
from ccbridge.config import ConfigErrors
from ccbridge.core.plan import Plan
from ccbridge.core.records import AgentEvent, Record, from_dict
from ccbridge.simulate import spec
from ccbridge.simulate.arrivals import Arrival, synthetic
from ccbridge.simulate.past import Duty, NothingToDraw, Past
from ccbridge.store.segments import parse, segment_numbers, segment_path

Plans = Mapping[str, Plan]  # the configuration's file -> what it says


@dataclass(frozen=True, slots=True)
class Load:
    """Who comes, and who is at work. ``arrivals`` and ``duties`` are asked for once for each plan."""

    title: str
    about: Mapping[str, Any]  # the same for programs
    hours: float
    arrivals: Callable[[Plan], Iterable[Arrival]]
    duties: Callable[[Plan], Iterable[Duty] | None]
    answer: float = 0.0


def made_up(source: str, plans: Plans, seed: int) -> Load:
    """``--synthetic``. Raises WrongUse."""
    try:
        load = spec.read(source, plans)
    except ConfigErrors as errors:
        raise WrongUse("\n".join(str(mistake) for mistake in errors.mistakes)) from errors
    return Load(
        f"seed {seed}, {load.hours:g} h",
        {"seed": seed, "hours": load.hours},
        load.hours,
        lambda plan: synthetic(load, seed),
        lambda plan: None,
        load.answer,
    )


def of_day(here: Here, day: date, plans: Plans, seed: int) -> Load:
    """``--day``: from the database, in this machine's time zone. Raises Away, NotDone, WrongUse."""
    from ccbridge.cli.past import database, local_day
    from ccbridge.store import days

    start, stop = local_day(day)
    past = Past(start.timestamp(), stop.timestamp())
    with database(here) as db:
        for agent in days.agents(db, start, stop):
            past.see(agent)
        for event in days.calls(db, start, stop):
            past.see(event)
    return _past(past, f"{day:%Y-%m-%d}", {"day": day}, plans, seed)


def of_journal(paths: Iterable[Path], plans: Plans, seed: int) -> Load:
    """``--journal``: segments of the event journal, or its folder. Raises NotDone, WrongUse."""
    past: Past | None = None
    for path in _segments(paths):
        for record in _records(path, fresh=past is None):
            if past is None:
                past = Past(record.at)
            past.see(record)
    if past is None:
        raise NotDone("there are no records in this journal")
    begun = datetime.fromtimestamp(past.since, UTC)
    title = f"from {show.when(begun)} to {show.when(datetime.fromtimestamp(past.last, UTC))}"
    return _past(past, title, {"from": begun}, plans, seed)


def _past(past: Past, title: str, about: Mapping[str, Any], plans: Plans, seed: int) -> Load:
    past.close()
    if not past.stays:
        raise NotDone(f"{title}: nobody came into a queue")
    for file, plan in plans.items():
        for queue, count in past.queues.items():
            if queue not in plan.queues:
                raise WrongUse(f"{file} has no queue {show.plain(queue)}, into which {count} callers came")
    callers, gave_up = len(past.stays), sum(stay.gave_up for stay in past.stays)
    hours = past.seconds / 3600

    def arrivals(plan: Plan) -> Iterator[Arrival]:
        try:
            yield from past.arrivals(seed, plan)
        except NothingToDraw:
            raise NotDone(
                f"{title}: nobody was answered, so nothing is known of how long they talk"
            ) from None

    return Load(
        f"{title}: {callers} callers, {gave_up} of them gave up; seed {seed}",
        {**about, "seed": seed, "hours": hours, "callers": callers, "gave_up": gave_up},
        hours,
        arrivals,
        past.duties,
    )


def _segments(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            numbers = segment_numbers(path)
            if not numbers:
                raise WrongUse(f"{show.plain(path)}: here is no event journal")
            yield from (segment_path(path, number) for number in numbers)
        else:
            yield path


def _records(path: Path, *, fresh: bool) -> Iterator[Record]:
    """The segment's records; before the first one's (``fresh``), where each agent stood at that moment."""
    try:
        (checkpoint, *lines), _ = parse(path)
    except OSError as error:
        raise WrongUse(f"{show.plain(path)}: {error.strerror}") from error
    except ValueError:
        raise WrongUse(f"{show.plain(path)}: this is no segment of an event journal") from None
    records = []
    for line in lines:
        data = {key: value for key, value in line.items() if key not in ("seq", "w")}
        try:
            records.append(from_dict(data))
        except (KeyError, TypeError):
            raise WrongUse(f"{show.plain(path)}: record {line['seq']} is of another version") from None
    if fresh and records:
        for name, known in ((checkpoint.get("state") or {}).get("agents") or {}).items():
            if "state" in known:  # else nothing but his turns is remembered
                yield AgentEvent(name, records[0].at, known["state"], known["reason"])
    yield from records
