"""Every figure of a report, once: in words, in SQL, and with a worked example that a test runs.

``sql`` is an aggregate over ``c``, the calls of the reported span: the columns of ``call`` and
``c.t`` (the queue's service-level threshold, seconds). In a queue's line a call counts for each stay in that
queue (a stint); in the total it counts once, and its last stint decides. Names of figures that end in ``_s``
are seconds; the shares are 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

SHORT = 5.0  # seconds: who hangs up within them hardly waited

OFFERED = "c.queue IS NOT NULL AND c.disposition IN ('answered', 'abandoned', 'overflowed', 'left')"
A = "c.disposition = 'answered'"
B = "c.disposition = 'abandoned'"
PASSED_ON = '$[*].end ? (@ like_regex "^(blind|attended|blonde|park|unseen)$")'


def _count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _share(part: str, whole: str) -> str:
    return f"({part})::float / nullif({whole}, 0)"


@dataclass(frozen=True, slots=True)
class Figure:
    """``example`` ends in ``-> value``: what the calls of the test give."""

    name: str
    prose: str
    sql: str
    example: str


FIGURES = (
    Figure(
        "calls",
        "Calls that arrived in the span, whatever became of them.",
        "count(*)",
        "answered 1000, abandoned 60, overflowed 20, ended in the menu 30 -> 1110",
    ),
    Figure(
        "offered",
        "Calls that entered a queue: answered, abandoned, overflowed or left by key. One that ended inside "
        "the menu was not offered; one that went to the PBX's fallback, was lost from sight or cut off by "
        "the PBX's restart counts apart.",
        _count(OFFERED),
        "answered 1000, abandoned 60, overflowed 20 -> 1080",
    ),
    Figure(
        "answered",
        "Calls that talked with an agent.",
        _count(A),
        "1000 -> 1000",
    ),
    Figure(
        "abandoned",
        "Callers who hung up while queued, unanswered; short ones included.",
        _count(B),
        "60 -> 60",
    ),
    Figure(
        "short_abandoned",
        f"Of the abandoned, those who waited at most {SHORT:.0f} s.",
        _count(f"{B} AND c.wait_s <= {SHORT}"),
        "10 of 60 hung up within 5 s -> 10",
    ),
    Figure(
        "overflowed",
        "Calls that were sent out of a queue unanswered: max_wait over, the line full, or nobody there.",
        _count("c.disposition = 'overflowed'"),
        "20 -> 20",
    ),
    Figure(
        "left",
        "Calls that left our control or a queue unanswered, as by the menu's transfer or a key.",
        _count("c.disposition = 'left'"),
        "none -> 0",
    ),
    Figure(
        "menu_ended",
        "Calls that ended inside the menu and were never queued.",
        _count("c.disposition = 'menu_ended'"),
        "30 -> 30",
    ),
    Figure(
        "fallback",
        "Calls that the PBX took to its own queue while the daemon was away.",
        _count("c.disposition = 'fallback'"),
        "none -> 0",
    ),
    Figure(
        "lost",
        "Calls that ended while nobody watched; their end is inferred.",
        _count("c.disposition = 'lost'"),
        "none -> 0",
    ),
    Figure(
        "pbx_restart",
        "Calls that were cut off by a stop or a crash of the PBX, in whatever stage.",
        _count("c.disposition = 'pbx_restart'"),
        "none -> 0",
    ),
    Figure(
        "abandonment",
        "abandoned / offered.",
        _share(_count(B), _count(OFFERED)),
        "60 / 1080 -> 0.0556",
    ),
    Figure(
        "asa_s",
        "Average speed of answer: queue wait of the answered calls / answered; with ringing, without menu.",
        f"avg(c.wait_s) FILTER (WHERE {A})",
        "860 waited 10 s, 140 waited 30 s -> 12.8 s",
    ),
    Figure(
        "mean_wait_s",
        "Queue wait of all offered calls / offered.",
        f"avg(c.wait_s) FILTER (WHERE {OFFERED})",
        "(12800 + 10*4 + 10*15 + 40*40 + 20*600) / 1080 -> 24.62 s",
    ),
    Figure(
        "longest_wait_s",
        "The longest queue wait of an offered call.",
        f"max(c.wait_s) FILTER (WHERE {OFFERED})",
        "600 s, an overflowed one -> 600 s",
    ),
    Figure(
        "transferred",
        "Calls that an agent passed on with his phone, to whomever; counted for the last queue.",
        _count(f"jsonb_path_exists(c.legs, '{PASSED_ON}')"),
        "none -> 0",
    ),
    Figure(
        "mean_talk_s",
        "Talk of all agent legs of the answered calls / answered.",
        f"avg(c.talk_s) FILTER (WHERE {A})",
        "every answered call talked 120 s -> 120 s",
    ),
    Figure(
        "offers",
        "Offers of these calls to agents, whatever came of them.",
        "coalesce(sum(c.offers), 0)::bigint",
        "one for each answered call -> 1000",
    ),
)

_IN_TIME = _count(f"{A} AND c.wait_s <= c.t")
_GONE_IN_TIME = _count(f"{B} AND c.wait_s <= c.t")
_BOTH = f"{_count(A)} + {_count(B)}"

# a: answered, b: abandoned, T: the queue's threshold. All from one example: answered 1000 (860 within T),
# abandoned 60 (20 within T, 10 of these within 5 s; 40 later).
SERVICE_LEVELS = (
    Figure("answered", "a<=T / a", _share(_IN_TIME, _count(A)), "860 / 1000 -> 86.0 %"),
    Figure("offered", "a<=T / (a + b)", _share(_IN_TIME, _BOTH), "860 / 1060 -> 81.1 %"),
    Figure(
        "excl_short",
        f"a<=T / (a + b - b within {SHORT:.0f} s)",
        _share(_IN_TIME, f"{_BOTH} - {_count(f'{B} AND c.wait_s <= {SHORT}')}"),
        "860 / 1050 -> 81.9 %",
    ),
    Figure(
        "late_abandons",
        "a<=T / (a + b>T)",
        _share(_IN_TIME, f"{_count(A)} + {_count(f'{B} AND c.wait_s > c.t')}"),
        "860 / 1040 -> 82.7 %",
    ),
    Figure(
        "inclusive",
        "(a<=T + b<=T) / (a + b)",
        _share(f"{_IN_TIME} + {_GONE_IN_TIME}", _BOTH),
        "880 / 1060 -> 83.0 %",
    ),
)


def formula(variant: str) -> str:
    """In words, the service level of this name; it is one of ``SERVICE_LEVELS``."""
    return next(one.prose for one in SERVICE_LEVELS if one.name == variant)
