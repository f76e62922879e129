"""The lines of a capture: what a switchboard was told, in order, with the moments it was told at.

The daemon's journal of inputs and what ``ccbridge ami record`` writes are the same format, one JSON object a
line, so that both can be replayed::

    {"t": "start", "v": 1, "n": …, "w": …, "run": …, "seq": …, "plan": {…}, "memory": {…}}    a start, or
    {"t": "start", "v": 1, "n": …, "w": …, "run": …, "seq": …, "plan": {…}, "state": {…}}     going on
    {"t": "ami", "n": …, "w": …, "m": "Event: Hangup\\r\\nPrivilege: …"}
    {"t": "input", "n": …, "k": "CallArrived", "i": {…}}
    {"t": "record", "n": …, "r": {"t": "cdr", …}}

``n`` is the monotonic clock that the core was given, ``w`` the wall clock (epoch seconds); an input's own
``at`` stands in it. ``memory`` is what the event journal added up to when the daemon started; ``state`` is
the whole switchboard as it stood when a file was full and the next one began. ``seq`` is the number of the
event journal's last record before this line. An ``ami`` line is an event of the PBX word for word, also when
it means nothing to this version. Lines are ASCII: any of them can be cut, mailed and shown.
"""

from __future__ import annotations

import gzip
import json
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from ccbridge.core import inputs as i
from ccbridge.core.plan import Plan
from ccbridge.core.records import Record, from_dict, to_dict
from ccbridge.core.state import State

VERSION = 1
_INPUTS: dict[str, type[Any]] = {kind.__name__: kind for kind in typing.get_args(i.Input)}
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


class CaptureBroken(Exception):
    """A line of a capture cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a switchboard sets out: at a start of the daemon (``memory``), or going on (``state``)."""

    n: float
    w: float
    run: str
    plan: Plan
    seq: int = 0
    memory: dict[str, Any] | None = None
    state: State | None = None
    system: str = "pbx"  # asterisk.system
    country: str = ""  # callers.country: how numbers were read
    ccbridge: str = ""  # version
    asterisk: str = ""  # version, where it was known


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of the PBX, as it came."""

    n: float
    w: float
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """Any other input: from the AGI doors, the control socket, a timer, a snapshot."""

    n: float
    event: i.Input


@dataclass(frozen=True, slots=True)
class Noted:
    """A record that did not come from the switchboard."""

    n: float
    record: Record


Line = Start | Heard | Told | Noted


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Made when it is first needed: each takes a millisecond."""
    found = _adapters.get(kind)
    if found is None:
        found = _adapters[kind] = TypeAdapter(kind)
    return found


def start(line: Start) -> bytes:
    return b'{"t":"start","v":%d,%s\n' % (VERSION, _ascii(_adapter(Start).dump_json(line))[1:])


def heard(n: float, w: float, text: str) -> bytes:
    return b'{"t":"ami","n":%a,"w":%a,"m":%s}\n' % (n, w, json.dumps(text).encode())


def told(n: float, event: i.Input) -> bytes:
    """Raises ValueError for text that is no Unicode."""
    kind: type[Any] = type(event)
    body = _ascii(_adapter(kind).dump_json(event))
    return b'{"t":"input","n":%a,"k":"%s","i":%s}\n' % (n, kind.__name__.encode(), body)


def noted(n: float, record: Record) -> bytes:
    """Raises ValueError for text that is no Unicode."""
    return b'{"t":"record","n":%a,"r":%s}\n' % (n, _ascii(to_json(to_dict(record))))


def _ascii(data: bytes) -> bytes:
    return data if data.isascii() else json.dumps(json.loads(data), separators=(",", ":")).encode()


def parse(raw: str | bytes) -> Line:
    """One line. Raises CaptureBroken."""
    try:
        data = json.loads(raw)
        match data["t"]:
            case "ami":
                return Heard(float(data["n"]), float(data["w"]), str(data["m"]))
            case "input":
                return Told(float(data["n"]), _adapter(_INPUTS[data["k"]]).validate_python(data["i"]))
            case "record":
                return Noted(float(data["n"]), from_dict(data["r"]))
            case "start" if data["v"] == VERSION:
                line: Start = _adapter(Start).validate_python(data)
                return line
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CaptureBroken(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CaptureBroken(f"this is no line of a capture: {error!r}") from error
    raise CaptureBroken(f"not a kind of line that this version knows: {str(data['t'])[:40]!r}")


def read(path: Path) -> Iterator[Line]:
    """The lines of a capture, also of one that is packed with gzip. Raises CaptureBroken, OSError.

    A line without an end is the last one of a daemon that was killed while it wrote, and is left out.
    """
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        number = 0
        try:
            for raw in file:
                number += 1
                if raw.endswith(b"\n"):
                    yield parse(raw)
        except CaptureBroken as error:
            raise CaptureBroken(f"{path}:{number}: {error}") from error
        except EOFError as error:
            raise CaptureBroken(f"{path}: the packed file is cut off") from error


def dump(lines: Iterable[Line]) -> bytes:
    """The same lines as bytes."""
    return b"".join(map(_dump, lines))


def _dump(line: Line) -> bytes:
    match line:
        case Start():
            return start(line)
        case Heard():
            return heard(line.n, line.w, line.text)
        case Told():
            return told(line.n, line.event)
        case Noted():
            return noted(line.n, line.record)
