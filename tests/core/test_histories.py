"""Random histories on a simulated clock: whatever happens, in whatever order, the invariants stand.

The chances are the seeds': a failing one is repeated with ``Simulator(seed, weather).run()``.
"""

import json
from collections import Counter
from dataclasses import replace

import pytest
from simulator import FLOWING, RINGING, SITE, SKILLED, TAPED, Simulator, Weather, replayed

from ccbridge.core.effects import Append
from ccbridge.core.plan import Plan
from ccbridge.core.records import from_dict, to_dict

CALM = Weather()
BUSY = Weather(callers=60, patience=40.0, commands=10)
CHANGING = Weather(unregister=0.5, elsewhere=0.5, commands=15, reloads=2, supervisor=15)
LINK_LOST = Weather(unregister=0.3, elsewhere=0.3, commands=8, reloads=1, outages=4, supervisor=8)
KILLED = Weather(unregister=0.3, commands=8, outages=1, kills=3)
ROUGH = Weather(
    unregister=0.5, elsewhere=0.5, commands=8, reloads=1, outages=2, kills=2,
    lose_redirect=0.1, refuse_redirect=0.1, lose_event=0.02, repeat_event=0.03,
)  # fmt: skip
STORMY = Weather(
    unregister=0.5, elsewhere=0.3, commands=12, reloads=2, outages=2, kills=2, crashes=1, sweeps=5.0,
    supervisor=8,
)  # fmt: skip
CRASHED = Weather(unregister=0.3, commands=8, reloads=1, outages=1, kills=1, crashes=3)
SEATED = Weather(unregister=0.3, commands=8, seats=30, outages=1, kills=2, reloads=1, sweeps=5.0)
TAPERS = Weather(tapers=80, outages=2, kills=2, crashes=1, reloads=1, sweeps=5.0, supervisor=4)
AWAY = Weather(
    unregister=0.3,
    elsewhere=0.2,
    commands=6,
    personal=25,
    outages=1,
    kills=2,
    reloads=1,
    sweeps=5.0,
    patience=40.0,
)
WEATHERS = {
    "calm": CALM,
    "busy": BUSY,
    "changing": CHANGING,
    "link_lost": LINK_LOST,
    "killed": KILLED,
    "crashed": CRASHED,
    "rough": ROUGH,
    "stormy": STORMY,
    "seated": SEATED,
    "tapers": TAPERS,
    "away": AWAY,
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "plan", [SITE, SKILLED, RINGING, FLOWING], ids=["plain", "skilled", "ringing", "flowing"]
)
@pytest.mark.parametrize("weather", WEATHERS)
def test_the_invariants_stand(weather: str, plan: Plan, seed: int) -> None:
    sim = Simulator(seed, WEATHERS[weather], plan).run()
    assert not sim.watch.faults, "\n".join(sim.watch.faults)
    assert len(sim.watch.closed) > sim.weather.callers / 3
    assert replayed(sim) == sim.spoken


def test_the_histories_go_everywhere() -> None:
    """They would prove little if they missed a result, a disposition or a way out."""
    seen = [
        (name, Simulator(seed, WEATHERS[name], plan).run().watch)
        for name in WEATHERS
        for seed, plan in ((90, SITE), (91, SITE), (92, SITE), (93, RINGING))
    ]
    results = {kind for _, watch in seen for kind, n in watch.counts.items() if n}
    assert {"talked", "missed", "refused", "busy", "unreachable", "withdrawn", "lost", "elsewhere"} <= results
    assert {"not_confirmed", "personal devices rung"} <= results
    assert {"PlaceOffer", "MoveOut", "DropLeg", "LookAt", "LookUpCustomer", "Reply", "Oddity"} <= results
    dispositions = {call.disposition for _, watch in seen for call in watch.closed.values()}
    assert {
        "answered", "abandoned", "menu_ended", "overflowed", "left", "fallback", "lost", "pbx_restart",
    } <= dispositions  # fmt: skip
    assert {
        "joined",
        "passed on blind",
        "passed on attended",
        "passed on blonde",
        "passed on park",
        "logged in at a phone",
        "refused at a phone",
        "wrap-up extended",
    } <= results
    assert all(watch.counts["compared"] > 5 for name, watch in seen if name != "rough")


def test_the_histories_leave_lines_for_every_reason() -> None:
    often = replace(BUSY, commands=60)
    seen = [Simulator(seed, often, FLOWING).run().watch for seed in range(70, 78)]
    assert {"time", "full", "nobody", "paused", "key to a queue", "paused to a queue"} <= {
        kind for watch in seen for kind in watch.ways.counts
    }
    assert sum(watch.counts["left by key"] for watch in seen) > 3


@pytest.mark.parametrize("weather", [TAPERS, replace(ROUGH, tapers=60), replace(BUSY, tapers=150)])
def test_recordings_are_silent_where_they_are_paused(weather: Weather) -> None:
    seen: Counter[str] = Counter()
    for seed in range(20, 26):
        sim = Simulator(seed, weather, TAPED).run()
        assert not sim.watch.faults, "\n".join(sim.watch.faults)
        assert replayed(sim) == sim.spoken
        seen += sim.watch.counts
    assert {f"pause over: {why}" for why in ("resumed", "time", "ended")} <= {*seen}
    assert {"record done", "record refused", "record_pause refused", "record_resume refused"} <= {*seen}
    assert seen["recording compared"] > 20 or not weather.fair


def test_every_record_survives_the_journal() -> None:
    sim = Simulator(3, replace(LINK_LOST, tapers=40), TAPED).run()
    records = [x.record for effects in sim.spoken for x in effects if isinstance(x, Append)]
    assert len(records) > 200
    for record in records:
        assert from_dict(json.loads(json.dumps(to_dict(record)))) == record
