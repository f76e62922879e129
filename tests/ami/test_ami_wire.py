from __future__ import annotations

import copy

import pytest
from fake_peer import GREETING, event
from hypothesis import given
from hypothesis import strategies as st

from ccbridge.ami.buffer import EventBuffer
from ccbridge.ami.errors import BufferFull, WireError
from ccbridge.ami.wire import MAX_HEADERS, MAX_LINE, MAX_MESSAGE, AmiMessage, Inbound, decode, encode, values


def read(*segments: bytes, greeting: bytes = GREETING) -> list[AmiMessage]:
    inbound = Inbound()
    return [message for data in (greeting, *segments) for message in inbound.feed(data)]


STREAM = event("Newchannel", "CallerIDName: Ελένη Παπαδοπούλου", "Exten: ") + event("Hangup", "Cause: 16")


def test_the_segment_borders_do_not_matter() -> None:
    whole = GREETING + STREAM
    expected = [dict(message) for message in read(STREAM)]
    assert expected[0]["CallerIDName"] == "Ελένη Παπαδοπούλου"
    for cut in range(1, len(whole)):
        assert [dict(m) for m in read(whole[:cut], whole[cut:], greeting=b"")] == expected
    assert [dict(m) for m in read(*(bytes([b]) for b in whole), greeting=b"")] == expected


def test_the_greeting_gives_the_version_and_nothing_else() -> None:
    inbound = Inbound()
    assert inbound.feed(b"Asterisk Call Man") == []
    assert inbound.version is None
    assert inbound.feed(b"ager/9.0.0\r\n") == []
    assert inbound.version == "9.0.0"


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"Asterisk Call Manager/" + b"1" * 2000])
def test_a_foreign_greeting_is_refused(greeting: bytes) -> None:
    with pytest.raises(WireError, match="greeting"):
        Inbound().feed(greeting)


def test_a_message_without_end_is_refused() -> None:
    inbound = Inbound()
    inbound.feed(GREETING)
    for _ in range(MAX_MESSAGE // 65536):
        assert inbound.feed(b"x" * 65536) == []
    with pytest.raises(WireError, match="longer"):
        inbound.feed(b"x")


def test_an_empty_last_header_is_kept() -> None:
    (message,) = read(event("Newexten", "AppData: "))
    assert "AppData" in message
    assert message["appdata"] == ""


def test_a_missing_header_is_missing() -> None:
    (message,) = read(event("Hangup", "Cause: 16"))
    assert message.get("Channel") is None
    assert message.channel == ""  # panoramisk's attribute style
    with pytest.raises(KeyError):
        message["Channel"]
    assert copy.deepcopy(message)["Cause"] == "16"


def test_repeated_headers_keep_all_values() -> None:
    (message,) = read(event("Status", "Variable: A=1", "variable: B=x: y", "Variable: C=", "Channel: c"))
    assert values(message, "Variable") == ["A=1", "B=x: y", "C="]
    assert values(message, "channel") == ["c"]
    assert values(message, "nothing") == []
    assert message["variable"] == ["A=1", "B=x: y", "C="]


def test_of_any_other_header_the_first_counts() -> None:
    """What the sender of a UserEvent adds stands behind Asterisk's own, and is text as well."""
    (message,) = read(event("UserEvent", "Uniqueid: 1.1", "Event: Hangup", "Uniqueid: 2.2", "UserEvent: x"))
    assert (message.event, message["Event"], message["Uniqueid"]) == ("UserEvent", "UserEvent", "1.1")
    assert values(message, "uniqueid") == ["1.1", "2.2"]
    (late,) = read(b"ActionID: 1\r\nEvent: A\r\nEvent: B\r\nActionID: 2\r\n\r\n")
    assert (late.event, late["actionid"]) == ("A", "1")


def test_latin1_is_read_as_latin1_and_damaged_utf8_as_utf8() -> None:
    name = "Μαρία".encode()
    stream = (
        b"Event: A\r\nCallerIDName: Jos\xe9\r\nOther: \xce\xa9\r\n\r\n"
        b"Event: B\r\nCallerIDName: " + name[:-1] + b"\r\n\r\nEvent: C\r\nX: \xff\xfe\r\n\r\n"
    )
    a, b, c = read(stream)
    assert (a["CallerIDName"], a["Other"]) == ("José", "Ω")
    assert b["CallerIDName"] == "Μαρί\ufffd"
    assert c["X"] == "ÿþ"


@given(st.binary(max_size=300))
def test_no_bytes_kill_the_reader(noise: bytes) -> None:
    decode(noise).encode()  # no lone surrogates: a database can take it
    for message in read(noise, b"\r\n\r\n", STREAM):
        dict(message)
    assert read(noise, b"\r\n\r\n", STREAM)[-1]["Cause"] == "16"


PIECES = ["a", "A", "b", "é", ":", " ", "\r\n", "\n", ": ", "Variable", "result", "%41"]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.sampled_from(["", *PIECES]))
def test_a_header_that_is_searched_for_reads_as_when_all_are_cut(body: str, key: str) -> None:
    text = f"Event: E\r\n{body}"
    cut = AmiMessage(text)
    headers = {name.lower(): value for name, value in cut.items()}
    for name in {key, *headers} - {": ", "\r\n"}:  # no names of headers
        assert AmiMessage(text).get(name) == cut.get(name) == headers.get(name.lower())


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40)
NAME = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=10).filter(
    lambda name: name.lower() not in ("action", "event", "result", "content")
)


@given(st.dictionaries(NAME, st.lists(TEXT, min_size=1, max_size=3), max_size=5))
def test_what_is_sent_reads_back_the_same(fields: dict[str, list[str]]) -> None:
    fields = {name.lower(): texts for name, texts in fields.items()}
    (message,) = read(b"Event: E\r\n" + encode({"Action": "UserEvent", **fields}))
    for name, texts in fields.items():
        assert values(message, name) == texts


def test_action_stands_first_and_the_rest_in_order() -> None:
    assert encode({"B": "2", "action": "X", "A": ["1", "0"]}) == b"action: X\r\nB: 2\r\nA: 1\r\nA: 0\r\n\r\n"


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "a\r\nAction: Originate"])
def test_control_characters_are_refused_in_names_and_values(bad: str) -> None:
    for fields in ({"A": bad}, {"A": ["x", bad]}, {f"A{bad}": "x"}, {"Action": f"Ping{bad}"}):
        with pytest.raises(ValueError, match=r"CR, LF or NUL|header name"):
            encode({"Action": "Ping", **fields})


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, ValueError),
        ({"Channel": "x"}, ValueError),
        ({"Action": ""}, ValueError),
        ({"Action": "Ping", "": "x"}, ValueError),
        ({"Action": "Ping", "A: B": "x"}, ValueError),
        ({"Action": "Ping", "A": "\udc80"}, ValueError),
        ({"Action": "Ping", "A": 5}, TypeError),
        ({"Action": "Ping", "A": [None]}, TypeError),
    ],
)
def test_other_things_asterisk_would_misread(fields: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        encode(fields)


def test_limits_of_asterisk() -> None:
    room = MAX_LINE - len("V: \r\n")
    assert len(encode({"Action": "A", "V": "x" * room})) == MAX_LINE + len("Action: A\r\n\r\n")
    assert encode({"Action": "A", "V": ["x"] * (MAX_HEADERS - 1)})
    with pytest.raises(ValueError, match="1025 bytes"):
        encode({"Action": "A", "V": "x" * (room + 1)})
    with pytest.raises(ValueError, match="1024 at most"):
        encode({"Action": "A", "V": "Ω" * (room // 2 + 1)})
    with pytest.raises(ValueError, match="129 AMI headers"):
        encode({"Action": "A", "V": ["x"] * MAX_HEADERS})


def held(*names: str, limit: int) -> EventBuffer:
    buffer = EventBuffer(limit)
    for number, name in enumerate(names):
        buffer.append(AmiMessage(f"Event: {name}\r\nN: {number}"))
    return buffer


def test_a_full_buffer_drops_by_worth_and_keeps_the_order() -> None:
    buffer = held("VarSet", "Newchannel", "RTCPSent", "Hangup", "DialBegin", "Newstate", "Cdr", limit=4)
    assert buffer.dropped == {"VarSet": 1, "RTCPSent": 1, "Newchannel": 1, "DialBegin": 1, "Newstate": 1}
    assert [event.event for event in buffer.take()] == ["Hangup", "Cdr"]
    assert buffer.take() == []


def test_noise_does_not_push_out_what_matters() -> None:
    buffer = held("Newstate", "Hangup", "VarSet", limit=2)
    assert buffer.dropped == {"VarSet": 1}
    assert [event.event for event in buffer.take()] == ["Newstate", "Hangup"]


def test_a_buffer_full_of_records_says_so() -> None:
    with pytest.raises(BufferFull):
        held("Hangup", "UserEvent", "Cdr", limit=2)
