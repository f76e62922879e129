import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccbridge.agi.protocol import (
    MAX_COMMAND,
    MAX_HEADER_BYTES,
    MAX_HEADER_LINE,
    MAX_HEADERS,
    MAX_NOISE,
    MAX_REPLY_LINE,
    AgiParser,
    AgiReply,
    Broken,
    Event,
    Greeting,
    LeftNotice,
    Stray,
    encode_command,
)

HEADER = b"agi_network: yes\nagi_network_script: call?x=1\nagi_accountcode: \nagi_calleridname: Jos\xe9\n\n"

# As Asterisk 22.10 wrote it (the usage text shortened).
CAPTURE = (
    HEADER + b"200 result=-1 endpos=4000\nHANGUP\nHANGUP\n"
    b"520-Invalid command syntax.  Proper usage follows:\nStream the given file.\nHANGUP\n"
    b"200 result=1 (no answer at all)\n520 End of proper usage.\n"
    b"510 Invalid or unknown command\n200 result=1 (a (b) c)\n200 result=1 (one\ntwo)\n"
    b"200 result=0 (timeout) endpos=20800\n200 result= (timeout)\n200 result=1 ()\nnoise\n"
    b"511 Command Not Permitted on a dead channel or intercept routine\n200 result=6\n"
)


def parse(*segments: bytes) -> list[Event]:
    parser = AgiParser()
    return [event for segment in segments for event in parser.feed(segment)]


def replies(raw: bytes) -> list[Event]:
    return parse(HEADER + raw)[1:]


def test_capture_of_a_real_session() -> None:
    events = parse(CAPTURE)
    assert events[0] == Greeting(
        {
            "agi_network": "yes",
            "agi_network_script": "call?x=1",
            "agi_accountcode": "",
            "agi_calleridname": "José",
        }
    )
    assert events[1] == AgiReply(200, "-1", None, 4000, "result=-1 endpos=4000")
    assert events[2:4] == [LeftNotice(), LeftNotice()]
    usage = events[4]
    assert isinstance(usage, AgiReply)
    assert usage.code == 520
    assert "Stream the given file." in usage.text
    assert [event.code for event in events[5:] if isinstance(event, AgiReply)] == [510, *[200] * 5, 511, 200]
    assert [event.data for event in events[6:11] if isinstance(event, AgiReply)] == [
        "a (b) c",
        "one\ntwo",
        "timeout",
        "timeout",
        "",
    ]
    assert events[11] == Stray("noise")
    assert events[-1] == AgiReply(200, "6", text="result=6")


@given(st.lists(st.integers(0, len(CAPTURE)), max_size=60))
def test_segmentation_makes_no_difference(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(CAPTURE)]
    assert parse(*(CAPTURE[a:b] for a, b in itertools.pairwise(bounds))) == parse(CAPTURE)


def test_byte_by_byte() -> None:
    assert parse(*(CAPTURE[i : i + 1] for i in range(len(CAPTURE)))) == parse(CAPTURE)


@given(st.booleans(), st.binary(max_size=3000), st.randoms(use_true_random=False))
def test_random_bytes_never_raise(greeted: bool, raw: bytes, dice: random.Random) -> None:
    parser, twin = AgiParser(), AgiParser()
    if greeted:
        parser.feed(HEADER)
        twin.feed(HEADER)
    whole = parser.feed(raw)
    cut: list[Event] = []
    while raw:
        step = dice.randint(1, 400)
        cut += twin.feed(raw[:step])
        raw = raw[step:]
    assert cut == whole
    assert sum(isinstance(event, Broken) for event in whole) == parser.broken


PIECES = st.sampled_from(
    [
        b"200 result=",
        b"(",
        b")",
        b"\n",
        b"520-",
        b"520 ",
        b"HANGUP\n",
        b"x" * 900,
        b"\xff",
        b"endpos=9",
        b"-1",
        b" ",
    ]
)


@settings(max_examples=60)
@given(st.booleans(), st.lists(PIECES, max_size=300))
def test_memory_stays_bounded(greeted: bool, pieces: list[bytes]) -> None:
    parser = AgiParser()
    if greeted:
        parser.feed(HEADER)
    for piece in pieces * 3:
        parser.feed(piece)
        assert parser.held_bytes <= 2 * MAX_REPLY_LINE + 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x" * 1_000_000, "line_too_long"),
        (b"agi_a: " + b"x" * MAX_HEADER_LINE + b"\n\n", "line_too_long"),
        (b"GET / HTTP/1.1\r\n\r\n", "bad_header"),
        (b"agi_a\n", "bad_header"),
        (b"agi_a: 1\nagi_a: 2\n\n", "bad_header"),
        (b"".join(b"agi_%d: x\n" % n for n in range(MAX_HEADERS + 1)), "too_many_headers"),
        (b"".join(b"agi_%d: %s\n" % (n, b"x" * 8000) for n in range(9)), "too_many_headers"),
        (HEADER + b"x" * (MAX_REPLY_LINE + 1), "line_too_long"),
        (HEADER + b"520-usage\n" + b"x\n" * MAX_REPLY_LINE, "answer_too_long"),
        (HEADER + b"200 result=1 (" + b"x\n" * MAX_REPLY_LINE, "answer_too_long"),
        (HEADER + b"HANGUP\n" * (MAX_NOISE + 1), "noise"),
        (HEADER + b"x\n" * (MAX_NOISE + 1), "noise"),
    ],
)
def test_what_is_no_agi_is_broken_once(raw: bytes, reason: str) -> None:
    parser = AgiParser()
    assert parser.feed(raw + b"\n")[-1] == Broken(reason)
    assert parser.feed(CAPTURE) == []
    assert parser.held_bytes == 0


def test_the_largest_header_is_taken() -> None:
    big = b"".join(b"agi_arg_%d: %s\n" % (n, b"x" * 4000) for n in range(1, 8))
    assert len(big) < MAX_HEADER_BYTES
    assert isinstance(parse(big + b"\n")[0], Greeting)


def test_usage_block_does_not_shift_the_next_answer() -> None:
    block = b"520-Invalid\n200 result=7\nHANGUP\n520 End of proper usage.\n"
    codes = [
        (event.code, event.result)
        for event in replies(block + b"200 result=1\n")
        if isinstance(event, AgiReply)
    ]
    assert codes == [(520, ""), (200, "1")]


def test_one_line_usage_answer() -> None:
    assert replies(b"520 Invalid command syntax.  Proper usage not available.\n") == [
        AgiReply(520, "", text="Invalid command syntax.  Proper usage not available.")
    ]


def test_provisional_answer_is_not_an_answer() -> None:
    assert replies(b"100 result=0 Trying...\n200 result=0\n")[-1] == AgiReply(200, "0", text="result=0")
    assert isinstance(replies(b"100 result=0 Trying...\n")[0], Stray)


@pytest.mark.parametrize(
    "value", ['a"b', "back\\slash", "Ελένη", "علی", "a b\tc", "", "x" * 2000, "}${EXEC(x)}"]
)
def test_quoting_is_undone_by_asterisks_rules(value: str) -> None:
    line = encode_command("SET VARIABLE", "NAME", value)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert split_like_asterisk(line.decode().rstrip("\n")) == ["SET", "VARIABLE", "NAME", value]


CARRIED = st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])


@given(st.lists(st.text(CARRIED, max_size=50), max_size=5))
def test_no_text_escapes_its_argument(arguments: list[str]) -> None:
    line = encode_command("EXEC", *arguments).decode().removesuffix("\n")
    assert split_like_asterisk(line) == ["EXEC", *arguments]


def split_like_asterisk(line: str) -> list[str]:
    """Words as Asterisk's command reader cuts them: `\\` takes the next character as it is, `"` toggles."""
    words: list[str] = []
    word: str | None = None
    quoted = escaped = False
    for char in line:
        if escaped or char not in '"\\ \t' or (char in " \t" and quoted):
            word = (word or "") + char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
            word = word or ""
        else:
            if word is not None:
                words.append(word)
            word = None
    return words if word is None else [*words, word]


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b", "\ud800"])
def test_what_would_break_the_line_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"CR, LF or NUL|surrogates"):
        encode_command("SET VARIABLE", "NAME", bad)


@pytest.mark.parametrize("verb", ["", "set variable", "NOOP\nHANGUP", "NOOP ", 'NOOP "x"'])
def test_only_verbs_are_verbs(verb: str) -> None:
    with pytest.raises(ValueError, match="not an AGI verb"):
        encode_command(verb)


def test_line_limit_is_to_the_byte() -> None:
    room = MAX_COMMAND - len(encode_command("SET VARIABLE", "B", ""))
    assert len(encode_command("SET VARIABLE", "B", "b" * room)) == MAX_COMMAND
    with pytest.raises(ValueError, match="2048 bytes"):
        encode_command("SET VARIABLE", "B", "b" * (room + 1))
    with pytest.raises(ValueError, match="arguments"):
        encode_command("NOOP", *["x"] * 121)
