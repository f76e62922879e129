"""ccbridge beside the lab's PBX, as the end-to-end tests see it: driven, watched, and audited."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.database import Database
from ccbridge.lab.lab import Lab
from ccbridge.lab.service import Service, site_file

# Shorter times than a real site's, so that tests do not wait for the clock.
BRISK: dict[str, Any] = {
    "queues": {
        "sales": {"ring": 3, "wrap_up": 2, "max_wait": 60, "overflow": "1008"},
        "support": {"ring": 3, "wrap_up": 2, "max_wait": 60, "overflow": "1008"},
    },
    "routing": {"miss_cooldown": 3, "refuse_cooldown": 3, "reach_timeout": 2},
    "flows": {
        "main": {
            "start": "choose",
            "steps": {
                "greeting": None,
                "choose": {
                    "menu": {"prompts": ["beep"], "invalid": ["beeperr"], "silent": None, "timeout": 1}
                },
                "operator": {"transfer": "1008"},
                "goodbye": {"hangup": {"prompts": ["beep"]}},
            },
        },
        "sales-at-once": {"start": "q", "steps": {"q": {"queue": "sales"}}},
        "support-at-once": {"start": "q", "steps": {"q": {"queue": "support", "priority": 5}}},
    },
    "numbers": {"2100000001": "sales-at-once", "2100000002": "support-at-once"},
}
MENU = "2101234567"
SALES = "2100000001"
SUPPORT = "2100000002"
AGENTS = {"anna": "1001", "ben": "1002", "chloe": "1003", "dimitris": "1004"}
_callers = itertools.count(1)


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in command and path.parent.name != str(os.getpid()):
            found.append(command)
    return found


def new_number() -> str:
    """A caller's number that no test has used."""
    return f"+3069{next(_callers):08d}"


class Site:
    """A running site: the daemon, the jobs, and a view into its journal and its database."""

    def __init__(self, folder: Path, lab: Lab, server_url: str, changes: Mapping[str, Any]) -> None:
        self.lab = lab
        self.database = Database(server_url)
        self.database.create()
        self.folder = folder
        self.config = site_file(folder, lab.pbx, self.database, merged(BRISK, changes))
        for file in (lab.pbx.cdr_csv, lab.pbx.cel_csv):
            file.unlink(missing_ok=True)  # other sites' calls
        self.daemon = Service(self.config, tethered=True)
        self.jobs = Service(self.config, "jobs", tethered=True)
        self._records: list[dict[str, Any]] = []
        self._read_to: dict[Path, int] = {}

    # -- asking

    @property
    def running(self) -> bool:
        """Whether the daemon's process is there."""
        return self.daemon.process is not None and self.daemon.process.poll() is None

    def ask(self, do: str, **fields: Any) -> Any:
        return self.daemon.must(do, **fields)

    def login(self, *agents: str) -> None:
        for agent in agents:
            self.daemon.must("agent.login", agent=agent)

    def agent(self, agent: str) -> dict[str, Any]:
        row: dict[str, Any] = self.ask("agent.show", agent=agent)
        return row

    def oddities(self) -> list[dict[str, Any]]:
        return [line for line in self.daemon.lines() if line.get("event") == "oddity"]

    # -- waiting

    async def until(self, what: Callable[[], Any], limit_s: float = 30.0) -> Any:
        """Poll until ``what()`` is true; its value. Fails the test when the limit is over."""
        deadline = asyncio.get_running_loop().time() + limit_s
        while not (value := what()):
            if asyncio.get_running_loop().time() > deadline:
                pytest.fail(f"not within {limit_s} s: {what}")
            await asyncio.sleep(0.05)
        return value

    async def until_agent(self, agent: str, state: str, reason: str | None = None) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            row = self.agent(agent)
            return row if row["state"] == state and reason in (None, row["reason"]) else None

        row: dict[str, Any] = await self.until(there)
        return row

    async def until_event(self, call: str, kind: str, limit_s: float = 30.0, **data: Any) -> dict[str, Any]:
        """The first event of this kind (and with these data) of a call."""

        def found() -> dict[str, Any] | None:
            return next(
                (e for e in self.events(call, kind) if all(e["data"].get(k) == v for k, v in data.items())),
                None,
            )

        event: dict[str, Any] = await self.until(found, limit_s)
        return event

    async def until_closed(self, call: str, limit_s: float = 30.0) -> dict[str, Any]:
        """The call's account."""
        row: dict[str, Any] = await self.until(
            lambda: next((r for r in self.records("call_closed") if r["call"] == call), None), limit_s
        )
        return row

    async def until_rows(
        self, count: int, sql: str, *values: Any, limit_s: float = 30.0
    ) -> list[dict[str, Any]]:
        """Poll until the query gives at least ``count`` rows."""

        def enough() -> list[dict[str, Any]] | None:
            found = self.rows(sql, *values)
            return found if len(found) >= count else None

        found: list[dict[str, Any]] = await self.until(enough, limit_s)
        return found

    # -- calling

    async def dial(
        self, carrier: Carrier, did: str = SALES, caller: str = "", **more: Any
    ) -> tuple[Call, str]:
        """A call to ``did``, once the daemon knows of it; and its id there."""
        caller = caller or new_number()
        known = len(self.records("call_opened"))
        call = await carrier.call(did, caller, **more)

        def opened() -> dict[str, Any] | None:
            fresh = self.records("call_opened")[known:]
            return next((r for r in fresh if more.get("anonymous") or r["raw"] == caller), None)

        record = await self.until(opened)
        return call, record["call"]

    async def hold(self, carrier: Carrier, did: str = SALES, **more: Any) -> tuple[Call, str]:
        """A call that has reached the hold loop."""
        call, name = await self.dial(carrier, did, **more)
        await self.until_event(name, "holding")
        return call, name

    # -- reading what was written

    def records(self, *types: str) -> list[dict[str, Any]]:
        """The journal's records in their order, read from its files without any code of ccbridge."""
        for path in sorted((self.folder / "journal").glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read_to.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read_to[path] = self._read_to.get(path, 0) + len(whole)
            lines = map(json.loads, whole.splitlines())
            self._records += [line for line in lines if line["t"] != "checkpoint"]
        return [one for one in self._records if not types or one["t"] in types]

    def controls(self) -> list[dict[str, Any]]:
        """The steps of controls over people at work: without log-ins, PINs and locks."""
        attendance = ("log_in", "log_out", "pin", "lock", "unlock")
        return [one for one in self.records("control_event") if one["what"] not in attendance]

    def lose_journal(self) -> None:
        """The daemon's folder goes; what was read of it stays known here."""
        self.records()
        shutil.rmtree(self.folder / "journal")
        self._read_to.clear()

    def events(self, call: str, *kinds: str) -> list[dict[str, Any]]:
        found = [one for one in self.records("call_event") if one["call"] == call]
        return [one for one in found if not kinds or one["kind"] in kinds]

    def offers(self, *calls: str) -> list[tuple[str, str]]:
        """(call, agent) of each offer of these calls, in order."""
        events = self.records("call_event")
        return [
            (e["call"], e["data"]["agent"]) for e in events if e["kind"] == "offered" and e["call"] in calls
        ]

    def results(self, call: str) -> list[tuple[str, str]]:
        """(agent, result) of each offer of a call that has ended, in order."""
        return [(e["data"]["agent"], e["data"]["result"]) for e in self.events(call, "offer_ended")]

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as the owner sees them."""
        with psycopg.connect(self.database.admin_url, row_factory=dict_row) as db:
            return db.execute(sql, values).fetchall()  # type: ignore[arg-type]

    def route_ms(self, *calls: str) -> list[float]:
        """Per call with a RINGING: milliseconds from (holding and a free agent) to his phone's RINGING."""
        free: dict[str, float] = {}
        held: dict[str, float] = {}
        found = []
        for one in self.records("call_event", "agent_event"):
            if one["t"] == "agent_event":
                if one["state"] == "available":
                    free[one["agent"]] = one["at"]
            elif one["kind"] == "holding":
                held[one["call"]] = one["at"]
            elif one["kind"] == "ringing" and (not calls or one["call"] in calls):
                found.append((one["at"] - max(held[one["call"]], free.get(one["data"]["agent"], 0.0))) * 1000)
        return found

    # -- the account of it all

    async def audit(self, *, rows: bool = True) -> None:
        """With all calls ended: nothing lost, nothing doubled, in the journal and in the database."""
        await self.until(lambda: not self.ask("status")["calls"]["total"])
        if rows:
            # CDRs come by themselves, a moment after the calls
            await self.until(lambda: self.ask("status")["ship_lag_records"] == 0, 30.0)
        records = self.records()
        assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
        by_call: dict[str, Counter[str]] = {}
        for one in records:
            if one["t"] in ("call_opened", "call_closed"):
                by_call.setdefault(one["call"], Counter())[one["t"]] += 1
            elif one["t"] == "call_event" and not {"again", "stint"} & one["data"].keys():
                by_call.setdefault(one["call"], Counter())[one["kind"]] += 1
        for name, seen in by_call.items():
            once = {kind: seen[kind] for kind in ("call_opened", "arrived", "ended", "call_closed")}
            assert set(once.values()) == {1}, f"{name}: {once}"
            assert seen["queued"] <= 1, f"{name}: {seen}"
        begun = Counter(self._of("offered", "offer") + self._of("joined", "offer"))
        assert begun == Counter(self._of("offer_ended", "offer"))
        started = [one["offer"] for one in records if one["t"] == "recording_started"]
        assert sorted(started) == sorted(one["offer"] for one in records if one["t"] == "recording_ended")
        for agent in AGENTS:
            moments = [one["at"] for one in records if one["t"] == "agent_event" and one["agent"] == agent]
            assert moments == sorted(moments), agent
        if rows:
            self._audit_rows(records)

    def _of(self, kind: str, key: str) -> list[Any]:
        return [one["data"][key] for one in self.records("call_event") if one["kind"] == kind]

    def _audit_rows(self, records: list[dict[str, Any]]) -> None:
        for table in ("call_event", "agent_event"):
            written = [one["seq"] for one in records if one["t"] == table]
            shipped = [row["seq"] for row in self.rows(f"SELECT seq FROM {table} ORDER BY seq")]
            assert shipped[: len(written)] == written, table
        closed = sorted(one["call"] for one in records if one["t"] == "call_closed")
        for table in ("call", "ticket"):
            assert sorted(row["call_id"] for row in self.rows(f"SELECT call_id FROM {table}")) == closed, (
                table
            )
        told = {(one["uniqueid"], one["sequence"]) for one in records if one["t"] == "cdr"}
        kept = [(row["uniqueid"], row["sequence"]) for row in self.rows("SELECT uniqueid, sequence FROM cdr")]
        assert told <= set(kept)
        assert len(kept) == len(set(kept))
        assert self.rows("SELECT * FROM call_opened") == []
        assert self.rows("SELECT * FROM ship_reject") == []

    def close(self) -> None:
        self.jobs.stop()
        self.daemon.stop()
        self.database.drop()


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``changes`` over ``base``, mapping by mapping."""
    both = dict(base)
    for key, value in changes.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return both
