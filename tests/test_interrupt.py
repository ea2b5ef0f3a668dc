import contextlib
import signal

import pytest

from seq2seq_zoo.system.interrupt import interruptible


def press():
    signal.raise_signal(signal.SIGINT)


def press_and_go_on(reached):
    with interruptible():
        press()
        reached.append("after")


def press_and_swallow():
    with interruptible(), contextlib.suppress(KeyboardInterrupt):
        press()


def press_and_fail():
    with interruptible():
        try:
            press()
        except KeyboardInterrupt:
            raise RuntimeError("The loader failed") from None


def fail():
    with interruptible() as check:
        check()
        raise RuntimeError("The loader failed")


def test_an_interrupt_arrives_at_once():
    reached = []
    with pytest.raises(KeyboardInterrupt):
        press_and_go_on(reached)
    assert not reached


def test_one_that_was_swallowed_arrives_at_the_end_of_the_block():
    with pytest.raises(KeyboardInterrupt):
        press_and_swallow()


def test_one_that_was_turned_into_an_error_is_an_interrupt_again():
    with pytest.raises(KeyboardInterrupt):
        press_and_fail()


def test_an_error_stays_an_error_where_nobody_pressed():
    with pytest.raises(RuntimeError, match="The loader failed"):
        fail()


def test_what_happens_at_ctrl_c_is_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_who_ignores_it_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            press()
    finally:
        signal.signal(signal.SIGINT, before)
