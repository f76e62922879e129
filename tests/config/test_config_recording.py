"""What is recorded on demand needs a user of AMI's own."""

from __future__ import annotations

from config_bench import Bench

ON_DEMAND = ("    recording: always ", "    recording: on_demand ")


def test_on_demand_needs_the_recorders_secret(bench: Bench) -> None:
    (mistake,) = bench.lines(ON_DEMAND)
    assert "queues.sales.recording: on_demand needs asterisk.recorder_secret, " in mistake
    bench.environ = {"CCBRIDGE_RECORDER_SECRET": "5up"}
    site = bench.site(ON_DEMAND)
    assert site.asterisk.recorder_secret.get_secret_value() == "5up"
    assert site.asterisk.recorder_user == "ccbridge-rec"
    assert site.plan.queues["sales"].recording == "on_demand"
    assert site.plan.queues["support"].recording == "always"
    assert site.plan.recording_pause == 60.0
