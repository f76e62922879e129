"""A real Asterisk with every file of asterisk/samples/, filled in as a site does, has no complaint of them.

DAHDI as syntax only: its driver needs the card. Asterisk's own reader reads the files, and every option is
one of the commented sample which this Asterisk brings along.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.asterisk import AmiDoor, Instance
from ccbridge.lab.distribution import Distribution
from ccbridge.lab.lab import PROJECT, Lab
from ccbridge.lab.modules import left_out
from ccbridge.lab.ports import free_tcp, free_udp
from ccbridge.lab.site_pbx import section, write_common
from ccbridge.lab.tones import write_tone

pytestmark = pytest.mark.lab

SAMPLES = PROJECT / "asterisk" / "samples"
FREEPBX = SAMPLES / "freepbx"
DAHDI = ("chan_dahdi_pri.conf", "chan_dahdi_fxo.conf")
SYSTEM_CONF = re.compile(
    r"span=\d+,\d+,\d+,(ccs|cas),(hdb3|ami|b8zs|esf|d4)(,crc4)?"
    r"|(bchan|dchan|fxsks)=\d+(-\d+)?(,\d+(-\d+)?)*|echocanceller=\w+(,\d+(-\d+)?)+|(loadzone|defaultzone)=[a-z]{2}"
)
# What the samples need beside what a lab instance loads.
MORE_MODULES = ("res_http_websocket", "res_pjsip_transport_websocket")
USER = AmiDoor("127.0.0.1", 0, "test", "test-secret")


class Site:
    """A PBX of its own in `folder`, whose files a test writes before it starts."""

    def __init__(self, folder: Path, distribution: Distribution) -> None:
        self.ami, self.sip, self.tls, self.http = free_tcp(), free_udp("127.0.0.1"), free_tcp(), free_tcp()
        self.pbx = Instance(folder.name, folder, distribution, tethered=True)
        self.pbx.lay_out({"systemname": folder.name, "hideconnect": "yes", "nocolor": "yes"})
        self.keys = self.pbx.lib / "keys"
        write_common(self.pbx)
        (self.pbx.etc / "ccbridge").mkdir()
        for path in [*(PROJECT / "asterisk").glob("*.conf"), PROJECT / "dialplan" / "ccbridge.conf"]:
            self.pbx.write(f"ccbridge/{path.name}", path.read_text())
        names = ("cdr", "cdr_manager", "cdr_custom", "cel", "cel_custom", "logger", "features", "res_parking")
        for name in names:
            self.pbx.write(f"{name}.conf", f"#include ccbridge/{name}_ccbridge.conf\n")
        noload = left_out(distribution.modules).splitlines()
        noload = [line for line in noload if not any(f" {name}.so" in line for name in MORE_MODULES)]
        lines = ["[modules]", "autoload = yes", "#include ccbridge/modules_ccbridge.conf", *noload, ""]
        self.pbx.write("modules.conf", "\n".join(lines))
        self.pbx.write("musiconhold.conf", f"[default]\nmode = files\ndirectory = {self.pbx.lib / 'music'}\n")
        write_tone(self.pbx.lib / "music" / "tone.wav", 300, 1)

    def sample(self, path: Path) -> str:
        """The text with all that is the site's own filled in: secrets, names, addresses, ports, folders."""
        text = path.read_text()
        for written, own in (
            ("change-me", "a-long-random-password"),
            ("carrier.example", f"127.0.0.1:{self.sip}"),
            ("192.0.2.10,192.0.2.11", "127.0.0.2,127.0.0.3"),
            ("192.0.2.20", "127.0.0.4"),
            ("192.0.2.10", f"127.0.0.1:{self.sip}"),
            ("203.0.113.5", "127.0.0.1"),
            ("0.0.0.0:5061", f"127.0.0.1:{self.tls}"),
            ("0.0.0.0:8089", f"127.0.0.1:{self.http}"),
            ("bindport = 8088", f"bindport = {free_tcp()}"),
            ("/etc/asterisk/keys", str(self.keys)),
            ("/etc/ssl/certs/ca-certificates.crt", str(self.keys / "ca.crt")),
        ):
            text = text.replace(written, own)
        return text

    def manager(self, more: str = "", **general: str) -> None:
        values = {"enabled": "yes", "bindaddr": "127.0.0.1", "port": str(self.ami), **general}
        user = section("test", secret=USER.secret, read="all", write="all")
        self.pbx.write("manager.conf", section("general", **values) + more + user)

    def start(self) -> None:
        self.pbx.start()
        self.pbx.wait_ready(self.door)

    @property
    def door(self) -> AmiDoor:
        return AmiDoor(USER.host, self.ami, USER.user, USER.secret)

    def complaints(self) -> list[str]:
        lines = (self.pbx.log / "messages").read_text().splitlines()
        return [line for line in lines if re.search(r"WARNING|ERROR", line)]


@pytest.fixture
def new_site(lab: Lab) -> Iterator[Callable[[str], Site]]:
    made: list[Site] = []

    def make(name: str) -> Site:
        made.append(Site(lab.folder / name, lab.outside.distribution))
        return made[-1]

    yield make
    for one in made:
        one.pbx.stop()


def certificate(folder: Path) -> ssl.SSLContext:
    """As a site has it from its certificate authority; what a phone that trusts that one would take."""
    authority = trustme.CA()
    issued = authority.issue_cert("pbx.example")
    issued.private_key_pem.write_to_path(folder / "pbx.key")
    issued.cert_chain_pems[0].write_to_path(folder / "pbx.crt")
    authority.cert_pem.write_to_path(folder / "ca.crt")
    phone = ssl.create_default_context()
    authority.configure_trust(phone)
    return phone


async def until(condition: Callable[[], bool], what: str, limit_s: float = 15.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit_s:g} s"
        await asyncio.sleep(0.1)


async def test_every_sample_of_a_plain_site(new_site: Callable[[str], Site]) -> None:
    site = new_site("samples")
    pbx = site.pbx
    phone = certificate(site.keys)
    site.manager()
    transport = section("udp", type="transport", protocol="udp", bind=f"127.0.0.1:{site.sip}")
    phones = [site.sample(path) for path in sorted(SAMPLES.glob("pjsip_*.conf"))]
    # the carrier of the registration: this PBX itself, under the account's name
    carrier = (
        section("4430001", type="endpoint", context="default", auth="4430001", aors="4430001")
        + section("4430001", type="auth", auth_type="userpass", username="4430001")
        + "password = a-long-random-password\n"
        + section("4430001", type="aor", max_contacts="1")
    )
    pbx.write("pjsip.conf", "\n".join([transport, "#include ccbridge/pjsip_ccbridge.conf", *phones, carrier]))
    pbx.write("http.conf", site.sample(SAMPLES / "http_webrtc.conf"))
    pbx.write("rtp.conf", "#include ccbridge/rtp_ccbridge.conf\n" + site.sample(SAMPLES / "rtp_home.conf"))
    pbx.write("queues.conf", "#include ccbridge/queues_ccbridge.conf\n")
    dialplan = [site.sample(path) for path in sorted(SAMPLES.glob("extensions_*.conf"))]
    globals_ = "[globals]\nCCB_AGI=agi://127.0.0.1:1\n#include ccbridge/ccbridge.conf"
    pbx.write("extensions.conf", "\n".join([globals_, *dialplan]))
    for name in DAHDI:
        pbx.write(name, site.sample(SAMPLES / name))
    site.start()

    endpoints = pbx.rx("pjsip show endpoints")
    for name in ("1001", "1003", "1005", "carrier-login", "carrier-ip"):
        assert re.search(rf"Endpoint:\s+{name}\s", endpoints), name
    transports = pbx.rx("pjsip show transports")
    assert re.search(rf"tls\s+tls\s.*127\.0\.0\.1:{site.tls}", transports)
    assert re.search(r"wss\s+wss\s", transports)
    for name, option, value in (
        ("1001", "device_state_busy_at", "1"),
        ("1001", "subscribe_context", "from-phones"),
        ("1001", "send_pai", "true"),
        ("1003", "media_encryption", "dtls"),
        ("1003", "rtcp_mux", "true"),
        ("1005", "media_encryption", "sdes"),
        ("1005", "rewrite_contact", "true"),
        ("carrier-ip", "context", "from-trunk"),
    ):
        assert re.search(rf"^ {option}\s+: {value}$", pbx.rx(f"pjsip show endpoint {name}"), re.M), option
    assert "127.0.0.2/32" in pbx.rx("pjsip show identifies")
    await until(lambda: "Registered" in pbx.rx("pjsip show registrations"), "the registration")
    assert "1001@from-phones" in pbx.rx("core show hints")
    status = pbx.rx("http show status")
    assert f"127.0.0.1:{site.http}" in status
    assert "/ws" in status
    assert "ccbridge-in,2101234567,1" in pbx.rx("dialplan show from-line-1")
    link = await AmiLink.open(site.door)
    for name in DAHDI:
        (read,) = await link.action("GetConfig", Filename=name, Category="channels")
        values = [value for key, value in read.items() if key.startswith("Line-")]
        written = re.findall(r"^(\w+) =>? ?([^;\n]*?) *(?:;.*)?$", (SAMPLES / name).read_text(), re.M)
        assert values == [f"{key}={value}" for key, value in written]
    await link.close()
    assert site.complaints() == []
    for port in (site.tls, site.http):
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            phone.wrap_socket(plain, server_hostname="pbx.example") as secured,
        ):
            assert secured.version() in ("TLSv1.2", "TLSv1.3")
    assert [line for line in site.complaints() if "pjproject" in line] == []


async def test_the_samples_beside_freepbx(new_site: Callable[[str], Site]) -> None:
    """Included as FreePBX's own files do; what stands before them in each is FreePBX's in small."""
    site = new_site("freepbx")
    pbx = site.pbx
    for path in FREEPBX.glob("*.conf"):
        pbx.write(path.name, site.sample(path))
    site.manager("#include manager_custom.conf\n", timestampevents="no")
    pbx.write(
        "extensions.conf",
        "[globals]\nALLOW_SIP_ANON = no\n#include globals_custom.conf\n"
        "[ext-did]\nexten => 2101234567,1,Set(__FROM_DID=${EXTEN})\n"
        " same => n,Goto(ccbridge-from-freepbx,s,1)\n"
        "#include extensions_custom.conf\n"
        "[from-pstn]\ninclude => ext-did\n"
        "[from-internal]\ninclude => from-internal-xfer\n"
        "[from-internal-xfer]\ninclude => from-internal-custom\n"
        "exten => 100,1,Hangup()\n",
    )
    pbx.write("queues.conf", "[general]\npersistentmembers = yes\n#include queues_post_custom.conf\n")
    pbx.write("rtp.conf", "[general]\n")
    pbx.write(
        "pjsip.conf",
        section("udp", type="transport", protocol="udp", bind=f"127.0.0.1:{site.sip}")
        + section("1001", type="endpoint", context="from-internal", aors="1001", direct_media="yes")
        + section("1001", type="aor", max_contacts="1")
        + "#include pjsip.endpoint_custom_post.conf\n",
    )
    site.start()
    shown = pbx.rx("pjsip show endpoint 1001")
    for option, value in (("device_state_busy_at", "1"), ("direct_media", "false"), ("send_pai", "true")):
        assert re.search(rf"^ {option}\s+: {value}$", shown, re.M), option
    assert "CCB_EXIT_CONTEXT=from-internal" in pbx.rx("dialplan show globals")
    assert "_*7X" in pbx.rx("dialplan show *71@from-internal")
    assert "ccbridge-fallback" in pbx.rx("queue show")
    assert "write perm" in pbx.rx("manager show user ccbridge")
    assert re.search(r"Timestamp events:\s+Yes", pbx.rx("manager show settings"))
    assert site.complaints() == []
    pbx.rx("channel originate Local/2101234567@from-pstn application Wait 20")
    await until(lambda: "ccbridge-in" in pbx.rx("core show channels concise"), "the call")


@pytest.mark.parametrize("name", DAHDI)
def test_dahdi_options_are_those_of_this_asterisk(lab: Lab, name: str) -> None:
    known = (lab.outside.distribution.data / "conf" / "samples" / "chan_dahdi.conf.sample").read_text()
    options = set(re.findall(r"^(\w+) =>? ", (SAMPLES / name).read_text(), re.M)) - {"channel"}
    assert len(options) > 10
    missing = [one for one in options if not re.search(rf"^;?\s*{one}\s*[=:]", known, re.M)]
    assert missing == []


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("dahdi_system_*.conf")), ids=lambda path: path.name)
def test_dahdi_system_files(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not SYSTEM_CONF.fullmatch(line)] == []


def test_every_sample_says_what_to_watch() -> None:
    files = [*SAMPLES.glob("pjsip_*.conf"), *SAMPLES.glob("chan_*.conf"), *SAMPLES.glob("[hr]*.conf")]
    assert len(files) == 9
    assert [path.name for path in files if "; What to watch: " not in path.read_text()] == []
