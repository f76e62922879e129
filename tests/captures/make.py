"""Makes the golden captures anew, from real calls on the lab. From the project's folder:

    .venv/bin/python tests/captures/make.py [--suite sid|bullseye] [SCENE...]

``sid`` is Asterisk 22, ``bullseye`` 16; without scenes all of them. Each capture is what the daemon kept of
one scene (``scenes.py``); beside it stands its account. Nothing is written of a scene whose replayed account
is not what the scene says, whose records are not those of the event journal, or whose talk is not what the
phones' own clocks say, within 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import scenes  # noqa: E402
from e2e_rig import Site, merged  # noqa: E402
from scenes import SCENES, Scene, Stage, Truth  # noqa: E402
from tables import CLOCKS, Told, table  # noqa: E402

from ccbridge.captures.compare import Comparison  # noqa: E402
from ccbridge.lab.errors import LabError  # noqa: E402
from ccbridge.lab.lab import Lab, default_cache  # noqa: E402
from ccbridge.lab.legs import Leg  # noqa: E402
from ccbridge.lab.outside import Outside  # noqa: E402
from ccbridge.lab.postgres import LabPostgres  # noqa: E402
from ccbridge.store.segments import parse, segment_numbers, segment_path  # noqa: E402

CHANGES = {
    "queues": {"sales": {"max_wait": 10, "ring": 6}},
    "routing": {"fallback_after": 10},
}
MOBILE = {
    "personal": {"dial": "PJSIP/{number}@carrier", "seconds": 5, "prompts": ["beep"]},
    "agents": {"anna": {"personal": {"mobile": scenes.MOBILE}}},
}
OF_SCENE = {
    "press_1_taken": MOBILE,
    "press_1_not_pressed": MOBILE,
    "daemon_killed_while_it_rings": {"queues": {"sales": {"ring": 15}}},
}


class Untrue(Exception):
    """The account is not what the scene says."""


async def play(lab: Lab, server: LabPostgres, name: str, scene: Scene, folder: Path) -> None:
    """One scene, its capture and its page."""
    site = Site(
        lab.folder / f"site-{secrets.token_hex(3)}", lab, server.url, merged(CHANGES, OF_SCENE.get(name, {}))
    )
    try:
        site.daemon.start()
        async with Outside(lab) as outside:
            await outside.reset()
            truth = await scene(Stage(lab, outside, site))
            async with Outside(lab) as again:  # the scene may have killed the PBX, and with it the first link
                await again.quiet()
            await site.until(lambda: not site.ask("status")["calls"]["total"])
            await asyncio.sleep(0.3)  # the last CDR and the phones' states
            site.daemon.stop()
            legs = [leg for leg in outside.carrier._legs.all.values() if leg.invited_at is not None]
            scene_page(lab, site, name, scene, truth, legs, folder)
    finally:
        site.close()


def scene_page(
    lab: Lab, site: Site, name: str, scene: Scene, truth: list[Truth], legs: list[Leg], folder: Path
) -> None:
    inputs = sorted((site.folder / "journal" / "inputs").glob("*.jsonl"))
    kept = b"".join(path.read_bytes() for path in inputs).decode("ascii")
    for path in (site.folder, lab.folder, lab.project):
        kept = kept.replace(str(path), "/lab")
    file = folder / f"{name}.jsonl"
    fresh = file.with_suffix(".new")
    fresh.write_text(kept)
    told = Told(fresh)
    wrong = [*told.replay.doubts, *(str(oddity) for oddity in told.oddities)]
    wrong += differences(told, site.folder / "journal")
    wrong += untrue(told, truth)
    if wrong:
        raise Untrue("\n".join(wrong) + "\n" + told.tables())
    title, _, more = (scene.__doc__ or "").partition("\n")
    begun = min(one.arrived or 0.0 for one in told.accounts.calls.values())

    def after(at: float | None) -> str | None:
        return None if at is None else f"{at - begun:.3f}"

    seen = [
        [
            leg.line or "caller",
            after(leg.invited_at),
            after(leg.ringing_at),
            after(leg.answered_at),
            after(leg.ended_at),
        ]
        for leg in sorted(legs, key=lambda leg: leg.invited_at or 0.0)
    ]
    clocks = "".join(
        f"Call {n} talked {one.talk:.3f} s with agents.\n" for n, one in enumerate(truth, 1) if one.talk
    )
    page = f"# {title.strip()}\n\n" + "".join(f"{line.strip()}\n" for line in more.strip().splitlines())
    page = page.rstrip("\n") + f"\n\nAsterisk {lab.pbx.version}.\n\n"
    fresh.rename(file)
    file.with_suffix(".md").write_text(
        f"{page}{told.tables()}\n{CLOCKS}\n"
        f"{table(['phone', 'called', 'ringing', 'answered', 'ended'], seen)}"
        + (f"\n{clocks}" if clocks else "")
    )
    print(f"{name}: {len(told.steps)} lines, {file.stat().st_size / 1024:.0f} kB", flush=True)


def differences(told: Told, journal: Path) -> list[str]:
    comparison = Comparison()
    for step in told.steps:
        comparison.see(step)
    written = [line for n in segment_numbers(journal) for line in parse(segment_path(journal, n))[0]]
    last = max(line["seq"] for line in written)
    missing = sorted(set(range(1, last + 1)) - comparison.made.keys())
    return [*comparison.differences(written), *(f"{seq}: not made here" for seq in missing)]


def untrue(told: Told, truth: list[Truth]) -> list[str]:
    """What the account says otherwise than the scene."""
    found = list(told.accounts.calls.values())
    if len(found) != len(truth):
        return [f"{len(found)} calls, in truth {len(truth)}"]
    wrong = []
    for n, (one, true) in enumerate(zip(found, truth, strict=True), 1):
        assert one.closed is not None
        says = (one.closed.disposition, one.closed.ended_by, one.offers, one.transfers, one.closed.inferred)
        means = (true.end, true.by, true.offers, true.transfers or [], true.inferred)
        if says != means:
            wrong.append(f"call {n}: {says}, in truth {means}")
        if true.talk and abs(one.closed.talk - true.talk) > 0.1:
            wrong.append(f"call {n}: talk {one.closed.talk}, by the phones' clocks {true.talk:.3f}")
    return wrong


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", default="sid", choices=["sid", "bullseye"])
    parser.add_argument("scenes", nargs="*", metavar="SCENE")
    given = parser.parse_args()
    cache = default_cache()
    lab = Lab(cache / f"captures-{os.getpid()}", cache)
    lab.up(suite=given.suite, tethered=True, progress=False)
    server = LabPostgres(lab.folder / "postgres", external=False)
    try:
        server.start()
        folder = HERE / lab.pbx.version.partition(".")[0]
        folder.mkdir(exist_ok=True)
        failed = []
        for name in given.scenes or SCENES:
            try:
                await play(lab, server, name, SCENES[name], folder)
            except (Untrue, LabError) as error:
                failed.append(name)
                print(f"{name} FAILED: {error}", flush=True)
    finally:
        server.stop()
        lab.down()
    shutil.rmtree(lab.folder)
    if failed:
        raise SystemExit(f"not made: {', '.join(failed)}")


if __name__ == "__main__":
    asyncio.run(main())
