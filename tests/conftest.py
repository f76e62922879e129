"""Fixtures that give tests the lab: a real PBX with this project's own Asterisk files, phones, a carrier.

`lab` comes up once a session (the first time ever it fetches Asterisk); `outside`, `phones` and `carrier` are
made anew for each test, with all calls ended and all phones registered and answering before it.

A lab's test that fails while the machine itself stands still says nothing of ccbridge: it is run again
when the machine is at rest, and the summary names it.
"""

import itertools
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator

import pytest
import pytest_asyncio
from _pytest.runner import runtestprotocol
from _pytest.terminal import TerminalReporter

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab, Pbx, default_cache
from ccbridge.lab.machine import Machine, Since
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone
from ccbridge.lab.ports import kept_tcp
from ccbridge.lab.process import Owned

WATCHED = pytest.StashKey[Machine]()
FAILED = pytest.StashKey[bool]()
AGAIN = "run again"
RUNS = 3
STILL_S = 0.3  # within a second: calls lose frames, and answers come late
REST_S, LONGEST_S = 10.0, 300.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Function, nextitem: pytest.Item | None) -> bool | None:
    if item.get_closest_marker("lab") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(RUNS)):
        begin = time.time()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        machine = item.session.stash.get(WATCHED, None)
        if machine is None or not left or not any(one.failed for one in reports):
            break
        still = machine.stood_still_s(begin)
        if still < STILL_S:
            break
        item.user_properties.append((AGAIN, f"{item.nodeid}: the machine stood still for {still:.1f} s"))
        _rest(machine)
        item._initrequest()
    for one in reports:
        item.ihook.pytest_runtest_logreport(report=one)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Known before a test's fixtures are taken down, which the session's own count is not."""
    report = yield
    if report.failed:
        item.session.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def failed(request: pytest.FixtureRequest) -> Callable[[], bool]:
    """Whether any test has failed so far: then what it leaves behind stays to be looked at."""
    return lambda: request.session.stash.get(FAILED, False)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    for one in itertools.chain(*terminalreporter.stats.values()):
        if getattr(one, "when", "") == "teardown":
            for name, what in one.user_properties:
                if name == AGAIN:
                    terminalreporter.write_line(f"{AGAIN}: {what}")


def _rest(machine: Machine) -> None:
    until = time.time() + LONGEST_S
    time.sleep(REST_S)
    while machine.stood_still_s(time.time() - REST_S) >= STILL_S and time.time() < until:
        time.sleep(1.0)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, watched: Machine, failed: Callable[[], bool]) -> Iterator[Lab]:
    """The lab, in a folder of its own; if a test failed it stays until the next session."""
    cache = default_cache()
    for old in cache.glob("tests-*"):
        if not _running(int(old.name.partition("-")[2])):
            shutil.rmtree(old, ignore_errors=True)
    one = Lab(cache / f"tests-{os.getpid()}", cache)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        one.up(tethered=True)
    with kept_tcp("127.0.0.1", one.ports.agi):
        yield one
    one.down()
    if not failed():
        shutil.rmtree(one.folder)


@pytest.fixture(scope="session")
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The watcher of the machine; a test takes `machine`."""
    one = request.session.stash[WATCHED] = Machine(tmp_path_factory.mktemp("machine") / "stalls.txt")
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
