"""The second instance's etc folder: carrier and phones."""

from importlib import resources

from ccbridge.lab.asterisk import AmiDoor, Instance
from ccbridge.lab.modules import left_out
from ccbridge.lab.site_pbx import (
    CARRIER_ADDRESS,
    PBX_ADDRESS,
    PHONES,
    PHONES_ADDRESS,
    Ports,
    Secrets,
    write_common,
)


def door(ports: Ports, keys: Secrets) -> AmiDoor:
    """The AMI user by which phones and carrier are driven."""
    return AmiDoor(PBX_ADDRESS, ports.outside_ami, "lab", keys.lab)


def write_outside(instance: Instance, ports: Ports, keys: Secrets) -> None:
    """Write the whole etc folder."""
    instance.lay_out({"systemname": "outside", "hideconnect": "yes", "nocolor": "yes"})
    heard = instance.folder / "heard"
    heard.mkdir(exist_ok=True)
    instance.write(
        "manager.conf",
        f"[general]\nenabled = yes\nbindaddr = {PBX_ADDRESS}\nport = {ports.outside_ami}\ntimestampevents = yes\n"
        f"[lab]\nsecret = {keys.lab}\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n"
        "read = all\nwrite = all\nwritetimeout = 5000\n",
    )
    template = resources.files("ccbridge.lab").joinpath("templates/outside_extensions.conf").read_text()
    # Since 18 Answer() can be told not to wait for the other side's first audio packet.
    answer = "Answer(,i)" if instance.distribution.major >= 18 else "Answer()"
    refuse = "PJSIPHangup(${CODE})" if instance.distribution.major >= 22 else "Hangup(21)"
    instance.write(
        "extensions.conf",
        template.replace("@HEARD@", str(heard)).replace("@ANSWER@", answer).replace("@REFUSE@", refuse),
    )
    instance.write("pjsip.conf", _pjsip(ports, keys))
    instance.write(
        "rtp.conf", f"[general]\nrtpstart = {ports.outside_rtp[0]}\nrtpend = {ports.outside_rtp[1]}\n"
    )
    instance.write("cdr.conf", "[general]\nenable = no\n")
    instance.write(
        "cel.conf", "[general]\nenable = yes\nevents = CHAN_START,ANSWER,HANGUP,CHAN_END,USER_DEFINED\n"
    )
    instance.write("cel_custom.conf", f"[mappings]\noutside.csv => {_CEL_COLUMNS}\n")
    instance.write(
        "logger.conf", "[logfiles]\nconsole => notice,warning,error\nmessages => notice,warning,error\n"
    )
    instance.write("musiconhold.conf", "[general]\n")
    instance.write(
        "modules.conf",
        "[modules]\nautoload = yes\n"
        "noload => app_queue.so\nnoload => cdr_csv.so\nnoload => cdr_custom.so\nnoload => cdr_manager.so\n"
        "noload => bridge_native_rtp.so\nnoload => app_confbridge.so\n"
        + left_out(instance.distribution.modules),
    )
    write_common(instance)


_CEL_COLUMNS = ",".join(
    f"${{CSV_QUOTE(${{{field}}})}}"
    for field in (
        "eventtime",
        "eventtype",
        "userdeftype",
        "CHANNEL(uniqueid)",
        "CHANNEL(channame)",
        "CALLERID(num)",
        "CALLERID(name)",
        "CHANNEL(context)",
        "CHANNEL(exten)",
        "eventextra",
    )
)


def _pjsip(ports: Ports, keys: Secrets) -> str:
    pbx = f"sip:{PBX_ADDRESS}:{ports.pbx_sip}"
    common = (
        "disallow = all\nallow = ulaw\ndirect_media = no\ndtmf_mode = rfc4733\ntrust_id_inbound = yes\n"
        "bind_rtp_to_media_address = yes\naors = pbx\n"
    )
    carrier = f"transport = carrier\nmedia_address = {CARRIER_ADDRESS}\n{common}"
    text = (
        "[global]\ntype = global\nuser_agent = ccbridge-lab\n"
        f"[carrier]\ntype = transport\nprotocol = udp\nbind = {CARRIER_ADDRESS}:{ports.carrier_sip}\n"
        f"[phones]\ntype = transport\nprotocol = udp\nbind = {PHONES_ADDRESS}:{ports.phones_sip}\n"
        f"[pbx]\ntype = aor\ncontact = {pbx}\n"
        f"[pbx]\ntype = endpoint\ncontext = line\n{carrier}"
        f"[pbx]\ntype = identify\nendpoint = pbx\nmatch = {PBX_ADDRESS}\n"
        # The same trunk with what carriers send for a caller who withholds his number.
        "[anonymous-trunk]\ntype = endpoint\ncontext = line\nfrom_user = anonymous\n"
        f"from_domain = anonymous.invalid\n{carrier}"
    )
    for phone in PHONES:
        text += (
            f"\n[{phone}]\ntype = endpoint\ncontext = line\ntransport = phones\nfrom_user = {phone}\n"
            f"outbound_auth = {phone}\nmedia_address = {PHONES_ADDRESS}\n{common}"
            f"[{phone}]\ntype = auth\nauth_type = userpass\nusername = {phone}\npassword = {keys.phones[phone]}\n"
            f"[{phone}]\ntype = registration\ntransport = phones\noutbound_auth = {phone}\nserver_uri = {pbx}\n"
            f"client_uri = sip:{phone}@{PBX_ADDRESS}:{ports.pbx_sip}\ncontact_user = {phone}\nexpiration = 300\n"
            # `line` marks the contact, so that the PBX's calls are matched to this phone and not to the trunk.
            f"line = yes\nendpoint = {phone}\nretry_interval = 1\nforbidden_retry_interval = 1\nmax_retries = 1000\n"
            "max_random_initial_delay = 0\n"
        )
    return text
