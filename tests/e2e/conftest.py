"""Fixtures of the end-to-end tests: PostgreSQL, and ccbridge itself, beside the lab's PBX and phones.

`house` is one running site that most tests share: its agents are logged out and its calls ended after each
test, and then its journal and its database are audited (`Site.audit`). A test that needs a daemon of its
own, or one to maltreat, takes `make_site`.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from e2e_rig import AGENTS, Site
from ears import Ears

from ccbridge.lab.lab import Lab
from ccbridge.lab.machine import Since
from ccbridge.lab.outside import Outside
from ccbridge.lab.postgres import LabPostgres


@pytest.fixture(scope="session")
def lab_postgres(lab: Lab) -> Iterator[LabPostgres]:
    """A PostgreSQL server of our own, which tests may freeze and stop."""
    server = LabPostgres(lab.folder / "e2e-postgres", external=False, tethered=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_site(
    lab: Lab,
    lab_postgres: LabPostgres,
    shared_site: Site,
    outside: object,
    failed: Callable[[], bool],
) -> Iterator[Callable[..., Site]]:
    """Makes sites with changes to their configuration; started unless ``start=False``."""
    shared_site.daemon.stop()  # a PBX has one daemon
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
        if not failed():
            shutil.rmtree(site.folder)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """The example site, running, nobody logged in."""
    return make_site()


@pytest.fixture(scope="module")
def shared_site(lab: Lab, lab_postgres: LabPostgres, failed: Callable[[], bool]) -> Iterator[Site]:
    """See ``house``. It rests while a test has a daemon of its own: a PBX has one."""
    site = Site(lab.folder / f"site-{secrets.token_hex(3)}", lab, lab_postgres.url, {})
    yield site
    site.close()
    if not failed():
        shutil.rmtree(site.folder)


@pytest_asyncio.fixture
async def house(shared_site: Site, outside: Outside) -> AsyncIterator[Site]:
    """The shared site, running, nobody logged in; audited after the test, which must end without oddity."""
    site = shared_site
    if not site.running:
        site.daemon.start()
    # the daemon hears a moment after the lab that a phone is back; until then its agent would not be idle
    await site.until(lambda: {site.agent(one)["phone_state"] for one in AGENTS} == {"NOT_INUSE"})
    before = len(site.oddities())
    yield site
    await outside.quiet()
    for agent in AGENTS:
        site.daemon.must("agent.logout", agent=agent)
    await site.audit()
    assert site.oddities()[before:] == []


@pytest.fixture
def ears(machine: Since) -> Ears:
    """Who hears what, by tones."""
    return Ears(machine)
