"""Which modules a lab instance leaves out, so that it is up in a second instead of three."""

import re
from pathlib import Path

# What the project's own files and the lab's phones use; all else is named in `noload`.
_KEEP = re.compile(
    r"app_(bridgeaddchan|bridgewait|cdr|celgenuserevent|chanspy|channelredirect|confbridge|db|dial|echo|exec|if|milliwatt"
    r"|mixmonitor|originate|playback|playtones|queue|read|record|senddtmf|sendtext|softhangup|stack|system|transfer"
    r"|talkdetect|userevent|verbose|waitforsilence|while|sayunixtime|blind_transfer|attended_transfer)"
    r"|bridge_(builtin_features|builtin_interval_features|holding|native_rtp|simple|softmix)"
    r"|cdr_(custom|manager)|cel_custom|chan_(pjsip|bridge_media)|codec_(a_mu|alaw|ulaw|gsm|resample|g722)"
    r"|format_(gsm|pcm|sln|wav|wav_gsm)"
    r"|func_(callerid|cdr|channel|config|cut|db|devstate|dialgroup|dialplan|env|export|extstate|global|groupcount"
    r"|hangupcause|iconv|json|lock|logic|math|md5|module|periodic_hook|pjsip_\w+|presencestate|rand|shell|sprintf"
    r"|strings|sysinfo|talkdetect|timeout|uri|uuid|version|volume|base64|sha1)"
    r"|pbx_(config|loopback|spool)"
    r"|res_(agi|cdrel_custom|clioriginate|convert|crypto|limit|manager_devicestate|musiconhold"
    r"|mutestream|parking|pjproject|rtp_asterisk|security_log|sorcery_\w+|speech|srtp|timing_timerfd|tonedetect"
    r"|format_attr_\w+|http_websocket|stasis)"
    r"|res_pjsip(|_(acl|authenticator_digest|caller_id|dialog_info_body_generator|diversion|dlg_options|dtmf_info"
    r"|empty_info|endpoint_identifier_\w+|exten_state|header_funcs|logger|messaging|mwi|mwi_body_generator|nat"
    r"|notify|outbound_authenticator_digest|outbound_publish|outbound_registration|path|pidf_body_generator|pubsub|refer|registrar"
    r"|rfc3326|sdp_rtp|session|t38|history))"
)


def left_out(modules: Path) -> str:
    """`noload` lines for all modules of the folder that a lab instance does not need."""
    names = sorted(path.stem for path in modules.glob("*.so"))
    return "".join(f"noload => {name}.so\n" for name in names if not _KEEP.fullmatch(name))
