"""One channel is looked at."""

from __future__ import annotations

from ami_rig import Bench
from fake_peer import Asked, Peer, Session, event

from ccbridge.ami import snapshot

HERE = (
    "Channel: PJSIP/trunk-1",
    "ChannelStateDesc: Up",
    "Uniqueid: 1.1",
    "Linkedid: 1.1",
    "Context: ccbridge-hold",
)


async def test_the_end_of_a_channel_is_heard_before_it_is_missed(peer: Peer, ami: Bench) -> None:
    def gone(session: Session, asked: Asked) -> None:
        session.say(
            asked.answer("Message: No such channel", response="Error"), event("Hangup", "Uniqueid: 1.1")
        )

    peer.on["status"] = gone
    client = await ami.live()
    assert await snapshot.look(client, "1.1") is None
    assert ami.seen == ["up", "Hangup", "Hangup"]  # the first of them before the second question


async def test_a_channel_that_is_there_is_asked_for_once(peer: Peer, ami: Bench) -> None:
    def there(session: Session, asked: Asked) -> None:
        session.say(asked.answer("EventList: start"))
        session.say(event("Status", f"ActionID: {asked.id}", *HERE))
        session.say(event("StatusComplete", f"ActionID: {asked.id}", "EventList: Complete"))

    peer.on["status"] = there
    client = await ami.live()
    place = await snapshot.look(client, "1.1")
    assert place is not None
    assert (place.channel, place.context) == ("1.1", "ccbridge-hold")
    assert peer.session.names().count("status") == 1
