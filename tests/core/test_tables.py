"""The transition tables themselves: nothing may wait for ever, and every cell names what exists."""

import pytest

from ccbridge.core import calls, moves, offers, overflow, reconcile, talks
from ccbridge.core import inputs as i
from ccbridge.core.calls import (
    CALL_LIMIT,
    CALL_TABLE,
    LEASE_MARGIN,
    OFFER_LIMIT,
    OFFER_TABLE,
    CallState,
    OfferState,
)

ROOMS = (moves, offers, overflow, reconcile, talks)
# Without a limit of their own: what ends each of them stands in the comment beside it in ``calls``.
CALL_EXCEPTIONS = {CallState.HOLDING, CallState.OFFERED, CallState.TALKING}
OFFER_EXCEPTIONS = {OfferState.DIALLED, OfferState.RINGING, OfferState.ASKED}


def test_every_state_has_a_row_and_a_limit() -> None:
    assert CALL_TABLE.keys() == CALL_LIMIT.keys() == set(CallState)
    assert OFFER_TABLE.keys() == OFFER_LIMIT.keys() == set(OfferState)
    assert {state for state, limit in CALL_LIMIT.items() if limit is None} == CALL_EXCEPTIONS
    assert {state for state, limit in OFFER_LIMIT.items() if limit is None} == OFFER_EXCEPTIONS
    limits = [*CALL_LIMIT.values(), *OFFER_LIMIT.values(), LEASE_MARGIN]
    assert all(limit > 0 for limit in limits if limit is not None)


@pytest.mark.parametrize("state", CallState)
def test_every_cell_of_a_call_names_an_action(state: CallState) -> None:
    for cause, action in CALL_TABLE[state].items():
        assert cause in i.Input.__args__, cause
        assert sum(callable(getattr(room, action, None)) for room in ROOMS) == 1, action


@pytest.mark.parametrize("state", OfferState)
def test_every_cell_of_an_offer_names_an_action(state: OfferState) -> None:
    for cause, action in OFFER_TABLE[state].items():
        assert cause in i.Input.__args__, cause
        assert sum(callable(getattr(room, action, None)) for room in ROOMS) == 1, action


@pytest.mark.parametrize("state", CallState)
def test_a_caller_can_hang_up_and_be_looked_for_in_every_state(state: CallState) -> None:
    assert CALL_TABLE[state][i.HangupAsked] == CALL_TABLE[state][i.ChannelGone] == "caller_gone"
    assert CALL_TABLE[state][i.CallLooked] == "looked"


def test_the_theory_names_every_state() -> None:
    theory = calls.__doc__ or ""
    assert all(f"    {state.name} " in theory for state in (*CallState, *OfferState))
