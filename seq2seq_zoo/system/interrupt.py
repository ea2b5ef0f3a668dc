"""Ctrl-C that is not lost."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Make sure that Ctrl-C ends a block, where libraries may swallow the KeyboardInterrupt or turn it into an error.

    Backends do so while they are imported and while they compile. At the block's end, and whenever the function that
    the block is given is called, an interrupt that was lost is raised again.

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
    # Who started us may want it ignored (nohup); other threads get no signals.
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
