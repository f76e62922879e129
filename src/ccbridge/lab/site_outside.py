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
    manager_general,
    manager_lab,
    section,
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
    instance.write("manager.conf", manager_general(ports.outside_ami) + manager_lab(keys))
    template = resources.files("ccbridge.lab").joinpath("templates/outside_extensions.conf").read_text()
    # Since 18 Answer() can be told not to wait for the other side's first audio packet.
    answer = "Answer(,i)" if instance.distribution.major >= 18 else "Answer()"
    refuse = (
        "PJSIPHangup(${CODE_${LINE}})" if instance.distribution.major >= 22 else "Hangup(${CAUSE_${LINE}})"
    )
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
    for name in ("musiconhold", "features"):
        instance.write(f"{name}.conf", "[general]\n")
    instance.write("res_parking.conf", "")
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

    def endpoint(name: str, transport: str, address: str, **more: str) -> str:
        return section(
            name,
            type="endpoint",
            transport=transport,
            media_address=address,
            bind_rtp_to_media_address="yes",
            context="line",
            aors="pbx",
            disallow="all",
            allow="ulaw",
            direct_media="no",
            dtmf_mode="rfc4733",
            trust_id_inbound="yes",
            moh_passthrough="yes",
            **more,
        )

    carrier = f"{CARRIER_ADDRESS}:{ports.carrier_sip}"
    phones = f"{PHONES_ADDRESS}:{ports.phones_sip}"
    text = (
        section("global", type="global", user_agent="ccbridge-lab")
        + section("carrier", type="transport", protocol="udp", bind=carrier)
        + section("phones", type="transport", protocol="udp", bind=phones)
        + section("pbx", type="aor", contact=pbx)
        + section("pbx", type="identify", endpoint="pbx", match=PBX_ADDRESS)
        + endpoint("pbx", "carrier", CARRIER_ADDRESS)
        # The same trunk with what carriers send for a caller who withholds his number.
        + endpoint(
            "anonymous-trunk",
            "carrier",
            CARRIER_ADDRESS,
            from_user="anonymous",
            from_domain="anonymous.invalid",
        )
    )
    for phone in PHONES:
        text += endpoint(phone, "phones", PHONES_ADDRESS, from_user=phone, outbound_auth=phone)
        text += section(phone, type="auth", auth_type="userpass", username=phone, password=keys.phones[phone])
        text += section(
            phone,
            type="registration",
            transport="phones",
            outbound_auth=phone,
            server_uri=pbx,
            client_uri=f"sip:{phone}@{PBX_ADDRESS}:{ports.pbx_sip}",
            contact_user=phone,
            expiration="300",
            # `line` marks the contact, so that the PBX's calls find this phone and not the trunk.
            line="yes",
            endpoint=phone,
            # The PBX may still be starting: try at once and go on trying.
            max_random_initial_delay="0",
            retry_interval="1",
            forbidden_retry_interval="1",
            max_retries="1000",
        )
    return text
