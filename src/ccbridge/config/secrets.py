"""Secrets: from the environment, from a file of their own, or from the configuration file.

The first of these that is there wins, in this order. No text of a secret ever enters a message.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from ccbridge.config.mistakes import Loc, Notes, mapping, misspelt
from ccbridge.config.models import SiteFile
from ccbridge.config.translate import keys_at

_MAX = 4096
_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one secret may stand."""

    loc: Loc
    variable: str
    required: bool
    is_url: bool = False


SLOTS = (
    Slot(("asterisk", "secret"), "CCBRIDGE_AMI_SECRET", required=True),
    Slot(("asterisk", "recorder_secret"), "CCBRIDGE_RECORDER_SECRET", required=False),
    Slot(("database", "url"), "CCBRIDGE_DATABASE_URL", required=True, is_url=True),
    Slot(("database", "admin_url"), "CCBRIDGE_DATABASE_ADMIN_URL", required=False, is_url=True),
)


class Secrets:
    """Reads all slots; what is wrong goes to ``notes``."""

    def __init__(self, data: Mapping[str, Any], file: Path, environ: Mapping[str, str], notes: Notes) -> None:
        self._data = data
        self._file = file
        self._environ = environ
        self._notes = notes
        self._warned = False
        self.found: dict[Loc, SecretStr] = {}

    def read(self) -> None:
        for slot in SLOTS:
            section = self._section(slot.loc[:-1])
            if section is None:
                continue
            text = self._one(slot, section)
            if text is not None:
                self._keep(slot, text)
        for name, raw in mapping(self._data, "lookups").items():
            for key, is_url in (("url_file", True), ("token_file", False)):
                file = raw.get(key) if isinstance(raw, dict) else None
                if isinstance(file, str) and file and file.isprintable():
                    text = self._from_file(("lookups", name, key), self._file.parent / file)
                    if text is not None:
                        self._keep(Slot(("lookups", name), "", required=False, is_url=is_url), text)

    def need_recorder(self) -> None:
        """What is recorded on demand is recorded by a user of AMI's own."""
        queues = self._data.get("queues")
        for name, raw in queues.items() if isinstance(queues, dict) else ():
            on_demand = isinstance(raw, dict) and raw.get("recording") == "on_demand"
            if on_demand and ("asterisk", "recorder_secret") not in self.found:
                self._notes.add(
                    ("queues", name, "recording"),
                    "on_demand needs asterisk.recorder_secret, recorder_secret_file or the environment "
                    "variable CCBRIDGE_RECORDER_SECRET",
                )

    def _section(self, loc: Loc) -> Mapping[str, Any] | None:
        """The section's own mapping; ``None`` where it is misspelt, no mapping, or optional and left out."""
        at: Any = self._data
        for part in loc:
            at = at.get(part) if isinstance(at, dict) else None
        if at is None and len(loc) == 1 and loc[0] not in self._data:
            return None if misspelt(str(loc[0]), self._data, keys_at(())) else {}
        return at if isinstance(at, dict) else None

    def _one(self, slot: Slot, section: Mapping[str, Any]) -> str | None:
        key = str(slot.loc[-1])
        file_key = f"{key}_file"
        if key in section and file_key in section:
            self._notes.add((*slot.loc[:-1], file_key), f"{key} stands here too: keep one of the two")
        if slot.variable in self._environ:
            return self._environ[slot.variable]
        if key in section:
            text = section[key]
            if isinstance(text, str):
                return self._inline(slot, text)
            return None  # its type is a mistake already
        if file_key in section:
            name = section[file_key]
            if isinstance(name, str) and name and name.isprintable():
                return self._from_file((*slot.loc[:-1], file_key), self._file.parent / name)
            return None
        if slot.required and not any(
            misspelt(name, section, keys_at(slot.loc[:-1])) for name in (key, file_key)
        ):
            self._notes.add(
                slot.loc, f"is missing: give {key}, {file_key} or the environment variable {slot.variable}"
            )
        return None

    def _inline(self, slot: Slot, text: str) -> str:
        if not self._warned and (not slot.is_url or _has_password(text)) and _is_open(self._file):
            self._warned = True
            self._notes.warn(
                slot.loc,
                "warning: a secret in a file that everyone on this machine may read; chmod o-r it, or use "
                f"{slot.loc[-1]}_file",
            )
        return text

    def _from_file(self, loc: Loc, path: Path) -> str | None:
        try:
            # Not blocking, and a regular file only: a pipe or a device would hold the start for ever.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as stream:
                mode = os.fstat(descriptor).st_mode
                if not stat.S_ISREG(mode):
                    self._notes.add(loc, f"{path} is no ordinary file")
                    return None
                raw = stream.read(_MAX + 1)
            text = raw.decode("utf-8").rstrip("\r\n")
        except OSError as error:
            self._notes.add(loc, f"cannot read {path}: {error.strerror}")
            return None
        except UnicodeDecodeError:
            self._notes.add(loc, f"{path} is not UTF-8 text")
            return None
        if len(raw) > _MAX:
            self._notes.add(loc, f"{path} is longer than {_MAX} bytes: that is no secret of ours")
            return None
        if mode & stat.S_IROTH:
            self._notes.warn(loc, f"warning: everyone on this machine may read {path}; chmod 600 it")
        return text

    def _keep(self, slot: Slot, text: str) -> None:
        origin = f" (from {slot.variable})" if slot.variable in self._environ else ""
        if slot.is_url:
            problem = _url_problem(text)
        elif not text:
            problem = "is empty"
        elif not text.isprintable() or len(text) > 512:
            problem = "must be one line of printable characters, at most 512"
        else:
            problem = ""
        if problem:
            self._notes.add(slot.loc, problem + origin)
            return
        self.found[slot.loc] = SecretStr(text)


def apply(site: SiteFile, found: Mapping[Loc, SecretStr]) -> SiteFile:
    """The same site with the secrets that were found, wherever they stood, in their places."""
    asterisk, database = site.asterisk, site.database
    secrets = {
        key: found[loc] for key in ("secret", "recorder_secret") if (loc := ("asterisk", key)) in found
    }
    asterisk = asterisk.model_copy(update=secrets)
    urls = {key: found[loc] for key in ("url", "admin_url") if (loc := ("database", key)) in found}
    return site.model_copy(update={"asterisk": asterisk, "database": database.model_copy(update=urls)})


def _url_problem(text: str) -> str:
    if not text.startswith(_SCHEMES):
        return "must begin with postgresql://"
    if not text.isprintable() or " " in text:
        return "must be one line without blanks (write %20 for one in a password)"
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return "holds a % that is no %XX: write %25 for a % of the password"
    try:
        parts = urlsplit(text)
        known = parts.port is None or parts.port > 0
    except ValueError:
        return "is no URL: write postgresql://user:password@host:port/database"
    if not known or len(parts.path) < 2:
        return "names no database: write postgresql://user:password@host:port/database"
    return ""


def _has_password(url: str) -> bool:
    return ("@" in url and ":" in url.split("://", 1)[-1].rsplit("@", 1)[0]) or "password=" in url


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)
