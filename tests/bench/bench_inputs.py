"""What the journal of inputs costs: microseconds an input, bytes a call, milliseconds a new file.

Run: ``python tests/bench/bench_inputs.py``. The stream is a golden capture of one answered call, noted and
flushed as the routing loop does it, beside the work that the loop has with the same messages anyway.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from ccbridge.ami import translate
from ccbridge.ami.wire import AmiMessage
from ccbridge.captures import lines
from ccbridge.captures.journal import InputJournal
from ccbridge.captures.lines import Heard, Start, Told
from ccbridge.captures.replay import Replay, Step
from ccbridge.core import inputs as i
from ccbridge.core.plan import AgentPlan, Plan, QueuePlan
from ccbridge.core.state import freeze
from ccbridge.core.switchboard import Switchboard

CAPTURE = Path(__file__).parents[1] / "captures" / "22" / "answered_agent_ends.jsonl"
CALLS = 300
ROUNDS = 5


def noting(steps: list[Step], folder: Path) -> float:
    """Seconds to note one call's inputs, with a flush before each decision that has records."""
    kept = InputJournal(folder / "inputs", lambda: b"start\n", keep_days=1, keep_bytes=2**30)
    kept.open()
    begun = time.perf_counter()
    for _ in range(CALLS):
        for step in steps:
            line = step.line
            if isinstance(line, Heard):
                kept.note(lines.heard(line.n, line.w, line.text))
            elif isinstance(line, Told):
                kept.note(lines.told(line.n, line.event))
            if step.records:
                kept.flush()
            kept.turn(line.n)
    taken = time.perf_counter() - begun
    kept.close()
    return taken / CALLS


def hearing(steps: list[Step]) -> float:
    """Seconds to parse and translate one call's messages: what is done with them in any case."""
    texts = [step.line.text for step in steps if isinstance(step.line, Heard)]
    begun = time.perf_counter()
    for _ in range(CALLS):
        for text in texts:
            translate.to_inbox(AmiMessage(text), 1.0, "pbx", lambda raw: ("unparsable", None))
    return (time.perf_counter() - begun) / CALLS


def new_file(calls: int) -> tuple[float, int]:
    """Seconds and bytes of a first line with so many callers in line and as many ended ones remembered."""
    plan = Plan(
        {"q": QueuePlan("q", overflow="9")},
        {f"a{n}": AgentPlan(f"a{n}", f"A{n}", f"PJSIP/a{n}", ("q",)) for n in range(200)},
        {},
        {},
        "",
    )
    board = Switchboard(plan, "b")
    board.handle(i.LinkUp(1.0, i.Snapshot((), {})), 1.0)
    for n in range(calls):
        board.handle(i.CallHolding(2.0, f"c{n}", "q", 0, 1.5), 2.0)
        board.world.remember_closed(f"pbx-1763774000.{n}", "caller")
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        line = lines.start(Start(2.0, 2.0, "b", plan, state=freeze(board.world)))
        took.append(time.perf_counter() - begun)
    return statistics.median(took), len(line)


def cost() -> dict[str, float]:
    """All figures, as ``main`` prints them."""
    steps = [step for step in Replay().run(lines.read(CAPTURE)) if step.start is None]
    heard = [step.line.text for step in steps if isinstance(step.line, Heard)]
    with tempfile.TemporaryDirectory() as folder:
        noted = min(noting(steps, Path(folder) / str(n)) for n in range(ROUNDS))
    anyway = min(hearing(steps) for _ in range(ROUNDS))
    seconds, size = new_file(1000)
    return {
        "inputs a call": len(steps),
        "bytes a call": sum(len(lines.heard(1.0, 1.0, text)) for text in heard),
        "us an input": noted / len(steps) * 1e6,
        "of parsing and translating": noted / anyway,
        "ms a new file at 1,000 waiting": seconds * 1000,
        "bytes of its first line": size,
    }


if __name__ == "__main__":
    for what, figure in cost().items():
        print(f"{what:32}{figure:12,.2f}")
