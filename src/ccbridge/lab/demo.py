"""``python -m ccbridge.lab.demo``: a dozen calls through a real PBX, and the proof of what became of them.

Everything lies in one folder (default ``var/demo``). At the end, after Ctrl-C and after a failure nothing is
left running, unless ``--keep`` asks for it; ``--stop`` ends what was kept.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import psycopg

from ccbridge.lab.database import Database
from ccbridge.lab.demo_account import CALLS, Account
from ccbridge.lab.demo_calls import (
    ACTS,
    CHANGES,
    DID,
    FREE_PHONE,
    FUMBLING,
    PHONE_TONES,
    SALES,
    SUPPORT,
    Calls,
)
from ccbridge.lab.demo_running import Running, alone, empty, stoppable, undisturbed, write
from ccbridge.lab.demo_screen import Screen
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import PROJECT, Lab, default_cache
from ccbridge.lab.outside import Outside
from ccbridge.lab.service import Service, site_file
from ccbridge.lab.site_pbx import CUSTOMER_PHONE
from ccbridge.store.roles import RoleRefused
from ccbridge.store.schema import SchemaTrouble

FOLDER = PROJECT / "var" / "demo"
VERIFIER = PROJECT / "tests" / "verify_demo.py"
FAULTS = (LabError, SchemaTrouble, RoleRefused, psycopg.Error, OSError, subprocess.SubprocessError)


class Demo:
    """One demo in ``folder``, which is emptied first."""

    def __init__(self, folder: Path, screen: Screen, *, keep: bool) -> None:
        self.folder = folder.resolve()
        self.keep = keep
        self.screen = screen
        self.lab = Lab(self.folder / "lab", default_cache())
        self.database: Database | None = None
        self.daemon: Service | None = None
        self.jobs: Service | None = None
        self.running = Running(self.folder)

    def run(self) -> bool:
        """The whole demo; whether everything agrees. Raises what FAULTS lists; ends what it started."""
        with alone(self.folder):
            self.running.end()
            empty(self.folder)
            kept = False
            try:
                good = self._play()
                kept = self.keep
            finally:
                if not kept:
                    self.screen.step("Stopping everything.")
                    with undisturbed():
                        self._end()
        return good

    def _play(self) -> bool:
        screen, lab = self.screen, self.lab
        screen.step("Asterisk and PostgreSQL (the first time some 115 MB are fetched) ...")
        lab.up(postgres=True, tethered=not self.keep, progress=screen.console.is_terminal)
        assert lab.database_url is not None
        pbx = lab.pbx
        screen.step(f"Asterisk {pbx.version} runs, SIP on {pbx.sip_host}:{pbx.sip_port}.")
        self.database = Database(lab.database_url)
        self.running.note(database=self.database.name, role=self.database.role, server=lab.database_url)
        self.database.create()
        account = Account(self.database.admin_url)
        account.add_customers({act.caller: act.name for act in ACTS if act.name})
        config = site_file(self.folder / "site", pbx, self.database, CHANGES)
        self.daemon = Service(config, tethered=not self.keep)
        self.jobs = Service(config, "jobs", tethered=not self.keep)
        for service in (self.daemon, self.jobs):
            service.start()
            self.running.note_process(service)
        screen.step(f"The database and ccbridge are up; {len(ACTS)} calls come now.")
        surprises, placed = asyncio.run(self._calls(self.daemon, self.database))
        _ = self.jobs.pid  # raises if it has ended meanwhile
        return self._conclude(account, config, surprises, placed)

    async def _calls(self, daemon: Service, database: Database) -> tuple[list[str], int]:
        """All acts; what went otherwise than told, and the number of calls that the carrier placed."""
        async with Outside(self.lab) as outside:
            await outside.reset()
            calls = Calls(outside, daemon, database.admin_url, self.screen)
            with self.screen.watching(ACTS):
                await calls.play()
            if self.keep:
                await calls.phones_answer()
                await outside.phones[FREE_PHONE].unregister()
                daemon.must("agent.login", agent="guest")
            else:
                for row in daemon.must("agent.list"):
                    daemon.must("agent.logout", agent=row["agent"])
            return calls.surprises, len(outside.carrier.calls)

    # the end ------------------------------------------------------------------------------------

    def _conclude(self, account: Account, config: Path, surprises: list[str], placed: int) -> bool:
        assert self.daemon is not None
        daemon, screen = self.daemon, self.screen
        screen.step("The calls are over; waiting for rows and recordings.")
        missing = account.settle(
            placed, self.lab.pbx.cdr_csv, lambda: daemon.must("status")["ship_lag_records"]
        )
        if missing:
            surprises.append(missing)
        agents = {
            row["device"].removeprefix("PJSIP/"): row["agent"]
            for row in daemon.must("agent.list")
            if row["device"].removeprefix("PJSIP/") in PHONE_TONES
        }
        caller_tones = {act.caller: act.tone for act in ACTS}
        figures = account.figures()
        verified = account.verified(
            self.lab.recordings, {agents[phone]: tone for phone, tone in PHONE_TONES.items()}, caller_tones
        )
        summary: dict[str, Any] = {
            "asterisk_version": self.lab.pbx.version,
            "calls_placed": placed,
            **{
                key: figures[key]
                for key in ("calls_answered", "calls_abandoned", "cdrs", "customers_created")
            },
            "tickets": figures["tickets"],
            "recordings": figures["recordings"],
            "recordings_verified": verified,
            "oddities": daemon.must("status")["oddities"],
            "route_ms": figures["route_ms"],
            "agree": False,
        }
        summary_file = self.folder / "summary.json"
        write(summary_file, summary)
        inputs = self._inputs(agents, caller_tones, summary_file)
        screen.step("tests/verify_demo.py looks at the same calls with nothing of ccbridge:")
        check = subprocess.run(
            [sys.executable, str(VERIFIER), str(inputs)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        summary["agree"] = check.returncode == 0
        write(summary_file, summary)
        self._report(account, config, (check.stdout + check.stderr).strip(), surprises, summary)
        return bool(summary["agree"]) and not summary["oddities"] and not surprises

    def _inputs(self, agents: dict[str, str], caller_tones: dict[str, int], summary: Path) -> Path:
        """Where the verifier finds what it reads, and what the callers were told to do."""
        assert self.database is not None
        assert self.daemon is not None
        outside = self.lab.outside
        path = self.folder / "inputs.json"
        path.touch(mode=0o600)
        write(
            path,
            {
                "database_url": self.database.admin_url,
                "outside_log": str(outside.log / "cel-custom" / "outside.csv"),
                "pressed_log": str(outside.log / "pressed.csv"),
                "heard": str(outside.folder / "heard"),
                "cdr_csv": str(self.lab.pbx.cdr_csv),
                "recordings": str(self.lab.recordings),
                "daemon_log": str(self.daemon.log),
                "summary": str(summary),
                "agents": agents,
                "phone_tones": PHONE_TONES,
                "caller_tones": caller_tones,
                "known_customers": {act.caller: act.name for act in ACTS if act.name},
                "menu": {SALES: "sales", SUPPORT: "support"},
                "menu_time_outs": {FUMBLING.caller: FUMBLING.time_outs},
                "outcomes": {"1": "resolved", "2": "closed", "3": "follow_up", "4": "open"},
            },
        )
        return path

    def _report(
        self, account: Account, config: Path, verdict: str, surprises: list[str], summary: dict[str, Any]
    ) -> None:
        say, folder = self.screen.say, self.folder
        for line in verdict.splitlines():
            say(f"         {line}")
        calls = account.rows(CALLS)
        say("\nThe calls")
        say(_table(calls))
        longest = max(calls, key=lambda row: (row["offers"], row["talk_s"]), default=None)
        if longest is not None:
            say(f"\nThe timeline of one:  ccbridge call show {longest['call_id']}")
            say(_ccbridge(config, "call", "show", longest["call_id"]))
        say("\nThe day:  ccbridge report day")
        say(_ccbridge(config, "report", "day"))
        say(f"\nRecordings, left the caller, right the agent:  {self.lab.recordings}")
        say(f"The summary:  {folder / 'summary.json'}")
        say(json.dumps(summary, ensure_ascii=False, indent=1))
        for surprise in surprises:
            say(f"Not as meant: {surprise}.")
        if self.keep:
            say(self._softphone(config))

    def _softphone(self, config: Path) -> str:
        pbx, keys = self.lab.pbx, self.lab.keys
        return f"""
All goes on running. With a softphone on this machine:
  registrar        {pbx.sip_host}:{pbx.sip_port} (UDP, codec PCMU)
  as a customer    user {CUSTOMER_PHONE}, password {keys.phones[CUSTOMER_PHONE]}
                   call {DID}, then press 1 (sales) or 2 (support)
  as an agent      user {FREE_PHONE}, password {keys.phones[FREE_PHONE]}: this is the agent "guest" of sales
  watch it         ccbridge -c {config} status
  stop it          {Path(sys.executable).name} -m ccbridge.lab.demo --stop{self._folder_option()}"""

    def _folder_option(self) -> str:
        return "" if self.folder == FOLDER.resolve() else f" --folder {self.folder}"

    def _end(self) -> None:
        """End what runs, the last started first; a fault in one does not keep the others running."""
        with contextlib.ExitStack() as last:
            last.callback(self.running.forget)
            last.callback(self.lab.down)
            if self.database is not None and self.lab.database_url is not None:
                last.callback(self.database.drop)
            for service in (self.daemon, self.jobs):
                if service is not None:
                    last.callback(service.stop)


def _ccbridge(config: Path, *arguments: str) -> str:
    """What ccbridge's own command says."""
    done = subprocess.run(
        [sys.executable, "-m", "ccbridge", "-c", str(config), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("CCBRIDGE_")},
    )
    if done.returncode:
        raise LabError(f"`ccbridge {' '.join(arguments)}` failed: {done.stderr.strip()}", "")
    return done.stdout.rstrip()


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [("arrived", "caller", "queue", "agent", "offers", "waited", "talk", "ended", "by", "ticket")]
    for row in rows:
        lines.append(
            (
                row["arrived_at"].astimezone().strftime("%H:%M:%S"),
                row["caller"],
                row["queue"] or "-",
                row["agent"] or "-",
                str(row["offers"]),
                f"{row['wait_s']:.1f} s" if row["wait_s"] is not None else "-",
                f"{row['talk_s']:.1f} s",
                row["disposition"],
                row["ended_by"],
                row["ticket"] + ("" if row["outcome_set"] else " (unset)"),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


@click.command()
@click.option("--keep", is_flag=True, help="Leave all running, for a softphone.")
@click.option("--stop", is_flag=True, help="End what --keep left running.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="Where everything is written; emptied first.",
)
def demo(keep: bool, stop: bool, folder: Path) -> None:
    """A dozen real calls through a real PBX, about a minute; the figures are in FOLDER/summary.json.

    Exit codes: 0 all agrees, 1 something does not or the demo failed, 130 interrupted.
    """
    try:
        with stoppable():
            if stop:
                with alone(folder.resolve()), undisturbed():
                    ended = Running(folder.resolve()).end()
                click.echo("The demo is stopped." if ended else "No demo runs there.")
                return
            good = Demo(folder, Screen(), keep=keep).run()
    except KeyboardInterrupt:
        click.echo("demo: interrupted; nothing is left running.", err=True)
        sys.exit(130)
    except FAULTS as error:
        click.echo(f"demo: {error}", err=True)
        sys.exit(1)
    if not good:
        click.echo("demo: not everything is as it should be; see above.", err=True)
        sys.exit(1)


if __name__ == "__main__":
    demo()
