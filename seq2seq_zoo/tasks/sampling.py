"""Disjoint train, dev and test splits drawn from all sources that there are, however many that is."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from seq2seq_zoo.config.options import OptionError

Draw = Literal["by_length", "uniform"]
Source = tuple[int, tuple[int, ...]]

# Up to this many sources of one length are listed and shuffled; beyond, drawn and compared with those drawn before.
_LISTED = 2**20


def sample(
    spaces: Mapping[int, tuple[int, int]],
    sizes: Mapping[str, int],
    seed: int,
    draw: Draw = "by_length",
    train_max_length: int | None = None,
) -> dict[str, list[Source]]:
    """Draw the splits without replacement.

    1. Each length has one random order of its sources, which depends on the seed and nothing else.
    2. Each split gets a share of each length: the same of each as far as there are enough (`by_length`), or in
       proportion to how many there are (`uniform`). Test chooses first, then dev, then train.
    3. Of no length do test or dev take more than a tenth, unless they must to be filled: there are only ten numbers of
       one digit, and a test that had them all would leave none to learn from.

    So test and dev do not depend on the size of train, and a learning curve is measured on the same pairs all along.

    Args:
        spaces: for each length `(base, columns)`: its sources are all rows of `columns` integers below `base`.
        sizes: how many sources train, dev and test get.
        seed: of all randomness.
        draw: how the lengths share in a split.
        train_max_length: the longest sources of train and dev; test then gets the longer ones only.

    Returns:
        For each split its sources as `(length, row)`, shuffled.

    Raises:
        ValueError: more asked for than there are, or a `train_max_length` that leaves one side without lengths.
    """
    counts = {length: base**columns for length, (base, columns) in spaces.items()}
    longest = max(counts) if train_max_length is None else train_max_length
    near = {length: count for length, count in counts.items() if length <= longest}
    far = {length: count for length, count in counts.items() if length > longest}
    if train_max_length is not None and not (near and far):
        raise OptionError(
            ("train_max_length",),
            f"must leave lengths on both sides, got {train_max_length}; "
            f"there are the lengths {min(counts)} to {max(counts)}.",
        )
    if far:
        _require("test", sizes["test"], far)
        _require("train and dev together", sizes["train"] + sizes["dev"], near)
    else:
        _require("train, dev and test together", sum(sizes.values()), near)

    shares = {"test": _shares(sizes["test"], far or _tenth(near, sizes["test"]), draw)}
    near = {length: count - shares["test"].get(length, 0) for length, count in near.items()}
    shares["dev"] = _shares(sizes["dev"], _tenth(near, sizes["dev"]), draw)
    near = {length: count - shares["dev"][length] for length, count in near.items()}
    shares["train"] = _shares(sizes["train"], near, draw)

    splits: dict[str, list[Source]] = {split: [] for split in ("train", "dev", "test")}
    for length, (base, columns) in spaces.items():
        rows = _distinct(np.random.Generator(np.random.PCG64([seed, length])), base, columns)
        for split, share in shares.items():
            splits[split] += [(length, row) for row in itertools.islice(rows, share.get(length, 0))]
    return {split: _shuffled(drawn, seed) for split, drawn in splits.items()}


def _shuffled(drawn: list[Source], seed: int) -> list[Source]:
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(drawn))
    return [drawn[position] for position in order.tolist()]


def _require(what: str, wanted: int, counts: Mapping[int, int]) -> None:
    exist = sum(counts.values())
    if wanted > exist:
        raise OptionError(
            (),
            f"Asked for {wanted} pairs for {what}, but only {exist} exist (lengths {min(counts)} to {max(counts)}). "
            "Ask for fewer with train_size, dev_size and test_size, or allow more sources.",
        )


def _tenth(counts: Mapping[int, int], wanted: int) -> dict[int, int]:
    exist = max(1, sum(counts.values()))
    return {length: -(-count * max(wanted * 10, exist) // (exist * 10)) for length, count in counts.items()}


def _shares(wanted: int, counts: Mapping[int, int], draw: Draw) -> dict[int, int]:
    shares: dict[int, int] = {}
    exist = sum(counts.values())
    # Scarce lengths first: what they lack falls to the plentiful ones.
    for turn, (length, count) in enumerate(sorted(counts.items(), key=lambda item: (item[1], item[0]))):
        fair = wanted // (len(counts) - turn) if draw == "by_length" else wanted * count // max(1, exist)
        shares[length] = min(count, fair)
        wanted -= shares[length]
        exist -= count
    return shares


def _distinct(random: np.random.Generator, base: int, columns: int) -> Iterator[tuple[int, ...]]:
    """All rows in random order, each once. How many the caller takes changes none of them."""
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
