"""What a capture is without numbers and names: the same history."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tables import Told as Tables

from ccbridge.captures import lines
from ccbridge.captures.anonymise import Anonymiser, without_secrets
from ccbridge.captures.lines import Heard, Told
from ccbridge.captures.replay import Replay
from ccbridge.cli import main
from ccbridge.core import inputs as i
from ccbridge.core.plan import AgentPlan, Plan
from ccbridge.core.state import freeze

HERE = Path(__file__).parent
CAPTURES = [
    HERE / "22" / f"{name}.jsonl" for name in ("answered_caller_ends", "daemon_killed_in_hold", "refused")
]
NUMBER = re.compile(r"\+30690000\d{4}")


@pytest.mark.parametrize("file", CAPTURES, ids=lambda file: file.stem)
def test_it_is_the_same_history(file: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.jsonl"
    said = CliRunner().invoke(main, ["ami", "anonymise", str(file), str(hidden)])
    assert said.exit_code == 0, said.output
    text = hidden.read_text()
    numbers = set(NUMBER.findall(file.read_text()))
    assert numbers
    assert not [one for one in numbers if one in text]
    assert "2100000001" not in text
    assert "Άννα" not in text.encode().decode("unicode_escape")
    before, after = Tables(file), Tables(hidden)
    assert len(after.replay.doubts) == len(before.replay.doubts)
    numberless = re.compile(r"\+?\d{7,}")

    def plain(told: Tables) -> str:
        return numberless.sub(lambda found: "#" * len(found[0]), told.tables())

    assert plain(after) == plain(before)
    assert hidden.stat().st_mode & 0o777 == 0o600


def test_the_same_number_is_the_same_however_it_is_written() -> None:
    hide = Anonymiser()
    written = ["+302101234567", "00302101234567", "2101234567", "+30 210 123-4567"]
    digits = {re.sub(r"\D", "", hide.number(one))[-10:] for one in written}
    assert len(digits) == 1
    assert digits != {"2101234567"}
    assert hide.number("+302101234567").startswith("+3021")
    assert Anonymiser().number(written[0]) != Anonymiser().number(written[0])  # the key is made anew
    assert hide.number("1001") == "1001"


@pytest.mark.parametrize(
    ("header", "gone"),
    [
        ("CallerIDNum: +306912345678", "12345678"),
        ("CallerIDName: Ελένη Παππά", "Ελένη"),
        ("ConnectedLineName: Eleni", "Eleni"),
        ("DestCallerIDNum: 2101234567", "1234567"),
        ('CallerID: "Eleni" <2101234567>', "Eleni|1234567"),
        ("Exten: 2101234567", "1234567"),
        ("Channel: Local/2101234567@out-00000012;1", "1234567"),
        ("AppData: PJSIP/+302101234567@trunk,30", "1234567"),
        ("AppData: PJSIP/0090071302101234567@trunk,30", "1234567"),  # the trunk's prefix, and the number
        ("URI: sip:1001@10.1.2.3:5060", "10[.]1"),
        ("Source: +30 210 123 4567", "123 4567"),
    ],
)
def test_an_event(header: str, gone: str) -> None:
    line = Anonymiser().line(Heard(1.0, 2.0, f"Event: X\r\n{header}"))
    assert isinstance(line, Heard)
    assert not re.search(gone, line.text)
    assert line.text.startswith(f"Event: X\r\n{header.partition(':')[0]}: ")


@pytest.mark.parametrize(
    "header",
    [
        "Uniqueid: pbx-1763774000.17",
        "Timestamp: 1763774000.123456",
        "Channel: PJSIP/1001-00000012",
        "Exten: 700",
    ],
)
def test_what_a_history_needs_stays(header: str) -> None:
    line = Heard(1.0, 2.0, f"Event: X\r\n{header}")
    assert Anonymiser().line(line) == line


def test_secrets_are_never_written() -> None:
    text = "Event: VarSet\r\nSIP_Password: hunter2\r\nApiToken: x1\r\nValue: ok"
    assert without_secrets(text) == "Event: VarSet\r\nSIP_Password: ***\r\nApiToken: ***\r\nValue: ok"


def test_a_file_that_goes_on() -> None:
    """Names in the state of the switchboard, too."""
    told = Replay()
    for step in told.run(lines.read(CAPTURES[0])):
        if type(step.event).__name__ == "CallHolding":
            break
    assert told.board is not None
    (call,) = told.board.world.calls.values()
    call.name = "Ελένη"
    start = lines.Start(1.0, 2.0, "r", told.board.world.plan, state=freeze(told.board.world))
    hidden = lines.dump([Anonymiser().line(start)]).decode("unicode_escape")
    assert call.e164 is not None
    assert not re.search(f"Ελένη|Παππά|{call.e164[1:]}", hidden)


def test_an_agents_own_telephone_is_as_its_calls_show_it() -> None:
    """In the plan, in a caller's arrival and in the PBX's events it is the same number."""
    hide, number = Anonymiser(), "+306912345678"
    agent = AgentPlan("anna", "Anna", "PJSIP/1001", (), personal={
        "mobile": f"PJSIP/{number}@trunk", "home": "PJSIP/x-00900713306912345678@trunk",
    })  # fmt: skip
    plan = Plan(queues={}, agents={"anna": agent}, flows={}, numbers={}, default_flow="")
    start = hide.line(lines.Start(1.0, 2.0, "r", plan))
    arrived = hide.line(Told(1.0, i.CallArrived(2.0, "c", "100", "e164", number, number, "")))
    header = hide.line(Heard(1.0, 2.0, f"Event: X\r\nDialString: {number}@trunk"))
    assert isinstance(start, lines.Start)
    assert isinstance(arrived, Told)
    assert isinstance(arrived.event, i.CallArrived)
    assert isinstance(header, Heard)
    (hidden,) = re.findall(r"\d{7,}", header.text)
    assert hidden[-7:] != number[-7:]
    assert re.findall(r"\d{7,}", str(start.plan.agents["anna"].personal)) == [hidden, f"00900713{hidden}"]
    assert (arrived.event.e164, arrived.event.raw) == (f"+{hidden}", f"+{hidden}")


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    said = CliRunner().invoke(main, ["ami", "anonymise", str(CAPTURES[0]), str(there)])
    assert (said.exit_code, there.read_text()) == (2, "mine")
    broken = tmp_path / "broken"
    broken.write_text("x\n")
    said = CliRunner().invoke(main, ["ami", "anonymise", str(broken), str(tmp_path / "new")])
    assert said.exit_code == 2
    assert not (tmp_path / "new").exists()
