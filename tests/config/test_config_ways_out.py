"""The ways out of a queue in the configuration: what they become, and which are refused."""

from __future__ import annotations

import pytest
from config_bench import Bench

from ccbridge.core.flows import HangUp, ToQueue, Transfer

OVERFLOW = '    overflow: "100"\n'  # of support, the second queue


def test_what_they_become(bench: Bench) -> None:
    text = (
        OVERFLOW + "    max_waiting: 5\n"
        "    overflow_to: {time: {queue: sales, priority: 2}, full: {message: [beep]},"
        " nobody: {extension: '7'}}\n"
        "    keys: {1: {queue: sales}, '#': {message: [beep, vm-goodbye]}}\n"
    )
    queue = bench.site((OVERFLOW, text)).plan.queues["support"]
    assert (queue.overflow, queue.max_waiting) == ("100", 5)
    assert queue.overflow_to == {
        "time": ToQueue("sales", 2), "full": HangUp(("beep",)), "nobody": Transfer("7"),
    }  # fmt: skip
    assert queue.keys == {"1": ToQueue("sales"), "#": HangUp(("beep", "vm-goodbye"))}
    assert bench.site((OVERFLOW, text)).plan.ways_out() == {"100", "7"}


@pytest.mark.parametrize(
    ("added", "want"),
    [
        (
            "overflow_to: {busy: {queue: sales}}",
            "support.overflow_to.busy: must be one of time, full, nobody",
        ),
        ("overflow_to: {time: {}}", "support.overflow_to.time: has no target: give one of extension, queue"),
        (
            "overflow_to: {time: {queue: sales, extension: '1'}}",
            "support.overflow_to.time: has extension and queue: a caller can go to one of them only",
        ),
        (
            "overflow_to: {time: {extension: '1', priority: 3}}",
            "support.overflow_to.time.priority: belongs to a queue, not to extension",
        ),
        ("overflow_to: {time: {queue: support}}", "support.overflow_to.time.queue: is the queue itself"),
        (
            "overflow_to: {full: {queue: sales}}",
            "support.overflow_to.full: is never reached without max_waiting",
        ),
        (
            "overflow_to: {time: {message: [a, b, c, d, e]}}",
            "support.overflow_to.time.message: must have 1 to 4 entries, not 5",
        ),
        ('keys: {"12": {queue: sales}}', "support.keys.12: must be one key of a phone"),
        ("keys: {1: {queue: nowhere}}", 'support.keys.1.queue: no queue "nowhere"'),
        ("max_waiting: -1", "support.max_waiting: must be 0 to 10000, not -1"),
    ],
)
def test_mistakes(bench: Bench, added: str, want: str) -> None:
    (line,) = bench.lines((OVERFLOW, f"{OVERFLOW}    {added}\n"))
    assert f"queues.{want}" in line


def test_a_circle_is_refused_only_where_it_is_walked_at_once(bench: Bench) -> None:
    def round_by(there: str, back: str) -> list[tuple[str, str]]:
        sales = '    overflow: "100"               # ... he'
        return [
            (sales, f"    max_waiting: 9\n    overflow_to: {{{there}: {{queue: support}}}}\n{sales}"),
            (OVERFLOW, f"{OVERFLOW}    overflow_to: {{{back}: {{queue: sales}}}}\n"),
        ]

    (line,) = bench.lines(*round_by("full", "nobody"))
    assert "queues.sales.overflow_to.full: leads round at once: sales -> support -> sales" in line
    for there, back in (("time", "time"), ("time", "nobody"), ("full", "time")):
        bench.site(*round_by(there, back))
