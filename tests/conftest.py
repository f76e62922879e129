"""Fixtures that give tests the lab: a real PBX with this project's own Asterisk files, phones, a carrier.

`lab` comes up once a session (the first time ever it fetches Asterisk); `outside`, `phones` and `carrier` are
made anew for each test, with all calls ended and all phones registered and answering before it.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab, Pbx, default_cache
from ccbridge.lab.machine import Machine, Since
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone
from ccbridge.lab.process import Owned


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab, in a folder of its own; if a test failed it stays until the next session."""
    cache = default_cache()
    for old in cache.glob("tests-*"):
        if not _running(int(old.name.partition("-")[2])):
            shutil.rmtree(old, ignore_errors=True)
    one = Lab(cache / f"tests-{os.getpid()}", cache)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        one.up(tethered=True)
    yield one
    one.down()
    if not request.session.testsfailed:
        shutil.rmtree(one.folder)


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The watcher of the machine; a test takes `machine`."""
    one = Machine(tmp_path_factory.mktemp("machine") / "stalls.txt")
    yield one
    one.close()


@pytest.fixture
def machine(watched: Machine) -> Since:
    """How late the machine itself was during this test: what it measures may be off by as much."""
    return Since(watched)


@pytest.fixture
def pbx(lab: Lab) -> Pbx:
    """The PBX: addresses, secrets, files, `rx(command)`."""
    return lab.pbx


@pytest_asyncio.fixture
async def outside(lab: Lab) -> AsyncIterator[Outside]:
    """Phones and carrier, at rest."""
    async with Outside(lab) as one:
        await one.reset()
        yield one
        await one.reset()


@pytest.fixture
def phones(outside: Outside) -> dict[str, Phone]:
    """Phones by number: 1001 to 1008 for agents, 1009 the static member of the fallback queue."""
    return outside.phones


@pytest.fixture
def carrier(outside: Outside) -> Carrier:
    """The carrier, which places calls over the trunk."""
    return outside.carrier


def _running(pid: int) -> bool:
    try:
        return Owned.of(pid).alive()
    except ProcessLookupError:
        return False
