"""What people at work ask for: of a queue, or for one caller who waits.

Each input is answered by a ``Reply`` that says what was done or why not, and what was done is an event with
who asked for it (``by``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.core import inputs as i
from ccbridge.core import moves, offers, overflow
from ccbridge.core.acd import Pair
from ccbridge.core.calls import Call, CallState, channel_of
from ccbridge.core.controls import SETTABLE, Change, Control, Value, outdated
from ccbridge.core.effects import Append, DropCall, Reply, TellQueue
from ccbridge.core.flows import Transfer
from ccbridge.core.plan import Plan
from ccbridge.core.records import QueueEvent
from ccbridge.core.world import World

QueueCommand = i.QueuePause | i.QueueDrain | i.QueueResume | i.QueueSet
CallCommand = i.CallPull | i.CallMove | i.CallPriority | i.CallRedirect | i.CallHangup
RELOAD = "reload"  # who has changed what the file says otherwise now
# Why nothing can be asked for a call in this state.
_NOT_IN_LINE = {
    CallState.FLOW: "is in the menu",
    CallState.QUEUED: "is on the way into the line: try again",
    CallState.HOLDING: "is between two offers: try again",
    CallState.RETURNING: "is between two offers: try again",
    CallState.RELEASED: "has ended its talk",
    CallState.TRANSFERRED: "was passed on by its agent",
    CallState.LEAVING: "is on its way out of the line",
    CallState.FALLBACK: "is in the fallback queue of the PBX",
}

# -- queues


def queue_command(w: World, command: QueueCommand) -> None:
    name = command.queue
    if name not in w.base.queues:
        w.emit(Reply(command.request, False, f"no queue {name!r} in the configuration"))
        return
    control = w.controls.get(name) or Control()
    match command:
        case i.QueuePause():
            kind, text = "paused", "is paused: its calls are offered to nobody"
            known, control.paused = control.paused, True
        case i.QueueDrain():
            kind, text = "draining", "takes no new callers: they go to its overflow"
            known, control.draining = control.draining, True
        case i.QueueResume():
            kind, text = "resumed", "takes and offers calls"
            known = not (control.paused or control.draining)
            control.paused = control.draining = False
        case i.QueueSet():
            _set(w, control, command)
            return
    w.controls[name] = control
    w.emit(Reply(command.request, True, f"{name} {text}{' already' if known else ''}"))
    if not known:
        tell(w, name, kind, command.by, {})
        w.touched.add(name)


def _set(w: World, control: Control, command: i.QueueSet) -> None:
    """Values come checked as the file's are; what cannot be one of this key's is refused here, too."""
    name, key, value = command.queue, command.key, command.value
    if key not in SETTABLE or not isinstance(value, (SETTABLE[key], int, type(None))):
        w.emit(Reply(command.request, False, f"{name}.{key} cannot be set to {value!r}"))
        return
    before: Value = getattr(w.queue(name), key)
    file: Value = getattr(w.base.queues[name], key)
    if value in (None, file):
        value, known = file, control.changes.pop(key, None) is None
        text, kind = f"{name}.{key} is {_shown(file)}, as the file says", "unset"
    else:
        known = control.changes.get(key) == Change(value, file)
        control.changes[key] = Change(value, file)
        text, kind = f"{name}.{key} is {_shown(value)}, was {_shown(before)}", "set"
    w.controls[name] = control
    if not known:
        _set_in_force(w, name)
        data = {"key": key, "value": value, "before": before, "file": file}
        tell(w, name, kind, command.by, data)
    w.emit(Reply(command.request, True, text))


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def tell(w: World, queue: str, kind: str, by: str, data: Mapping[str, Any]) -> None:
    w.emit(Append(QueueEvent(queue, w.at, kind, by, data, w.version)))


def _set_in_force(w: World, queue: str) -> None:
    """And this queue's callers in the lines that it has for them now."""
    w.clear_lines(queue)
    w.put_in_force(w.base)
    w.tell_plan()
    for call in w.calls.values():
        if call.state is CallState.HOLDING and call.queue == queue:
            w.line_up(call)
    w.newcomers.clear()  # they have waited before; thousands of them at once would hold up the loop


def let_go_of(w: World, base: Plan) -> list[tuple[str, str, str, dict[str, Value]]]:
    """Forget what was set where this file says otherwise than the former one did; what to ``tell``."""
    events: list[tuple[str, str, str, dict[str, Value]]] = []
    for name, key in list(outdated(base, w.controls)):
        if not key:
            del w.controls[name]
            events.append((name, "resumed", RELOAD, {}))
            continue
        before, file = w.controls[name].changes.pop(key).value, getattr(base.queues[name], key)
        events.append((name, "unset", RELOAD, {"key": key, "value": file, "before": before, "file": file}))
    return events


# -- a caller who waits


def call_command(w: World, command: CallCommand) -> None:
    call = w.calls.get(channel_of(command.call)[0])
    if call is None or call.account != command.call:
        w.emit(Reply(command.request, False, f"there is no live call {command.call!r}"))
        return
    refused = _refused(w, call)
    if not refused:
        match command:
            case i.CallPull():
                refused = _pull(w, call, command)
            case i.CallMove():
                refused = _move(w, call, command)
            case i.CallPriority():
                refused = _prioritise(w, call, command)
            case i.CallRedirect():
                w.event(call, "redirected", target=command.target, by=command.by)
                overflow.leave(w, call, "redirected", Transfer(command.target))
            case i.CallHangup():
                w.event(call, "dropped", by=command.by)
                call.way_out = "dropped"
                w.call_state(call, CallState.LEAVING)
                w.emit(DropCall(call.id))
    done = {
        i.CallPull: "is offered",
        i.CallMove: "is moved",
        i.CallPriority: "has its new priority",
        i.CallRedirect: "is sent there",
        i.CallHangup: "is being hung up",
    }[type(command)]
    w.emit(Reply(command.request, not refused, f"{command.call} {refused or done}"))


def _refused(w: World, call: Call) -> str:
    """Why nothing can be done for this call now; "" if it can."""
    if not w.link:
        return "cannot be reached: there is no link to Asterisk"
    if call.waits_in_line:
        return ""
    if call.state in (CallState.OFFERED, CallState.TALKING):
        offer = w.offers.get(call.offer)
        agent = offer.agent if offer is not None else call.agent
        return f"is {'offered to' if call.state is CallState.OFFERED else 'talking with'} {agent}"
    return _NOT_IN_LINE[call.state]


def _pull(w: World, call: Call, command: i.CallPull) -> str:
    agent = w.agents.get(command.agent)
    if agent is None:
        return f"stays: there is no agent {command.agent!r}"
    state, reason = agent.state()
    if state != "available":
        return f"stays: {agent.id} is {state}{f' ({reason})' if reason else ''}"
    w.event(call, "pulled", agent=agent.id, by=command.by)
    offers.place_offer(w, Pair(call.id, call.queue, (agent.id,), 1, call.rule), pulled=True)
    return ""


def _move(w: World, call: Call, command: i.CallMove) -> str:
    control = w.controls.get(command.queue)
    if command.queue not in w.plan.queues:
        return f"stays: there is no queue {command.queue!r}"
    if command.queue == call.queue:
        return f"stays: it is in {call.queue} already"
    if control is not None and control.draining:
        return f"stays: {command.queue} takes no new callers"
    moves.requeue(w, call, command.queue, "moved", by=command.by)
    return ""


def _prioritise(w: World, call: Call, command: i.CallPriority) -> str:
    w.leave_line(call)
    call.priority = command.priority
    call.brought = command.priority - w.queue(call.queue).priority
    w.event(call, "prioritised", priority=call.priority, brought=call.brought, by=command.by)
    w.emit(TellQueue(call.id, call.queue, call.brought - call.regard, call.since))
    w.insert(call)
    w.tell_in_time(call)
    return ""
