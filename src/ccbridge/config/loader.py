"""One file in, one checked ``Site`` out, or every mistake at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from ccbridge.config import lookups, prompts, score_cards
from ccbridge.config import models as m
from ccbridge.config.checks import check
from ccbridge.config.convert import to_plan
from ccbridge.config.hours import HoursSection
from ccbridge.config.lookups import Lookup
from ccbridge.config.mistakes import ConfigErrors, Loc, Mistake, Notes
from ccbridge.config.nodes import MAX_BYTES, Tree, parse
from ccbridge.config.secrets import Secrets, apply
from ccbridge.config.shapes import Declared
from ccbridge.config.supervisors import converted
from ccbridge.config.translate import keys_at, report
from ccbridge.core.plan import Plan
from ccbridge.prompts.wording import Wording
from ccbridge.supervision.forms import Form
from ccbridge.supervision.roles import Supervisor

DEFAULT_PATH = Path("/etc/ccbridge/ccbridge.yml")


@dataclass(frozen=True, slots=True)
class Site:
    """A checked configuration. All its paths are absolute: Asterisk is told some of them."""

    file: Path
    plan: Plan
    asterisk: m.AsteriskSection
    agi: m.AgiSection
    database: m.DatabaseSection
    journal: m.JournalSection
    recording: m.RecordingSection
    catch_up: m.CatchUpSection
    control: m.ControlSection
    metrics: m.MetricsSection
    log: m.LogSection
    callers: m.CallersSection
    routing: m.RoutingSection
    supervisors: Mapping[str, Supervisor]
    supervision: m.SupervisionSection
    score_cards: Mapping[str, Form]
    lookups: Mapping[str, Lookup]
    hours: Mapping[str, HoursSection]
    number_language: Mapping[str, str]
    phones: m.PhonesSection
    codes: m.CodesSection
    tickets: m.TicketsSection
    wording: Wording
    agent_numbers: Mapping[str, str]  # what an agent keys when he logs in at a phone -> agent
    warnings: tuple[Mistake, ...] = ()


def load(path: str | Path, *, environ: Mapping[str, str] | None = None, secrets: bool = True) -> Site:
    """Read and check the file at ``path``.

    ``environ`` replaces ``os.environ``. With ``secrets=False`` none is read or asked for: for commands that
    only want the control socket and may be run by people who cannot read the secret files.
    Raises ``ConfigErrors`` with every mistake; nothing else, whatever the file holds.
    """
    file = Path(path)
    notes = Notes(file)
    tree = _read(file, notes)
    if tree is None:
        raise ConfigErrors(notes.mistakes)
    data = _without_empty(tree, notes)
    folder = file.absolute().parent
    context = Declared(
        folder=folder,
        queues=_names(tree.data, "queues"),
        # a section that may be left out: then there is none
        departments=_names({"departments": {}, **tree.data}, "departments"),
        flows=_names(tree.data, "flows"),
    )
    checked: m.SiteFile | None = None
    try:
        checked = m.SiteFile.model_validate(data, context=context)
    except ValidationError as error:
        report(error, tree.bare, notes)
    check(data, folder, notes)
    prompts.check(data, folder, notes)
    kept = Secrets(data, file, os.environ if environ is None else environ, notes)
    if secrets:
        kept.read()
        kept.need_recorder()
    if checked is None or notes.mistakes:
        raise ConfigErrors(notes.mistakes, notes.warnings)
    return _site(file, apply(checked, kept.found), kept.found, notes)


def _read(file: Path, notes: Notes) -> Tree | None:
    try:
        if file.exists() and not file.is_file():
            notes.add((), "is no ordinary file", line=0)
        else:
            with file.open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
            if len(raw) <= MAX_BYTES:
                return parse(raw.decode("utf-8-sig"), notes)
            notes.add((), f"is longer than {MAX_BYTES} bytes", line=0)
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            line = error.object.count(b"\n", 0, error.start) + 1
            notes.add((), "this is not UTF-8 text", line=line)
        else:
            reason = error.strerror if isinstance(error, OSError) else error
            notes.add((), f"cannot be read: {reason}", line=0)
    return None


def _without_empty(tree: Tree, notes: Notes) -> dict[str, Any]:
    """The data without keys that have no value. An empty section is all comments; elsewhere it is a slip."""

    def cleaned(value: Any, loc: Loc) -> Any:
        if isinstance(value, list):
            return [cleaned(item, (*loc, index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        kept = {}
        for key, item in value.items():
            if item is not None:
                kept[key] = cleaned(item, (*loc, key))
            elif (known := keys_at(loc)) and key not in known:
                kept[key] = item  # an unknown key: the models say so
            elif loc or m.SiteFile.model_fields[key].is_required():
                notes.add((*loc, key), "is empty: give a value, or leave the key out")
        return kept

    result: dict[str, Any] = cleaned(tree.data, ())
    return result


def _names(data: Mapping[str, Any], section: str) -> frozenset[str] | None:
    """The names declared in a section; ``None`` if it is missing or no mapping, which is mistake enough."""
    found = data.get(section)
    return frozenset(found) if isinstance(found, dict) else None


def _site(file: Path, checked: m.SiteFile, secrets: Mapping[Loc, SecretStr], notes: Notes) -> Site:
    return Site(
        file=file,
        plan=to_plan(checked),
        asterisk=checked.asterisk,
        agi=checked.agi,
        database=checked.database,
        journal=checked.journal,
        recording=checked.recording,
        catch_up=checked.catch_up,
        control=checked.control,
        metrics=checked.metrics,
        log=checked.log,
        callers=checked.callers,
        routing=checked.routing,
        supervisors=converted(checked.supervisors),
        supervision=checked.supervision,
        score_cards=score_cards.converted(checked.score_cards),
        hours=dict(checked.hours),
        number_language=dict(checked.number_language),
        lookups=lookups.converted(checked.lookups, secrets),
        phones=checked.phones,
        codes=checked.codes,
        tickets=checked.tickets,
        wording=prompts.converted(checked.languages, checked.prompts, checked.speech),
        agent_numbers={one.number: name for name, one in checked.agents.items() if one.number is not None},
        warnings=tuple(sorted(notes.warnings)),
    )
