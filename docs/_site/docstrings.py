"""How docstrings are read for the API reference: the sections of this package, said as the parser knows them."""

import re
import textwrap
from typing import Any

from griffe import Extension, Object

RENAMED = [
    # What a layer is called with, beside what it is made with.
    (re.compile(r"^Call arguments:$", re.MULTILINE), "Args: Call arguments:"),
    # Examples stand at the margin, for doctest: a fence keeps their prompts from being taken for quotations.
    (re.compile(r"^Example:\n\n((?:>>>.*\n?(?:.+\n?)*\n?)+)", re.MULTILINE), r"**Example:**\n\n```pycon\n\1\n```\n"),
    (re.compile(r"^Reference:\n((?: {4}.*\n?)+)", re.MULTILINE), lambda found: reference(found[1])),
]
RETURNS = re.compile(r"^Returns:\n((?: {4}.*\n?|\n)+)", re.MULTILINE)


def reference(text: str) -> str:
    """Where something comes from, as a paragraph with links."""
    text = re.sub(r"arXiv:(\d+\.\d+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", " ".join(text.split()))
    return f"**Reference:** {text}\n"


class Sections(Extension):
    """Rewrites each docstring before it is parsed."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Called by griffe for each object that it has read."""
        if obj.docstring:
            for pattern, replacement in RENAMED:
                obj.docstring.value = pattern.sub(replacement, obj.docstring.value)
            if obj.is_class:  # what a layer's call returns, of which the class's signature knows no type
                obj.docstring.value = RETURNS.sub(
                    lambda found: f"**Returns:**\n\n{textwrap.dedent(found[1])}", obj.docstring.value
                )
