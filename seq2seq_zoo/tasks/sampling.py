"""Disjoint train, dev and test splits, drawn from the space of all possible sources."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from seq2seq_zoo.config.options import OptionError

Draw = Literal["by_length", "uniform", "balanced"]
Source = tuple[int, tuple[int, ...]]

# Up to this many sources of one length are listed and shuffled. More are drawn one by one, without repetition.
_LISTED = 2**20


def sample(
    spaces: Mapping[int, tuple[int, int]],
    sizes: Mapping[str, int],
    seed: int,
    draw: Draw = "by_length",
    train_max_length: int | None = None,
) -> dict[str, list[Source]]:
    """Draw the splits without replacement.

    1. The sources of each length are put in a random order, which depends on the seed only.
    2. Each split gets a number of sources of each length: the same for all lengths, as far as there are enough
       (`by_length`), or in proportion to the number of sources of that length (`uniform`). Test is drawn first, then
       dev, then train.
    3. Test and dev take at most a tenth of the sources of each length, unless they cannot be filled otherwise. There
       are only ten numbers with one digit, for example: a test split with all of them would leave none for train.

    Test and dev therefore do not depend on the size of train, and all points of a learning curve are measured on the
    same pairs.

    `balanced` is `by_length` for a model that must know every short source: a length with fewer sources than its share
    of train has all of them in train, repeated until they are its share, and none in test and dev.

    Args:
        spaces: for each length `(base, columns)`: its sources are all rows of `columns` integers below `base`.
        sizes: the number of sources in train, dev and test.
        seed: the seed of the random draw.
        draw: how the sources of a split are distributed over the lengths.
        train_max_length: the longest sources of train and dev; test then has only longer ones.

    Returns:
        For each split its sources as `(length, row)`, shuffled.

    Raises:
        ValueError: there are fewer possible sources than requested, or `train_max_length` leaves no length for train
            or for test.
    """
    counts = {length: base**columns for length, (base, columns) in spaces.items()}
    longest = max(counts) if train_max_length is None else train_max_length
    near = {length: count for length, count in counts.items() if length <= longest}
    far = {length: count for length, count in counts.items() if length > longest}
    if train_max_length is not None and not (near and far):
        raise OptionError(
            ("train_max_length",),
            f"must leave lengths for train and for test, got {train_max_length} with the lengths "
            f"{min(counts)} to {max(counts)}.",
        )
    fair = sizes["train"] // len(near)
    repeated = {length: fair for length, count in near.items() if draw == "balanced" and count < fair}
    near = {length: count for length, count in near.items() if length not in repeated}
    if not near:
        raise OptionError(
            ("draw",),
            f"balanced repeats all sources to fill a train_size of {sizes['train']}, and leaves none for dev: lower "
            "train_size, or allow longer sources.",
        )
    sizes = {**sizes, "train": sizes["train"] - sum(repeated.values())}
    besides = f", besides those of length {' and '.join(map(str, repeated))}, all in train" if repeated else ""
    if far:
        _require("test", sizes["test"], far)
        _require(f"train and dev together{besides}", sizes["train"] + sizes["dev"], near)
    else:
        _require(f"train, dev and test together{besides}", sum(sizes.values()), near)

    shares = {"test": _shares(sizes["test"], far or _tenth(near, sizes["test"]), draw)}
    near = {length: count - shares["test"].get(length, 0) for length, count in near.items()}
    shares["dev"] = _shares(sizes["dev"], _tenth(near, sizes["dev"]), draw)
    near = {length: count - shares["dev"][length] for length, count in near.items()}
    shares["train"] = _shares(sizes["train"], near, draw) | repeated

    splits: dict[str, list[Source]] = {split: [] for split in ("train", "dev", "test")}
    for length, (base, columns) in spaces.items():
        rows = _distinct(np.random.Generator(np.random.PCG64([seed, length])), base, columns)
        rows = itertools.cycle(rows) if length in repeated else rows
        for split, share in shares.items():
            splits[split] += [(length, row) for row in itertools.islice(rows, share.get(length, 0))]
    return {split: _shuffled(drawn, seed) for split, drawn in splits.items()}


def length_range(min_length: int, max_length: int) -> range:
    """The lengths from `min_length` to `max_length`, both included.

    Raises:
        ValueError: `min_length` is above `max_length`.

    Example:

    >>> list(length_range(2, 4))
    [2, 3, 4]
    """
    if min_length > max_length:
        raise ValueError(f"`min_length` must be at most `max_length`, got {min_length} and {max_length}.")
    return range(min_length, max_length + 1)


def _shuffled(drawn: list[Source], seed: int) -> list[Source]:
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(drawn))
    return [drawn[position] for position in order.tolist()]


def _require(split: str, wanted: int, counts: Mapping[int, int]) -> None:
    exist = sum(counts.values())
    if wanted > exist:
        raise OptionError(
            (),
            f"Asked for {wanted} pairs for {split}, but only {exist} exist (lengths {min(counts)} to {max(counts)}). "
            "Ask for fewer with train_size, dev_size and test_size, or allow more sources.",
        )


def _tenth(counts: Mapping[int, int], wanted: int) -> dict[int, int]:
    """At most how many sources of each length a split may take: a tenth, or more if it cannot be filled otherwise."""
    exist = max(1, sum(counts.values()))
    return {length: -(-count * max(wanted * 10, exist) // (exist * 10)) for length, count in counts.items()}


def _shares(wanted: int, counts: Mapping[int, int], draw: Draw) -> dict[int, int]:
    """How many sources of each length a split gets."""
    shares: dict[int, int] = {}
    exist = sum(counts.values())
    # The lengths with the fewest sources come first, so that the others make up for what they lack.
    for turn, (length, count) in enumerate(sorted(counts.items(), key=lambda item: (item[1], item[0]))):
        fair = wanted * count // max(1, exist) if draw == "uniform" else wanted // (len(counts) - turn)
        shares[length] = min(count, fair)
        wanted -= shares[length]
        exist -= count
    return shares


def _distinct(random: np.random.Generator, base: int, columns: int) -> Iterator[tuple[int, ...]]:
    """All rows in random order, each once. The order does not depend on how many of them the caller takes."""
    count = base**columns
    if count <= _LISTED:
        powers = np.array([base**power for power in reversed(range(columns))])
        for index in random.permutation(count):
            yield tuple((index // powers % base).tolist())
        return
    seen: set[tuple[int, ...]] = set()
    while True:
        for row in map(tuple, random.integers(base, size=(1024, columns)).tolist()):
            if row not in seen:
                seen.add(row)
                yield row
