"""A capture told once more: the same translation and the same core, on the clock that the capture has.

Whatever the core decided follows from its inputs alone, so the records come out again as they were written.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ccbridge.ami import translate
from ccbridge.ami.wire import AmiMessage
from ccbridge.captures.lines import CaptureBroken, Heard, Line, Noted, Start, Told
from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, Effect
from ccbridge.core.memory import Memory
from ccbridge.core.records import Record
from ccbridge.core.state import freeze, thaw
from ccbridge.core.switchboard import Switchboard
from ccbridge.numbers import parse_caller


@dataclass(frozen=True, slots=True)
class Step:
    """One line and what came of it."""

    number: int  # of the line, over all files
    line: Line
    event: i.Input | None = None
    effects: list[Effect] = field(default_factory=list)
    records: list[tuple[int, Record]] = field(default_factory=list)  # with their numbers in the event journal

    @property
    def start(self) -> Start | None:
        return self.line if isinstance(self.line, Start) else None


class Replay:
    """Takes the lines of one capture, or of several in a row; ``doubts`` says where they do not fit.

    A start of the daemon in the middle takes up what the lines before it make, not what it says: so a capture
    shows what this version remembers.
    """

    def __init__(self) -> None:
        self.board: Switchboard | None = None
        self.memory: Memory | None = None  # None: what was before the first line is not known
        self.doubts: list[str] = []
        self.starts: list[Start] = []
        self._seq = 0
        self._numbers = itertools.count(1)

    def run(self, lines: Iterable[Line]) -> Iterator[Step]:
        """Each line in turn. Raises CaptureBroken when it does not begin with a start."""
        for line in lines:
            yield self.step(line)

    def step(self, line: Line) -> Step:
        number = next(self._numbers)
        if isinstance(line, Start):
            self._start(line)
            return Step(number, line)
        if self.board is None:
            raise CaptureBroken("it does not begin with a start: is the first file missing?")
        thing = self._meaning(line)
        if isinstance(thing, Record):
            return Step(number, line, records=self._apply([thing]))
        if thing is None:
            return Step(number, line)
        effects = self.board.handle(thing, line.n)
        records = self._apply([effect.record for effect in effects if isinstance(effect, Append)])
        return Step(number, line, thing, effects, records)

    def _start(self, start: Start) -> None:
        if start.state is not None:
            if self.board is not None and freeze(self.board.world) != start.state:
                self.doubts.append(f"at {start.w:.3f} the switchboard was not as the lines before make it")
            self.board = Switchboard(start.plan, start.run)
            self.board.world = thaw(start.plan, start.state)
        else:
            if self.memory is None:
                self.memory = Memory(copy.deepcopy(start.memory))
            elif Memory(copy.deepcopy(start.memory)).dump() != self.memory.dump():
                self.doubts.append(
                    f"at {start.w:.3f} something else was remembered than the lines before make"
                )
            self.board = Switchboard(start.plan, start.run)
            self.board.restore(self.memory, start.w, start.n)
        self._seq = start.seq
        self.starts.append(start)

    def _meaning(self, line: Line) -> i.Input | Record | None:
        match line:
            case Heard():
                here = self.starts[-1]
                return translate.to_inbox(
                    AmiMessage(line.text), line.w, here.system, lambda raw: parse_caller(raw, here.country)
                )
            case Told():
                return line.event
            case Noted():
                return line.record
        return None

    def _apply(self, records: list[Record]) -> list[tuple[int, Record]]:
        if self.memory is not None:
            for record in records:
                self.memory.apply(record)
        first = self._seq + 1
        self._seq += len(records)
        return list(zip(itertools.count(first), records, strict=False))
