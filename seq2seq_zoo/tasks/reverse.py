"""The second smallest task: say it backwards."""

from seq2seq_zoo.tasks.letters import LetterTask
from seq2seq_zoo.tasks.task import tasks


@tasks.register("reverse", "say a made-up word backwards: 'abca' -> 'acba'")
class Reverse(LetterTask):
    """A word's letters from last to first; the arguments are those of `LetterTask`.

    Example:

    >>> Reverse().answer("abca")
    'acba'
    """

    def answer(self, word: str) -> str:
        """The word backwards."""
        return word[::-1]
