"""Reverse the source."""

from seq2seq_zoo.tasks.letters import LetterTask
from seq2seq_zoo.tasks.task import tasks


@tasks.register("reverse", "reverse a random word: 'abca' -> 'acba'")
class Reverse(LetterTask):
    """The target is the source from last letter to first. Arguments are `LetterTask`'s.

    Example:

    >>> Reverse().target("abca")
    'acba'
    """

    def target(self, word: str) -> str:
        """The reversed word."""
        return word[::-1]
