"""The smallest task: copy the source."""

from seq2seq_zoo.tasks.letters import LetterTask
from seq2seq_zoo.tasks.task import tasks


@tasks.register("copy", "copy a random word: 'abca' -> 'abca'")
class Copy(LetterTask):
    """The target is the source. Arguments are `LetterTask`'s.

    Example:

    >>> Copy().target("abca")
    'abca'
    """

    def target(self, word: str) -> str:
        """The word itself."""
        return word
