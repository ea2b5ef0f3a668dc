"""Commands in a small formal English into the actions that they mean: SCAN."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.task import Data, Pair, Task, tasks

LONGEST = 22
"""The greatest number of actions in train and dev of the length split."""

Phrase = tuple[str, list[str]]


@tasks.register("scan", "SCAN, commands into actions: 'jump left twice' -> 'I_TURN_LEFT I_JUMP I_TURN_LEFT I_JUMP'")
class Scan(Task):
    """All 20,910 commands of SCAN's grammar, and their sequences of actions.

    A command has up to nine words, and a sequence up to 48 actions. The split `simple` draws the commands of train at
    random, and its test split has all commands that are in neither train nor dev. The split `length` trains on
    sequences of up to 22 actions, and tests on all longer ones, which have 24 to 48.

    The original has no dev split. Here, dev has commands of the same kind as train that are in neither train nor test.

    Args:
        split: `simple` for a random split, `length` for short sequences in train and long ones in test.
        train_size: number of pairs in train; by default 16,728 (four in five) for `simple`, and all that remain for
            `length`.
        dev_size: number of pairs in dev.
        seed: seed of the random draw.

    Raises:
        ValueError: on loading, there are fewer pairs than requested.

    Example:

    >>> data = Scan().load()
    >>> {split: len(pairs) for split, pairs in data.splits.items()}
    {'train': 16728, 'dev': 400, 'test': 3782}
    >>> dict(sum(data.splits.values(), []))["turn around right and jump opposite left"]
    'I_TURN_RIGHT I_TURN_RIGHT I_TURN_RIGHT I_TURN_RIGHT I_TURN_LEFT I_TURN_LEFT I_JUMP'

    Reference:
        Lake and Baroni 2018, Generalization without Systematicity, figure 1 and appendix; arXiv:1711.00350
    """

    @checked
    def __init__(
        self,
        split: Literal["simple", "length"] = "simple",
        train_size: Positive | None = None,
        dev_size: Positive = 400,
        seed: NonNegative = 0,
    ):
        self.split = split
        self.train_size = train_size
        self.dev_size = dev_size
        self.seed = seed

    def load(self) -> Data:
        """The pairs and the vocabularies, which have the words and actions of all commands."""
        pairs = [(command, " ".join(actions)) for command, actions in commands()]
        order = np.random.Generator(np.random.PCG64(self.seed)).permutation(len(pairs))
        near = [pairs[position] for position in order.tolist()]
        far: list[Pair] = []
        if self.split == "length":
            far = [pair for pair in near if _length(pair) > LONGEST]
            near = [pair for pair in near if _length(pair) <= LONGEST]
        default = 16_728 if self.split == "simple" else max(1, len(near) - self.dev_size)
        train_size = self.train_size or default
        wanted, needed = train_size + self.dev_size, len(near) - (self.split == "simple")
        if wanted > needed:
            raise OptionError(
                (),
                f"Asked for {wanted} pairs for train and dev together, but the split '{self.split}' has only {needed} "
                "for them. Ask for fewer with train_size and dev_size.",
            )
        splits = {
            "train": near[:train_size],
            # Dev comes from the end, so that it is the same for every size of train.
            "dev": near[-self.dev_size :],
            "test": far or near[train_size : -self.dev_size],
        }
        return Data(
            splits,
            source=Vocabulary.build((command for command, _ in pairs), " "),
            target=Vocabulary.build((actions for _, actions in pairs), " "),
        )


def commands() -> Iterator[Phrase]:
    """All commands, each with its actions, in the order of the grammar.

    Example:

    >>> len(list(commands()))
    20910
    >>> dict(commands())["walk after run twice"]
    ['I_RUN', 'I_RUN', 'I_WALK']
    """
    phrases = [
        (command + suffix, actions * times)
        for command, actions in _movements()
        for suffix, times in (("", 1), (" twice", 2), (" thrice", 3))
    ]
    yield from phrases
    for first, first_actions in phrases:
        for second, second_actions in phrases:
            yield f"{first} and {second}", first_actions + second_actions
            yield f"{first} after {second}", second_actions + first_actions


def _movements() -> Iterator[Phrase]:
    """The commands without repetition and conjunction."""
    for verb in ("walk", "look", "run", "jump", "turn"):
        # Turning is done by the direction alone.
        own = [] if verb == "turn" else [f"I_{verb.upper()}"]
        if own:
            yield verb, own
        for direction in ("left", "right"):
            turn = [f"I_TURN_{direction.upper()}"]
            yield f"{verb} {direction}", turn + own
            yield f"{verb} opposite {direction}", turn * 2 + own
            yield f"{verb} around {direction}", (turn + own) * 4


def _length(pair: Pair) -> int:
    return pair[1].count(" ") + 1
