"""The plan of a chaos comes from its seed alone."""

from ccbridge.lab.chaos.plan import KINDS, LASTS, faults, journey, moods


def test_the_same_seed_plans_the_same() -> None:
    assert faults(7, 200) == faults(7, 200)
    assert faults(7, 200)[:50] == faults(7, 50)
    assert faults(7, 200) != faults(8, 200)
    assert [journey(7, n) for n in range(1, 100)] == [journey(7, n) for n in range(1, 100)]
    one, same = moods(7, "1001"), moods(7, "1001")
    assert [next(one) for _ in range(100)] == [next(same) for _ in range(100)]


def test_a_short_plan_has_every_kind_and_a_long_one_ends_in_half_an_hour() -> None:
    for seed in range(100):
        assert {fault.kind for fault in faults(seed, len(KINDS))} == set(KINDS)
        plan = faults(seed, 200)
        assert sum(fault.after for fault in plan) < 900.0
        assert all(LASTS[fault.kind][0] <= fault.seconds <= LASTS[fault.kind][2] for fault in plan)


def test_every_caller_has_a_number_of_his_own_and_has_enough_some_day() -> None:
    callers = [journey(7, n) for n in range(1, 1000)]
    assert len({one.number for one in callers}) == len(callers)
    assert all(0 < one.stays <= 45.0 for one in callers)
