"""``python -m ccbridge.lab.soak``: the same load for a long time, and whether anything grows.

Everything lies in one folder (default ``var/soak``): samples.csv, soak.svg, report.txt and all logs. At the
end, after Ctrl-C and after a failure nothing is left running; what was seen up to then is told.
"""

import asyncio
import contextlib
import csv
import os
import platform
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from ccbridge.lab.chaos.house import House
from ccbridge.lab.chaos.load import Load
from ccbridge.lab.chaos.told import told
from ccbridge.lab.demo_running import alone, empty, undisturbed
from ccbridge.lab.demo_screen import Screen
from ccbridge.lab.errors import LabError, first
from ccbridge.lab.lab import PROJECT
from ccbridge.lab.machine import Machine
from ccbridge.lab.outside import Outside
from ccbridge.lab.ports import free_tcp
from ccbridge.lab.soak import plot
from ccbridge.lab.soak.growth import QUIET_MS, WARM_UP, Trend, trends
from ccbridge.lab.soak.samples import FIGURES, STOOD_STILL, Sampler

FOLDER = PROJECT / "var" / "soak"
EVERY_S = 10.0
TELL_EVERY = 6
LEAST_SAMPLES = 8


class Soak:
    """One soak of ``minutes`` in ``folder``, which is emptied first."""

    def __init__(self, folder: Path, screen: Screen, *, minutes: float, seed: int, lines: int) -> None:
        self.folder = folder.resolve()
        self.screen = screen
        self.minutes = minutes
        self.seed = seed
        self.lines = lines
        self.port = free_tcp()
        self.house = House(self.folder, {"metrics": {"port": self.port}})
        self.samples: list[dict[str, float]] = []

    def run(self) -> bool:
        """All of it; whether nothing grows. Raises what FAILURES lists; ends what it started."""
        with alone(self.folder):
            self.house.down()
            empty(self.folder)
            try:
                self.screen.step("Asterisk and PostgreSQL (the first time some 115 MB are fetched) ...")
                self.house.up()
                asyncio.run(self._play())
            finally:
                self.screen.step("Stopping everything.")
                with undisturbed():
                    self.house.down()
                    good = self._report()
        return good

    async def _play(self) -> None:
        house = self.house
        try:
            await house.open()
            async with Outside(house.lab) as outside:
                await outside.reset()
                load = Load(house, outside, self.seed, self.lines)
                await load.begin()
                self.screen.step(f"{self.lines} callers at a time for {self.minutes:g} minutes.")
                async with asyncio.TaskGroup() as both:
                    calls = both.create_task(load.run())
                    with contextlib.closing(Machine(self.folder / "stalls.txt")) as machine:
                        await self._watch(Sampler(house, self.port, machine))
                    load.stop()
                    await calls
        except* LabError as errors:
            raise first(errors) from errors
        finally:
            await house.close()

    async def _watch(self, sampler: Sampler) -> None:
        begun = time.monotonic()
        with (self.folder / "samples.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, ["t", *(figure.name for figure in FIGURES)])
            table.writeheader()
            while (passed := time.monotonic() - begun) < 60 * self.minutes:
                sample = {"t": round(passed, 1), **await asyncio.to_thread(sampler.take)}
                self.samples.append(sample)
                table.writerow(sample)
                file.flush()
                if len(self.samples) % TELL_EVERY == 1:
                    self.screen.step(", ".join(f"{name} {value:g}" for name, value in sample.items()))
                await asyncio.sleep(EVERY_S - (time.monotonic() - begun) % EVERY_S)

    def _report(self) -> bool:
        if len(self.samples) < LEAST_SAMPLES:
            self.screen.say(f"soak: {len(self.samples)} samples tell nothing.")
            return False
        found = trends(self.samples)
        (self.folder / "soak.svg").write_text(plot.svg(self.samples))
        text = "\n".join(self._lines(found))
        (self.folder / "report.txt").write_text(text + "\n")
        self.screen.say(text)
        return not any(trend.grows for trend in found)

    def _lines(self, found: list[Trend]) -> list[str]:
        minutes = self.samples[-1]["t"] / 60
        growing = [trend.figure.name for trend in found if trend.grows]
        calls = self.samples[-1]["calls"]
        stood_still = sum(sample[STOOD_STILL] > QUIET_MS for sample in self.samples)
        head = f"{'':28}{'first':>9}{'median':>9}{'largest':>9}{'last':>9}{'per hour':>10}{'allowed':>9}"
        rows = []
        for one in found:
            allowed = "any" if one.figure.per_hour is None else f"{one.figure.per_hour:g}"
            values = (one.first, one.median, one.largest, one.last)
            name = f"{one.figure.name} [{one.figure.unit}]" if one.figure.unit else one.figure.name
            rows.append(
                f"{name:28}"
                + "".join(f"{value:9.1f}" for value in values)
                + f"{one.per_hour:10.2f}{allowed:>9}{'  GROWS' if one.grows else ''}"
            )
        return [
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, seed {self.seed}, "
            f"{self.lines} callers at a time; growth in the last {1 - WARM_UP:.0%}",
            head,
            *rows,
            "",
            f"In {stood_still} of {len(self.samples)} samples the machine itself stood still.",
            f"{minutes:.0f} minutes, {calls:.0f} calls: "
            + (f"it GROWS: {', '.join(growing)}." if growing else "nothing grows."),
        ]


@click.command()
@click.option("--minutes", type=click.FloatRange(1, 10_000), default=120, help="How long.")
@click.option("--seed", type=int, help="Of the callers; a random one if not given.")
@click.option("--lines", type=click.IntRange(1, 40), default=8, help="Callers at a time.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="Where everything is written; emptied first.",
)
def soak(minutes: float, seed: int | None, lines: int, folder: Path) -> None:
    """The same load for a long time; nothing of the daemon may grow.

    Exit codes: 0 nothing grows, 1 something does or the soak failed, 130 interrupted.
    """
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    told(
        "soak",
        lambda: Soak(folder, Screen(), minutes=minutes, seed=seed, lines=lines).run(),
        f"something grows; see above and {folder}.",
    )


if __name__ == "__main__":
    soak()
