"""Does a history, told again, give what was written at its time?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ccbridge.captures.replay import Step
from ccbridge.core.records import to_dict


class Comparison:
    """``see`` each step of a replay; ``differences`` against the lines of an event journal."""

    def __init__(self) -> None:
        self.made: dict[int, str] = {}  # number -> record as JSON
        self._after: list[tuple[int, int]] = []  # (number before a start, last number of that stretch)

    def see(self, step: Step) -> None:
        if step.start is not None:
            self._after.append((step.start.seq, step.start.seq))
        for seq, record in step.records:
            self.made[seq] = _text(to_dict(record))
            self._after[-1] = (self._after[-1][0], seq)

    def differences(self, written: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """A sentence for each record that is not the same on both sides. ``written``: its lines."""
        kept = {line["seq"]: line for line in written if line["t"] != "checkpoint"}
        for seq, made in self.made.items():
            line = kept.get(seq)
            if line is None:
                yield f"{seq}: made here, not in the journal: {made}"
            elif (text := _text({k: v for k, v in line.items() if k not in ("seq", "w")})) != made:
                yield f"{seq}: made here {made}, in the journal {text}"
        for before, last in self._after:
            for seq in range(before + 1, last + 1):
                if seq not in self.made and seq in kept:
                    yield f"{seq}: in the journal, not made here: {_text(kept[seq])}"


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, ensure_ascii=False)
