"""PINs of agents and supervisors: a file of argon2 hashes, one ``agent:hash`` or ``supervisor/name:hash`` a
line, written by ``ccbridge agent pin``.

A check takes some 20 ms of a processor and 19 MB: call it in a thread, and few at a time.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

PIN = re.compile(r"[0-9]{4,10}")
MAX_BYTES = 1_048_576


class PinsUnreadable(Exception):
    """The file of PINs cannot be read, or holds something else."""


@functools.cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    # the least that OWASP's Password Storage Cheat Sheet asks for: what routes calls runs on the same machine
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@functools.cache
def _nobodys() -> str:
    """Of no PIN: who has none costs the same time as one who has, so that time tells nobody's number."""
    return _hasher().hash(os.urandom(16))


def matches(file: Path, agent: str, pin: str) -> bool:
    """Whether it is the agent's PIN; "" is nobody's agent. Raises PinsUnreadable."""
    from argon2.exceptions import InvalidHashError, VerificationError

    known = read(file).get(agent)
    try:
        _hasher().verify(known or _nobodys(), pin)
    except VerificationError:
        return False
    except InvalidHashError as error:
        raise PinsUnreadable(f"{file}: the hash of {agent} is damaged") from error
    return known is not None


def of(supervisor: str) -> str:
    """Whose PIN it is, of a supervisor: no agent's name has a slash, so an agent may be called as he is."""
    return f"supervisor/{supervisor}"


def keep(file: Path, agent: str, pin: str) -> None:
    """Set or replace an agent's PIN. A new file belongs to the folder's group, which may read it (0640).

    Raises ValueError for what is no PIN, PinsUnreadable, OSError.
    """
    if not PIN.fullmatch(pin):
        raise ValueError("a PIN has 4 to 10 digits")
    hashes = {**read(file), agent: _hasher().hash(pin)}
    owner = file.stat() if file.exists() else None
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.writelines(f"{one}:{hashed}\n" for one, hashed in sorted(hashes.items()))
            stream.flush()
            os.fchmod(stream.fileno(), 0o640)
            if os.geteuid() == 0:
                uid, gid = (owner.st_uid, owner.st_gid) if owner else (0, file.parent.stat().st_gid)
                os.fchown(stream.fileno(), uid, gid)
            os.fsync(stream.fileno())
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def read(file: Path) -> dict[str, str]:
    """Agent -> hash; empty for a file that is not there. Raises PinsUnreadable."""
    try:
        with file.open("rb") as stream:
            lines = stream.read(MAX_BYTES).decode("ascii").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise PinsUnreadable(f"{file}: {error}") from error
    found = {}
    for number, line in enumerate(lines, 1):
        agent, colon, hashed = line.partition(":")
        if not (agent and colon and hashed):
            raise PinsUnreadable(f"{file}:{number}: must be agent:hash")
        found[agent] = hashed
    return found
