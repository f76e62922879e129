"""SIGSTOP of the daemon for 20 s (acceptance 3): nobody is trapped, nobody is lost."""

import asyncio
import time
from collections.abc import Callable

import pytest
from e2e_rig import MENU, SALES, Site, new_number

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import FRAME, RATE, SILENCE, samples

pytestmark = [pytest.mark.lab, pytest.mark.pg]

Phones = dict[str, Phone]


@pytest.mark.parametrize("frozen_s", [10.0, pytest.param(20.0, marks=pytest.mark.full)])
async def test_frozen(
    make_site: Callable[..., Site], phones: Phones, carrier: Carrier, frozen_s: float
) -> None:
    site = make_site(queues={"sales": {"wrap_up": 1, "max_wait": 120}})
    await phones["1001"].will("answer", after=0.1)
    await phones["1009"].will("answer", after=0.3, tone=1500)
    site.login("anna")
    talking, one = await site.dial(carrier)
    await site.until_event(one, "answered")
    waiting = [await site.hold(carrier) for _ in range(2)]
    in_menu, two = await site.dial(carrier, MENU)
    await asyncio.sleep(0.4)  # the menu waits for a key, 1 s

    site.daemon.freeze()
    frozen = time.time()
    late = await carrier.call(SALES, new_number())
    given_up = await carrier.call(SALES, new_number())
    # the new caller: the fallback's announcement, then its phone
    first = await phones["1009"].talks(15.0)
    assert first.answered_at is not None
    fallback_after = first.answered_at - frozen
    await given_up.hangup()
    # who hangs up now is heard of later
    await waiting[1][0].hangup()
    await asyncio.sleep(max(0.0, frozen_s - (time.time() - frozen)))
    assert talking.leg.live
    assert waiting[0][0].leg.live
    assert phones["1001"].leg is not None
    site.daemon.thaw()
    thawed = time.time()

    await site.until_closed(waiting[1][1])
    await phones["1001"].will("answer", after=0.1)
    await phones["1001"].hangup()  # anna has finished with hers
    await talking.ended()
    served = await site.until_event(waiting[0][1], "answered", agent="anna")
    new, three = await site.dial(carrier, MENU, script=[0.3, "1"])
    await site.until_event(three, "holding")
    if in_menu.leg.live:
        await in_menu.hangup()
    await late.hangup()
    for call in (waiting[0][0], new):
        await call.hangup()
    if phones["1001"].leg is not None:
        await phones["1001"].hangup()
    await site.audit()
    accounts = {r["call"]: r["disposition"] for r in site.records("call_closed")}
    assert accounts[one] == "answered"
    assert accounts[waiting[0][1]] == "answered"
    assert accounts[waiting[1][1]] == "abandoned"
    heard_after = first_sound_s(late)
    print(
        f"fallback heard after {heard_after:.2f} s, its phone talks {fallback_after:.2f} s after the freeze, "
        f"caller served {served['at'] - thawed:.2f} s after the thaw; {accounts[two]=}"
    )
    assert heard_after < 6.0
    assert site.oddities() == []


def first_sound_s(call: object) -> float:
    """Seconds from the answer to the first 20 ms that are not silence."""
    data = samples(call.heard)  # type: ignore[attr-defined]
    for start in range(0, len(data) - FRAME, FRAME):
        frame = data[start : start + FRAME]
        if sum(abs(one) for one in frame) > SILENCE * FRAME:
            return start / RATE
    return float("inf")
