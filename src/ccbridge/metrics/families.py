"""Every metric: name, kind, labels, meaning, and where its value is read. docs/operations.md has a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ccbridge.core.calls import CallState
from ccbridge.core.records import AGENT_STATES, DISPOSITIONS, OFFER_RESULTS
from ccbridge.metrics.tally import NO_QUEUE, Spread, Tally

Labels = tuple[str, ...]
Samples = Iterable[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class Seen:
    """The daemon at one moment. ``status`` and ``queues`` are what the commands of these names answer."""

    at: float  # monotonic
    status: Mapping[str, Any]
    queues: tuple[Mapping[str, Any], ...]
    tally: Tally


@dataclass(frozen=True, slots=True)
class Family:
    """``name`` as Prometheus shows it. ``read``: label values and value; of a histogram the ``Spread``."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: Labels
    meaning: str
    read: Callable[[Seen], Samples | Spread]


def _one(read: Callable[[Seen], Any]) -> Callable[[Seen], Samples]:
    def samples(seen: Seen) -> Samples:
        value = read(seen)
        if value is not None:
            yield (), float(value)

    return samples


def _status(key: str) -> Callable[[Seen], Samples]:
    return _one(lambda seen: seen.status[key])


def _each(
    read: Callable[[Seen], Mapping[str, float]], known: Iterable[str] = ()
) -> Callable[[Seen], Samples]:
    """One label. The ``known`` values are there from the start, so that a first event is a rise, too."""

    def samples(seen: Seen) -> Samples:
        values = {**dict.fromkeys(known, 0), **read(seen)}
        return [((label,), float(value)) for label, value in values.items()]

    return samples


def _queues(read: Callable[[Mapping[str, Any]], Any]) -> Callable[[Seen], Samples]:
    return lambda seen: [((row["queue"],), float(read(row) or 0)) for row in seen.queues]


def _queue_agents(seen: Seen) -> Samples:
    for row in seen.queues:
        for state in AGENT_STATES:
            yield (row["queue"], state), float(row["agents"]["states"].get(state, 0))


def _closed(seen: Seen) -> Samples:
    names = [row["queue"] for row in seen.queues]
    known = {(name, disposition): 0 for name in (*names, NO_QUEUE) for disposition in DISPOSITIONS}
    return [(key, float(count)) for key, count in {**known, **seen.tally.closed}.items()]


def _in_time(seen: Seen) -> Samples:
    known = dict.fromkeys((row["queue"] for row in seen.queues), 0)
    return [((name,), float(count)) for name, count in {**known, **seen.tally.in_time}.items()]


STATES = tuple(state.value for state in CallState)

FAMILIES = (
    Family("ccbridge_build_info", "gauge", ("version", "asterisk"), "always 1; the versions are its labels",
           lambda seen: [((seen.status["version"], seen.status["asterisk_version"]), 1.0)]),
    Family("ccbridge_uptime_seconds", "gauge", (), "since the daemon's start", _status("uptime_s")),
    Family("ccbridge_calls", "gauge", ("state",), "live calls",
           _each(lambda seen: seen.status["calls"]["states"], STATES)),
    Family("ccbridge_calls_ended_total", "counter", ("queue", "disposition"),
           "calls accounted for; queue `none` had none", _closed),
    Family("ccbridge_queue_waiting", "gauge", ("queue",), "callers in line, those being offered included",
           _queues(lambda row: row["waiting"])),
    Family("ccbridge_queue_longest_wait_seconds", "gauge", ("queue",), "of who is in line now; 0: nobody",
           _queues(lambda row: row["longest_wait_s"])),
    Family("ccbridge_queue_answered_in_time_total", "counter", ("queue",),
           "calls answered within the queue's `service_level`", _in_time),
    Family("ccbridge_queue_agents", "gauge", ("queue", "state"),
           "agents who serve the queue; one who serves two counts in both", _queue_agents),
    Family("ccbridge_agents", "gauge", ("state",), "agents, each once",
           _each(lambda seen: seen.status["agents"]["states"], AGENT_STATES)),
    Family("ccbridge_offers_total", "counter", ("result",), "offers of a call to an agent, by how they ended",
           _each(lambda seen: seen.tally.offers, OFFER_RESULTS)),
    Family("ccbridge_decision_seconds", "histogram", (), "one input: decided, written to the journal, sent",
           lambda seen: seen.tally.decisions),
    Family("ccbridge_event_lag_seconds", "histogram", (),
           "from an event's own time, Asterisk's stamp, to the decision's end", lambda seen: seen.tally.lag),
    Family("ccbridge_loop_lag_seconds", "gauge", (), "how late the loop was at its worst in the last second",
           _status("loop_lag_s")),
    Family("ccbridge_inbox", "gauge", (), "inputs that wait to be decided", _status("inbox")),
    Family("ccbridge_oddities_total", "counter", (), "events that fitted no state; each is in the log",
           _status("oddities")),
    Family("ccbridge_drift_total", "counter", ("kind",), "differences from Asterisk that a sweep found",
           _each(lambda seen: seen.status["drift"])),
    Family("ccbridge_ami_up", "gauge", (), "1 while the link to Asterisk is logged in and settled",
           _one(lambda seen: seen.status["link"]["up"])),
    Family("ccbridge_ami_reconnects_total", "counter", (), "logins but the first", _status("ami_reconnects")),
    Family("ccbridge_ami_events_total", "counter", (), "AMI events heard", _status("ami_events")),
    Family("ccbridge_ami_timeouts_total", "counter", (), "actions without an answer in time",
           _status("ami_timeouts")),
    Family("ccbridge_ami_orphans_total", "counter", (), "answers that came after their time-out",
           _status("ami_orphans")),
    Family("ccbridge_ami_round_trip_seconds", "gauge", (), "of the last ping", _status("ami_round_trip_s")),
    Family("ccbridge_ami_clock_offset_seconds", "gauge", (), "Asterisk's clock minus ours",
           _status("ami_clock_offset_s")),
    Family("ccbridge_agi_sessions", "gauge", (), "callers in menus and agents at the outcome",
           _status("agi_sessions")),
    Family("ccbridge_agi_events_total", "counter", ("event",),
           "at the FastAGI door: `sessions`, `finished`, `failed`, `refused_session_cap` ...",
           _each(lambda seen: seen.status["agi_counts"])),
    Family("ccbridge_journal_records_total", "counter", ("type",), "records appended",
           _each(lambda seen: seen.tally.records)),
    Family("ccbridge_journal_unwritten", "gauge", (), "records that wait in memory for the disk",
           _status("journal_unwritten")),
    Family("ccbridge_journal_dropped_total", "counter", (), "records lost because too many waited",
           _status("journal_dropped")),
    Family("ccbridge_journal_faults_total", "counter", (), "times that the disk refused to sync or to prune",
           _status("journal_faults")),
    Family("ccbridge_ship_lag_records", "gauge", (), "records that the database does not have yet",
           _status("ship_lag_records")),
    Family("ccbridge_ship_lag_seconds", "gauge", (), "age of the oldest of them", _status("ship_lag_s")),
    Family("ccbridge_ship_rejected_total", "counter", (), "records that the database refused",
           _status("ship_rejected")),
    Family("ccbridge_draining", "gauge", (), "1 while new callers are sent to the fallback queue",
           _status("draining")),
)  # fmt: skip
