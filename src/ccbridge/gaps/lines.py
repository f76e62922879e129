"""A line of Asterisk's own files -> a row. The fields' order is that of the samples in ``asterisk/``."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ccbridge.core.records import CdrRow

# The headers of a Cdr event, for the fields of cdr_custom_ccbridge.conf after the first five.
CDR_FIELDS = (
    "AccountCode", "Source", "Destination", "DestinationContext", "CallerID", "Channel", "DestinationChannel",
    "LastApplication", "LastData", "StartTime", "AnswerTime", "EndTime", "Duration", "BillableSeconds",
    "Disposition", "AMAFlags", "UserField",
)  # fmt: skip
CEL_FIELDS = 15
LATEST = 253_402_300_799.0  # epoch seconds: the end of the year 9999


class BadLine(ValueError):
    """The line is no row; the message says why."""


@dataclass(frozen=True, slots=True)
class CelRow:
    """One channel event. ``number`` and ``name`` are the caller's, on CHAN_START only."""

    digest: UUID  # of the line
    system: str
    at: float  # epoch seconds
    kind: str
    uniqueid: str
    linkedid: str
    channel: str  # its name, such as PJSIP/1001-0000002a
    number: str
    name: str
    context: str
    exten: str
    app: str
    extra: dict[str, Any]


def cdr(line: bytes, system: str) -> CdrRow:
    """``system`` is used where the PBX has no systemname. Raises BadLine."""
    values = _fields(line, 5 + len(CDR_FIELDS), "asterisk/cdr_custom_ccbridge.conf")
    own, uniqueid, sequence, linkedid, end = values[:5]
    if not uniqueid:
        raise BadLine("it has no uniqueid")
    return CdrRow(
        at=_time(end),
        system=own or system,
        uniqueid=uniqueid,
        sequence=_whole(sequence),
        linkedid=linkedid or uniqueid,
        fields={name: value for name, value in zip(CDR_FIELDS, values[5:], strict=True) if value},
    )


def cel(line: bytes, system: str) -> CelRow:
    """``system`` is used where the PBX has no systemname. Raises BadLine."""
    values = _fields(line, CEL_FIELDS, "asterisk/cel_custom_ccbridge.conf")
    own, at, kind, _, uniqueid, linkedid, channel, number, name, context, exten, app, _, _, extra = values
    try:
        more = json.loads(extra) if extra else {}
    except ValueError as error:
        raise BadLine(f"its last field is no JSON: {error}") from error
    if not kind or not uniqueid or not isinstance(more, dict):
        raise BadLine("it has no event type, no uniqueid, or something else than an object in its last field")
    if kind != "CHAN_START":
        number = name = ""
    return CelRow(
        UUID(bytes=hashlib.sha256(line).digest()[:16]), own or system, _time(at), kind, uniqueid,
        linkedid or uniqueid, channel, number, name, context, exten, app, more,
    )  # fmt: skip


def _fields(line: bytes, count: int, sample: str) -> Sequence[str]:
    """The line's values, each decoded by itself, as the AMI client does it."""
    try:
        # Latin-1 keeps every byte as it is
        (values,) = csv.reader([line.decode("latin-1")], strict=True)
    except (csv.Error, ValueError) as error:
        raise BadLine(f"it is no line of CSV: {error}") from error
    if len(values) != count:
        raise BadLine(f"it has {len(values)} fields, not {count}: see {sample}")
    if not line.startswith(b'"'):  # a file that somebody wrote anew is gone on with at any place
        raise BadLine(f"it is not the whole of a line, which begins with a quote: see {sample}")
    return [_text(value.encode("latin-1")) for value in values]


def _text(value: bytes) -> str:
    """UTF-8; else Latin-1, if no other character says that it is broken UTF-8."""
    text = value.decode("utf-8", "replace")
    if "\ufffd" in text and all(char == "\ufffd" or char.isascii() for char in text):
        return value.decode("latin-1")
    return text


def _time(text: str) -> float:
    try:
        at = float(text)
    except ValueError:
        at = math.nan
    if not 0 < at <= LATEST:
        raise BadLine(f"its time {text[:40]!r} is not in seconds since 1970: no dateformat in cel.conf")
    return at


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadLine(f"its sequence {text[:40]!r} is no number")
    return int(text)
