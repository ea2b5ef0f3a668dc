"""The smallest task: say it again."""

from seq2seq_zoo.tasks.letters import LetterTask
from seq2seq_zoo.tasks.task import tasks


@tasks.register("copy", "say a made-up word again: 'abca' -> 'abca'")
class Copy(LetterTask):
    """A word's letters in the same order; the arguments are those of `LetterTask`.

    Example:

    >>> Copy().answer("abca")
    'abca'
    """

    def answer(self, word: str) -> str:
        """The word."""
        return word
