"""Each way in which fetching can fail says what happened and what to do."""

import http.server
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ccbridge.lab import fetch
from ccbridge.lab.distribution import from_folder
from ccbridge.lab.errors import LabError
from ccbridge.lab.fetch import ensure_asterisk
from ccbridge.lab.lab import PROJECT


def a_fetch(folder: Path) -> fetch._Fetch:
    return fetch._Fetch(folder, "asterisk", fetch.PACKAGES, "http://d", "sid", False)


class Nothing(http.server.BaseHTTPRequestHandler):
    """A mirror that has none of what it is asked for."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def empty_mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/debian"
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(cache: Path, **settings: str) -> str:
    with pytest.raises(LabError) as caught:
        ensure_asterisk(cache, progress=False, **settings)
    assert not (cache / "asterisk-sid" / "complete.json").exists()
    return str(caught.value)


def test_a_suite_that_is_gone_names_the_other_one(tmp_path: Path, empty_mirror: str) -> None:
    assert "no suite sid" in (text := refusal(tmp_path, mirror=empty_mirror, suite="sid"))
    assert "CCBRIDGE_LAB_SUITE=bullseye" in text
    assert "CCBRIDGE_LAB_SUITE=sid" in refusal(tmp_path, mirror=empty_mirror, suite="bullseye")


def test_no_network(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{closed.getsockname()[1]}/debian"
        text = refusal(tmp_path, mirror=mirror, suite="sid")
    assert "cannot be reached" in text
    assert "CCBRIDGE_LAB_MIRROR" in text


def test_the_settings_may_come_from_the_environment(
    tmp_path: Path, empty_mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCBRIDGE_LAB_MIRROR", empty_mirror)
    monkeypatch.setenv("CCBRIDGE_LAB_SUITE", "bullseye")
    assert f"{empty_mirror} has no suite bullseye" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("E: Unable to locate package asterisk", "cannot be resolved in the suite sid"),
        ("The following packages have unmet dependencies:\n asterisk : Depends: x", "cannot be resolved"),
        ("E: You don't have enough free space in /x/archives/.", "is full"),
        ("E: Write error - write (28: No space left on device)", "is full"),
        ("W: Failed to fetch http://d/x  Temporary failure resolving 'd'", "cannot be reached"),
        ("E: The method died of something new", "The method died of something new"),
    ],
)
def test_words_of_apt(tmp_path: Path, words: str, said: str) -> None:
    assert said in str(a_fetch(tmp_path)._explain(words))


def test_no_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    text = refusal(tmp_path, suite="sid")
    assert "no apt-get" in text
    assert "Install asterisk" in text


def test_another_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "dpkg", "echo riscv64")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert "not on riscv64" in refusal(tmp_path, suite="sid")


def test_a_disk_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: Usage(100 << 20))
    with pytest.raises(LabError, match=r"needs 400 MB.*and 100 MB are free.*CCBRIDGE_LAB_DIR"):
        a_fetch(tmp_path)._check_disk(100 << 20)


def test_a_name_that_is_no_suite(tmp_path: Path) -> None:
    assert "not the name of a Debian suite" in refusal(tmp_path, suite="../x")


def test_the_machines_proxy_stays_and_its_hooks_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "machine.conf"
    settings.write_text(
        'Acquire::http::Proxy "http://127.0.0.1:9";\nAPT::Update::Post-Invoke {"touch /nowhere";};\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(settings))
    one = a_fetch(tmp_path)
    one._write_apt_state()
    written = (tmp_path / "apt/etc/apt.conf").read_text()
    assert 'Acquire::http::Proxy "http://127.0.0.1:9";' in written
    assert "Post-Invoke" not in written
    assert written.index("Proxy") < written.index("Dir::State")


def test_a_folder_with_parts_missing(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no libc"):
        from_folder(tmp_path)
    (tmp_path / "usr/lib/some-triple").mkdir(parents=True)
    (tmp_path / "usr/lib/some-triple/libc.so.6").touch()
    with pytest.raises(LabError, match="no loader"):
        from_folder(tmp_path)


def program(path: Path, body: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def make_says(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-C", PROJECT, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("version", "suite"), [("16", "bullseye"), ("22", "sid")])
def test_make_takes_the_version(version: str, suite: str) -> None:
    assert f"CCBRIDGE_LAB_SUITE := {suite}\n" in make_says("-pn", "help", f"ASTERISK={version}").stdout


def test_make_refuses_a_version_that_the_lab_has_not() -> None:
    said = make_says("demo", "ASTERISK=17")
    assert said.returncode == 2
    assert "ASTERISK=17: the lab has 16 and 22" in said.stderr
