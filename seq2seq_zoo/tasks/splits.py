"""Dev and test splits drawn at random from the train data of a file, or given and compared with train."""

from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from seq2seq_zoo.data.lines import DataFileError


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Check that dev and test leave something for train.

    Raises:
        ValueError: the sum of the fractions is 1 or more.
    """
    if sum(fractions.values()) >= 1:
        raise ValueError(f"dev_fraction and test_fraction must leave some to train on, got {dict(fractions)}.")


def draw_splits(count: int, fractions: Mapping[str, float], seed: int, what: str) -> dict[str, np.ndarray]:
    """Draw the items of some splits at random; train gets the rest.

    Args:
        count: the number of items to draw from.
        fractions: the share of the items for each split that is drawn.
        seed: the seed of the draw.
        what: the start of the error message, which names the items, such as "pairs.tsv has too few sources".

    Returns:
        For each split in `fractions`, and for train, the positions of its items in random order.

    Raises:
        ValueError: there are too few items.

    Example:

    >>> draw_splits(5, {"dev": 0.2}, seed=0, what="pairs.tsv has too few sources")
    {'dev': array([2]), 'train': array([4, 3, 0, 1])}
    """
    # At least one each: nothing can be measured on an empty split.
    sizes = [max(1, round(fraction * count)) for fraction in fractions.values()]
    if sum(sizes) >= count:
        raise DataFileError(
            f"{what} ({count}) to draw {' and '.join(fractions)} and have some left to train on. Add some, take "
            "smaller fractions, or give the paths of dev and test."
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    return dict(zip([*fractions, "train"], np.split(order, np.cumsum(sizes)), strict=True))


def shared_with_train(sources: Mapping[str, Iterable[Hashable]], name: str) -> list[str]:
    """A line for each split that has sources of train.

    Args:
        sources: the sources of train, and of the splits that have files of their own.
        name: what the sources are called.

    Example:

    >>> shared_with_train({"train": ["a", "b", "c"], "dev": ["b", "d"], "test": ["e"]}, "sources")
    ['dev: 1 of its 2 sources are in train, too']
    """
    if len(sources) == 1:
        return []
    hashes = {split: hashes_of(each) for split, each in sources.items()}
    shared = {split: np.isin(each, hashes["train"]) for split, each in hashes.items() if split != "train"}
    return [
        f"{split}: {each.sum():,} of its {len(each):,} {name} are in train, too"
        for split, each in shared.items()
        if each.any()
    ]


def hashes_of(items: Iterable[Hashable]) -> np.ndarray:
    """The hash of each item: 8 bytes, whatever the size of the item."""
    return np.fromiter(map(hash, items), np.int64)
