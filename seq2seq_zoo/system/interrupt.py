"""Ctrl-C that is never lost, and that waits where it must."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Make sure that Ctrl-C ends a block, even if a library swallows the KeyboardInterrupt or turns it into an error.

    Backends do so while they are imported and while they compile. A lost interrupt is raised again at the end of the
    block, and whenever the block calls the function that this context manager returns.

    Example:

    >>> import signal
    >>> try:
    ...     with interruptible() as check:
    ...         with contextlib.suppress(BaseException):
    ...             signal.raise_signal(signal.SIGINT)
    ...         check()
    ... except KeyboardInterrupt:
    ...     print("not lost")
    not lost
    """
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # The parent process may have disabled it (nohup), and only the main thread receives signals.
    if before in (signal.SIG_IGN, None) or threading.current_thread() is not threading.main_thread():
        yield check
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield check
    except Exception:
        check()
        raise
    else:
        check()
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Let a block run to its end after Ctrl-C, which then takes effect: all of the block is done, or nothing.

    Example:

    >>> import signal
    >>> try:
    ...     with postponed():
    ...         signal.raise_signal(signal.SIGINT)
    ...         print("done")
    ... except KeyboardInterrupt:
    ...     print("stopped")
    done
    stopped
    """
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True

    before = signal.getsignal(signal.SIGINT)
    if before in (signal.SIG_IGN, None) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)
