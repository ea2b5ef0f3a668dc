"""From sound to the movements that made it, by a rule whose best possible error is known."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.options import NonNegative, Positive, PositiveFloat, checked
from seq2seq_zoo.tasks.framewise import FrameTask, Recording
from seq2seq_zoo.tasks.task import Series, tasks

FRAME = 0.01
"""Seconds."""
KEPT = math.exp(-FRAME / 0.1)
"""Of a command, from one frame to the next."""
NEW = math.sqrt(1 - KEPT**2)
"""Standard deviation of what is new in a command, so that its own stays 1."""

Seen = Literal["all", "past", "one"]


@tasks.register("articulation", "acoustic features into the movements behind them, a frame at a time; made up")
class Articulation(FrameTask):
    """Articulators that a simple physics moves, and what is heard of them.

    1. An articulator is a mass on a critically damped spring. Its rest position, the command `g`, wanders,

           x'' = w^2 (g - x) - 2 w x',   g[t] = exp(-0.1) g[t-1] + normal noise

       solved exactly from frame to frame of 10 ms; rates `w` go from 8 a second for the first articulator to 30 for
       the last. Positions have mean 0 and deviation 1.
    2. Each acoustic feature is a weighted sum of all positions, with normal noise of deviation `noise` on it, and
       compressed as loudness is: `arcsinh(3 u)`. The weights are orthogonal, and large enough that without noise a
       feature's deviation is 1 on average.

    The compression can be undone, so what is left is a linear Gaussian problem, whose best possible estimate is a
    matrix product (as of a Kalman smoother). No model can do better on average than from the frames that it sees: all
    of them (in both directions), those so far (in one), or a single one. All three are measured beside the model. That
    holds for scalings that know nothing of the test targets: with `sequence`, the way back to their unit does.

    Arguments are `FrameTask`'s, and:

    Args:
        acoustics: features of the sound, at least as many as articulators.
        articulators: features to find.
        noise: standard deviation of what is added to each acoustic feature.
        min_frames: frames of the shortest sequence; a frame is 10 ms.
        max_frames: frames of the longest sequence.
        train_size: sequences in train.
        dev_size: sequences in dev.
        test_size: sequences in test.
        seed: of everything that is drawn.

    Raises:
        ValueError: fewer acoustic features than articulators; `min_frames` above `max_frames`.
    """

    @checked
    def __init__(
        self,
        acoustics: Positive = 39,
        articulators: Positive = 6,
        noise: PositiveFloat = 1.0,
        min_frames: Positive = 40,
        max_frames: Positive = 120,
        train_size: Positive = 1600,
        dev_size: Positive = 50,
        test_size: Positive = 50,
        seed: NonNegative = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sources = [f"acoustic {number}" for number in range(1, acoustics + 1)]
        self.targets = [f"articulator {number}" for number in range(1, articulators + 1)]
        self.noise = noise
        self.frames = min_frames, max_frames
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed
        if acoustics < articulators:
            raise ValueError(f"acoustics ({acoustics}) must not be below articulators ({articulators}).")
        if min_frames > max_frames:
            raise ValueError(f"min_frames ({min_frames}) must not be above max_frames ({max_frames}).")

    def load(self) -> Series:
        """The rows, and beside them the best estimates from as many frames as they see."""
        data = super().load()

        def best(seen: Seen) -> Callable[[str], list[np.ndarray]]:
            return lambda split: [self.estimate(source, seen) for _, source, _ in self.recordings()[split]]

        return dataclasses.replace(
            data,
            baselines={"best from all": best("all"), "from frames so far": best("past"), "from one": best("one")},
        )

    def recordings(self) -> Mapping[str, list[Recording]]:
        """The sequences of each split."""
        random = self._random()
        weights = self._weights(random)
        count = sum(self.sizes.values())
        lengths = random.integers(self.frames[0], self.frames[1] + 1, size=count)
        motions = [motion(rate) for rate in self._rates()]
        begin = np.array([np.linalg.cholesky(spread) for _, spread in motions])
        go = np.array([step for step, _ in motions])
        states = np.einsum("aij,naj->nai", begin, random.normal(size=(count, len(self.targets), 3)))
        positions = np.empty((self.frames[1], count, len(self.targets)))
        for frame in positions:
            frame[:] = states[:, :, 0] / np.sqrt([spread[0, 0] for _, spread in motions])
            states = np.einsum("aij,naj->nai", go, states)
            states[:, :, 2] += NEW * random.normal(size=states.shape[:2])
        heard = positions @ weights.T
        heard += self.noise * random.normal(size=heard.shape)
        sound = np.arcsinh(3 * heard)
        made = iter(
            Recording(str(number), sound[:length, number], positions[:length, number])
            for number, length in enumerate(lengths.tolist())
        )
        return {split: [next(made) for _ in range(size)] for split, size in self.sizes.items()}

    def estimate(self, sound: np.ndarray, seen: Seen) -> np.ndarray:
        """The positions that are likeliest on average, given what is heard of them in the frames that are seen."""
        share = len(self.targets) / len(self.sources)
        heard = share * (np.sinh(sound) / 3) @ self._weights(self._random())  # positions with noise, apart again
        variance = share * self.noise**2
        if seen == "one":
            return heard / (1 + variance)
        found = np.empty_like(heard)
        for number, rate in enumerate(self._rates()):
            alike = covariance(rate, len(sound))
            root = np.linalg.cholesky(alike + variance * np.eye(len(sound)))
            # What each frame tells that those before did not; and what of it is to be believed.
            news, belief = np.linalg.solve(root, heard[:, number]), np.linalg.solve(root, alike).T
            found[:, number] = (belief if seen == "all" else np.tril(belief)) @ news
        return found

    def _random(self) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self.seed))

    def _rates(self) -> np.ndarray:
        return np.linspace(8, 30, len(self.targets))

    def _weights(self, random: np.random.Generator) -> np.ndarray:
        """`(acoustics, articulators)`: what is drawn first."""
        orthogonal, _ = np.linalg.qr(random.normal(size=(len(self.sources), len(self.targets))))
        return orthogonal * np.sqrt(len(self.sources) / len(self.targets))


def motion(rate: float) -> tuple[np.ndarray, np.ndarray]:
    """How an articulator goes from one frame to the next.

    Args:
        rate: `w`, a second.

    Returns:
        `(step, spread)`: the matrix that takes position, velocity and command to those of the next frame, but for what
        is new in the command; and the covariance that the three have at any time.
    """
    wt = rate * FRAME
    fade = np.exp(-wt)
    step = np.array(
        [
            [(1 + wt) * fade, FRAME * fade, 1 - (1 + wt) * fade],
            [-rate * wt * fade, (1 - wt) * fade, rate * wt * fade],
            [0, 0, KEPT],
        ]
    )
    new = np.diag([0, 0, NEW**2])
    # spread = step spread step' + new
    spread = np.linalg.solve(np.eye(9) - np.kron(step, step), new.ravel()).reshape(3, 3)
    return step, spread


def covariance(rate: float, frames: int) -> np.ndarray:
    """Of an articulator's position, scaled to deviation 1, between any two of its frames: `(frames, frames)`."""
    step, spread = motion(rate)
    column, alike = spread[:, 0] / spread[0, 0], np.empty(frames)
    for lag in range(frames):
        alike[lag] = column[0]
        column = step @ column
    return alike[np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))]
