"""A step in one line, for people."""

from __future__ import annotations

import unicodedata

from ccbridge.core.flows import (
    Ask,
    AskHours,
    Branch,
    CallFlow,
    GoTo,
    HangUp,
    LookUp,
    Menu,
    Play,
    Return,
    Say,
    SetLanguage,
    SetTo,
    Step,
    ToQueue,
    Transfer,
)


def isolated(text: str) -> str:
    """What is written from right to left does not turn the line around it."""
    leftwards = any(unicodedata.bidirectional(one) in ("R", "AL") for one in text)
    return f"\u2068{text}\u2069" if leftwards else text


def words(step: Step) -> str:
    """The verb of ``ccbridge.yml`` and what it is about."""
    match step:
        case Play():
            return f"play {' '.join(step.prompts)}"
        case Say():
            said = "".join(part if isinstance(part, str) else f"{{{part.source}}}" for part in step.parts)
            return f"say {step.what} {isolated(said)}"
        case Menu():
            return f"menu {' '.join(step.prompts)}"
        case Ask():
            return f"ask {step.store}: {' '.join(step.prompts)}"
        case SetLanguage():
            return f"language {step.language}"
        case AskHours():
            return f"hours {step.hours}"
        case LookUp():
            return f"lookup {step.lookup}"
        case SetTo():
            return "set " + ", ".join(f"{name} = {value.source}" for name, value in step.values.items())
        case Branch():
            return "branch"
        case GoTo():
            return f"goto {step.flow}"
        case CallFlow():
            return f"call {step.flow}"
        case Return():
            return "done"
        case ToQueue():
            return f"queue {step.queue}" + (f" {step.priority:+}" if step.priority else "")
        case Transfer():
            return f"transfer {step.extension}"
        case HangUp():
            return f"hangup {' '.join(step.prompts)}".strip()
