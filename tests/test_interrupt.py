import contextlib
import signal
import subprocess
import sys

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


def test_a_swallowed_interrupt_arrives_at_the_end_of_the_block():
    with pytest.raises(KeyboardInterrupt):
        press_and_swallow()


def test_an_interrupt_turned_into_an_error_becomes_an_interrupt_again():
    with pytest.raises(KeyboardInterrupt):
        press_and_fail()


def test_an_error_without_an_interrupt_stays_an_error():
    with pytest.raises(RuntimeError, match="The loader failed"):
        fail()


def test_the_handler_is_restored_after_the_block():
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_interrupt_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            press()
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_the_command_line_is_imported_leaves_no_traceback():
    code = """
import signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == "seq2seq_zoo.cli":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from seq2seq_zoo.__main__ import main

main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
