"""Score cards: the arithmetic, the keys, and who gets a form for which call."""

from __future__ import annotations

import random

import pytest

from ccbridge.supervision.forms import Form, Group, Item, form_for, score, told
from ccbridge.supervision.keying import TRIES, Ask, Keyed, fill_in

FORM = Form(
    "calls",
    (
        Group("opening", (Item("greeting"), Item("identity", weight=3, critical=50)), weight=1),
        Group("matter", (Item("understood"), Item("solved", sound="site/solved")), weight=4),
    ),
)


@pytest.mark.parametrize(
    ("points", "total", "failed"),
    [
        ((100, 100, 100, 100), 100.0, ()),
        ((0, 50, 0, 0), 7.5, ()),  # (1 * 150/4 + 4 * 0) / 5
        ((80, 60, 90, 70), 77.0, ()),  # (1 * 260/4 + 4 * 80) / 5
        ((80, 49, 90, 70), 0.0, (2,)),
        ((100, 0, 100, 100), 0.0, (2,)),
        ((None, 60, 90, 70), 76.0, ()),  # (60 + 4 * 80) / 5
        ((None, None, 90, 70), 80.0, ()),  # the group takes no part; a critical item not judged fails nothing
        ((33, None, None, None), 33.0, ()),
        ((100, 100, 100, 99), 99.6, ()),
        ((1, 50, 0, 0), 7.55, ()),
    ],
)
def test_totals(points: tuple[int | None, ...], total: float, failed: tuple[int, ...]) -> None:
    assert score(FORM, points) == (total, failed)


def test_a_form_of_which_nothing_was_judged_has_no_total() -> None:
    assert score(FORM, (None,) * 4) is None
    with pytest.raises(ValueError, match="shorter"):
        score(FORM, (1, 2, 3))


@pytest.mark.parametrize("seed", range(200))
def test_a_total_is_between_its_least_and_its_most_points(seed: int) -> None:
    chance = random.Random(seed)
    groups = tuple(
        Group(
            f"g{place}",
            tuple(Item(f"i{one}", chance.randint(1, 1000)) for one in range(chance.randint(1, 5))),
            chance.randint(1, 1000),
        )
        for place in range(chance.randint(1, 5))
    )
    form = Form("any", groups)
    points = [chance.choice([None, chance.randint(0, 100)]) for _ in form.items]
    judged = [one for one in points if one is not None]
    found = score(form, points)
    assert (found is None) == (not judged)
    if found is not None:
        assert min(judged) - 0.01 <= found.total <= max(judged) + 0.01
        # the same points everywhere are the total, whatever the weights
        assert score(form, [7] * len(points)) == (7.0, ())


def test_a_card_says_what_it_was() -> None:
    assert told(FORM, (80, None, 90, 70))[:2] == [
        {
            "group": "opening", "item": "greeting", "points": 80,
            "weight": 1, "group_weight": 1, "critical": 0,
        },
        {
            "group": "opening", "item": "identity", "points": None,
            "weight": 3, "group_weight": 1, "critical": 50,
        },
    ]  # fmt: skip


def test_another_weight_is_another_version_and_another_queue_is_not() -> None:
    other = Form("calls", (FORM.groups[0], Group("matter", FORM.groups[1].items, weight=5)))
    assert len({FORM.version, other.version}) == 2
    assert Form("calls", FORM.groups, queues=("sales",)).version == FORM.version


def test_the_form_of_a_queue() -> None:
    forms = {
        name: Form(name, FORM.groups, queues, departments)
        for name, queues, departments in (
            ("rest", (), ()), ("front", (), ("front",)), ("sales", ("sales",), ()),
        )
    }  # fmt: skip
    departments = {"front": ("sales", "info"), "back": ("support",)}
    for queue, name in (("sales", "sales"), ("info", "front"), ("support", "rest"), ("", "rest")):
        found = form_for(forms, queue, departments)
        assert found is not None
        assert found.name == name
    del forms["rest"]
    assert form_for(forms, "support", departments) is None


# -- the keys

Said = list[tuple[str | int, ...]]


def keyed(keys: str) -> tuple[Said, Keyed | None]:
    """What is said, and what comes of these keys; ``_`` is a silence."""
    talk, said = fill_in(FORM), Said()
    try:
        ask: Ask = next(talk)
        for key in keys:
            if ask.words:
                said.append(ask.words)
            ask = talk.send(key.replace("_", ""))
    except StopIteration as stop:
        return said, stop.value
    if ask.words:
        said.append(ask.words)
    return said, None


ITEMS: Said = [("number", 1), ("number", 2), ("number", 3), ("site/solved",)]
CONFIRM = ("if-correct-press", "digits/pound")
AGAIN = "pm-invalid-option"


@pytest.mark.parametrize(
    ("keys", "points"),
    [
        ("80#60#90#70##", (80, 60, 90, 70)),
        ("0#100#007#1##", (0, 100, 7, 1)),
        ("###5##", (None, None, None, 5)),
        ("80#60#9*90#70##", (80, 60, 90, 70)),  # the digits of an item anew
        ("80#6#*60#90#70##", (80, 60, 90, 70)),  # the item before
        ("80#60#90#70#**95#70##", (80, 60, 95, 70)),  # from the end back to the third
        ("101#80#60#90#70##", (80, 60, 90, 70)),
        ("1000#80#60#90#70##", (80, 60, 90, 70)),
        ("__80#__60#90#70##", (80, 60, 90, 70)),
        ("8_80#60#90#70##", (80, 60, 90, 70)),
        ("80#60#90#70#1##", (80, 60, 90, 70)),
        ("####50##", (None, None, None, 50)),  # one at least
    ],
)
def test_what_is_keyed(keys: str, points: tuple[int | None, ...]) -> None:
    assert keyed(keys)[1] == Keyed(points)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("*", "given up"),
        ("80#**", "given up"),
        ("_" * TRIES, "no answer"),
        ("80#" + "_" * TRIES, "no answer"),
        ("101#" * TRIES, "no answer"),
        ("80#60#90#70#" + "1" * TRIES, "no answer"),
        ("###" + "#" * TRIES, "no answer"),
        ("1" * 21 * TRIES, "no answer"),
    ],
)
def test_no_card(keys: str, why: str) -> None:
    assert keyed(keys)[1] == Keyed(None, why)


@pytest.mark.parametrize("keys", ["", "8", "80#", "80#60#90#70#", "80#60#90#70"])
def test_nothing_is_done_before_the_last_key(keys: str) -> None:
    assert keyed(keys)[1] is None


def test_what_is_said() -> None:
    assert keyed("80#60#90#70#")[0] == [*ITEMS, ("you-entered", 77, *CONFIRM)]
    assert keyed("80#49#90#70#")[0][-1] == ("you-entered", 0, "with", "number", 2, *CONFIRM)
    assert keyed("101#")[0] == [ITEMS[0], (AGAIN, *ITEMS[0])]
    assert keyed("_")[0] == [ITEMS[0], ITEMS[0]]  # he thinks
    assert keyed("101#8*")[0] == [ITEMS[0], (AGAIN, *ITEMS[0]), (AGAIN, *ITEMS[0])]
    assert keyed("100#100#100#99#")[0][-1][1] == 100  # 99.6
