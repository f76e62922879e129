"""One day held against itself: CDRs, channel events, accounts, and recordings on the disk.

Each difference has a reason in words; it is *explained* when nothing is wrong and nothing is to be done.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from ccbridge.core.calls import channel_of
from ccbridge.desk.recordings import HEADER, halves, stereo
from ccbridge.gaps.follow import Stand, behind
from ccbridge.gaps.stories import CALLERS

TALK_TOLERANCE = 1.0  # seconds
SETTLED = 60.0  # seconds after which what belongs together is there
FINISHED = 600.0  # seconds after its end in which a recording is made into one file
SIDES = ("-r.wav", "-t.wav", ".wav.part", ".wav")


@dataclass(frozen=True, slots=True)
class Difference:
    """``kind`` is for programs, ``what`` names the call, CDR, recording or file, ``reason`` is for people."""

    kind: str
    what: str
    reason: str
    explained: bool


def differences(
    db: Connection,
    start: datetime,
    stop: datetime,
    now: datetime,
    recordings: Path,
    system: str,
    files: Mapping[str, Path],
) -> list[Difference]:
    """All differences of calls that arrived, CDRs that ended and recordings that began in that span.

    ``recordings`` is the recordings' folder, ``files`` are Asterisk's own by what they hold, of ``system``.
    """
    span = {"start": start, "stop": stop, "settled": now - timedelta(seconds=SETTLED)}
    found = [
        *_read_to_their_end(db, system, files),
        *_rejects(db, span),
        *_unseen_calls(db, span),
        *_open_calls(db, span),
        *_calls_without_cdr(db, span),
        *_cdrs_without_call(db, span),
        *_talk(db, span),
        *_recordings(db, span, now, recordings),
        *_files(db, start, stop, now, recordings),
    ]
    return sorted(found, key=lambda one: one.explained)


def counts(db: Connection, start: datetime, stop: datetime) -> dict[str, int]:
    """What was compared."""
    row = db.execute(text(_COUNTS), {"start": start, "stop": stop}).mappings().one()
    return {name: int(value) for name, value in row.items()}


_COUNTS = """
SELECT (SELECT count(*) FROM call_account WHERE arrived_at >= :start AND arrived_at < :stop) AS calls,
       (SELECT count(*) FROM cdr WHERE at >= :start AND at < :stop) AS cdrs,
       (SELECT count(*) FROM recording WHERE started_at >= :start AND started_at < :stop) AS recordings"""


def _rows(db: Connection, query: str, span: Mapping[str, Any]) -> Iterable[Mapping[Any, Any]]:
    return db.execute(text(query), dict(span)).mappings().all()


# -- what was read --------------------------------------------------------------------------------

_POSITION = """
SELECT inode, extract(epoch FROM updated_at)::float AS at, head, head_size, byte, line
FROM file_position WHERE system = :system AND path = :path"""


def _read_to_their_end(db: Connection, system: str, files: Mapping[str, Path]) -> Iterator[Difference]:
    for what, path in files.items():
        row = db.execute(text(_POSITION), {"system": system, "path": str(path)}).mappings().first()
        try:
            if not path.exists():
                reason = f"the file of the {what} is not there: does Asterisk write it, is its folder there?"
                yield Difference("no_file", str(path), reason, False)
            elif left := behind(path, None if row is None else Stand(**row)):
                reason = f"{left} bytes of the {what} are not read yet: does `ccbridge jobs` run?"
                yield Difference("unread", str(path), reason, False)
        except OSError as error:
            yield Difference("unreadable", str(path), f"cannot be read: {error.strerror}", False)


_REJECTS = """
SELECT file || ':' || line AS what, 'this line of Asterisk''s own file was no row: ' || error AS reason
FROM file_reject WHERE found_at >= :start AND found_at < :stop
UNION ALL
SELECT 'journal ' || node || ' seq ' || seq, 'the database refused this record: ' || error
FROM ship_reject WHERE written_at >= :start AND written_at < :stop"""


def _rejects(db: Connection, span: Mapping[str, Any]) -> Iterator[Difference]:
    for row in _rows(db, _REJECTS, span):
        yield Difference("refused", row["what"], row["reason"], False)


# -- calls ----------------------------------------------------------------------------------------

_NOT_BY_EVENTS = """
SELECT a.call_id, a.source, a.disposition, c.call_id IS NULL AS unseen
FROM call_account a LEFT JOIN call c USING (call_id)
WHERE a.arrived_at >= :start AND a.arrived_at < :stop
  AND (a.inferred OR c.inferred OR c.call_id IS NULL) ORDER BY a.arrived_at"""


def _unseen_calls(db: Connection, span: Mapping[str, Any]) -> Iterator[Difference]:
    for row in _rows(db, _NOT_BY_EVENTS, span):
        if row["source"] == "cel" and row["unseen"]:
            kind, reason = (
                "unseen_call",
                "the daemon was away all the time: accounted for from CEL",
            )
        elif row["source"] == "cel":
            kind, reason = (
                "half_seen_call",
                "the daemon did not see all of it: accounted for from CEL",
            )
        elif row["disposition"] == "pbx_restart":
            kind, reason = (
                "cut_off_call",
                "Asterisk was killed or restarted: its end is inferred",
            )
        else:
            kind, reason = "inferred_call", "nobody saw its end, CEL neither: it is inferred"
        yield Difference(kind, row["call_id"], reason, True)


_OPEN = """
SELECT o.call_id, o.arrived_at, r.ended_at
FROM call_opened o LEFT JOIN cel_call r USING (call_id)
WHERE o.arrived_at >= :start AND o.arrived_at < :stop AND (r.ended_at IS NULL OR r.ended_at < :settled)
ORDER BY o.arrived_at"""


def _open_calls(db: Connection, span: Mapping[str, Any]) -> Iterator[Difference]:
    for row in _rows(db, _OPEN, span):
        if row["ended_at"] is None:
            yield Difference("open_call", row["call_id"], "still going on, as far as CEL tells", True)
        else:
            reason = (
                f"CEL tells its end at {row['ended_at'].astimezone():%H:%M:%S}, its account is missing: "
                "does the daemon run, is its ship lag 0?"
            )
            yield Difference("open_call", row["call_id"], reason, False)


_NO_CDR = """
SELECT a.call_id, a.source, a.disposition FROM call_account a
WHERE a.arrived_at >= :start AND a.arrived_at < :stop AND a.ended_at < :settled
  AND NOT EXISTS (SELECT FROM cdr WHERE cdr.linkedid = regexp_replace(a.call_id, '~[0-9]+$', ''))
  AND NOT EXISTS (SELECT FROM cdr WHERE cdr.uniqueid = regexp_replace(a.call_id, '~[0-9]+$', ''))
ORDER BY a.arrived_at"""


def _calls_without_cdr(db: Connection, span: Mapping[str, Any]) -> Iterator[Difference]:
    for row in _rows(db, _NO_CDR, span):
        cut_off = row["disposition"] == "pbx_restart" or row["source"] == "inferred"
        reason = (
            "Asterisk was killed: it wrote no CDR"
            if cut_off
            else "Asterisk wrote no CDR: are cdr_custom_ccbridge.conf and cdr_ccbridge.conf included?"
        )
        yield Difference("no_cdr", row["call_id"], reason, cut_off)


# Channels that are put into one bridge are all of the oldest one's ``linkedid`` from then on.
TAKEN_OVER = "a supervisor who was on the line before took a caller over"
# Where supervisors' channels end, and those that play a tone for them.
SUPERVISORS = ("ccbridge-monitor", "ccbridge-notice", "ccbridge-score", "ccbridge-brief")

_NO_CALL = """
SELECT linkedid, count(*) AS rows,
       bool_or(fields ->> 'DestinationContext' = ANY(:contexts)) AS ours,
       bool_or(fields ->> 'DestinationContext' = ANY(:supervisors)) AS monitored,
       bool_or(fields ->> 'DestinationContext' LIKE 'ccbridge-%') AS by_feature_code,
       EXISTS (SELECT FROM control_audit WHERE control = linkedid AND what = 'take_over' AND result = 'done')
           AS taken_over
FROM cdr WHERE at >= :start AND at < least(:stop, :settled)
  AND NOT EXISTS (SELECT FROM call_account a WHERE a.call_id = cdr.linkedid)
  AND NOT EXISTS (SELECT FROM call_opened o WHERE o.call_id = cdr.linkedid)
GROUP BY linkedid ORDER BY min(at)"""


def _cdrs_without_call(db: Connection, span: Mapping[str, Any]) -> Iterator[Difference]:
    for row in _rows(db, _NO_CALL, {**span, "contexts": list(CALLERS), "supervisors": list(SUPERVISORS)}):
        if row["taken_over"]:
            reason = f"{TAKEN_OVER}: Asterisk files the call under his channel"
        elif row["ours"]:
            reason = (
                "a call of ours that neither the daemon nor CEL knows: is cel_custom_ccbridge.conf included?"
            )
        elif row["monitored"]:
            reason = "a supervisor listened to an agent: no caller"
        elif row["by_feature_code"]:
            reason = "an agent's phone dialled one of ccbridge's feature codes: no caller"
        else:
            reason = "not a call of ours: it never came to a context of ccbridge"
        yield Difference(
            "no_call", f"{row['linkedid']} ({row['rows']} CDRs)", reason, row["taken_over"] or not row["ours"]
        )


_TALK = """
SELECT a.call_id, a.legs AS events, r.legs AS cel,
       ARRAY(SELECT data ->> 'offer' FROM call_event e
             WHERE e.call_id = a.call_id AND e.kind = 'joined') AS joined,
       EXISTS (SELECT FROM control_audit c
               WHERE c.call_id = a.call_id AND c.what = 'take_over' AND c.result = 'done') AS taken_over
FROM call_account a JOIN cel_call r USING (call_id)
WHERE a.arrived_at >= :start AND a.arrived_at < :stop AND a.source = 'events' AND r.source = 'cel'
ORDER BY a.arrived_at"""

# Of channels that came back after the end of a call: CEL has one account for all of them.
_LATER_TALK = """
SELECT a.call_id, a.legs AS events,
       ARRAY(SELECT data ->> 'offer' FROM call_event e
             WHERE e.call_id = a.call_id AND e.kind = 'joined') AS joined
FROM call_account a WHERE a.call_id ~ '~[0-9]+$' AND a.arrived_at >= :start"""


def _talk(db: Connection, span: Mapping[str, Any]) -> Iterator[Difference]:
    """Each agent's talk by both.

    Of one to whom the caller was passed on CEL may know less: his phone was in a consultation before, which
    is another ``linkedid``. CEL tells of bridges, not of hold.
    """
    later = defaultdict[str, list[Mapping[str, Any]]](list)
    for row in _rows(db, _LATER_TALK, span):
        later[channel_of(row["call_id"])[0]].append(row)
    for row in _rows(db, _TALK, span):
        told = [row, *later[row["call_id"]]]
        joined = {offer for one in told for offer in one["joined"]}
        least, talk, most, cel = (defaultdict[str, float](float) for _ in range(4))
        for leg in (leg for one in told for leg in one["events"]):
            least[leg["agent"]] += 0.0 if leg["offer"] in joined else leg["talk_s"]
            talk[leg["agent"]] += leg["talk_s"]
            most[leg["agent"]] += leg["talk_s"] + leg["hold_s"]
        for leg in row["cel"]:
            if leg["agent"]:
                cel[leg["agent"]] += leg["ended"] - leg["begun"]
        for agent in sorted({*talk, *cel}):
            if talk[agent] - TALK_TOLERANCE <= cel[agent] <= most[agent] + TALK_TOLERANCE:
                continue
            explained = least[agent] - TALK_TOLERANCE <= cel[agent] < talk[agent]
            how = (
                f"talk with {agent} is {talk[agent]:.1f} s by the daemon's events, {cel[agent]:.1f} s by CEL"
            )
            why = "the caller was passed on to him" if explained else "events were lost"
            if row["taken_over"] and cel[agent] < talk[agent]:
                explained, why = True, TAKEN_OVER
            yield Difference("talk", row["call_id"], f"{how}: {why}", explained)


# -- recordings -----------------------------------------------------------------------------------

_RECORDINGS = """
SELECT r.*, EXISTS (SELECT FROM call_opened o WHERE o.call_id = r.call_id) AS call_open
FROM recording r WHERE r.started_at >= :start AND r.started_at < :stop ORDER BY r.started_at"""


def _recordings(db: Connection, span: Mapping[str, Any], now: datetime, folder: Path) -> Iterator[Difference]:
    for row in _rows(db, _RECORDINGS, span):
        what = f"recording {row['id']} of {row['call_id']}"
        state = row["state"]
        if state == "writing":
            reason = "its talk is still going on" if row["call_open"] else "it was begun, and never ended"
            yield Difference("open_recording", what, reason, row["call_open"])
        elif state == "ended":
            fresh = (now - row["ended_at"]).total_seconds() < FINISHED
            reason = "it is about to be finished" if fresh else "it waits: does `ccbridge jobs` run?"
            yield Difference("unfinished_recording", what, reason, fresh)
        elif state == "failed":
            yield Difference("failed_recording", what, f"it could not be finished: {row['error']}", False)
        elif state == "ready":
            try:
                size = stereo(folder / row["path"]).stat().st_size
            except OSError as error:
                yield Difference("no_recording_file", what, f"{row['path']}.wav: {error.strerror}", False)
                continue
            if size != row["bytes"]:
                reason = f"{row['path']}.wav has {size} bytes, it had {row['bytes']}: somebody changed it"
                yield Difference("changed_recording", what, reason, False)


def _files(
    db: Connection, start: datetime, stop: datetime, now: datetime, folder: Path
) -> Iterator[Difference]:
    day = start.astimezone(UTC).date()
    while day <= (stop - timedelta(microseconds=1)).astimezone(UTC).date():
        place = day.strftime("%Y/%m/%d")
        query = "SELECT path FROM recording WHERE path LIKE :place"
        known = set(db.scalars(text(query), {"place": f"{place}/%"}))
        try:
            there = _listed(folder / place)
        except OSError as error:
            yield Difference("unreadable", str(folder / place), f"cannot be read: {error.strerror}", False)
            there = []
        for file, seen in there:
            side = next((side for side in SIDES if file.name.endswith(side)), "")
            if side and f"{place}/{file.name.removesuffix(side)}" in known:
                continue
            if not start.timestamp() <= seen.st_mtime < max(stop.timestamp(), start.timestamp() + 86_400):
                continue  # of the part of that folder's day that is not ours
            young = now.timestamp() - seen.st_mtime < FINISHED
            if seen.st_size <= HEADER and file in (*halves(file), file):
                yield Difference("file_without_row", str(file), "of an offer that nobody answered", True)
            else:
                reason = "it is being written" if young else "no row tells of it"
                yield Difference("file_without_row", str(file), reason, young)
        day += timedelta(days=1)


def _listed(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Its files, but those that go meanwhile; none if there is no such folder. Raises OSError."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for file in sorted(folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                found.append((file, file.stat()))
    return found
