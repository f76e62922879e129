"""YAML text to plain values, with the line of every key and list item.

PyYAML's composer is used, not its constructor: a node still knows its place and how it was written, so
``0755``, ``yes`` and ``+302101234567`` can be refused where text is wanted instead of becoming 493, true
and a number without its plus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from ccbridge.config.mistakes import KEY, Loc, Notes

# A file of 500 agents is about 60 kB; PyYAML reads about 250 kB a second.
MAX_BYTES = 1_000_000
MAX_DEPTH = 20  # the deepest legal key is seven levels down
MAX_VALUES = 100_000  # aliases of aliases can blow a small file up without end

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Unquoted:
    """A bare word that YAML takes for a number (or date) other than the one a reader sees."""


@dataclass(slots=True)
class Tree:
    """The values of a file. ``bare``: the source of unquoted scalars that are no text to YAML."""

    data: dict[str, Any]
    bare: dict[Loc, str]


def parse(text: str, notes: Notes) -> Tree | None:
    """Plain dicts with text keys, lists and scalars; ``None`` if the YAML cannot be read at all.

    Mistakes of form (syntax, a key twice, a key that is no text) go to ``notes``, as do all line numbers.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = _harmless(" ".join(part for part in (error.context, error.problem) if part))
        notes.add((), f"this is not YAML: {problem}", line=mark.line + 1 if mark else 1)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        notes.add((), "this is not YAML: a control character stands here", line=line)
    except RecursionError:
        notes.add((), "nested too deeply")
    except (ValueError, OverflowError):  # PyYAML on an escape such as "\UFFFFFFFF"
        notes.add((), "this is not YAML: a \\U escape names no character")
    else:
        reader = _Reader(notes)
        if root is None:
            return Tree({}, {})
        data = reader.value(root, ())
        if isinstance(data, dict):
            return Tree(data, reader.bare)
        notes.add((), "must be a mapping of sections, such as asterisk:, queues:, flows:")
    return None


def _harmless(problem: str) -> str:
    """PyYAML quotes alias and tag names; an unquoted secret that begins with * or ! would be one."""
    return re.sub(r"'(?!<)[^'\s]{2,}'|(?<=alias ).*", "(…)", problem)


class _Reader:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.bare: dict[Loc, str] = {}
        self._count = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        self._count += 1
        if self._count > MAX_VALUES or len(loc) > MAX_DEPTH or id(node) in self._open:
            # One line for the whole file: an alias inside itself would give thousands.
            self.notes.add((), "too many values, nested too deeply, or an alias inside itself")
            return Unquoted()
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return self._mapping(node, loc)
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return self._sequence(node, loc)
        finally:
            self._open.discard(id(node))
        self.notes.add(loc, "YAML tags (!...) are not used here")
        return Unquoted()

    def _sequence(self, node: yaml.SequenceNode, loc: Loc) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            self.notes.lines[(*loc, index)] = item.start_mark.line + 1
            items.append(self.value(item, (*loc, index)))
        return items

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.notes.add(loc, "a key must be plain text", line=line, kind=f"key {line}")
                continue
            key, inner = key_node.value, (*loc, key_node.value)
            if key in values:
                self.notes.add(
                    inner,
                    f"stands here a second time; first on line {self.notes.lines[inner]}",
                    line=line,
                    kind=f"again {line}",
                )
                continue
            self.notes.lines[inner] = line
            if key_node.tag == f"{_TAG}merge" and key_node.style is None:
                self.notes.add((*inner, KEY), "YAML merge keys are not supported", line=line)
                continue
            # A menu's keys are digits: 1: reads the same quoted or not. Longer ones lose zeros or a plus.
            if key_node.tag != f"{_TAG}str" and not re.fullmatch("[0-9]", key):
                self.notes.add((*inner, KEY), f'looks like no text to YAML; quote it: "{key}"', line=line)
            if not _is_text(key):
                self.notes.add((*inner, KEY), "holds a character that is no text", line=line)
                continue
            values[key] = self.value(value_node, inner)
        return values

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> Any:
        text, tag = node.value, node.tag.removeprefix(_TAG)
        if not _is_text(text):
            self.notes.add(loc, "holds a character that is no text")
            return Unquoted()
        if tag == "str":
            return text
        if node.style is not None or tag == node.tag:
            self.notes.add(loc, "YAML tags (!...) are not used here")
            return Unquoted()
        self.bare[loc] = text
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() in ("yes", "true", "on")
        if tag == "int" and _INT.fullmatch(text):
            return int(text)
        if tag == "float" and _FLOAT.fullmatch(text):
            return float(text)
        return Unquoted()


def _is_text(text: str) -> bool:
    """No NUL and no half of a surrogate pair: neither can be a file name, a header or a log line."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
