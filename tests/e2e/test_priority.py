"""Who comes first: by the number that was called, the menu, and who the caller is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e_rig import SALES, SUPPORT, Site, new_number

from ccbridge.lab.carrier import Carrier
from ccbridge.lab.phones import Phone
from ccbridge.store import queries

pytestmark = [pytest.mark.lab, pytest.mark.pg]

VIP_NUMBER = "2100000003"


async def test_the_priority_is_a_sum(
    make_site: Callable[..., Site], phones: dict[str, Phone], carrier: Carrier
) -> None:
    site = make_site(
        numbers={VIP_NUMBER: "sales-at-once"},
        number_priority={VIP_NUMBER: 3},
        queues={"sales": {"priority": 1}},
        database={"lookup_timeout": 5},
    )
    await phones["1002"].will("answer", after=0.1, hangup_after=0.2)
    known = new_number()
    with queries.reading(site.database.url) as db:
        queries.save_customer(db, known, "Zoë")
        assert queries.rank_customer(db, known, 20)
    wanted = [
        (SALES, "", 1),
        (VIP_NUMBER, "", 4),
        (SUPPORT, "", 5),
        (SALES, known, 21),
        (VIP_NUMBER, known, 24),
    ]
    calls = []
    for did, caller, priority in wanted:
        call, name = await site.hold(carrier, did, caller=caller)
        # who he is may be known before he is in line, or a moment after
        await site.until(lambda: site.ask("call.show", call=name)["priority"] == priority)  # noqa: B023
        calls.append((call, name))
    site.login("ben")
    for call, _ in calls:
        await call.ended()
    names = [name for _, name in calls]
    assert [name for name, _ in site.offers(*names)] == names[::-1]
    await site.audit()
    assert site.oddities() == []
