"""The picture of ``ccbridge top``: data in, lines out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from control_rig import Board
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ccbridge.cli.picture import ALARM, FREE, LATE, QUIET, Gone, Seen, picture, whole
from ccbridge.core import inputs as i
from ccbridge.core import view

AT = datetime(2026, 11, 22, 8, 0, 30, tzinfo=UTC)
FOOT = "q ends"


def look(board: Board, **status: Any) -> Seen:
    """What the control socket would answer."""
    b, at = board.board, board.at
    queues = [{**row, "since_start": board.tally.since_start(row["queue"])} for row in view.queues(b, at)]
    seen = {**view.status(b, at, at), "version": "0.1.0", "uptime_s": 3725.0, **status}
    return Seen(AT, seen, queues, view.line(b, at), view.agents(b, at, at))


def busy() -> Board:
    """Eleven in line; anna talks, ben is in wrap-up, chloe is not there."""
    board = Board()
    board.login("anna", "ben")
    calls = [board.caller("sales") for _ in range(2)]
    for call in calls:
        board.answer(call)
    board.go(10)
    board.hang_up(calls[1])
    for number in range(11):
        board.caller("support" if number % 3 else "sales", name=f"caller {number}")
    board.go(9)
    return board


def plain(seen: Seen | Gone, width: int = 100, height: int = 60) -> list[str]:
    return [line.plain for line in picture(seen, width, height, FOOT)]


def styles(seen: Seen | Gone, word: str) -> list[str]:
    return [str(line.style) for line in picture(seen, 100, 60, FOOT) if word in line.plain]


def test_it_fits_every_terminal() -> None:
    seen = look(busy(), link={"up": False}, draining=True)
    gone = Gone(AT, AT, "no ccbridge daemon answers on /run/ccbridge/control.sock: start it")
    for one in (seen, gone):
        for width in (1, 2, 3, 5, 17, 40, 79, 80, 200):
            for height in (1, 2, 3, 6, 11, 24, 60):
                lines = plain(one, width, height)
                assert len(lines) == height
                assert max(map(cell_len, lines)) <= width
                assert width < len(FOOT) or lines[-1] == FOOT


def test_at_80_columns_nothing_is_cut() -> None:
    assert not [line for line in plain(look(busy()), 80) if ".." in line]


@pytest.mark.parametrize("height", range(14, 40))
def test_what_does_not_fit_is_counted(height: int) -> None:
    """Whatever the height: shown and counted rows together are all there are."""
    lines = plain(look(busy()), 80, height)
    starts = [n for n, line in enumerate(lines) if line.split()[:1] in (["queue"], ["place"], ["agent"])]
    found = []
    for start in starts:
        rows = lines[start + 1 : lines.index("", start)] if "" in lines[start:] else lines[start + 1 : -1]
        more = sum(int(row.split()[2]) for row in rows if row.startswith("... and "))
        found.append(sum(not row.startswith("... and ") for row in rows) + more)
    assert found == [2, 11, 3]


def test_lines_are_dealt_evenly_and_none_is_wasted() -> None:
    # 20 lines: title, footer and 3 blank ones leave 15; queues want 3, agents 4, so the line has 8 of 12
    lines = plain(look(busy()), 80, 20)
    assert [len(lines[: lines.index("... and 5 more")]), lines.count("")] == [13, 3]
    # with few callers nobody has to give anything
    assert "more" not in "".join(plain(look(Board()), 80, 15))


def test_rows_that_the_daemon_did_not_send_are_counted() -> None:
    seen = look(busy())
    seen = replace(seen, line={"total": 800, "calls": seen.line["calls"]})
    assert "... and 789 more" in plain(seen)
    assert "... and 789 more" in whole(seen)


def test_who_matters_is_above() -> None:
    board = Board()
    board.login("chloe")
    board.caller("support")
    lines = plain(look(board))
    firsts = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert firsts == ["ccbridge", "queue", "support", "sales", "place", "agent", "chloe", "anna", "ben", "q"]


def test_states_and_seconds() -> None:
    lines = plain(look(busy()))
    assert lines[0].endswith("  11 waiting, longest 0:09  1 talking  0 of 2 free  up 1:02:05")
    assert lines[-1] == FOOT
    assert [line.split() for line in lines if line.startswith(("anna", "ben", "chloe"))] == [
        ["anna", "Άννα", "Παππά", "talking", "-", "0:19", "-", "sales"],
        ["ben", "Ben", "Ioannou", "wrap_up", "-", "0:09", "0:01", "sales,", "support"],
        ["chloe", "Chloe", "Martin", "logged_out", "-", "-", "-", "support"],
    ]


def test_reasons() -> None:
    board = Board()
    board.login("anna", "ben")
    board.put(i.Pause(board.at, "anna", "lunch", 1))
    board.put(i.DeviceChanged(board.at, "PJSIP/1002", "UNAVAILABLE"))
    board.go(3725)
    rows = [line.split() for line in plain(look(board)) if line.startswith(("anna", "ben"))]
    assert [row[3:6] for row in rows] == [
        ["paused", "lunch", "1:02:05"],
        ["unreachable", "not_registered", "1:02:05"],
    ]


def test_styles_say_what_to_look_at() -> None:
    board = Board()
    board.login("anna")
    board.caller("support")
    assert styles(look(board), "+3021") == [""]
    board.go(20)
    assert styles(look(board), "+3021") == [""]  # answered now, he would still be in time
    board.go(1)
    seen = look(board)
    assert (styles(seen, "+3021"), styles(seen, "support  ")) == ([LATE], [LATE, LATE])
    assert (styles(seen, "anna"), styles(seen, "ben")) == ([FREE], [QUIET])


def test_what_is_wrong_is_said() -> None:
    board = Board()
    assert not [line for line in picture(look(board), 80, 24, FOOT) if line.style == ALARM]
    down = picture(look(board, link={"up": False}, draining=True), 80, 24, FOOT)
    assert [line.plain for line in down if line.style == ALARM] == [
        "No link to Asterisk: no call is routed.",
        "Draining: new callers go to the fallback queue.",
    ]
    gone = picture(Gone(AT, AT - timedelta(seconds=75), "nobody \x1b[2J answers"), 40, 8, FOOT)
    said = " ".join(line.plain for line in gone if line.style == ALARM)
    assert said.startswith("nobody ?[2J answers. Away since ")
    assert said.endswith("; the picture is back with the daemon.")


def test_a_queue_that_a_reload_removed() -> None:
    board = Board()
    board.caller("gone")
    assert [line.split()[:3] for line in plain(look(board)) if "removed" in line] == [
        ["gone", "(removed)", "1"]
    ]


# Letters of one and two cells, marks that stand on them, what would steer a terminal or turn a line round.
NAMES = st.text(
    st.one_of(
        st.sampled_from("Άννα日本語한e\u0301\u0e31😀🇬🇷\u202e\u200d\u200b\ufe0f\x1b\x07\x9b\r\n\t\x00\x7f"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(caller=NAMES, agent=NAMES, width=st.integers(20, 140))
def test_any_name_leaves_the_columns_straight(caller: str, agent: str, width: int) -> None:
    board = Board()
    board.login("anna")
    board.go(7)
    board.caller("support", name=caller)
    seen = look(board)
    for row in seen.agents:
        if row["agent"] == "anna":
            row["name"] = agent
    for lines in (plain(seen, width), whole(seen)):
        assert all(line.isprintable() for line in lines), lines
        tables = "\n".join(lines).split("\n\n")
        (heading, row, *_) = next(one for one in tables if one.startswith("agent")).splitlines()
        state = heading.find("state")
        if state >= 0 and len(heading) >= state + len("state"):
            before = next(at for at in range(len(row) + 1) if cell_len(row[:at]) >= state)
            assert row[before:].startswith("available"[: max(0, width - state - 2)]), lines
            assert row[:before].endswith("  ")
    assert max(map(cell_len, plain(seen, width))) <= width
