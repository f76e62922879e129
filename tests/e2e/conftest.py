"""Fixtures of the end-to-end tests: PostgreSQL, and ccbridge itself, beside the lab's PBX and phones."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ccbridge.lab.lab import Lab
from ccbridge.lab.postgres import LabPostgres
from ccbridge.lab.service import Database, Service, site_file

# Shorter times than a real site's, so that tests do not wait for the clock.
BRISK: dict[str, Any] = {
    "queues": {
        "sales": {"ring": 5, "wrap_up": 2, "max_wait": 60, "overflow": "1008"},
        "support": {"ring": 5, "wrap_up": 2, "max_wait": 60, "overflow": "1008"},
    },
    "routing": {"miss_cooldown": 3, "refuse_cooldown": 3, "reach_timeout": 2},
    "flows": {
        "main": {
            "start": "choose",
            "steps": {
                "greeting": None,
                "choose": {
                    "menu": {"prompts": ["beep"], "invalid": ["beeperr"], "silent": None, "timeout": 3}
                },
                "operator": {"transfer": "1008"},
                "goodbye": {"hangup": {"prompts": ["vm-goodbye"]}},
            },
        }
    },
}


class Site:
    """A running site: the daemon, the jobs, and a view into its database."""

    def __init__(self, folder: Path, lab: Lab, server_url: str, changes: Mapping[str, Any]) -> None:
        self.database = Database(server_url)
        self.database.create()
        self.folder = folder
        self.config = site_file(folder, lab.pbx, self.database, {**BRISK, **changes})
        self.daemon = Service(self.config, tethered=True)
        self.jobs = Service(self.config, "jobs", tethered=True)

    def ask(self, do: str, **fields: Any) -> Any:
        return self.daemon.must(do, **fields)

    def login(self, *agents: str) -> None:
        for agent in agents:
            self.daemon.must("agent.login", agent=agent)

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows as the owner sees them."""
        with psycopg.connect(self.database.admin_url, row_factory=dict_row) as db:
            return db.execute(sql, values).fetchall()  # type: ignore[arg-type]

    async def until(self, what: Callable[[], Any], limit_s: float = 15.0) -> Any:
        """Poll until ``what()`` is true; its value. Fails the test when the limit is over."""
        deadline = asyncio.get_running_loop().time() + limit_s
        while not (value := what()):
            if asyncio.get_running_loop().time() > deadline:
                pytest.fail(f"not within {limit_s} s: {what}")
            await asyncio.sleep(0.05)
        return value

    async def until_rows(
        self, count: int, sql: str, *values: Any, limit_s: float = 15.0
    ) -> list[dict[str, Any]]:
        """Poll until the query gives at least ``count`` rows."""

        def enough() -> list[dict[str, Any]] | None:
            found = self.rows(sql, *values)
            return found if len(found) >= count else None

        found: list[dict[str, Any]] = await self.until(enough, limit_s)
        return found

    def oddities(self) -> list[dict[str, Any]]:
        return [line for line in self.daemon.lines() if line.get("event") == "oddity"]

    def close(self) -> None:
        self.jobs.stop()
        self.daemon.stop()
        self.database.drop()


@pytest.fixture(scope="session")
def lab_postgres(lab: Lab) -> Iterator[LabPostgres]:
    """A PostgreSQL server of our own, which tests may freeze and stop."""
    server = LabPostgres(lab.folder / "e2e-postgres", external=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_site(
    lab: Lab, lab_postgres: LabPostgres, outside: object, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Site]]:
    """Makes sites with changes to their configuration; started unless ``start=False``."""
    made: list[Site] = []

    def make(start: bool = True, jobs: bool = False, **changes: Any) -> Site:
        folder = lab.folder / f"site-{secrets.token_hex(3)}"
        site = Site(folder, lab, lab_postgres.url, changes)
        made.append(site)
        if start:
            site.daemon.start()
        if jobs:
            site.jobs.start()
        return site

    yield make
    for site in made:
        site.close()
        if not request.session.testsfailed:
            shutil.rmtree(site.folder)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """The example site, running, nobody logged in."""
    return make_site()
