"""Pairs from tab-separated files, as ids: the preprocessing that a training script needs.

The two arguments of a script are the folder of the files and the seed.
"""

import sys
from pathlib import Path

import numpy as np

SIZES = {"units": 128, "batch": 64, "rate": 0.002, "epochs": 40, "length": 12}
"""The settings of all scripts: units, pairs in a batch, learning rate, greatest number of epochs, longest output."""

PADDING, START, END = 0, 1, 2


class Pairs:
    """Train and dev of digits to words.

    Attributes:
        arrays: the sources and targets of each split, padded to the longest one; targets include the end.
        sizes: the sizes of the vocabularies.
    """

    def __init__(self, folder: Path):
        texts = {split: (folder / f"{split}.tsv").read_text().splitlines() for split in ("train", "dev")}
        pairs = {split: [line.split("\t") for line in lines] for split, lines in texts.items()}
        vocabularies = [
            {token: 3 + i for i, token in enumerate(sorted({s for pair in pairs["train"] for s in pair[side].split()}))}
            for side in (0, 1)
        ]
        self.sizes = [3 + len(vocabulary) for vocabulary in vocabularies]
        lengths = (max(len(p[0].split()) for p in pairs["train"]), SIZES["length"])
        self.arrays = {
            split: [
                np.array([self._ids(pair[side], vocabularies[side], length, end=side == 1) for pair in rows])
                for side, length in enumerate(lengths)
            ]
            for split, rows in pairs.items()
        }

    @staticmethod
    def _ids(text: str, vocabulary: dict[str, int], length: int, end: bool) -> list[int]:
        ids = [vocabulary[token] for token in text.split()] + [END] * end
        return ids + [PADDING] * (length - len(ids))

    @classmethod
    def given(cls) -> tuple["Pairs", int]:
        """The pairs and the seed, from the arguments of this process."""
        return cls(Path(sys.argv[1])), int(sys.argv[2])


def exact_match(outputs: np.ndarray, targets: np.ndarray) -> float:
    """The share of outputs that equal their target, including the end."""
    length = targets.shape[1]
    outputs = np.pad(outputs[:, :length], ((0, 0), (0, max(0, length - outputs.shape[1]))))
    return float((np.where(targets != PADDING, outputs, PADDING) == targets).all(1).mean())


def report_score(epoch: int, score: float) -> bool:
    """Print the score after an epoch, and return whether it is at least 99 %."""
    print(f'{{"epoch": {epoch}, "exact_match": {score}}}', flush=True)
    return score >= 0.99
