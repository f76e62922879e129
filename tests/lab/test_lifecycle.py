"""A lab leaves nothing behind, however it ends. Each test here runs labs of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ccbridge.cli.lab import lab as command
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import PROJECT, Lab, default_cache
from ccbridge.lab.process import Owned

pytestmark = pytest.mark.lab


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a lab whose Asterisk is the one that is fetched already."""
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    return tmp_path / "run"


@pytest.fixture
def nothing_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process of the lab and no temporary folder of it survives the test."""
    with tempfile.TemporaryDirectory() as own:  # not shared with other labs of this machine
        monkeypatch.setenv("TMPDIR", own)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield
        until(lambda: not processes(folder))
        assert temporary() == set()
        monkeypatch.undo()


def link_asterisk(cache: Path) -> None:
    """Have what is fetched already in another cache, too."""
    for fetched in default_cache().glob("asterisk-*"):
        (cache / fetched.name).symlink_to(fetched)


def temporary() -> set[Path]:
    """Run folders that a lab with a long path made."""
    places = Path(tempfile.gettempdir())
    return {*places.glob("ccbridge-pbx-*"), *places.glob("ccbridge-outside-*")}


def processes(folder: Path) -> list[int]:
    """Processes with the folder in their command line, this one excepted."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder).encode() in line and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.usefixtures("lab", "nothing_left")
def test_up_status_down_from_different_programs(folder: Path) -> None:
    one = Lab(folder)
    assert one.status() == {"folder": str(folder), "running": False}
    one.up(progress=False)
    other = Lab(folder)
    status = other.status()
    assert status["running"]
    assert {part["pid"] for part in status["instances"].values()} <= set(processes(folder))
    assert other.pbx.version in other.pbx.rx("core show version")
    assert other.console()[-1] == "-rvvv"
    with pytest.raises(LabError, match="already runs"):
        Lab(folder).up(progress=False)
    other.down()
    assert not processes(folder)
    assert not Lab(folder).status()["running"]
    one.down()


@pytest.mark.usefixtures("lab", "nothing_left")
def test_everything_listens_on_loopback_only(folder: Path) -> None:
    one = Lab(folder)
    one.up(progress=False)
    try:
        for part in one.status()["instances"].values():
            for kind in ("tcp", "tcp6", "udp", "udp6"):
                elsewhere = [at for at in listening(kind, {part["pid"]}) if not at.startswith("127.")]
                # PJSIP's DNS client has one socket a family, which nothing in its configuration binds.
                assert len(elsewhere) <= kind.startswith("udp"), elsewhere
    finally:
        one.down()


def listening(kind: str, pids: set[int]) -> list[str]:
    """Local IPv4 addresses (or the raw IPv6 one) of the sockets of these processes."""
    inodes = {
        os.readlink(link).removeprefix("socket:[").removesuffix("]")
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if os.readlink(link).startswith("socket:[")
    }
    found = []
    for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            number, _, port = fields[1].partition(":")
            text = socket.inet_ntoa(bytes.fromhex(number)[::-1]) if len(number) == 8 else number
            found.append(f"{text}:{int(port, 16)}")
    return found


@pytest.mark.usefixtures("lab", "nothing_left")
def test_a_crashed_lab_is_cleared_away(folder: Path) -> None:
    crashed = Lab(folder)
    crashed.up(progress=False)
    for part in crashed.status()["instances"].values():
        os.kill(part["pid"], signal.SIGKILL)
    one = Lab(folder)
    until(lambda: not one.status()["running"])
    one.up(progress=False)
    assert one.status()["running"]
    one.down()
    crashed.down()


@pytest.mark.usefixtures("lab", "nothing_left")
def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(folder: Path) -> None:
    one = Lab(folder)
    one.up(progress=False)
    one.down()
    one.up(progress=False)
    state = json.loads(one.state_file.read_text())
    one.down()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        for part in state["instances"].values():
            part["process"]["pid"] = stranger.pid
        one.state_file.write_text(json.dumps(state))
        Lab(folder).down()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.usefixtures("lab", "nothing_left")
def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / "run"
    one = Lab(folder)
    one.up(progress=False)
    try:
        assert "up" in one.pbx.rx("core show uptime").lower()
        assert len(temporary()) >= 2
    finally:
        one.down()


@pytest.mark.usefixtures("lab", "nothing_left")
def test_a_start_that_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for part in ("asterisk", "dialplan"):
        shutil.copytree(PROJECT / part, project / part)
    (project / "asterisk/modules_ccbridge.conf").write_text("require => no_such_module.so\n")
    one = Lab(folder, project=project)
    with pytest.raises(LabError, match=r"pbx.*no_such_module"):
        one.up(progress=False)
    assert not processes(folder)
    assert not one.status()["running"]


@pytest.mark.usefixtures("lab", "nothing_left")
def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"TCP port {port} on 127.0.0.1 is taken"):
            Lab(folder).up(progress=False, ami_port=port)


@pytest.mark.usefixtures("lab", "nothing_left")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_broken_off_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    """`ccbridge lab up`, ended as soon as its first Asterisk is there."""
    environment = {**os.environ, "CCBRIDGE_LAB_DIR": str(folder.parent)}
    link_asterisk(folder.parent)
    program = "from ccbridge.cli.lab import lab; lab()"
    shell = subprocess.Popen(
        [sys.executable, "-c", program, "up", "--no-postgres"],
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # a test run in the background of a script has INT ignored, and would hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: bool(processes(folder)))
    shell.send_signal(number)
    assert shell.stderr is not None
    shell.stderr.read()
    shell.stderr.close()
    assert shell.wait(30) != 0
    assert not processes(folder)


@pytest.mark.usefixtures("lab", "nothing_left")
def test_a_tethered_lab_dies_with_its_program(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from ccbridge.lab.lab import Lab;"
        "Lab(Path(sys.argv[1])).up(progress=False, tethered=True); print('up', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.kill()
    child.wait()
    child.stdout.close()
    until(lambda: not processes(folder))


@pytest.mark.usefixtures("lab", "nothing_left")
def test_the_command_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link_asterisk(folder.parent)
    monkeypatch.setenv("CCBRIDGE_LAB_DIR", str(folder.parent))
    run = CliRunner().invoke
    assert run(command, ["status"]).exit_code == 3
    assert run(command, ["console"]).exit_code == 1
    fetched = run(command, ["fetch"])
    assert (fetched.exit_code, fetched.output.splitlines()[-1][:9]) == (0, "Asterisk "), fetched.output
    try:
        up = run(command, ["up", "--no-postgres"])
        assert up.exit_code == 0, up.output
        assert "user ccbridge, secret" in up.output
        told = json.loads(run(command, ["status", "--json"]).output)
        assert told["running"]
        assert f"127.0.0.1:{told['ports']['pbx_ami']}" in up.output
        again = run(command, ["up"])
        assert again.exit_code == 1
        assert "already runs" in again.output
    finally:
        assert run(command, ["down"]).exit_code == 0
    assert run(command, ["status"]).exit_code == 3


@pytest.mark.usefixtures("lab", "nothing_left")
def test_a_pbx_that_was_killed_comes_back_on_its_ports(folder: Path) -> None:
    one = Lab(folder)
    one.up(progress=False)
    try:
        before, port = one.pbx.pid, one.pbx.ami_port
        one.pbx.kill()
        assert not one.status()["running"]
        one.pbx.start()
        assert (one.pbx.pid != before, one.pbx.ami_port) == (True, port)
        assert Lab(folder).pbx.pid == one.pbx.pid
    finally:
        one.down()


def test_a_stopped_process_is_ended_all_the_same() -> None:
    child = subprocess.Popen(["sleep", "60"])
    child.send_signal(signal.SIGSTOP)
    owned = Owned.of(child.pid)
    assert owned.end(5.0, reap=child.poll)
    assert not owned.alive()
    assert child.wait() == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        Owned.of(child.pid)
