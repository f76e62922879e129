"""Erlang C and Erlang A against values that others have published."""

import math

import pytest

from ccbridge.simulate.erlang import Theory, erlang_a, erlang_b, erlang_c

# 100 calls in half an hour, 180 s of talk (10 erlangs), answered within 20 s. The table in the README of R's
# package ErlangC 0.1.0 (CRAN, December 2024): agents, P(wait), mean wait in s, service level.
CRAN = [
    (11, 0.6821182, 122.78127684408, 0.3896138),
    (12, 0.4493882, 40.4449401868444, 0.640158),
    (13, 0.2852705, 17.1162271821896, 0.7955948),
    (14, 0.1741319, 7.83593701177724, 0.88835),
]
# The same load and 13 agents, callers of finite patience. pyworkforce's guide "Comparing scenarios":
# patience in minutes, service level, P(abandon).
PYWORKFORCE = [(3, 0.8751, 0.0322), (5, 0.8582, 0.0250), (10, 0.8376, 0.0165)]


@pytest.mark.parametrize(("agents", "waits", "mean_wait", "level"), CRAN)
def test_erlang_c_of_the_r_package(agents: int, waits: float, mean_wait: float, level: float) -> None:
    theory = erlang_c(100 / 1800, 180, agents, within=20)
    assert theory.wait_probability == pytest.approx(waits, abs=5e-8)
    assert theory.mean_wait == pytest.approx(mean_wait, rel=1e-12)
    assert theory.served_within == pytest.approx(level, abs=5e-7)
    assert theory.occupancy == pytest.approx(10 / agents)


@pytest.mark.parametrize(("minutes", "level", "abandonment"), PYWORKFORCE)
def test_erlang_a_of_pyworkforce(minutes: int, level: float, abandonment: float) -> None:
    theory = erlang_a(100 / 1800, 180, 13, minutes * 60, within=20)
    assert theory.served_within == pytest.approx(level, abs=5e-5)
    assert theory.abandonment == pytest.approx(abandonment, abs=5e-5)


def test_garnett_mandelbaum_and_reiman() -> None:
    """Their comparison of both: 50 agents, 48 calls a minute of one minute, patience two minutes."""
    endless, finite = erlang_c(48 / 60, 60, 50), erlang_a(48 / 60, 60, 50, 120)
    assert (endless.mean_wait, endless.occupancy) == (pytest.approx(20.8, abs=0.05), pytest.approx(0.96))
    assert endless.mean_wait * 48 / 60 == pytest.approx(17, abs=0.5)  # callers in line
    assert finite.abandonment == pytest.approx(0.031, abs=5e-4)
    assert finite.mean_wait == pytest.approx(3.7, abs=0.05)
    assert finite.mean_wait * 48 / 60 == pytest.approx(3, abs=0.5)
    assert finite.occupancy == pytest.approx(0.93, abs=5e-3)


def test_by_hand() -> None:
    assert erlang_b(1, 1.0) == pytest.approx(1 / 2)
    assert erlang_b(2, 1.0) == pytest.approx(1 / 5)
    # one agent: P(wait) = rho, mean wait rho / (1 - rho) talks
    assert erlang_c(0.5, 1, 1) == Theory(0.5, 0, 1.0, 0.5, 0.5)
    assert erlang_c(1.0, 1, 2).wait_probability == pytest.approx(1 / 3)


def test_as_patient_as_they_are_busy() -> None:
    """With patience = talk everybody leaves at one rate: the number of callers is Poisson (M/M/oo)."""
    theory = erlang_a(10, 1, 10, 1)
    poisson = [math.exp(-10) * 10**n / math.factorial(n) for n in range(80)]
    assert theory.wait_probability == pytest.approx(sum(poisson[10:]))
    in_line = sum((n - 10) * share for n, share in enumerate(poisson) if n > 10)
    assert theory.mean_wait == pytest.approx(in_line / 10)
    assert theory.abandonment == pytest.approx(in_line / 10)


def test_endless_patience_is_erlang_c() -> None:
    endless, patient = erlang_c(100 / 1800, 180, 13, 20), erlang_a(100 / 1800, 180, 13, 1e9, 20)
    for figure in ("wait_probability", "mean_wait", "occupancy", "served_within"):
        assert getattr(patient, figure) == pytest.approx(getattr(endless, figure), rel=1e-6)


def test_sooner_or_later_all_are_served_or_gone() -> None:
    theory = erlang_a(30 / 60, 60, 20, 40, within=600)
    assert theory.served_within == pytest.approx(1 - theory.abandonment, rel=1e-7)
    assert theory.abandonment > 1 / 3  # 30 erlangs, 20 agents: Erlang C has no answer here
    with pytest.raises(ValueError, match="30 erlangs are too much for 20 agents"):
        erlang_c(30 / 60, 60, 20)


def test_what_makes_no_queue_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one agent"):
        erlang_b(0, 1.0)
    with pytest.raises(ValueError, match="patience"):
        erlang_a(1, 1, 1, 0)
