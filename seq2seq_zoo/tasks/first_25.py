"""The five training pairs of this project's first ancestor."""

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.digits_to_words import spell
from seq2seq_zoo.tasks.task import Data, Task, tasks


@tasks.register(
    "first_25", "the five pairs of 2016, '1 2 3 4 5' -> 'one two three four five' up to 25, to be memorised"
)
class First25(Task):
    """The numbers 1 to 25 in five rows of five, and their words.

    A toy task to memorise: train, dev and test are the same five pairs, so its scores say nothing about unseen data.
    Sources and targets share one vocabulary: padding has the id 0, the 50 tokens have the ids 1 to 50, sorted as text
    ('1', '10', '11', …), and start, end and unknown follow. Sources are padded on the left.

    Args:
        specials: whether the vocabulary has start, end and unknown; the original had none, and always generated five
            words.

    Example:

    >>> data = First25().load()
    >>> data.splits["train"][4]
    ('21 22 23 24 25', 'twenty_one twenty_two twenty_three twenty_four twenty_five')
    >>> data.source.encode("1 2 3 4 5")
    [1, 12, 19, 20, 21]

    Reference:
        https://github.com/jacoxu/encoder_decoder
    """

    @checked
    def __init__(self, specials: bool = True):
        self.specials = specials

    def load(self) -> Data:
        """The same five pairs for each split, and the shared vocabulary."""
        words = {str(number): "_".join(spell(number)) for number in range(1, 26)}
        numbers = list(words)
        rows = [numbers[first : first + 5] for first in range(0, 25, 5)]
        pairs = [(" ".join(row), " ".join(words[number] for number in row)) for row in rows]
        tokens = sorted([*words.keys(), *words.values()])
        if self.specials:
            vocabulary = Vocabulary(["<pad>", *tokens, "<start>", "<end>", "<unk>"], " ", start=51, end=52, unknown=53)
        else:
            vocabulary = Vocabulary(["<pad>", *tokens], " ", start=None, end=None, unknown=None)
        return Data({split: list(pairs) for split in ("train", "dev", "test")}, vocabulary, vocabulary, "left")
