"""Questions that a flow may ask: each is named here, with where it goes and what it is asked with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import SecretStr

from ccbridge.config.flow_models import Expression, Variable
from ccbridge.config.mistakes import Loc, Notes, mapping
from ccbridge.config.section import Section
from ccbridge.config.shapes import Between, Count, Number, Shaped, SitePath, Text

Sql = Annotated[Text, Shaped(r"(?s)(?=\s*\S).{1,4000}", "a query of 1 to 4000 characters")]
Url = Annotated[
    Text, Shaped(r"https?://[^\s/?#@]+(/[^\s?#]*)?", "an http:// or https:// address without ? # and @")
]


class LookupSection(Section):
    """Exactly one of ``sql`` and ``http``, which ``check`` looks after."""

    sql: Sql | None = None
    url_file: SitePath | None = None
    http: Url | None = None
    token_file: SitePath | None = None
    values: Annotated[dict[Variable, Expression], Count(0, 20)] = {}
    timeout: Annotated[Number, Between(0.05, 10, "seconds")] = 2.0


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question as it is asked. ``secret``: of ``sql`` its database's URL, "" for ccbridge's own; of
    ``http`` the token that goes with it, or "".
    """

    sql: str | None
    http: str | None
    timeout: float  # seconds, 0.05-10
    secret: SecretStr


def converted(sections: Mapping[str, LookupSection], secrets: Mapping[Loc, SecretStr]) -> dict[str, Lookup]:
    return {
        name: Lookup(one.sql, one.http, one.timeout, secrets.get(("lookups", name), SecretStr("")))
        for name, one in sections.items()
    }


def check(data: Mapping[str, Any], notes: Notes) -> None:
    for name, raw in mapping(data, "lookups").items():
        if not isinstance(raw, dict):
            continue
        loc = ("lookups", name)
        if ("sql" in raw) == ("http" in raw):
            notes.add(loc, "must have exactly one of sql and http", kind="where")
        for key, with_ in (("url_file", "sql"), ("token_file", "http")):
            if key in raw and with_ not in raw:
                notes.add((*loc, key), f"belongs to look-ups with {with_}")
        sql, values = raw.get("sql"), mapping(raw, "values")
        if isinstance(sql, str):
            for value in values:
                if f"%({value})s" not in sql:
                    notes.add((*loc, "values", value), f"is not asked for: sql has no %({value})s")
            _placeholders((*loc, "sql"), sql, values, notes)


def _placeholders(loc: tuple[str, ...], sql: str, values: Mapping[str, Any], notes: Notes) -> None:
    try:
        _ = sql % {str(value): "" for value in values}
    except KeyError as missing:
        notes.add(loc, f"asks for %({missing.args[0]})s, which values has not")
    except (ValueError, TypeError):
        notes.add(loc, "has a % that is no %(name)s: write %% for one of its own")
