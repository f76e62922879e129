"""Lines of Asterisk's files, good and bad. The good ones are of 22.10 and 16.28."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccbridge.ami import translate
from ccbridge.ami.wire import AmiMessage, decode
from ccbridge.gaps import lines
from ccbridge.gaps.lines import BadLine

ASTERISK = Path(__file__).parents[2] / "asterisk"
CDR = (
    '"pbx","pbx-1795323828.0","0","pbx-1795323828.0","1795323830.451963","","+306900000001","o42e18ad08x1",'
    '"ccbridge-offer","""sales 0:00"" <+306900000001>","PJSIP/carrier-00000000","PJSIP/1001-00000001","Dial",'
    '"PJSIP/1001,3,mgF(ccbridge-outcome^o42e18ad08x1^1)","2026-11-22 05:03:48","2026-11-22 05:03:48",'
    '"2026-11-22 05:03:50","2","2","ANSWERED","DOCUMENTATION",""'
)
EVENT = """Event: Cdr
Privilege: cdr,all
Timestamp: 1795323830.455532
SystemName: pbx
AccountCode:
Source: +306900000001
Destination: o42e18ad08x1
DestinationContext: ccbridge-offer
CallerID: "sales 0:00" <+306900000001>
Channel: PJSIP/carrier-00000000
DestinationChannel: PJSIP/1001-00000001
LastApplication: Dial
LastData: PJSIP/1001,3,mgF(ccbridge-outcome^o42e18ad08x1^1)
StartTime: 2026-11-22 05:03:48
AnswerTime: 2026-11-22 05:03:48
EndTime: 2026-11-22 05:03:50
Duration: 2
BillableSeconds: 2
Disposition: ANSWERED
AMAFlags: DOCUMENTATION
UniqueID: pbx-1795323828.0
UserField:
Linkedid: pbx-1795323828.0
Sequence: 0
EndStamp: 1795323830.451963"""
CEL = (
    '"pbx","1795323829.396360","BRIDGE_ENTER","","pbx-1795323828.8","pbx-1795323828.0","PJSIP/1001-00000001",'
    '"o42e18ad08x1","Zoë","from-phones","","AppDial","(Outgoing Line)","",'
    '"{""bridge_id"":""aec58a41"",""bridge_technology"":""simple_bridge""}"'
)


def test_the_file_and_the_event_make_the_same_row() -> None:
    told = translate.cdr(AmiMessage(EVENT.replace("\n", "\r\n")), "other", 0.0)
    assert lines.cdr(CDR.encode(), "other") == told


@pytest.mark.parametrize(
    ("name", "count"),
    [("cdr_custom_ccbridge.conf", 5 + len(lines.CDR_FIELDS)), ("cel_custom_ccbridge.conf", lines.CEL_FIELDS)],
)
def test_the_samples_have_as_many_fields(name: str, count: int) -> None:
    (mapping,) = [one for one in (ASTERISK / name).read_text().splitlines() if one.startswith("ccbridge.csv")]
    assert mapping.count("${CSV_QUOTE(") == count


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Ζωή".encode(), "Ζωή"),
        ("Müller".encode("latin-1"), "Müller"),
        ("Ζω".encode() + b"\xff", "Ζω\ufffd"),
        (b'quoted ""twice"", and a comma', 'quoted "twice", and a comma'),
    ],
)
def test_text_is_read_as_the_ami_client_reads_it(name: bytes, read: str) -> None:
    line = CDR.encode().replace(b'""sales 0:00""', b"%s" % name)
    value = lines.cdr(line, "pbx").fields["CallerID"]
    assert value == f"{read} <+306900000001>"
    # (in the event the quotes are not doubled)
    event = EVENT.encode().replace(b'"sales 0:00"', name.replace(b'""', b'"'))
    assert (
        translate.cdr(AmiMessage(decode(event.replace(b"\n", b"\r\n"))), "x", 0.0).fields["CallerID"] == value
    )


def test_a_pbx_without_a_name_is_called_as_the_site_says() -> None:
    assert lines.cdr(CDR.replace('"pbx",', '"",', 1).encode(), "north").system == "north"
    assert lines.cel(CEL.replace('"pbx",', '"",', 1).encode(), "north").system == "north"


def test_cel() -> None:
    row = lines.cel(CEL.encode(), "x")
    assert (row.at, row.kind, row.uniqueid, row.linkedid) == (
        1795323829.39636, "BRIDGE_ENTER", "pbx-1795323828.8", "pbx-1795323828.0",
    )  # fmt: skip
    assert (row.channel, row.context, row.app) == ("PJSIP/1001-00000001", "from-phones", "AppDial")
    assert row.extra["bridge_id"] == "aec58a41"
    assert (row.number, row.name) == ("", "")  # a person's data only where they are needed
    start = lines.cel(CEL.replace("BRIDGE_ENTER", "CHAN_START").encode(), "x")
    assert (start.number, start.name) == ("o42e18ad08x1", "Zoë")
    assert start.digest != row.digest


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: line[:-1], "no line of CSV"),  # the quote is not closed
        (lambda line: line + '"', "no line of CSV"),
        (lambda line: line.replace('"pbx"', '"p"bx"'), "no line of CSV"),
        (lambda line: line + ',""', "23 fields, not 22"),
        (lambda line: line[: len(line) // 2], "CSV|fields"),
        (lambda line: "\0" * 400, "1 fields"),
        (lambda line: line.replace("1795323830.451963", "2026-11-22 05:03:50"), "no dateformat"),
        (lambda line: line.replace("1795323830.451963", "nan"), "seconds since 1970"),
        (lambda line: line.replace("1795323830.451963", "1e300"), "seconds since 1970"),
        (lambda line: line.replace('"0"', '"99999999999"', 1), "sequence"),
        (lambda line: line.replace('"0"', '""', 1), "sequence"),
        (lambda line: line.replace('"pbx-1795323828.0","0"', '"","0"', 1), "no uniqueid"),
        (lambda line: line[2:], "begins with a quote"),
    ],
)
def test_bad_lines_say_why(change: object, why: str) -> None:
    with pytest.raises(BadLine, match=why):
        lines.cdr(change(CDR).encode(), "pbx")  # type: ignore[operator]


@pytest.mark.parametrize("extra", ["{", "[]", "nonsense"])
def test_bad_channel_events(extra: str) -> None:
    start = CEL[: CEL.index('"{')]
    with pytest.raises(BadLine, match="last field"):
        lines.cel(f'{start}"{extra}"'.encode(), "pbx")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_row_or_a_bad_line(data: bytes) -> None:
    for parse in (lines.cdr, lines.cel):
        with contextlib.suppress(BadLine):
            parse(data, "pbx")
