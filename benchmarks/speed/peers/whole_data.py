"""Pairs from tab-separated files, as ids: what a script of its own has to do before it can train.

The folder of the files and the seed are a script's two arguments.
"""

import sys
from pathlib import Path

import numpy as np

SIZES = {"units": 128, "batch": 64, "rate": 0.002, "epochs": 40, "length": 12}
"""What all have in common: units and embeddings, pairs in a batch, Adam's rate, the most epochs and outputs."""

PADDING, START, END = 0, 1, 2


class Pairs:
    """Train and dev of digits to words.

    Attributes:
        arrays: for each split sources and targets, padded to the longest; targets with their end.
        sizes: of the vocabularies.
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
        """The pairs and the seed of this process's arguments."""
        return cls(Path(sys.argv[1])), int(sys.argv[2])


def exact_match(outputs: np.ndarray, targets: np.ndarray) -> float:
    """The share of outputs that are right up to and with their end."""
    length = targets.shape[1]
    outputs = np.pad(outputs[:, :length], ((0, 0), (0, max(0, length - outputs.shape[1]))))
    return float((np.where(targets != PADDING, outputs, PADDING) == targets).all(1).mean())


def say(epoch: int, score: float) -> bool:
    """Tell the score after an epoch; whether it is enough."""
    print(f'{{"epoch": {epoch}, "exact_match": {score}}}', flush=True)
    return score >= 0.99
