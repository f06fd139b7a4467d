"""The thread that owns a token: one call after another, from any thread, and a stuck one holds nobody for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from controller.clock import monotonic_s
from controller.hal.chip.owner_thread import OwnerThread, StuckError

SOON_S = 0.05
LIMIT_S = 5.0


@pytest.fixture
def owner() -> Iterator[OwnerThread]:
    owner = OwnerThread("token")
    yield owner
    owner.close(LIMIT_S)


def test_every_call_runs_on_the_one_thread(owner: OwnerThread) -> None:
    with ThreadPoolExecutor(4) as callers:
        names = set(callers.map(lambda _: owner.call(lambda: threading.current_thread().name, LIMIT_S), range(50)))
    assert names == {"token"}


def test_what_a_call_raises_is_raised_in_its_caller_and_the_thread_goes_on(owner: OwnerThread) -> None:
    with pytest.raises(ZeroDivisionError):
        owner.call(lambda: 1 // 0, LIMIT_S)
    assert owner.call(lambda: 7, LIMIT_S) == 7


def test_a_stuck_call_is_given_up_and_no_other_begins_beside_it(owner: OwnerThread) -> None:
    stuck = threading.Event()
    with pytest.raises(StuckError, match=r"token: no answer within 0\.05 s"):
        owner.call(lambda: stuck.wait(LIMIT_S), SOON_S)
    with pytest.raises(StuckError, match="an earlier call has not come back"):
        owner.call(lambda: 7, SOON_S)
    stuck.set()


def test_it_works_again_once_the_stuck_call_has_come_back(owner: OwnerThread) -> None:
    stuck = threading.Event()
    with pytest.raises(StuckError):
        owner.call(lambda: stuck.wait(LIMIT_S), SOON_S)
    stuck.set()
    while True:
        try:
            assert owner.call(lambda: 7, LIMIT_S) == 7
        except StuckError:  # the stuck call is on its way back
            continue
        break


def test_a_call_whose_turn_never_came_never_runs(owner: OwnerThread) -> None:
    stuck, ran = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as other:
        first = other.submit(owner.call, lambda: stuck.wait(LIMIT_S), LIMIT_S)
        while not first.running():
            pass
        with pytest.raises(StuckError, match="turn never came"):
            owner.call(ran.set, SOON_S)
        stuck.set()
    assert owner.call(ran.is_set, LIMIT_S) is False


def test_a_stuck_thread_is_not_waited_for_again_when_it_is_closed(owner: OwnerThread) -> None:
    stuck = threading.Event()
    with pytest.raises(StuckError):
        owner.call(lambda: stuck.wait(LIMIT_S), SOON_S)
    began_s = monotonic_s()
    owner.close(LIMIT_S)
    assert monotonic_s() - began_s < LIMIT_S / 2
    stuck.set()


def test_closing_twice_is_fine_and_a_later_call_starts_it_anew(owner: OwnerThread) -> None:
    owner.call(lambda: None, LIMIT_S)
    owner.close(LIMIT_S)
    owner.close(LIMIT_S)
    assert owner.call(lambda: 7, LIMIT_S) == 7
