"""Asterisk from the Debian mirror into a folder: no root, no maintainer script, the system untouched.

apt resolves and downloads with a state of its own (an empty `status` file, so that the whole closure down to
libc comes along) and `dpkg-deb -x` unpacks. The archives stay, so a second lab in the same folder needs no
network, and an interrupted fetch goes on where it stopped.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ccbridge.lab.distribution import Distribution, from_folder, from_path
from ccbridge.lab.errors import LabError

DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SUITE = "sid"
OTHER_SUITE = {"sid": "bullseye", "bullseye": "sid"}
# No music: the lab makes its own, a steady tone.
PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm", "asterisk-core-sounds-en-wav")
ARCHITECTURES = ("amd64", "arm64")
KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
)
# What the closure needs beside the archives themselves: unpacked it is about three times as large.
UNPACKED_FACTOR = 3
UPDATE_LIMIT_S = 180
DOWNLOAD_LIMIT_S = 1800


def ensure_asterisk(
    cache: Path,
    *,
    mirror: str | None = None,
    suite: str | None = None,
    progress: bool = True,
) -> Distribution:
    """The Asterisk to run: the machine's own, or the one in `cache`, fetched first if it is not there yet.

    `mirror` and `suite` default to CCBRIDGE_LAB_MIRROR and CCBRIDGE_LAB_SUITE. A suite named in either way
    means the folder even if the machine has an `asterisk`. Raises LabError.
    """
    suite = suite or os.environ.get("CCBRIDGE_LAB_SUITE")
    mirror = mirror or os.environ.get("CCBRIDGE_LAB_MIRROR") or DEFAULT_MIRROR
    if suite is None:
        own = from_path()
        if own is not None:
            return own
        suite = DEFAULT_SUITE
    if not re.fullmatch(r"[a-z][a-z0-9.-]*", suite):
        raise LabError(f"{suite!r} is not the name of a Debian suite.", "Use sid or bullseye.")
    return from_folder(ensure_packages(cache, "asterisk", PACKAGES, mirror, suite, progress=progress))


def ensure_packages(
    cache: Path,
    name: str,
    packages: tuple[str, ...],
    mirror: str = DEFAULT_MIRROR,
    suite: str = DEFAULT_SUITE,
    *,
    progress: bool = False,
) -> Path:
    """The folder where these packages of a suite, and all they need, are unpacked; fetched if need be.

    Raises LabError.
    """
    folder = cache.resolve() / f"{name}-{suite}"  # apt takes a relative path for one under /etc/apt
    if (folder / "complete.json").exists():
        return folder / "root"
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder / "lock"):
        if not (folder / "complete.json").exists():
            _Fetch(folder, name, packages, mirror, suite, progress).run()
    return folder / "root"


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two test runs in one project must not unpack into the same folder at once."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Fetch:
    def __init__(
        self, folder: Path, name: str, packages: tuple[str, ...], mirror: str, suite: str, progress: bool
    ) -> None:
        self.folder = folder
        self.name = name.capitalize()
        self.packages = packages
        self.mirror = mirror.rstrip("/")
        self.suite = suite
        self.progress = progress
        self.apt = folder / "apt"
        self.archives = self.apt / "cache" / "archives"
        self.root = folder / "root"

    def run(self) -> None:
        for tool in ("apt-get", "apt-config", "dpkg", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise LabError(
                    f"The lab fetches Asterisk with apt, and this machine has no {tool}.",
                    "Install asterisk so that it is on the PATH; the lab then uses that one.",
                )
        arch = subprocess.run(
            ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
        ).stdout.strip()
        if arch not in ARCHITECTURES:
            raise LabError(
                f"The lab's Asterisk is known to run on amd64 and arm64, not on {arch}.",
                "Install asterisk so that it is on the PATH; the lab then uses that one.",
            )
        self._write_apt_state()
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            disable=not self.progress,
        )
        with bar:
            task = bar.add_task(f"{self.name} from Debian {self.suite}: package list", total=None)
            self._update()
            sizes = self._resolve()
            self._check_disk(sum(sizes.values()))
            bar.update(task, description=f"{self.name} from Debian {self.suite}: {len(sizes)} packages")
            bar.update(task, total=sum(sizes.values()))
            self._download(sizes, bar, task)
            bar.update(task, description="Unpacking", completed=0)
            self._unpack(sizes, bar, task)
        # The lists and their index are half as large as all the rest, and stale tomorrow.
        for part in ("state", "cache/none", "cache/pkgcache.bin", "cache/srcpkgcache.bin"):
            path = self.apt / part
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        marker = self.folder / "complete.json"
        partial = marker.with_suffix(".partial")
        partial.write_text(json.dumps({"suite": self.suite, "packages": sorted(sizes)}, indent=1))
        partial.rename(marker)

    # apt ------------------------------------------------------------------------------------------

    def _write_apt_state(self) -> None:
        keyring = next((path for path in KEYRINGS if Path(path).exists()), None)
        if keyring is None:
            raise LabError(
                "The Debian archive's keyring is not on this machine, so packages cannot be verified.",
                "Install the package debian-archive-keyring, or install asterisk itself.",
            )
        for part in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self.apt / part).mkdir(parents=True, exist_ok=True)
        (self.apt / "status").write_text("")
        (self.apt / "etc/sources.list").write_text(
            f"deb [signed-by={keyring}] {self.mirror} {self.suite} main\n"
        )
        # The machine's proxies, time-outs and certificates stay in force; its hooks (a container image's
        # docker-clean empties the system's cache after each update), pins and sources do not.
        dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
        kept = [
            line
            for line in dump.splitlines()
            if line.startswith("Acquire::")
            and not line.startswith(("Acquire::IndexTargets", "Acquire::Languages", "Acquire::GzipIndexes"))
        ]
        own = {
            "Dir::State": self.apt / "state",
            "Dir::State::lists": self.apt / "state/lists",
            "Dir::State::status": self.apt / "status",
            "Dir::Cache": self.apt / "cache",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": self.apt / "etc/sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Debug::NoLocking": "1",
        }
        lines = kept + [f'{key} "{value}";' for key, value in own.items()]
        (self.apt / "etc/apt.conf").write_text("\n".join(lines) + "\n")

    def _run_apt(self, *arguments: str, limit_s: float) -> tuple[int, str, str]:
        environment = {**os.environ, "APT_CONFIG": str(self.apt / "etc/apt.conf"), "LC_ALL": "C"}
        try:
            done = subprocess.run(
                ["apt-get", "-q", "-y", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(
                f"The mirror {self.mirror} did not deliver within {limit_s:.0f} s.",
                "Look at the network or the proxy settings of apt, and try again: what has arrived is kept.",
            ) from error
        return done.returncode, done.stdout, done.stderr

    def _update(self) -> None:
        code, _, stderr = self._run_apt("update", limit_s=UPDATE_LIMIT_S)
        if code or "Failed to fetch" in stderr:
            raise self._explain(stderr)

    def _resolve(self) -> dict[str, int]:
        """File name -> bytes of the whole closure, also of what is here already."""
        # An empty archive folder for this one question: apt leaves out of the list what it finds there.
        empty = self.apt / "cache/none"
        (empty / "partial").mkdir(parents=True, exist_ok=True)
        code, stdout, stderr = self._run_apt(
            "install",
            "--print-uris",
            "-o",
            f"Dir::Cache::archives={empty}",
            *self.packages,
            limit_s=UPDATE_LIMIT_S,
        )
        if code:
            raise self._explain(stderr + stdout)
        return {
            name: int(size) for name, size in re.findall(r"^'[^']+' (\S+\.deb) (\d+)", stdout, re.MULTILINE)
        }

    def _check_disk(self, download: int) -> None:
        needed = download * (1 + UNPACKED_FACTOR)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise LabError(
                f"The lab needs {needed >> 20} MB in {self.folder} and {free >> 20} MB are free.",
                "Make room, or put the lab elsewhere with CCBRIDGE_LAB_DIR.",
            )

    def _download(self, sizes: dict[str, int], bar: Progress, task: object) -> None:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                bar.update(task, completed=self._arrived(sizes))  # type: ignore[arg-type]

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            code, stdout, stderr = self._run_apt(
                "install", "--download-only", *self.packages, limit_s=DOWNLOAD_LIMIT_S
            )
        finally:
            done.set()
            watcher.join()
        missing = [name for name in sizes if not (self.archives / name).exists()]
        if code or missing:
            raise self._explain(stderr + stdout)
        bar.update(task, completed=sum(sizes.values()))  # type: ignore[arg-type]

    def _arrived(self, sizes: dict[str, int]) -> int:
        total = 0
        for name in sizes:
            for path in (self.archives / name, self.archives / "partial" / name):
                try:
                    total += path.stat().st_size
                    break
                except FileNotFoundError:
                    continue
        return total

    def _unpack(self, sizes: dict[str, int], bar: Progress, task: object) -> None:
        # Begun anew if it was broken off: a half-written library is worse than ten more seconds.
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()

        def unpack(name: str) -> None:
            done = subprocess.run(
                ["dpkg-deb", "-x", str(self.archives / name), str(self.root)],
                capture_output=True,
                text=True,
                errors="replace",
            )
            if done.returncode:
                if "No space left" in done.stderr:
                    raise self._explain(done.stderr)
                (self.archives / name).unlink(missing_ok=True)
                raise LabError(
                    f"The package {name} could not be unpacked ({done.stderr.strip()[-200:]}).",
                    "It has been thrown away: try again.",
                )
            bar.advance(task, sizes[name])  # type: ignore[arg-type]

        # base-files first: it lays the links (lib -> usr/lib) that the others' files go through.
        ordered = sorted(sizes, key=lambda name: not name.startswith(("base-files_", "libc6_")))
        for name in [one for one in ordered if one.startswith(("base-files_", "libc6_"))]:
            unpack(name)
            ordered.remove(name)
        with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
            list(pool.map(unpack, ordered))

    def _explain(self, text: str) -> LabError:
        """apt's words turned into what happened and what to do."""
        other = OTHER_SUITE.get(self.suite, DEFAULT_SUITE)
        elsewhere = f"Try the other suite with CCBRIDGE_LAB_SUITE={other}."
        if re.search(r"No space left|enough free space", text):
            return LabError(f"The disk under {self.folder} is full.", "Make room and try again.")
        if re.search(r"does not have a Release file|404\s+Not Found", text):
            return LabError(f"The mirror {self.mirror} has no suite {self.suite} (any more).", elsewhere)
        if re.search(
            r"resolving|Could not resolve|Could not connect|Connection (failed|refused|timed out)|unreachable"
            r"|Unable to connect|No route",
            text,
        ):
            return LabError(
                f"The Debian mirror {self.mirror} cannot be reached.",
                "Look at the network, at apt's proxy settings, or name another with CCBRIDGE_LAB_MIRROR.",
            )
        if re.search(
            r"Unable to locate package|no installation candidate|unmet dependencies|held broken", text
        ):
            return LabError(f"Asterisk cannot be resolved in the suite {self.suite} at present.", elsewhere)
        tail = " ".join(line for line in text.splitlines() if line.startswith(("E:", "W:")))[-300:]
        return LabError(f"apt did not bring Asterisk from {self.suite}: {tail or text[-300:]}.", elsewhere)
