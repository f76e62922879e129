"""Inputs survive their journal, and a history can be told again from any line of it."""

from __future__ import annotations

import json
import typing
from pathlib import Path

import pytest
from simulator import EPOCH, START, Simulator, Weather, plan_of

from ccbridge.captures import lines
from ccbridge.captures.lines import CaptureBroken, Heard, Noted, Start, Told
from ccbridge.captures.replay import Replay
from ccbridge.config import load
from ccbridge.core import inputs as i
from ccbridge.core.memory import Memory
from ccbridge.core.plan import Plan, QueuePlan
from ccbridge.core.records import CdrRow
from ccbridge.core.state import State, freeze, thaw
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.world import World

EVERYTHING = Weather(
    callers=20, span=60, unregister=0.5, elsewhere=0.5, commands=8, reloads=2, outages=2, kills=2,
    lose_redirect=0.1, refuse_redirect=0.1, lose_event=0.02, repeat_event=0.03,
)  # fmt: skip
EXAMPLE = Path(__file__).parents[2] / "config" / "ccbridge.yml"


def script(sim: Simulator) -> list[lines.Line]:
    """A simulated history as the daemon would have kept it."""
    kept: list[lines.Line] = []
    for run, (memory, plan, t, inputs) in enumerate(sim.script):
        kept.append(Start(START + t, EPOCH + t, f"r{run}", plan, memory=json.loads(memory)))
        kept += [Told(now, event) for event, now in inputs]
    return kept


@pytest.mark.parametrize("seed", range(3))
def test_a_history_is_told_again(seed: int, tmp_path: Path) -> None:
    sim = Simulator(seed, EVERYTHING).run()
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines.dump(script(sim)))
    kept = list(lines.read(file))
    assert kept == script(sim)
    replay = Replay()
    told = [step.effects for step in replay.run(kept) if not isinstance(step.line, Start)]
    assert told == sim.spoken
    assert not replay.doubts


@pytest.mark.parametrize("seed", range(3))
def test_it_can_be_told_from_any_line(seed: int) -> None:
    """At every seventh input a new file: what follows comes out the same."""
    sim = Simulator(seed, EVERYTHING).run()
    first = Replay()
    spoken = iter(sim.spoken)
    for number, line in enumerate(script(sim)):
        effects = first.step(line).effects
        if not isinstance(line, Start):
            assert effects == next(spoken)
        assert first.board is not None
        world = first.board.world
        if number % 7 or not isinstance(line, Told):
            continue
        cut = Start(line.n, world.at, world.run, world.plan, state=freeze(world))
        (again,) = [lines.parse(raw) for raw in lines.dump([cut]).splitlines(True)]
        assert isinstance(again, Start)
        assert again.state is not None
        twin = thaw(again.plan, again.state)
        for name in vars(world):
            one, other = getattr(world, name), getattr(twin, name)
            if name == "_heap":
                one, other = {x for x in one if world._due.get(x[1]) == x[0]}, set(other)
            elif name == "waiting":
                one = {queue: line for queue, line in one.items() if line}
            elif name in ("qualified", "prospects", "serving"):  # made when they are asked for
                one = other = None
            elif name == "census":
                one, other = [{k: +v for k, v in both.items() if +v} for both in (one, other)]
            assert one == other, name
        first.board.world = twin  # and go on with it


def test_a_contradiction_between_two_files_is_told() -> None:
    plan = plan_of({"sales": QueuePlan("sales")}, {"ann": ("sales",)})
    board = Switchboard(plan, "r")
    board.restore(Memory(), EPOCH, START)
    replay = Replay()
    replay.step(Start(START, EPOCH, "r", plan, memory=Memory().dump()))
    replay.step(Told(START + 1, i.LinkUp(EPOCH + 1, i.Snapshot((), {}))))
    replay.step(Start(START + 1, EPOCH + 1, "r", plan, state=freeze(board.world)))
    replay.step(
        Start(START + 2, EPOCH + 2, "s", plan, memory={"calls": {"x": {}}, "agents": {}, "closed": {}})
    )
    assert len(replay.doubts) == 2


def test_the_state_holds_all_of_the_world() -> None:
    """A new attribute of World must be told by ``freeze``, too, or be derived in ``thaw``."""
    own = {"legs", "out", "_due", "_heap", "plan", "version", "base"}
    own |= {"waiting", "lines", "between", "free", "seats", "census", "qualified", "prospects", "rounds"}
    own |= {"serving", "newcomers", "parted", "changed"}  # made when asked for; empty between two inputs
    assert set(vars(World(plan_of({}, {}), "r"))) - own == set(State.__slots__) - {"legs", "due"}


def test_every_kind_of_input_can_be_kept() -> None:
    """Those that the histories do not have: made from their fields' types."""
    place = i.Place(
        "c", "PJSIP/1-01", "c", "x", "s", "b", 1.5, True, 'Ελ"\\', "e164", None, {"CCB_CALL": "c"}
    )
    site = load(EXAMPLE, secrets=False)
    values = {
        "float": 1.25, "bool": True, "int": 7, "str": "Ελένη \u2028\x01",
            "str | None": "+30", "int | None": None,
            "bool | int | float | str | None": 2.5,
        "Plan": site.plan, "Place | None": place,
            "Asked": i.Asked("r1x2", "record", "anna", "PJSIP/1", "anna", "phone", 2),
            "Snapshot": i.Snapshot((place,), {"PJSIP/1": "NOT_INUSE"}),
    }  # fmt: skip
    for kind in typing.get_args(i.Input):
        event = kind(**{name: values[field.type] for name, field in kind.__dataclass_fields__.items()})
        line = lines.told(3.5, event)
        assert line.isascii()
        assert lines.parse(line) == Told(3.5, event)
        assert lines.dump([lines.parse(line)]) == line
    row = CdrRow(1.5, "pbx", "pbx-1.0", 3, "pbx-1.0", {"Source": "Ελένη"})
    assert lines.parse(lines.noted(2.5, row)) == Noted(2.5, row)
    assert lines.parse(lines.heard(2.5, 1.25, "Event: X\r\nA: Ελ")) == Heard(2.5, 1.25, "Event: X\r\nA: Ελ")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("nonsense", "no line of a capture"),
        ("[]", "no line of a capture"),
        ('{"t": "input", "n": 1, "k": "Nobody", "i": {}}', "no line of a capture: KeyError"),
        ('{"t": "input", "n": 1, "k": "Tick", "i": {}}', "at: Field required"),
        ('{"t": "start", "v": 2}', "not a kind of line that this version knows: 'start'"),
        (
            '{"t": "start", "v": 1, "n": 1, "w": 1, "run": "r", "plan": {"queues": 3}}',
            "plan.queues: Input should",
        ),
    ],
)
def test_what_is_no_capture_is_refused(raw: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(raw + "\n")
    with pytest.raises(CaptureBroken, match=f"bad.jsonl:1: .*{why}"):
        list(lines.read(file))


def test_a_capture_begins_with_a_start() -> None:
    with pytest.raises(CaptureBroken, match="does not begin with a start"):
        Replay().step(Heard(1.0, 1.0, "Event: Hangup"))


def test_the_plan_of_a_site_is_kept_whole() -> None:
    plan: Plan = load(EXAMPLE, secrets=False).plan
    line = lines.parse(lines.start(Start(1.0, 2.0, "r", plan, memory=Memory().dump())))
    assert isinstance(line, Start)
    assert line.plan == plan
