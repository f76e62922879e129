"""One whole flow walked by phone in five languages: the caller hears the very prompt of each step.

The prompts are spoken by the real programs; what the caller heard is compared with the files by correlation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from e2e_rig import Site
from likeness import likeness

from ccbridge.config import load
from ccbridge.config.hours import holiday
from ccbridge.core.hours import standing
from ccbridge.lab.carrier import Carrier
from ccbridge.prompts.library import Library

pytestmark = [pytest.mark.lab, pytest.mark.pg]

FIVE = {"en": "2100000081", "el": "2100000082", "hr": "2100000083", "ar": "2100000084", "fa": "2100000085"}
WELCOME = {
    "en": "Welcome to the Olive Shop.",
    "el": "Καλώς ήρθατε στο Κατάστημα της Ελιάς.",
    "hr": "Dobro došli u trgovinu Maslina.",
    "ar": "أهلا بكم في متجر الزيتون.",
    "fa": "به فروشگاه زیتون خوش آمدید.",
}
CHOOSE = {
    "en": "For your order press 1.",
    "el": "Για την παραγγελία σας πατήστε 1.",
    "hr": "Za narudžbu pritisnite 1.",
    "ar": "لطلبكم اضغطوا 1.",
    "fa": "برای سفارش خود کلید 1 را فشار دهید.",
}
CHANGES: dict[str, Any] = {
    "languages": list(FIVE),
    "speech": {},
    "prompts": {"welcome": WELCOME, "choose": CHOOSE},
    "callers": {"zone": "Europe/Athens"},
    "hours": {
        "daily": {"zone": "Europe/Athens", "week": {"mon-sun": ["04:00-04:01"]}},
    },
    "flows": {
        "spoken": {
            "start": "welcome",
            "steps": {
                "welcome": {"play": ["welcome"], "next": "menu"},
                "menu": {
                    "menu": {
                        "prompts": ["choose"],
                        "choices": {"1": "order"},
                        "invalid": ["invalid-choice"],
                        "otherwise": "bye",
                        "timeout": 20,
                    }
                },
                "order": {
                    "ask": {"prompts": ["please-repeat"], "store": "number", "most": 3, "otherwise": "bye"},
                    "next": "digits",
                },
                "digits": {"say": {"digits": "number"}, "next": "sum"},
                "sum": {"say": {"number": "number * 2"}, "next": "hours"},
                "hours": {"hours": "daily", "open": "closed", "closed": "closed"},
                "closed": {"play": ["closed"], "next": "opens"},
                "opens": {"say": {"opens": "hours.until"}, "next": "bye"},
                "bye": {"message": ["goodbye"]},
            },
        }
    },
    "numbers": dict.fromkeys(FIVE.values(), "spoken"),
    "number_language": {did: language for language, did in FIVE.items()},
}


async def walked(site: Site, carrier: Carrier, did: str) -> tuple[Path, float]:
    """What the caller has heard of the whole flow, and when he was told when it opens."""
    call, name = await site.dial(carrier, did)
    await site.until_event(name, "menu_step", result="menu")
    await asyncio.sleep(8.0)  # he listens to the whole menu
    await call.press("7")
    await site.until_event(name, "menu_step", step="menu", result="invalid")
    await asyncio.sleep(12.0)
    await call.press("1")
    await site.until_event(name, "menu_step", result="order")
    await asyncio.sleep(4.0)
    await call.press("123")
    await site.until_event(name, "menu_step", step="order", result="digits")
    told = await site.until_event(name, "menu_step", step="hours", limit_s=60.0)
    await call.ended(90.0)
    return call.heard, float(told["at"])


async def test_each_step_is_heard_in_each_language(make_site: Callable[..., Site], carrier: Carrier) -> None:
    now = datetime.now(ZoneInfo("Europe/Athens"))
    if (now.hour, now.minute) in ((3, 58), (3, 59), (4, 0)):  # not while it is open
        await asyncio.sleep(180.0)
    site = make_site(**CHANGES)
    checked = load(site.config)
    library = Library(lambda: checked.wording)
    heard = await asyncio.gather(*(walked(site, carrier, did) for did in FIVE.values()))
    await asyncio.sleep(0.5)  # what was heard is written
    expected: dict[str, dict[str, str | None]] = {}
    for (language, _), (_, at) in zip(FIVE.items(), heard, strict=True):
        until = standing(checked.plan.hours["daily"], at, None, holiday).until
        assert until is not None
        when = datetime.fromtimestamp(int(until), UTC).astimezone(ZoneInfo("Europe/Athens"))
        names = ("welcome", "choose", "invalid-choice", "please-repeat", "closed", "goodbye")
        expected[language] = {name: await library.prompt(name, language) for name in names}
        expected[language] |= {
            "digits": await library.say("digits", "123", language),
            "number": await library.say("number", 246, language),
            "opens": await library.prompt("opens-at", language, when=when),
        }
    started = time.monotonic()
    for (language, own), (file, _) in zip(expected.items(), heard, strict=True):
        other = expected[next(one for one in FIVE if one != language)]
        for name, sound in own.items():
            assert sound is not None
            alike = await asyncio.to_thread(likeness, file, Path(f"{sound}.wav"))
            assert alike > 0.8, (language, name, alike)
        strange = await asyncio.to_thread(likeness, file, Path(f"{other['welcome']}.wav"))
        assert strange < 0.6, (language, strange)
    print(f"compared in {time.monotonic() - started:.1f} s")
    await site.audit()
    assert site.oddities() == []
