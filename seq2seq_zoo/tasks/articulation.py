"""From synthetic sound to the movements that produced it. The best possible error is known."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.options import NonNegative, Positive, PositiveFloat, checked
from seq2seq_zoo.tasks.framewise import FrameTask, Recording
from seq2seq_zoo.tasks.task import Series, tasks

FRAME = 0.01
"""Length of a frame in seconds."""
DECAY = math.exp(-FRAME / 0.1)
"""The share of a command that remains in the next frame."""
COMMAND_NOISE = math.sqrt(1 - DECAY**2)
"""Standard deviation of the noise added to a command in each frame; the command's own is then 1."""

Frames = Literal["all", "past", "one"]
"""The frames that an estimate may use: all of the sequence, those up to its own, or its own only."""


@tasks.register("articulation", "acoustic features into the movements behind them, frame by frame; synthetic")
class Articulation(FrameTask):
    """Articulators that move by simple physics, and the sound that they produce.

    1. An articulator is a mass on a critically damped spring. Its rest position, the command `g`, is a random process:

           x'' = w^2 (g - x) - 2 w x',   g[t] = exp(-0.1) g[t-1] + normal noise

       The equation is solved exactly from frame to frame of 10 ms. The rates `w` range from 8 per second for the first
       articulator to 30 for the last. Positions have mean 0 and standard deviation 1.
    2. Each acoustic feature `u` is a weighted sum of all positions plus normal noise of standard deviation `noise`,
       compressed as loudness is: `arcsinh(3 u)`. The weights are orthogonal, and scaled so that without noise the
       standard deviation of `u` is 1 on average.

    The compression can be inverted, which leaves a linear Gaussian problem. Its best possible estimate is a matrix
    product, like that of a Kalman smoother. No model can be better on average than the best estimate from the frames
    that it reads: all frames (a bidirectional encoder), the frames so far (a unidirectional one), or a single frame.
    All three are reported as baselines. With scaling `sequence` this does not hold, because outputs are then converted
    back by the mean and scale of the test targets.

    Arguments are `FrameTask`'s, and:

    Args:
        acoustics: number of acoustic features, at least as many as articulators.
        articulators: number of articulators, the features to predict.
        noise: standard deviation of the noise in each acoustic feature.
        min_frames: length of the shortest sequence in frames of 10 ms.
        max_frames: length of the longest sequence in frames.
        train_size: number of sequences in train.
        dev_size: number of sequences in dev.
        test_size: number of sequences in test.
        seed: seed of all random draws.

    Raises:
        ValueError: there are fewer acoustic features than articulators, or `min_frames` is above `max_frames`.
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
        """The rows, and as baselines the best estimates from all frames, from those so far, and from one frame."""
        data = super().load()

        def best(frames: Frames) -> Callable[[str], list[np.ndarray]]:
            return lambda split: [self.estimate(source, frames) for _, source, _ in self.recordings()[split]]

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
        initial = np.array([np.linalg.cholesky(covariance) for _, covariance in motions])
        transition = np.array([step for step, _ in motions])
        states = np.einsum("aij,naj->nai", initial, random.normal(size=(count, len(self.targets), 3)))
        positions = np.empty((self.frames[1], count, len(self.targets)))
        for frame in positions:
            frame[:] = states[:, :, 0] / np.sqrt([covariance[0, 0] for _, covariance in motions])
            states = np.einsum("aij,naj->nai", transition, states)
            states[:, :, 2] += COMMAND_NOISE * random.normal(size=states.shape[:2])
        features = positions @ weights.T
        features += self.noise * random.normal(size=features.shape)
        sound = np.arcsinh(3 * features)
        made = iter(
            Recording(str(number), sound[:length, number], positions[:length, number])
            for number, length in enumerate(lengths.tolist())
        )
        return {split: [next(made) for _ in range(size)] for split, size in self.sizes.items()}

    def estimate(self, sound: np.ndarray, frames: Frames) -> np.ndarray:
        """The conditional mean of the positions, given the sound of some frames: `(frames, articulators)`.

        Args:
            sound: the acoustic features of a sequence, `(frames, acoustics)`.
            frames: the frames that the estimate of each frame may use.
        """
        share = len(self.targets) / len(self.sources)
        # The weights are orthogonal, so their transpose separates the positions, each with independent noise.
        noisy = share * (np.sinh(sound) / 3) @ self._weights(self._random())
        variance = share * self.noise**2
        if frames == "one":
            return noisy / (1 + variance)
        estimates = np.empty_like(noisy)
        for number, rate in enumerate(self._rates()):
            prior = autocovariance(rate, len(sound))
            root = np.linalg.cholesky(prior + variance * np.eye(len(sound)))
            # The innovations: the part of each frame that the frames before it do not predict. They are independent.
            innovations, gain = np.linalg.solve(root, noisy[:, number]), np.linalg.solve(root, prior).T
            estimates[:, number] = (gain if frames == "all" else np.tril(gain)) @ innovations
        return estimates

    def _random(self) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self.seed))

    def _rates(self) -> np.ndarray:
        return np.linspace(8, 30, len(self.targets))

    def _weights(self, random: np.random.Generator) -> np.ndarray:
        """The weights of the acoustic features, the first thing drawn: `(acoustics, articulators)`."""
        orthogonal, _ = np.linalg.qr(random.normal(size=(len(self.sources), len(self.targets))))
        return orthogonal * np.sqrt(len(self.sources) / len(self.targets))


def motion(rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The linear dynamics of an articulator's state: position, velocity and command.

    Args:
        rate: `w`, per second.

    Returns:
        `(step, covariance)`: the transition matrix from one frame to the next, without the new noise of the command;
        and the stationary covariance of the state.
    """
    wt = rate * FRAME
    fade = np.exp(-wt)
    step = np.array(
        [
            [(1 + wt) * fade, FRAME * fade, 1 - (1 + wt) * fade],
            [-rate * wt * fade, (1 - wt) * fade, rate * wt * fade],
            [0, 0, DECAY],
        ]
    )
    noise = np.diag([0, 0, COMMAND_NOISE**2])
    # covariance = step covariance step' + noise
    covariance = np.linalg.solve(np.eye(9) - np.kron(step, step), noise.ravel()).reshape(3, 3)
    return step, covariance


def autocovariance(rate: float, frames: int) -> np.ndarray:
    """The covariance of an articulator's position, scaled to variance 1, between all frames: `(frames, frames)`."""
    step, covariance = motion(rate)
    column, by_lag = covariance[:, 0] / covariance[0, 0], np.empty(frames)
    for lag in range(frames):
        by_lag[lag] = column[0]
        column = step @ column
    return by_lag[np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))]
