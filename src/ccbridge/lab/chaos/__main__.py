"""``python -m ccbridge.lab.chaos``: real calls while everything around them is killed, frozen or cut.

Everything lies in one folder (default ``var/chaos``). At the end, after Ctrl-C and after a failure nothing is
left running; the report is in FOLDER/report.txt and report.json, and after a failure all logs stay beside it.
"""

import asyncio
import secrets
from pathlib import Path

import click

from ccbridge.lab.chaos import report
from ccbridge.lab.chaos.evidence import gather
from ccbridge.lab.chaos.faults import Faults, Happened
from ccbridge.lab.chaos.house import REST_LIMIT_S, House
from ccbridge.lab.chaos.judge import judge
from ccbridge.lab.chaos.load import Load
from ccbridge.lab.chaos.plan import faults
from ccbridge.lab.chaos.report import Verdict
from ccbridge.lab.chaos.told import told
from ccbridge.lab.demo_running import alone, empty, undisturbed
from ccbridge.lab.demo_screen import Screen
from ccbridge.lab.errors import LabError, first
from ccbridge.lab.lab import PROJECT
from ccbridge.lab.machine import Machine
from ccbridge.lab.outside import Outside

FOLDER = PROJECT / "var" / "chaos"
WARM_UP_S = 5.0


class Chaos:
    """One run of ``count`` faults in ``folder``, which is emptied first."""

    def __init__(self, folder: Path, screen: Screen, *, count: int, seed: int, lines: int) -> None:
        self.folder = folder.resolve()
        self.screen = screen
        self.seed = seed
        self.lines = lines
        self.plan = faults(seed, count)
        self.house = House(self.folder)

    def run(self) -> bool:
        """All of it; whether every promise was kept. Raises what FAILURES lists; ends what it started."""
        with alone(self.folder):
            self.house.down()
            empty(self.folder)
            try:
                self._show_plan()
                self.screen.step("Asterisk and PostgreSQL (the first time some 115 MB are fetched) ...")
                self.house.up()
                self.screen.step(f"Asterisk {self.house.lab.pbx.version} runs.")
                return asyncio.run(self._play())
            finally:
                self.screen.step("Stopping everything.")
                with undisturbed():
                    self.house.down()

    def _show_plan(self) -> None:
        self.screen.say(f"Seed {self.seed}, {len(self.plan)} faults, {self.lines} callers at a time.")
        for fault in self.plan:
            self.screen.say(f"  {fault}")

    async def _play(self) -> bool:
        house = self.house
        machine = Machine(self.folder / "stalls.txt")
        try:
            await house.open()
            async with Outside(house.lab) as outside:
                await outside.reset()
                load = Load(house, outside, self.seed, self.lines)
                trouble = Faults(house, load.pbx_died, load.pbx_lives, lambda one: self._told(one, load))
                await load.begin()
                async with asyncio.TaskGroup() as both:
                    calls = both.create_task(load.run())
                    await asyncio.sleep(WARM_UP_S)
                    await trouble.run(self.plan)
                    load.stop()
                    self.screen.step(f"The faults are over; {load.on_line} callers are still on the line.")
                    await calls
                await load.end()
                self.screen.step("The calls are over; waiting for rows and recordings.")
                unrest = await house.at_rest()
            verdict = judge(gather(house, load.placed, trouble.happened, machine))
            if unrest:
                verdict.unexplained.append(f"not at rest {REST_LIMIT_S:.0f} s after the last call: {unrest}")
            return self._report(verdict, trouble.happened)
        except* LabError as errors:
            raise first(errors) from errors
        finally:
            machine.close()
            await house.close()

    def _told(self, one: Happened, load: Load) -> None:
        self.screen.step(
            f"{one.fault.number:3d}/{len(self.plan)}  {one.fault.kind}"
            f"{f' for {one.fault.seconds:.1f} s' if one.fault.seconds else ''}"
            f"   ({load.on_line} on the line, {len(load.placed)} placed)"
        )

    def _report(self, verdict: Verdict, happened: list[Happened]) -> bool:
        version = self.house.lab.pbx.version
        text = report.text(verdict, version, self.plan, self.seed)
        self.screen.say(text)
        (self.folder / "report.txt").write_text(text + "\n")
        (self.folder / "report.json").write_text(report.json_of(verdict, version, happened, self.seed))
        return verdict.good


@click.command()
@click.option("-n", "--count", type=click.IntRange(1, 10_000), default=200, help="How many faults.")
@click.option("--seed", type=int, help="Of an earlier run, to repeat it; a random one if not given.")
@click.option("--lines", type=click.IntRange(1, 40), default=8, help="Callers at a time.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="Where everything is written; emptied first.",
)
def chaos(count: int, seed: int | None, lines: int, folder: Path) -> None:
    """Real calls amid faults; every call must be accounted for once, and none cut off.

    Exit codes: 0 every promise was kept, 1 not or the run failed, 130 interrupted.
    """
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    told(
        "chaos",
        lambda: Chaos(folder, Screen(), count=count, seed=seed, lines=lines).run(),
        f"a promise was broken; see above and {folder}.",
        f"again with: make chaos N={count} SEED={seed}",
    )


if __name__ == "__main__":
    chaos()
