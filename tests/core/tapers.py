"""Simulated people who pause recordings and begin them, and the recorder of the simulated PBX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccbridge.core import effects as e
from ccbridge.core import inputs as i

if TYPE_CHECKING:
    from simulator import Simulator


class Tapers:
    """The part of the simulator that has to do with recordings."""

    def tape(self: Simulator) -> None:
        """Somebody asks for something, mostly where there is a talk."""
        rnd, calls = self.random, self.board.world.calls
        do = rnd.choice(("pause", "pause", "pause", "resume", "start", "start"))
        request = rnd.randrange(10**9)
        talking = [one for one in self.board.world.agents.values() if one.talking]
        if talking and self.chance(0.7):
            agent = rnd.choice(talking).id
            self.agi(
                lambda: i.RecordingCommand(
                    self.at, do, agent, f"PJSIP/{agent}", "phone", request, agent=agent
                )
            )
            return
        call = rnd.choice([*(one.account for one in calls.values()), "1700.none"])
        self.agi(lambda: i.RecordingCommand(self.at, do, "sue", "sue", "cli", request, call=call))

    def to_recorder(self: Simulator, effect: e.MuteRecording | e.StartRecording) -> None:
        run, session = self.run_no, self.session

        def answer(why: str) -> None:
            asked = effect.asked
            if asked is not None and run == self.run_no:
                self.agi(
                    lambda: i.RecorderAnswered(self.at, effect.call, asked, effect.recording, not why, why)
                )

        def arrive() -> None:
            self.in_flight -= 1
            lost = session != self.session
            if lost and (self.logged_in or self.random.random() < 0.5):
                answer("the link was lost")
                return
            done = self.recorder(effect)
            answer("the link was lost" if lost else "" if done else "no such channel")

        if self.link:
            self.in_flight += 1
            self.after(self.lane("out"), arrive)
        else:
            answer("there is no link")

    def recorder(self: Simulator, effect: e.MuteRecording | e.StartRecording) -> bool:
        caller = self.callers.get(effect.call)
        if caller is None or self.chance(self.weather.refuse_redirect):
            return False
        if isinstance(effect, e.MuteRecording):
            caller.muted = effect.on
        else:
            caller.taped, caller.muted = True, False
        return True
