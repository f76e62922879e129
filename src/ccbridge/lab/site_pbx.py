"""The PBX instance's etc folder: a small site around the project's own `asterisk/` and `dialplan/` files.

What stands here is what any site adds (ports, secrets, phones, the trunk), as the project's files tell it to;
everything else is included from the project by its absolute path, so that what is tested is what is shipped.
"""

import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from ccbridge.lab.asterisk import AmiDoor, Instance
from ccbridge.lab.errors import LabError
from ccbridge.lab.modules import left_out

PBX_ADDRESS = "127.0.0.1"
CARRIER_ADDRESS = "127.0.0.2"
PHONES_ADDRESS = "127.0.0.3"
AGENT_PHONES = tuple(str(number) for number in range(1001, 1009))
FALLBACK_PHONE = "1009"
PHONES = (*AGENT_PHONES, FALLBACK_PHONE)
# An account for a softphone on this machine; what it dials comes in like a call from the carrier.
CUSTOMER_PHONE = "9001"
# Long enough for any test; the file is played over and over.
MUSIC_S = 120
MUSIC_HZ = 300


@dataclass(frozen=True)
class Ports:
    """All ports of a lab. `agi` is where the PBX's dialplan looks for the daemon."""

    pbx_ami: int
    pbx_sip: int
    pbx_rtp: tuple[int, int]
    agi: int
    outside_ami: int
    carrier_sip: int
    phones_sip: int
    outside_rtp: tuple[int, int]


@dataclass(frozen=True)
class Secrets:
    """Made anew for each lab."""

    ami: str
    recorder: str
    lab: str
    phones: dict[str, str]

    @classmethod
    def new(cls) -> "Secrets":
        """Random ones."""
        return cls(
            secrets.token_hex(12),
            secrets.token_hex(12),
            secrets.token_hex(12),
            {phone: secrets.token_hex(8) for phone in (*PHONES, CUSTOMER_PHONE)},
        )


def door(ports: Ports, keys: Secrets) -> AmiDoor:
    """The lab's own AMI user on the PBX; ccbridge never uses it."""
    return AmiDoor(PBX_ADDRESS, ports.pbx_ami, "lab", keys.lab)


def write_pbx(instance: Instance, project: Path, ports: Ports, keys: Secrets, recordings: Path) -> None:
    """Write the whole etc folder. Raises LabError if the project's files are not where they should be."""
    shipped = project / "asterisk"
    dialplan = project / "dialplan" / "ccbridge.conf"
    for path in (shipped / "manager_ccbridge.conf", dialplan):
        if not path.exists():
            raise LabError(
                f"{path} is not there.", "The lab runs the project's own files: use a full checkout."
            )
    instance.lay_out({"systemname": "pbx", "defaultlanguage": "en", "hideconnect": "yes", "nocolor": "yes"})

    def include(name: str) -> str:
        return f"#include {shipped / name}\n"

    instance.write(
        "manager.conf",
        manager_general(ports.pbx_ami)
        + include("manager_ccbridge.conf")
        + section("ccbridge", "(+)", secret=keys.ami)
        + section("ccbridge-rec", "(+)", secret=keys.recorder)
        + manager_lab(keys),
    )
    instance.write("pjsip.conf", _pjsip(ports, keys, include("pjsip_ccbridge.conf")))
    instance.write(
        "extensions.conf",
        "[globals]\n"
        f"CCB_AGI=agi://127.0.0.1:{ports.agi}\n"
        "CCB_EXIT_CONTEXT=internal\n"
        "CCB_FALLBACK_QUEUE=ccbridge-fallback\n"
        f"CCB_FALLBACK_AGI={Path(sys.executable).with_name('ccbridge-fallback')}\n"
        "CCB_FALLBACK_AFTER=30\n"
        f"CCB_REC_DIR={recordings}\n"
        "CCB_MOH=default\n"
        f"CCB_REC_OPTIONS={'bS' if 0 < instance.distribution.major < 18 else 'b'}\n"
        f"#include {dialplan}\n" + _SITE_DIALPLAN,
    )
    instance.write("rtp.conf", include("rtp_ccbridge.conf") + _rtp(ports.pbx_rtp))
    for name in (
        "cdr",
        "cdr_manager",
        "cdr_custom",
        "cel",
        "cel_custom",
        "features",
        "logger",
        "res_parking",
    ):
        instance.write(f"{name}.conf", include(f"{name}_ccbridge.conf"))
    instance.write("queues.conf", include("queues_ccbridge.conf") + "#include queues_agents.conf\n")
    instance.write("queues_agents.conf", f"[ccbridge-fallback](+)\nmember => PJSIP/{FALLBACK_PHONE}\n")
    instance.write(
        "modules.conf",
        "[modules]\nautoload = yes\n"
        + include("modules_ccbridge.conf")
        + left_out(instance.distribution.modules),
    )
    # A steady tone for music, so that a test can measure a hole in it.
    instance.write("musiconhold.conf", f"[default]\nmode = files\ndirectory = {instance.lib / 'music'}\n")
    write_common(instance)


def section(name: str, template: str = "", **values: str) -> str:
    """A section of an Asterisk configuration file; `template` as written after its name, e.g. `(+)`."""
    return f"[{name}]{template}\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def manager_general(port: int) -> str:
    """What a site writes into manager.conf by itself."""
    return section("general", enabled="yes", bindaddr=PBX_ADDRESS, port=str(port), timestampevents="yes")


def manager_lab(keys: Secrets) -> str:
    """The lab's own AMI user, by which tests see and drive everything."""
    return section(
        "lab",
        secret=keys.lab,
        deny="0.0.0.0/0.0.0.0",
        permit="127.0.0.1/255.255.255.255",
        read="all",
        write="all",
        writetimeout="5000",
    )


def write_common(instance: Instance) -> None:
    """Files without which modules decline to load or complain, with nothing of note in them."""
    for name in ("confbridge", "stasis", "http", "ccss", "codecs", "dnsmgr", "udptl", "sorcery"):
        instance.write(f"{name}.conf", "[general]\n")
    for name in ("pjproject", "pjsip_notify", "acl", "extconfig", "queuerules"):
        instance.write(f"{name}.conf", "")
    instance.write("indications.conf", _INDICATIONS)


_INDICATIONS = """[general]
country = us
[us]
description = United States
ringcadence = 2000,4000
dial = 350+440
busy = 480+620/500,0/500
ring = 440+480/2000,0/4000
congestion = 480+620/250,0/250
"""


def _rtp(ports: tuple[int, int]) -> str:
    return f"[general](+)\nrtpstart = {ports[0]}\nrtpend = {ports[1]}\n"


def _pjsip(ports: Ports, keys: Secrets, include: str) -> str:
    # media_address with bind_rtp_to_media_address: the audio sockets too stay on loopback.
    media = {"transport": "udp", "media_address": PBX_ADDRESS, "bind_rtp_to_media_address": "yes"}
    text = section("udp", type="transport", protocol="udp", bind=f"{PBX_ADDRESS}:{ports.pbx_sip}") + include
    for phone in (*PHONES, CUSTOMER_PHONE):
        context = "from-trunk" if phone == CUSTOMER_PHONE else "from-phones"
        text += section(phone, "(ccbridge-phone)", context=context, auth=phone, aors=phone, **media)
        text += section(phone, "(ccbridge-phone-auth)", username=phone, password=keys.phones[phone])
        text += section(phone, "(ccbridge-phone-aor)")
    return (
        text
        + section("carrier", "(ccbridge-trunk)", aors="carrier", **media)
        + section("carrier", type="identify", endpoint="carrier", match=CARRIER_ADDRESS)
        + section("carrier", type="aor", contact=f"sip:{CARRIER_ADDRESS}:{ports.carrier_sip}")
    )


_SITE_DIALPLAN = """
[from-trunk]
; For tests of the lab itself. 55 and a phone's number: straight to that phone. 56: the same, and when the
; caller has hung up the phone stays on the line and is asked for a digit.
exten => _551XXX,1,Dial(PJSIP/${EXTEN:2},30,tkb(lab-header^s^1))
 same => n,Hangup()
exten => _561XXX,1,Dial(PJSIP/${EXTEN:2},30,F(lab-digit^s^1))
 same => n,Hangup()
exten => _[+0-9]!,1,Goto(ccbridge-in,${EXTEN},1)

[lab-header]
exten => s,1,Set(PJSIP_HEADER(add,X-Lab)=55)
 same => n,Return()

[lab-digit]
exten => s,1,Read(DIGIT,,1,,1,5)
 same => n,Set(GLOBAL(LAB_DIGIT)=${DIGIT})
 same => n,Hangup()

[from-phones]
include => ccbridge-agent
include => internal
include => parkedcalls

[internal]
; Where overflow and transfers end, and what a phone can dial.
exten => 100,1,Goto(1008,1)
exten => _100X,1,Dial(PJSIP/${EXTEN},30)
 same => n,Hangup()
; Our own numbers: of an overflow into another queue, or of whoever passes a caller back to a queue or a menu.
exten => _2XXXXXXXXX,1,Goto(ccbridge-in,${EXTEN},1)
exten => _0X.,1,Dial(PJSIP/${EXTEN:1}@carrier,60)
 same => n,Hangup()

[outgoing]
; Where agents call the customers of their follow-ups: tickets.call_back.
exten => _+X!,1,Dial(PJSIP/${EXTEN}@carrier,60)
 same => n,Hangup()
"""
