"""Flows as text and as pictures: every step and every way once, whatever stands in them."""

from __future__ import annotations

import random
import re
from xml.etree import ElementTree

from ccbridge.core.expr import Expr
from ccbridge.core.flows import Branch, Flow, HangUp, Menu, Play, Say, ToQueue
from ccbridge.ivr import draw

FLOW = Flow(
    "main",
    "hello",
    {
        "hello": Play(("welcome",), "m"),
        "m": Menu(("choose",), {"1": "sales", "2": "back"}, "bye", repeat="9"),
        "back": Branch(((Expr("a < 'x & y'"), "hello"),), "sales"),
        "sales": Say("text", ("مرحبا <b>",), "bye"),
        "bye": HangUp(("goodbye",)),
        "lost": ToQueue("sales", -3),
    },
    operator={"0": "bye", "1": "bye"},
)


def test_as_text() -> None:
    assert (
        draw.as_text(FLOW)
        == """\
flow main
  hello: play welcome
    next -> m
  m: menu choose
    1 -> sales
    2 -> back
    otherwise -> bye
    0 -> bye
    9 -> m
  sales: say text \u2068مرحبا <b>\u2069
    next -> bye
  back: branch
    a < 'x & y' -> hello
    otherwise -> sales
  bye: hangup goodbye
  lost: queue sales -3"""
    )


def test_as_svg() -> None:
    root = ElementTree.fromstring(draw.as_svg(FLOW))
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert FLOW.steps.keys() <= set(texts)
    assert "otherwise, 0" in texts
    boxes = [
        tuple(int(one.attrib[key]) for key in ("x", "y", "width", "height"))
        for one in root.iter("{http://www.w3.org/2000/svg}rect")
    ]
    assert len(boxes) == len(FLOW.steps) == len(set(boxes))
    for number, (x, y, width, height) in enumerate(boxes):
        assert x + width <= int(root.attrib["width"])
        assert y + height <= int(root.attrib["height"])
        for u, v, _, _ in boxes[:number]:
            assert abs(u - x) >= width or abs(v - y) >= height, "two boxes overlap"
    arabic = next(text for text in texts if text and "مرحبا" in text)
    assert re.search("\u2068.*\u2069", arabic)


def test_large_ones_are_drawn() -> None:
    chance = random.Random(7)
    names = [f"s{number}" for number in range(1000)]
    steps = {name: Play(("p",), chance.choice(names)) for name in names}
    picture = draw.as_svg(Flow("big", "s0", steps))
    assert picture.count("<rect") == 1000
