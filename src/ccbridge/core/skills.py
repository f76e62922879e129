"""Who may take whose call: levels of skills, and rules that ask for less the longer a caller waits.

A queue has rules, each in force from ``after`` seconds of waiting on until the next one. An agent qualifies
if he has every level that the rule in force requires; one who has no such skill has level 0. Of those who
qualify, who also has more of the preferred levels comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ccbridge.core.plan import Rule

# A deadline for a rule is on another clock than the wait: so much early is not early.
ROUNDING = 0.001


def rule_at(rules: Sequence[Rule], waited: float) -> int:
    """Index of the rule in force after ``waited`` seconds. ``rules`` ascend; the first one begins at 0."""
    return max((n for n, rule in enumerate(rules) if rule.after <= waited + ROUNDING), default=0)


def qualifies(skills: Mapping[str, int], rule: Rule) -> bool:
    return all(skills.get(name, 0) >= level for name, level in rule.require.items())


def preferred(skills: Mapping[str, int], rule: Rule) -> int:
    """How many of the preferred levels these skills have."""
    return sum(skills.get(name, 0) >= level for name, level in rule.prefer.items())


def level(skills: Mapping[str, int], rules: Sequence[Rule]) -> int:
    """The sum of an agent's levels in all skills that the queue's rules name."""
    named = {name for rule in rules for name in (*rule.require, *rule.prefer)}
    return sum(skills.get(name, 0) for name in named)
