"""One agent in three queues never has two calls, whoever comes, goes or hangs up in the same moment."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from e2e_rig import Site
from races import KINDS, LANES, TEAMS, TOGETHER, Kind, Lanes, Races, Told, races_site
from races_judge import Channels, fates, overlaps, picked_up, rung_twice, seen_of_it

from ccbridge.lab.chaos.evidence import Seen, channels
from ccbridge.lab.machine import Since
from ccbridge.lab.outside import Outside

#: the same again: RACES_SEED=...
SEED = int(os.environ.get("RACES_SEED", "4"))


@pytest.mark.lab
@pytest.mark.pg
@pytest.mark.parametrize("count", [54, pytest.param(1000, marks=pytest.mark.full)])
async def test_an_agent_in_three_queues_never_has_two_calls(
    make_site: Callable[..., Site], outside: Outside, machine: Since, count: int
) -> None:
    await run_races(make_site(**races_site(LANES)), outside, machine, LANES, KINDS, count)


@pytest.mark.lab
@pytest.mark.pg
@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.full)])
async def test_two_and_three_answer_a_ring_all_in_the_same_instant(
    make_site: Callable[..., Site], outside: Outside, machine: Since, count: int
) -> None:
    """One has the caller; the others are free and blameless, and rung for the next one at once."""
    site = make_site(**races_site(TEAMS, strategy="ring_all"))
    several = await run_races(site, outside, machine, TEAMS, TOGETHER, count, at_most=3)
    assert several >= count / 10
    results = {e["data"]["result"] for e in site.records("call_event") if e["kind"] == "offer_ended"}
    assert "elsewhere" in results
    assert results <= {"talked", "elsewhere", "withdrawn"}
    shown = {e["state"] for e in site.records("agent_event")}
    assert shown <= {"available", "offered", "talking", "wrap_up", "paused", "logged_out"}


async def run_races(
    site: Site,
    outside: Outside,
    machine: Since,
    lanes: Lanes,
    kinds: Sequence[Kind],
    count: int,
    at_most: int = 1,
) -> int:
    """Run them, and hold what Asterisk and the phones wrote down against the accounts.

    Returns how many callers more than one phone answered.
    """
    began = time.time()  # the phones' log is that of the whole lab, and others may have shown these numbers
    told = await Told.open(site)
    try:
        races = Races(site, outside, told, lanes, kinds, SEED)
        await races.all(count)
    finally:
        await told.close()
    await site.audit()

    phones = {phone for team in lanes for phone in team}
    seen = channels(outside.log)
    callers = {call.leg.number: seen[call.id] for call in races.callers}
    rung = [one for one in seen.values() if (one.invited or 0.0) > began and one.shown in callers]
    pbx = Channels.read(site.lab.pbx.cel_csv, phones)
    accounts = site.rows("SELECT * FROM call_account")
    answers = picked_up(outside.log)
    answered = Counter(one.shown for one in rung if one.id in answers)
    several = sum(often > 1 for often in answered.values())
    print(f"{races.run}; {seen_of_it(callers, rung, pbx)}; answered by several phones {several}")

    late_s = machine.late_s
    assert sum(races.run.values()) == count
    assert set(races.run) == {kind.__name__ for kind in kinds}
    assert overlaps(pbx.legs) == []
    assert rung_twice(rung, late_s) == []
    assert {one.line for one in rung} <= phones  # no overflow
    assert fates(callers, rung, pbx, accounts, late_s, at_most) == []
    assert len(site.records("call_closed")) == len(callers)
    assert site.oddities() == []
    return several


# The judge of races, with planted lies --------------------------------------------------------------

CALLER, CALL, LEG = "+306900000001", "pbx-1.1", "pbx-1.2"
GOOD = (
    (1.0, "CHAN_START", CALL, "PJSIP/carrier-01", ""),
    (2.0, "CHAN_START", LEG, "PJSIP/1001-02", ""),
    (3.0, "BRIDGE_ENTER", LEG, "PJSIP/1001-02", '{"bridge_id":"b1"}'),
    (3.0, "BRIDGE_ENTER", CALL, "PJSIP/carrier-01", '{"bridge_id":"b1"}'),
    (4.0, "HANGUP", LEG, "PJSIP/1001-02", ""),
)
SERVED = {"call_id": CALL, "caller_raw": CALLER, "disposition": "answered", "ended_by": "agent"}
LEFT = SERVED | {"disposition": "abandoned", "ended_by": "caller"}


def read(folder: Path, *rows: tuple[float, str, str, str, str]) -> Channels:
    file = folder / "cel.csv"
    lines = []
    for at, kind, uniqueid, channel, extra in rows:
        row = ["pbx", f"{at:.6f}", kind, "", uniqueid, CALL, channel, *[""] * 7, extra.replace('"', '""')]
        lines.append(",".join(f'"{field}"' for field in row))
    file.write_text("\n".join(lines) + "\n")
    return Channels.read(file, ["1001", "1002"])


def rang(line: str, invited: float, answered: float | None, ended: float) -> Seen:
    return Seen("x", line, CALLER, invited, invited, answered, ended)


def test_the_judge_lets_pass_what_is_right(tmp_path: Path) -> None:
    pbx = read(tmp_path, *GOOD)
    phone = rang("1001", 2.0, 3.0, 4.0)
    assert overlaps(pbx.legs) == rung_twice([phone], 0.0) == []
    assert fates({CALLER: Seen("c", CALLER)}, [phone], pbx, [SERVED], 0.0) == []
    left = Seen("c", CALLER, hung_up=True)
    phone.hung_up = True
    let_go = LEFT | {"ended_by": "agent"}
    assert fates({CALLER: Seen("c", CALLER)}, [phone], read(tmp_path, *GOOD[:2]), [let_go], 0.0) == []
    phone.hung_up = False
    in_that_moment = Seen("c", CALLER, ended=3.01, hung_up=True)
    assert fates({CALLER: in_that_moment}, [phone], pbx, [LEFT], 0.0) == []
    assert fates({CALLER: left}, [], read(tmp_path, GOOD[0]), [LEFT], 0.0) == []


def test_the_judge_catches_two_calls_at_a_phone(tmp_path: Path) -> None:
    second = (3.9, "CHAN_START", "pbx-1.3", "PJSIP/1001-03", "")
    assert len(overlaps(read(tmp_path, *GOOD, second).legs)) == 1
    assert len(overlaps(read(tmp_path, *GOOD[:-1], (9.0, *second[1:])).legs)) == 1
    assert len(rung_twice([rang("1001", 2.0, 3.0, 4.0), rang("1001", 3.9, None, 5.0)], 0.0)) == 1


@pytest.mark.parametrize(
    ("rows", "seen", "rung", "accounts"),
    [
        pytest.param(GOOD, False, 1, [], id="no account"),
        pytest.param(GOOD, False, 1, [SERVED, SERVED], id="two accounts"),
        pytest.param(GOOD[:2], False, 1, [LEFT], id="cut off"),
        pytest.param(GOOD, False, 2, [SERVED], id="two phones answered"),
        pytest.param(GOOD, True, 1, [LEFT], id="a talk that the account denies"),
        pytest.param(GOOD[:2], True, 0, [SERVED], id="a talk that there was not"),
        pytest.param(GOOD[:2], True, 0, [LEFT | {"disposition": "overflowed"}], id="sent away"),
        pytest.param(GOOD[:2], True, 0, [LEFT | {"ended_by": "system"}], id="ended by another"),
        pytest.param(GOOD[:2], False, 1, [LEFT | {"ended_by": "agent"}], id="ended by no agent"),
        pytest.param(GOOD, False, 1, [SERVED, SERVED | {"caller_raw": "+1"}], id="of nobody"),
    ],
)
def test_the_judge_catches_a_lost_caller(
    tmp_path: Path,
    rows: tuple[tuple[float, str, str, str, str], ...],
    seen: bool,
    rung: int,
    accounts: list[dict[str, str]],
) -> None:
    phones = [rang(line, 2.0, 3.0, 4.0) for line in ("1001", "1002")[:rung]]
    caller = Seen("c", CALLER, ended=4.0, hung_up=seen)
    assert fates({CALLER: caller}, phones, read(tmp_path, *rows), accounts, 0.0)
