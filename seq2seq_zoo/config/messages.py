"""Parts of messages."""

import difflib
from collections.abc import Iterable


def nearest(name: object, known: Iterable[str]) -> str:
    """A sentence that suggests the closest known name; empty if none is close.

    Example:

    >>> nearest("atention", ["attention", "basic"])
    " Did you mean 'attention'?"
    >>> nearest("zebra", ["attention", "basic"])
    ''
    """
    matches = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def shown(value: object) -> str:
    """A value in one line, shortened, for a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
