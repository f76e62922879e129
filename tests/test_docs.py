"""The pages tell the truth: every block of code is exercised, as the word after its language says.

    make              a target of the Makefile
    root              a script for a machine of its own: syntax, and every file of ours that it names
    cli               parsed by the real command line
    live              run, in order, against a running site
    postgres          what makes the owner of the tables; the same is done here in SQL
    <name>.conf       together: the files of a PBX, which is started with them
    asterisk          typed into that PBX
    ccbridge.yml      over the shipped example: the configuration of a daemon beside that PBX
    diagram           its contexts are in the dialplan, its inputs in the core
    alerts            YAML; its metrics exist (tests/metrics)
    gallery           a part of a configuration, with the dialogues below it (tests/ivr/test_gallery.py)
    prompts           over the shipped example: a configuration that is right
    load, simulated   a load, and what the command above it prints (tests/simulate)

docs/configuration.md has a test of its own (tests/config/test_config_docs.py).
"""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import psycopg
import pytest
import yaml
from babel import Locale
from click.testing import CliRunner

from ccbridge.cli import main
from ccbridge.cli.here import Here
from ccbridge.config import load
from ccbridge.core import calls, inputs
from ccbridge.core.ivr import FACTS
from ccbridge.lab.asterisk import AmiDoor, Instance
from ccbridge.lab.lab import PROJECT, Lab
from ccbridge.lab.modules import left_out
from ccbridge.lab.ports import free_tcp, free_udp
from ccbridge.lab.postgres import LabPostgres
from ccbridge.lab.service import Service
from ccbridge.lab.site_pbx import write_common
from ccbridge.lab.tones import write_tone
from ccbridge.prompts.texts import built_in, names
from ccbridge.prompts.words import of_sentence
from ccbridge.reports.metrics import FIGURES, SERVICE_LEVELS

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
ELSEWHERE = PROJECT / "docs" / "configuration.md"
FENCE = re.compile(r"^```(\S*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WORDS = {"make", "root", "cli", "live", "postgres", "asterisk", "ccbridge.yml", "diagram", "alerts"}
WORDS |= {"load", "simulated", "routing", "gallery", "dialogues", "prompts"}


class Block(NamedTuple):
    page: str
    language: str
    word: str
    text: str

    def lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]


BLOCKS = [
    Block(page.name, *match.groups())
    for page in PAGES
    if page != ELSEWHERE
    for match in FENCE.finditer(page.read_text())
]


def blocks(word: str) -> list[Block]:
    found = [block for block in BLOCKS if block.word == word]
    assert found, f"no block is marked {word!r}"
    return found


# -- every block, and what it is


def test_every_block_says_how_it_is_exercised() -> None:
    unknown = [
        (block.page, block.language, block.word)
        for block in BLOCKS
        if block.word not in WORDS and not (block.language == "ini" and block.word.endswith(".conf"))
    ]
    assert not unknown
    assert sum(page.read_text().count("\n```") for page in PAGES if page != ELSEWHERE) == 2 * len(BLOCKS)


def test_what_shows_it_exists() -> None:
    """Every test that a page names is one."""
    named = [name for page in PAGES for name in re.findall(r"`(tests/\S+\.py::\w+)`", page.read_text())]
    assert named
    for name in named:
        path, _, function = name.partition("::")
        assert re.search(rf"^(async )?def {function}\(", (PROJECT / path).read_text(), re.M), name


@pytest.mark.parametrize("line", [line for block in blocks("make") for line in block.lines()])
def test_make(line: str) -> None:
    done = subprocess.run(["make", "-n", *shlex.split(line)[1:]], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("root"), ids=lambda block: block.lines()[0])
def test_scripts_for_a_machine(block: Block) -> None:
    assert subprocess.run(["sh", "-n"], input=block.text, text=True).returncode == 0
    for path in re.findall(r"/usr/local/share/ccbridge/(\S+)", block.text):
        assert list(PROJECT.glob(path)), path
    for line in re.findall(r"^make .*$", block.text, re.MULTILINE):
        test_make(line.replace("-C /usr/local/src/ccbridge ", ""))


def parse(words: Sequence[str]) -> list[str]:
    """Have click take the words as a command line, doing nothing; the names of the commands on the way."""
    command: click.Command = main
    rest, context, path = list(words), None, []
    while True:
        name = rest.pop(0)
        path.append(name)
        context = command.make_context(name, rest, parent=context, obj=Here())
        if not isinstance(command, click.Group):
            return path
        _, next_command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert next_command is not None
        command, rest = next_command, [next_command.name or "", *rest]


@pytest.mark.parametrize(
    "line", [line for word in ("cli", "live") for b in blocks(word) for line in b.lines()]
)
def test_command_lines(line: str) -> None:
    words = shlex.split(line)
    assert words[0] == "ccbridge"
    parse(words)


def test_commands_named_in_the_text_exist() -> None:
    named = 0
    for page in PAGES:
        for text in re.findall(r"`ccbridge ([a-z][^`]*)`", page.read_text()):
            command: click.Command | None = main
            for word in text.split():
                if not isinstance(command, click.Group):
                    break
                command = command.get_command(click.Context(command), word)
                assert command is not None, f"{page.name}: ccbridge {text}"
                named += 1
    assert named > 20


def commands_in_comments() -> list[tuple[str, str]]:
    """(file, command line) of what the comments of the shipped files tell their reader to type."""
    found = []
    for folder in ("asterisk", "config", "dialplan", "systemd"):
        for path in sorted(one for one in (PROJECT / folder).rglob("*") if one.is_file()):
            for comment in re.findall(r"(?:^|\s)[#;](.*)$", path.read_text(), re.MULTILINE):
                quoted = re.findall(r"""["'`](ccbridge [a-z][^"'`]*)["'`]""", comment)
                alone = re.findall(r"^\s{3,}(ccbridge [a-z].*)$", comment)  # set off, as a block is
                found += [(path.name, line.strip()) for line in quoted + alone]
    return found


@pytest.mark.parametrize(("name", "line"), commands_in_comments())
def test_commands_in_comments_of_shipped_files(name: str, line: str) -> None:
    parse(shlex.split(line))


def test_the_comments_were_found() -> None:
    lines = {line for _, line in commands_in_comments()}
    assert {"ccbridge config check -c ccbridge.yml", "ccbridge agent pause anna --reason lunch"} <= lines
    with pytest.raises(click.UsageError):
        parse(shlex.split("ccbridge agent show anna lunch"))


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", FENCE.sub("", page.read_text())):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_leads_to_every_page() -> None:
    text = (PROJECT / "README.md").read_text()
    assert [page.name for page in PAGES[1:] if f"](docs/{page.name})" not in text] == []


@pytest.mark.parametrize("block", blocks("diagram"), ids=lambda block: block.page)
def test_diagrams(block: Block) -> None:
    dialplan = (PROJECT / "dialplan" / "ccbridge.conf").read_text()
    for context in re.findall(r"\[ccbridge-\w+\]", block.text):
        assert f"\n{context}\n" in dialplan
    seen = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", block.text)) - {"UserEvent", "MixMonitor"}
    assert "CallHolding" in seen
    for name in seen - {"FastAGI", "PostgreSQL"}:
        assert hasattr(inputs, name), name


# -- tables that are the code's own


def call_table() -> list[str]:
    everywhere = set.intersection(*(set(cells) for cells in calls.CALL_TABLE.values()))
    lines = ["| state | at most | takes, beside the above |", "|---|---|---|"]
    for state, cells in calls.CALL_TABLE.items():
        own = {event: action for event, action in cells.items() if event not in everywhere}
        lines.append(f"| {state.name} | {limit(calls.CALL_LIMIT[state])} | {takes(own)} |")
    return lines


def offer_table() -> list[str]:
    lines = ["| state | at most | takes |", "|---|---|---|"]
    for state, cells in calls.OFFER_TABLE.items():
        lines.append(f"| {state.name} | {limit(calls.OFFER_LIMIT[state])} | {takes(cells)} |")
    return lines


def limit(seconds: float | None) -> str:
    return "its own deadline" if seconds is None else f"{seconds:g} s"


def takes(cells: dict[type, str]) -> str:
    plain = [event.__name__ for event, action in cells.items() if action not in ("ignore", "offer_ignore")]
    ignored = [event.__name__ for event, action in cells.items() if action in ("ignore", "offer_ignore")]
    text = ", ".join(plain)
    if ignored:
        text += ("; " if text else "") + "ignores " + ", ".join(ignored)
    return text or "-"


def figure_table() -> list[str]:
    head = ["| figure | meaning | example |", "|---|---|---|"]
    return head + [f"| {one.name} | {one.prose} | {one.example} |" for one in FIGURES]


def level_table() -> list[str]:
    head = ["| variant | formula | example |", "|---|---|---|"]
    return head + [f"| {one.name} | {one.prose} | {one.example} |" for one in SERVICE_LEVELS]


def fact_table() -> list[str]:
    return ["| name | what it is |", "|---|---|"] + [f"| `{name}` | {what} |" for name, what in FACTS.items()]


@pytest.mark.parametrize(
    ("page", "name", "lines"),
    [
        ("architecture.md", "calls", call_table()),
        ("architecture.md", "offers", offer_table()),
        ("reports.md", "figures", figure_table()),
        ("reports.md", "levels", level_table()),
        ("ivr.md", "facts", fact_table()),
    ],
)
def test_tables(page: str, name: str, lines: list[str]) -> None:
    text = (PROJECT / "docs" / page).read_text()
    found = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found is not None
    assert found[1].splitlines() == lines, "the code's own table is:\n" + "\n".join(lines)


def test_the_sentence_before_the_calls_table_names_what_every_state_takes() -> None:
    everywhere = set.intersection(*(set(cells) for cells in calls.CALL_TABLE.values()))
    text = (PROJECT / "docs" / "architecture.md").read_text()
    sentence = text[text.index("In every state") : text.index("<!-- table: calls -->")]
    assert set(re.findall(r"`(\w+)`", sentence)) == {event.__name__ for event in everywhere}


def test_every_room_is_on_the_map() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text()
    on_map = set(re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE))
    here = {path.name + ("/" if path.is_dir() else "") for path in (PROJECT / "src/ccbridge").iterdir()}
    here = {name for name in here if not name.startswith("__") and name != "py.typed"}
    assert on_map == here
    core = re.search(r"^\| `core/` \| (.*)$", text, re.MULTILINE)
    assert core is not None
    modules = {path.stem for path in (PROJECT / "src/ccbridge/core").glob("*.py")} - {"__init__"}
    assert set(re.findall(r"`(\w+)`", core[1])) == modules


@pytest.mark.parametrize("block", blocks("prompts"), ids=lambda block: block.lines()[-1].strip())
def test_prompts(block: Block, tmp_path: Path) -> None:
    example = yaml.safe_load((PROJECT / "config" / "ccbridge.yml").read_text())
    path = tmp_path / "ccbridge.yml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(example | yaml.safe_load(block.text)))
    wording = load(path).wording
    assert wording.languages == ("en", "el")
    assert wording.speech is not None


def test_prompts_in_the_text() -> None:
    """The named sentences are there, with these values; so are the words for each language."""
    text = (PROJECT / "docs" / "prompts.md").read_text()
    named = re.findall(r"^\| (`[a-z`, -]+`) \|", text[text.index("## Names") :], re.MULTILINE)
    found = {name for cell in named for name in re.findall(r"`([a-z-]+)`", cell)}
    assert found == {name for name in names() if not name.startswith("agent-")}
    for code, language, plurals, said in re.findall(
        r"^\| `(..)` \| (\w+) \| ([a-z, ]+) \| (.*) \|$", text, re.MULTILINE
    ):
        own = built_in(code)
        assert own is not None
        assert Locale.parse(code).get_display_name("en") == language
        assert set(plurals.split(", ")) == own.sentences["wait"].forms.keys()
        assert said.strip("\u2068\u2069") == of_sentence(own.sentences["choose-language"], {"n": 2}, code)


def test_the_agents_card_has_the_shipped_digits() -> None:
    text = (PROJECT / "docs" / "agents.md").read_text()
    shipped = yaml.safe_load((PROJECT / "config" / "ccbridge.yml").read_text())["outcomes"]
    assert dict(re.findall(r"^\| (\d) \| (\w+) \|$", text, re.MULTILINE)) == {
        str(digit): outcome for digit, outcome in shipped.items()
    }
    assert "\nexten => _*7X,1," in (PROJECT / "dialplan" / "ccbridge.conf").read_text()


@pytest.mark.parametrize("unit", sorted((PROJECT / "systemd").iterdir()), ids=lambda path: path.name)
def test_units(unit: Path) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    service = parser["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program == "/usr/local/bin/ccbridge"
    parse(["ccbridge", *words])
    routes = words[0] == "run"  # it says by itself when it is ready, and that it lives
    assert (service["Type"], service["User"]) == ("notify" if routes else "exec", "ccbridge")
    assert ("WatchdogSec" in service) == routes
    assert "config check" not in service["ExecStart"]


# -- what is run


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[LabPostgres]:
    one = LabPostgres(lab.folder / "docs-postgres", external=False, tethered=True)
    one.start()
    yield one
    one.stop()


class Deployed:
    """The PBX of docs/deploy.md: its files as they stand there, on ports and folders of the test's."""

    def __init__(self, lab: Lab) -> None:
        self.ami, self.agi, self.sip = free_tcp(), free_tcp(), free_udp("127.0.0.1")
        self.recordings = lab.folder / "docs-recordings"
        self.recordings.mkdir(exist_ok=True)
        self.pbx = Instance("docs", lab.folder / "docs-pbx", lab.outside.distribution, tethered=True)
        self.pbx.lay_out({"systemname": "docs", "hideconnect": "yes", "nocolor": "yes"})
        (self.pbx.etc / "ccbridge").mkdir()
        for path in [*(PROJECT / "asterisk").glob("*.conf"), PROJECT / "dialplan" / "ccbridge.conf"]:
            self.pbx.write(f"ccbridge/{path.name}", path.read_text())
        write_common(self.pbx)
        for block in BLOCKS:
            if block.language == "ini":
                self.pbx.write(block.word, self.here(block.text))
        music = self.pbx.lib / "data" / "moh"  # of the distribution's package, where the lab has it
        if not music.exists():
            music.mkdir()
            write_tone(music / "tone.wav", 300, 5)
        modules = (self.pbx.etc / "modules.conf").read_text()
        self.pbx.write("modules.conf", modules + left_out(lab.outside.distribution.modules))

    def here(self, text: str) -> str:
        """What stands in the page, with this machine's ports and folders."""
        for written, own in (
            ("port = 5038", f"port = {self.ami}"),
            ("port: 5038", f"port: {self.ami}"),
            ("127.0.0.1:4573", f"127.0.0.1:{self.agi}"),
            ("port: 4573", f"port: {self.agi}"),
            ("0.0.0.0:5060", f"127.0.0.1:{self.sip}"),
            ("/var/spool/ccbridge/recordings", str(self.recordings)),
            ("/usr/local/bin/ccbridge-fallback", str(Path(sys.executable).parent / "ccbridge-fallback")),
        ):
            text = text.replace(written, own)
        return text


def owner_of_the_page(server_url: str) -> str:
    """Make the owner as ``createuser`` with the page's options does; the URL of a database he is to make."""
    (line,) = [line for block in blocks("postgres") for line in block.lines()]
    program, *options, name = shlex.split(line)
    assert (program, sorted(options)) == ("createuser", ["--createdb", "--createrole", "--pwprompt"])
    with psycopg.connect(server_url, autocommit=True) as db:
        db.execute(f"CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD 'change-me'")
    return f"postgresql://{name}:change-me@" + server_url.partition("@")[2].partition("/")[0] + "/ccbridge"


class Running(NamedTuple):
    deployed: Deployed
    config: Path
    daemon: Service


@pytest.fixture(scope="module")
def running(lab: Lab, server: LabPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The PBX, the database and the daemon, as docs/deploy.md has them made."""
    deployed = Deployed(lab)
    folder = tmp_path_factory.mktemp("docs")
    admin = owner_of_the_page(server.url)
    (page,) = blocks("ccbridge.yml")
    changes: dict[str, Any] = yaml.safe_load(deployed.here(page.text))
    changes["database"] = {"admin_url": admin, "url": admin.replace("ccbridge_owner:", "ccbridge:")}
    changes["journal"] = {"directory": str(folder / "journal")}
    changes["control"] = {"socket": str(folder / "c.sock")}
    example = yaml.safe_load((PROJECT / "config" / "ccbridge.yml").read_text())
    for key, values in changes.items():
        example[key] = example[key] | values
    example["log"]["format"] = "json"
    config = folder / "ccbridge.yml"
    config.touch(mode=0o600)
    config.write_text(yaml.safe_dump(example))
    members = str(deployed.pbx.etc / "ccbridge" / "queues_agents.conf")
    for command in (["config", "check"], ["config", "queues", "--to", members], ["db", "init"]):
        said = CliRunner().invoke(main, ["-c", str(config), *command])
        assert said.exit_code == 0, said.output
    daemon = Service(config, tethered=True)
    try:
        deployed.pbx.start()
        deployed.pbx.wait_ready(AmiDoor("127.0.0.1", deployed.ami, "ccbridge", "change-me"))
        daemon.start()
        yield Running(deployed, config, daemon)
    finally:
        daemon.stop()
        deployed.pbx.stop()


@pytest.mark.lab
@pytest.mark.pg
def test_live_commands(running: Running) -> None:
    """Each command succeeds and says something."""
    for line in [line for block in blocks("live") for line in block.lines()]:
        # in this process: thirty interpreters would take half a minute
        done = CliRunner().invoke(main, shlex.split(line)[1:], env={"CCBRIDGE_CONFIG": str(running.config)})
        assert done.exit_code == 0, f"{line}: {done.output}"
        assert done.stdout.strip(), line


@pytest.mark.lab
@pytest.mark.pg
def test_deployed_as_the_page_says(running: Running) -> None:
    """The PBX has no complaint, knows what the page asks, and a call over the trunk comes in."""
    pbx, daemon = running.deployed.pbx, running.daemon
    for line in [line for block in blocks("asterisk") for line in block.lines()]:
        said = pbx.rx(line)
        assert said.strip(), line
        assert not re.search(r"No such|Unable to|not found|does not|There is no", said), f"{line}: {said}"
    pbx.rx("channel originate Local/2101234567@from-trunk application Wait 20")
    deadline = time.monotonic() + 15
    while not daemon.must("call.list"):
        assert time.monotonic() < deadline, "the call does not arrive"
        time.sleep(0.1)
    assert not [line for line in daemon.lines() if line["level"] in ("error", "critical")]
    complaints = [
        line
        for line in (pbx.log / "messages").read_text().splitlines()
        if "ERROR" in line or ("WARNING" in line and "ccbridge" in line)
    ]
    assert not complaints
