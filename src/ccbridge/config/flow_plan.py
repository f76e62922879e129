"""The checked flows as the core's values."""

from __future__ import annotations

from collections.abc import Mapping

from ccbridge.config import flow_models as m
from ccbridge.core import flows as f
from ccbridge.core.expr import Expr


def to_flow(name: str, flow: m.FlowSection, lookups: Mapping[str, Mapping[str, str]]) -> f.Flow:
    """``lookups``: the values that each one is asked with."""
    steps = {step: _step(body, lookups) for step, body in flow.steps.items()}
    operator = {} if flow.operator is None else {flow.operator.key: flow.operator.step}
    return f.Flow(name, flow.start, steps, operator)


def _step(body: m.StepSection, lookups: Mapping[str, Mapping[str, str]]) -> f.Step:
    """The step of the one verb that it has."""
    if body.queue is not None:
        return f.ToQueue(body.queue, body.priority)
    if body.transfer is not None:
        return f.Transfer(body.transfer)
    if body.hangup is not None:
        return f.HangUp(body.hangup.prompts)
    if body.message is not None:
        return f.HangUp(body.message)
    if body.goto is not None:
        return f.GoTo(body.goto)
    if body.done:
        return f.Return()
    if body.menu is not None:
        return _menu(body.menu)
    if body.hours is not None and body.open is not None and body.closed is not None:
        return f.AskHours(body.hours, body.open, body.closed)
    if body.branch is not None and body.otherwise is not None:
        return f.Branch(tuple((Expr(way.when), way.to) for way in body.branch), body.otherwise)
    if body.next is not None:
        return _with_next(body, body.next, lookups)
    raise ValueError("a step without a verb got past the checks")


def _with_next(body: m.StepSection, next_: str, lookups: Mapping[str, Mapping[str, str]]) -> f.Step:
    if body.play is not None:
        return f.Play(body.play, next_)
    if body.say is not None:
        [(what, said)] = body.say.model_dump(exclude_none=True).items()
        return f.Say(what, tuple(m.pieces(said)) if what == "text" else (Expr(said),), next_)
    if body.ask is not None:
        ask = body.ask.model_dump()
        return f.Ask(**ask | {"check": ask["check"] or "", "next": next_})
    if body.language is not None:
        return f.SetLanguage(body.language, next_)
    if body.lookup is not None:
        values = {name: Expr(value) for name, value in lookups[body.lookup].items()}
        return f.LookUp(body.lookup, values, next_, body.none or next_, body.failed or body.none or next_)
    if body.set is not None:
        return f.SetTo({name: Expr(value) for name, value in body.set.items()}, next_)
    if body.call is not None:
        return f.CallFlow(body.call, next_)
    raise ValueError("a step without a verb got past the checks")


def _menu(menu: m.MenuSection) -> f.Menu:
    return f.Menu(
        prompts=menu.prompts,
        choices=dict(menu.choices),
        otherwise=menu.otherwise,
        invalid=menu.invalid,
        silent=menu.silent,
        timeout=menu.timeout,
        tries=menu.tries,
        repeat=menu.repeat or "",
        back=menu.back or "",
        table=menu.table or "",
    )
