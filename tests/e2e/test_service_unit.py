"""The service seen from outside: metrics during calls, health, and a drain before a planned stop."""

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from e2e_rig import MENU, SALES, Site
from prometheus_client.parser import text_string_to_metric_families

from ccbridge.cli import main
from ccbridge.core.calls import CallState
from ccbridge.core.records import AGENT_STATES, DISPOSITIONS, OFFER_RESULTS
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Pbx
from ccbridge.lab.phones import Phone
from ccbridge.lab.ports import free_tcp
from ccbridge.lab.postgres import LabPostgres

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]
BOUNDED = {
    "queue": {"sales", "support", "none"},
    "state": {state.value for state in CallState} | set(AGENT_STATES),
    "disposition": set(DISPOSITIONS),
    "result": set(OFFER_RESULTS),
}


class Page:
    """What a scrape of the site's page found."""

    def __init__(self, site: Site, port: int) -> None:
        self.site, self.port = site, port

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def value(self, name: str, **labels: str) -> float:
        for sample in self.samples():
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
        raise AssertionError(f"no {name} with {labels}")

    def samples(self) -> list[Any]:
        text = self.get("/metrics")[1]
        return [one for family in text_string_to_metric_families(text) for one in family.samples]

    async def until(self, expected: float, name: str, **labels: str) -> None:
        """The page is a second old at most."""
        await self.site.until(lambda: self.value(name, **labels) == expected, 5.0)


def ccbridge(site: Site, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["-c", str(site.config), *words])
    return done.exit_code, done.output


async def test_metrics_during_calls(make_site: Callable[..., Site], phones: Phones, carrier: Carrier) -> None:
    port = free_tcp()
    site = make_site(metrics={"port": port})
    page = Page(site, port)
    await page.until(1, "ccbridge_ami_up")
    site.login("anna")
    talking, one = await site.dial(carrier)
    await site.until_event(one, "answered")
    waiting, two = await site.hold(carrier)
    await page.until(1, "ccbridge_calls", state="talking")
    await page.until(1, "ccbridge_queue_waiting", queue="sales")
    await page.until(1, "ccbridge_queue_agents", queue="sales", state="talking")
    await site.until(lambda: page.value("ccbridge_queue_longest_wait_seconds", queue="sales") > 0)
    assert ccbridge(site, "health") == (0, "healthy\n")
    assert page.get("/healthz") == (200, "healthy\n")
    await talking.hangup()
    await waiting.hangup()
    await site.until_closed(one)
    await site.until_closed(two)
    await page.until(1, "ccbridge_calls_ended_total", queue="sales", disposition="answered")
    await page.until(1, "ccbridge_calls_ended_total", queue="sales", disposition="abandoned")
    await page.until(1, "ccbridge_queue_answered_in_time_total", queue="sales")
    await page.until(1, "ccbridge_offers_total", result="talked")
    await page.until(0, "ccbridge_queue_waiting", queue="sales")
    await page.until(0, "ccbridge_ship_lag_records")
    assert page.value("ccbridge_ami_events_total") > 20
    decided = page.value("ccbridge_decision_seconds_count")
    assert decided > 20
    assert page.value("ccbridge_event_lag_seconds_count") <= decided
    assert page.value("ccbridge_event_lag_seconds_bucket", le="1.0") > 0.9 * decided / 2
    assert page.value("ccbridge_loop_lag_seconds") < 1.0
    assert page.value("process_resident_memory_bytes") > 1e6
    records = sum(s.value for s in page.samples() if s.name == "ccbridge_journal_records_total")
    assert records == len(site.records())
    # bounded: no label but those, none of a caller, an agent or a call
    for sample in page.samples():
        for label, value in sample.labels.items():
            if label in BOUNDED:
                assert value in BOUNDED[label], sample
            assert value not in (one, two, "anna", "1001")
    await phones["1001"].hangup()


async def test_health_tells_what_is_away(
    make_site: Callable[..., Site], pbx: Pbx, lab_postgres: LabPostgres
) -> None:
    """The database away: degraded. Asterisk frozen: unhealthy. The daemon away: unhealthy."""
    port = free_tcp()
    site = make_site(metrics={"port": port})
    page = Page(site, port)
    lab_postgres.halt()
    try:
        site.login("anna")  # something to ship
        await site.until(lambda: ccbridge(site, "health")[0] == 1)
        assert "degraded\nthe database is away" in ccbridge(site, "health")[1]
        await site.until(lambda: page.get("/healthz")[1].startswith("degraded\n"))
        assert page.get("/healthz")[0] == 200
    finally:
        lab_postgres.start()
    os.kill(pbx.pid, signal.SIGSTOP)
    try:
        await site.until(lambda: ccbridge(site, "health")[0] == 3)
        assert "unhealthy\nno link to Asterisk" in ccbridge(site, "health")[1]
        await site.until(lambda: page.get("/healthz")[0] == 503)
    finally:
        os.kill(pbx.pid, signal.SIGCONT)
    await site.until(lambda: page.get("/healthz")[1] == "healthy\n", 30.0)
    site.daemon.stop()
    code, said = ccbridge(site, "health")
    assert code == 3
    assert said.startswith("unhealthy\nno ccbridge daemon answers on ")


async def test_drain(make_site: Callable[..., Site], phones: Phones, carrier: Carrier) -> None:
    """New callers to the fallback at once; who waits is served; then empty; --off and a restart end it."""
    site = make_site()
    await phones["1009"].will("answer")
    waiting, one = await site.hold(carrier)
    code, said = ccbridge(site, "drain")
    assert (code, said) == (0, "draining, 1 calls left: 1 holding\n")
    assert site.ask("status")["draining"] is True
    assert ccbridge(site, "health") == (
        1,
        "degraded\ndraining: new callers go to the fallback queue (`ccbridge drain --off` ends it)\n",
    )
    # a new caller is with the fallback's phone, and has heard no menu
    late = await carrier.call(MENU, "+306900009001")
    await phones["1009"].talks()
    assert {s["call"] for s in site.records("call_event") if s["kind"] == "menu_step"} == {one}
    code, said = await asyncio.to_thread(ccbridge, site, "drain", "--wait", "0.5")
    assert code == 1, said
    # who waited is served: agents come and go as ever
    waits = asyncio.create_task(asyncio.to_thread(ccbridge, site, "drain", "--wait", "30"))
    site.login("anna")
    await site.until_event(one, "answered")
    await waiting.hangup()
    await phones["1001"].hangup()
    code, said = await waits
    assert code == 0
    assert said.endswith("draining, empty: a stop costs nobody anything\n")
    assert late.leg.live  # the fallback's caller is Asterisk's
    site.daemon.stop()
    assert late.leg.live
    site.daemon.start()
    assert site.ask("status")["draining"] is False  # a restart takes calls
    assert ccbridge(site, "drain", "--json")[0] == 0
    assert ccbridge(site, "drain", "--off") == (0, "taking calls\n")
    call, two = await site.dial(carrier, SALES)
    await site.until_event(two, "answered")
    assert ccbridge(site, "drain", "--off", "--wait", "1")[0] == 2
    for one_call in (call, late):
        await one_call.hangup()
    await phones["1001"].hangup()  # the fallback's phone goes with its caller
    await site.audit()
    assert site.oddities() == []
