"""What the routing daemon's AMI user may do to the real Asterisk: nothing that runs a program."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ccbridge.lab.ami import AmiLink
from ccbridge.lab.asterisk import AmiDoor
from ccbridge.lab.errors import LabError
from ccbridge.lab.lab import Pbx

pytestmark = pytest.mark.lab


@pytest.fixture
async def link(pbx: Pbx) -> AsyncIterator[AmiLink]:
    one = await AmiLink.open(AmiDoor(pbx.ami_host, pbx.ami_port, pbx.ami_user, pbx.ami_secret), "off")
    yield one
    await one.close()


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("Command", {"Command": "!touch @"}),
        ("Command", {"Command": "core show channels"}),
        ("MixMonitor", {"Channel": "PJSIP/1001-1", "File": "@", "Command": "touch @"}),
        ("Originate", {"Channel": "Local/1@x", "Application": "System", "Data": "touch @"}),
        ("Originate", {"Channel": "Local/1@x", "Application": "TrySystem", "Data": "touch @"}),
        ("Originate", {"Channel": "Local/1@x", "Application": "AGI", "Data": "/bin/sh"}),
        ("Originate", {"Channel": "Local/1@x", "Application": "Exec", "Data": "System(touch @)"}),
        ("Originate", {"Channel": "Local/1@x", "Application": "Set", "Data": "X=${SHELL(touch @)}"}),
        ("Originate", {"Channel": "Local/1@x", "Application": "Set", "Data": "X=${EVAL(x)}"}),
        ("Getvar", {"Variable": "SHELL(touch @)"}),
        ("Setvar", {"Variable": "FILE(@)", "Value": "x"}),
        (
            "UpdateConfig",
            {"SrcFilename": "manager.conf", "DstFilename": "manager.conf", "Action-000000": "x"},
        ),
        ("GetConfig", {"Filename": "manager.conf"}),
        ("DialplanExtensionAdd", {"Context": "x", "Extension": "1", "Priority": "1", "Application": "NoOp"}),
        ("ModuleLoad", {"LoadType": "reload"}),
        ("PJSIPShowEndpoints", {}),
    ],
)
async def test_the_routing_user_may_not(
    link: AmiLink, tmp_path: Path, action: str, fields: dict[str, str]
) -> None:
    touched = tmp_path / "x"
    fields = {
        key: value.replace("@", str(touched)) if "Local" not in value else value
        for key, value in fields.items()
    }
    with pytest.raises(LabError, match=r"(?i)permission|denied|not allowed|insufficient|escalat|refused"):
        await link.action(action, **fields)
    assert not touched.exists()
