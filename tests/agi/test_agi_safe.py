"""SafeAGI and the fallback script, over pipes: what pyst2 by itself gets wrong."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from asterisk.agi import AGI, AGIAppError, AGIHangup, AGIInvalidCommand, AGIUsageError

from ccbridge.agi.safe import SafeAGI

HEADER = b'agi_request: x\nagi_uniqueid: pbx-1.1\nagi_calleridname: J\xf6rg "the \\ hammer"\n\n'
SCRIPT = Path(sys.executable).with_name("ccbridge-fallback")
OK = b"200 result=1\n"


def talk(*answers: bytes) -> tuple[SafeAGI, io.BytesIO]:
    said = io.BytesIO()
    return SafeAGI(io.BytesIO(HEADER + b"".join(answers)), said), said


def test_a_name_that_is_not_utf_8_and_nothing_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    agi, _ = talk()
    assert agi.env["agi_calleridname"] == 'Jörg "the \\ hammer"'
    assert capsys.readouterr() == ("", "")


def test_each_argument_is_quoted_once() -> None:
    agi, said = talk(OK, OK, b"200 result=49 endpos=800\n")
    agi.set_variable("X", 'a" "b\\')
    agi.appexec("NoOp", "${SHELL(id)}, and more")
    assert agi.stream_file('x" "1', "12") == "1"
    assert said.getvalue().decode().splitlines() == [
        r'SET VARIABLE "X" "a\" \"b\\"',
        'EXEC "NoOp" "${SHELL(id)}, and more"',
        r'STREAM FILE "x\" \"1" "12" "0"',
    ]


@pytest.mark.parametrize("value", ["a\nHANGUP", "a\rb", "a\0b", "x" * 9000])
def test_what_cannot_be_one_argument_is_not_sent(value: str) -> None:
    agi, said = talk(OK)
    with pytest.raises(ValueError, match="SET VARIABLE"):
        agi.set_variable("X", value)
    assert said.getvalue() == b""


def test_values_that_look_like_something_else() -> None:
    agi, _ = talk(b"200 result=1 (hangup)\n", b"200 result=1 (a (b) c)\n", b"200 result=1 (two\nlines)\n")
    assert [agi.get_variable("X") for _ in range(3)] == ["hangup", "a (b) c", "two\nlines"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", AGIHangup),
        (b"200 resul", AGIHangup),
        (b"520-Invalid command syntax.  Proper usage follows:\nUsage\n", AGIHangup),
        (b"520-Invalid command syntax.\nUsage\n520 End of proper usage.\n", AGIUsageError),
        (b"HANGUP\n", AGIHangup),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", AGIHangup),
        (b"510 Invalid or unknown command\n", AGIInvalidCommand),
        (b"200 result=-1\n", AGIAppError),
        (b"x" * 70_000, AGIHangup),
    ],
)
def test_every_end_is_an_error_of_its_kind(answer: bytes, error: type[Exception]) -> None:
    agi, _ = talk(answer)
    with pytest.raises(error):
        agi.get_variable("X")


def test_no_header_is_a_hang_up() -> None:
    with pytest.raises(AGIHangup):
        SafeAGI(io.BytesIO(b""), io.BytesIO())


def test_it_is_pyst2() -> None:
    assert issubclass(SafeAGI, AGI)


def run(*answers: bytes) -> subprocess.CompletedProcess[bytes]:
    """The installed script with these answers, then the end of the file."""
    return subprocess.run(
        [SCRIPT], input=HEADER + b"".join(answers), capture_output=True, timeout=10, check=False
    )


def lines(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def test_the_queue_of_his_own_if_asterisk_has_it() -> None:
    said = lines(run(b"200 result=1 (sales)\n", b"200 result=1 (1)\n", OK, OK))
    assert said == [
        'GET VARIABLE "CCB_QUEUE"',
        'GET FULL VARIABLE "${QUEUE_EXISTS(ccbridge-fallback-sales)}"',
        'SET VARIABLE "CCB_FALLBACK_TO" "ccbridge-fallback-sales"',
        'EXEC "CELGenUserEvent" "CCB_FALLBACK,ccbridge-fallback-sales"',
    ]
    said = lines(run(b"200 result=1 (sales)\n", b"200 result=1 (0)\n", OK, OK))
    assert said[2:] == [
        'SET VARIABLE "CCB_FALLBACK_TO" ""',
        'EXEC "CELGenUserEvent" "CCB_FALLBACK,ccbridge-fallback"',
    ]


@pytest.mark.parametrize("queue", [b"", b"a,b", b"x)}${SHELL(id)", b"x" * 41, "πωλήσεις".encode()])
def test_what_is_no_queue_s_name_is_not_even_asked_for(queue: bytes) -> None:
    value = b"200 result=0\n" if not queue else b"200 result=1 (" + queue + b")\n"
    said = lines(run(value, OK, OK))
    assert said[1] == 'SET VARIABLE "CCB_FALLBACK_TO" ""'


def test_the_script_ends_quietly_when_the_caller_does() -> None:
    assert lines(run(b"200 result=1 (sales)\n")) == [
        'GET VARIABLE "CCB_QUEUE"',
        'GET FULL VARIABLE "${QUEUE_EXISTS(ccbridge-fallback-sales)}"',
    ]
