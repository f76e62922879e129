"""CPU of the daemon beside CPU of Asterisk: real calls with sound both ways, recorded, of a given length.

    python tests/bench/bench_cpu.py [seconds of talk]

Out of /proc, one after the other:

1. nothing happens: what each costs a second by itself;
2. short calls, 0.2 s of talk: what a call costs, whatever its length, the first figure taken off;
3. eight calls at once, each with the talk asked for, from before the first INVITE until all accounts are
   written: the whole of it, the first figure included.

The PBX alone counts as Asterisk, not the second one that plays carrier and phones. ``ccbridge jobs``, which
makes the stereo files, is a process of its own that no caller waits for, and is counted apart.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from bench_agi import cpu_seconds
from e2e_rig import SALES, Site, merged, new_number
from traffic import QUICK, calls, ready

from ccbridge.lab.lab import Lab
from ccbridge.lab.outside import Outside
from ccbridge.lab.postgres import LabPostgres

IDLE_S = 15.0
SHORT = 60
TALK_S = 60.0
JOBS_S = 15.0  # time for `ccbridge jobs` to make the stereo files of what went before
MORE = {f"agent{n}": f"100{n}" for n in range(5, 9)}
ALL = {"anna": "1001", "ben": "1002", "chloe": "1003", "dimitris": "1004", **MORE}
EIGHT = {
    "agents": {
        **{name: {"queues": ["sales"]} for name in ("anna", "ben", "chloe", "dimitris")},
        **{
            name: {"name": name, "device": f"PJSIP/{phone}", "queues": ["sales"]}
            for name, phone in MORE.items()
        },
    }
}


class Meter:
    """What has been spent since it was made: seconds of the clock, milliseconds of CPU."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._clock, self._cpu = time.monotonic(), self._read()

    def _read(self) -> list[float]:
        return [1000 * cpu_seconds(pid) for pid in self._pids]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._clock

    @property
    def cpu(self) -> list[float]:
        return [now - then for now, then in zip(self._read(), self._cpu, strict=True)]


def told(what: str, daemon: float, asterisk: float) -> None:
    print(f"{what:32} daemon {daemon:7.1f} ms, Asterisk {asterisk:7.1f} ms: {daemon / asterisk:.0%}")


async def measure(site: Site, lab: Lab, talk_s: float) -> None:
    pids = site.daemon.pid, lab.pbx.pid
    async with Outside(lab) as outside:
        await outside.reset()
        await ready(site, outside.phones)
        await calls(site, outside.carrier, 10)

        meter = Meter(*pids)
        await asyncio.sleep(IDLE_S)
        idle = [ms / meter.seconds for ms in meter.cpu]
        told("a second without calls", *idle)

        meter = Meter(*pids)
        await calls(site, outside.carrier, SHORT)
        spent, seconds = meter.cpu, meter.seconds
        told(
            "a call, whatever its length",
            *((ms - seconds * i) / SHORT for ms, i in zip(spent, idle, strict=True)),
        )

        for phone in ALL.values():
            await outside.phones[phone].will("answer", after=0.1)
        site.login(*ALL)
        await asyncio.sleep(JOBS_S)
        known = len(site.records("call_closed"))
        meter, jobs = Meter(*pids), Meter(site.jobs.pid)
        placed = [await outside.carrier.call(SALES, new_number(), hangup_after=talk_s) for _ in ALL]
        for call in placed:
            await call.ended(talk_s + 60.0)
        await site.until(lambda: len(site.records("call_closed")) >= known + len(ALL))
        told(f"a call of {talk_s:.0f} s, {len(ALL)} at once", *(ms / len(ALL) for ms in meter.cpu))
        closed = [one["call"] for one in site.records("call_closed")[known:]]
        recorded = [
            one for one in site.records("recording_ended") if one["answered"] and one["call"] in closed
        ]
        if len(recorded) != len(ALL):
            sys.exit(f"{len(recorded)} recordings of {len(ALL)} calls: this measured something else")
        await asyncio.sleep(JOBS_S)
        print(f"its stereo file, by ccbridge jobs: {jobs.cpu[0] / len(ALL):.1f} ms")
        await outside.quiet()


def main() -> None:
    talk_s = float(sys.argv[1]) if len(sys.argv) > 1 else TALK_S
    folder = Path(tempfile.mkdtemp(prefix="ccbridge-bench-"))
    lab = Lab(folder / "lab")
    lab.up(tethered=True)
    try:
        with LabPostgres(folder / "postgres") as server:
            site = Site(folder / "site", lab, server.url, merged(QUICK, EIGHT))
            try:
                site.daemon.start()
                site.jobs.start()
                asyncio.run(measure(site, lab, talk_s))
            finally:
                site.close()
    finally:
        lab.down()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
