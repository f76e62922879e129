"""Where an Asterisk has its parts, and how it is started: the machine's own, or one in a folder."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ccbridge.lab.errors import LabError

OWN_FOLDERS = ("systemd", "pulseaudio")


@dataclass(frozen=True)
class Distribution:
    """`argv` starts the program (with the folder's own loader where there is one)."""

    argv: tuple[str, ...]
    version: str
    modules: Path
    data: Path
    sounds: Path

    @property
    def major(self) -> int:
        """22 for 22.10.1; 0 if the version reads otherwise (a git build)."""
        found = re.match(r"(\d+)\.", self.version)
        return int(found[1]) if found else 0


def command_in(root: Path, program: str) -> tuple[str, ...]:
    """How to start a program of the packages unpacked in `root`: with their own loader and libraries.

    Raises LabError if these are not there.
    """
    libraries = [path.parent for path in sorted(root.glob("usr/lib/*/libc.so.6"))] or [
        path.parent for path in sorted(root.glob("lib/*/libc.so.6"))
    ]
    if not libraries:
        raise _broken(root, "libc")
    search = _search(root, libraries[0].name)
    # The usual names are links, absolute in some suites; the loader itself is a plain file beside libc.
    loaders = [path for folder in search for path in sorted(folder.glob("ld-*")) if not path.is_symlink()]
    if not loaders:
        raise _broken(root, "loader")
    # these keep their own beside the others
    search += [path for folder in search for name in OWN_FOLDERS if (path := folder / name).is_dir()]
    return (str(loaders[0]), "--library-path", ":".join(map(str, search)), str(root / program))


def _search(root: Path, triple: str) -> list[Path]:
    places = (root / "usr/lib" / triple, root / "lib" / triple, root / "usr/lib")
    return [path for path in places if path.is_dir()]


def from_folder(root: Path) -> Distribution:
    """The Asterisk unpacked in `root`. Raises LabError if something essential is not there."""
    root = root.resolve()
    argv = command_in(root, "usr/sbin/asterisk")
    folders = [Path(one) for one in argv[2].split(":")]
    modules = next((path for folder in folders if (path := folder / "asterisk/modules").is_dir()), None)
    if modules is None:
        raise _broken(root, "modules")
    data = root / "usr/share/asterisk"
    sounds = data / "sounds/en_US_f_Allison"
    for path in (data / "documentation", sounds):
        if not path.is_dir():
            raise _broken(root, path.name)
    return Distribution(argv, _version(argv), modules, data, sounds)


def from_path() -> Distribution | None:
    """The machine's own Asterisk, or None if it has none or keeps its parts in places unknown here."""
    program = shutil.which("asterisk")
    if program is None:
        return None
    places = [Path("/usr/lib/asterisk/modules"), *sorted(Path("/usr/lib").glob("*/asterisk/modules"))]
    modules = next((path for path in places if (path / "chan_pjsip.so").exists()), None)
    datas = [Path("/usr/share/asterisk"), Path("/var/lib/asterisk")]
    data = next((path for path in datas if (path / "documentation").is_dir()), None)
    if modules is None or data is None:
        return None
    voices = [data / "sounds/en", data / "sounds/en_US_f_Allison", Path("/var/lib/asterisk/sounds/en")]
    sounds = next((path for path in voices if list(path.glob("vm-goodbye.*"))), None)
    if sounds is None:
        return None
    return Distribution((program,), _version((program,)), modules, data, sounds)


def _version(argv: tuple[str, ...]) -> str:
    done = subprocess.run([*argv, "-V"], capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise LabError(
            f"The Asterisk at {argv[-1]} does not start ({done.stderr.strip()[-200:]}).",
            "Remove the lab's folder and fetch it again.",
        )
    return done.stdout.strip().removeprefix("Asterisk ").strip()


def _broken(root: Path, part: str) -> LabError:
    return LabError(
        f"What was fetched into {root} is incomplete: no {part}.", "Remove that folder and fetch it again."
    )
