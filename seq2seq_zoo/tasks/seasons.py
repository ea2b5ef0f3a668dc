"""A made-up series whose best possible forecast is known."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import Fraction, NonNegative, NonNegativeFloat, Positive, checked
from seq2seq_zoo.tasks.task import Series, tasks
from seq2seq_zoo.tasks.windows import Windows


@tasks.register("seasons", "a made-up hourly series with seasons, a trend, events and noise, to be forecast")
class Seasons(Windows):
    """An hourly series of two columns, and of one that is known in advance:

        load[t] = 50 + 0.005 t + 10 sin(2 pi t / 24) + 4 sin(4 pi t / 24) + 8 event[t] + noise
        flow[t] = 20 - 0.002 t + 5 cos(2 pi t / 24) - 4 event[t] + noise

    An event begins in any hour with probability 1/24 and lasts 1 to 6 hours; `event` is 1 then, and 0 else. Noise fades
    by a factor an hour while new noise is added,

        noise[t] = fading noise[t-1] + new[t],   new[t] normal with standard deviation `noise`, 0.5 of that for flow

    so the best possible forecast k hours ahead is the curve without noise and, on it, `fading ** k` of the last noise.
    Its error is all that no model can foresee; it is measured beside the naive forecast.

    Arguments are `Windows`', and:

    Args:
        targets: the columns to forecast.
        known: columns that are known in advance, whose future is read as well.
        period: steps of a season, with which the naive forecast repeats what was.
        steps: hours.
        noise: standard deviation of what is new in each hour of load.
        fading: share of the noise that is still there an hour later.
        seed: of events and noise.

    Raises:
        ValueError: a column that there is not.
    """

    @checked
    def __init__(
        self,
        targets: tuple[str, ...] = ("load", "flow"),
        known: tuple[str, ...] = ("event",),
        period: Positive = 24,
        steps: Positive = 6000,
        noise: NonNegativeFloat = 2.0,
        fading: Fraction = 0.8,
        seed: NonNegative = 0,
        **kwargs: Any,
    ):
        super().__init__(targets, known=known, period=period, **kwargs)
        self.steps = steps
        self.noise = noise
        self.fading = fading
        self.seed = seed
        if unknown := set(self.columns) - {"load", "flow", "event"}:
            raise ValueError(f"There is no column '{min(unknown)}': the made-up series has load, flow and event.")

    def stream(self) -> np.ndarray:
        """Curve and noise."""
        curve, noise = self._made()
        return curve + noise

    def load(self) -> Series:
        """The windows, and beside them the best possible forecast where events are known in advance."""
        data = super().load()
        if "event" not in self.known:
            return data  # when one begins, nobody knows; nor is there a formula for how likely each is
        curve, noise = (each[:, : len(self.targets)] for each in self._made())
        fading = self.fading ** np.arange(1, self.horizon + 1)[:, None]

        def best(split: str) -> list[np.ndarray]:
            part = self.parts(self.steps)[split]
            ends = range(part.start + self.history, part.stop - self.horizon + 1)
            return [curve[end : end + self.horizon] + fading * noise[end - 1] for end in ends]

        return dataclasses.replace(data, baselines={**data.baselines, "best possible": best})

    def _made(self) -> tuple[np.ndarray, np.ndarray]:
        """The stream without its noise, and the noise: `(steps, columns)` each."""
        random = np.random.Generator(np.random.PCG64(self.seed))
        t = np.arange(self.steps)
        event = np.zeros(self.steps)
        for start in np.flatnonzero(random.random(self.steps) < 1 / 24):
            event[start : start + random.integers(1, 7)] = 1
        day = 2 * np.pi * t / 24
        curves = {
            "load": 50 + 0.005 * t + 10 * np.sin(day) + 4 * np.sin(2 * day) + 8 * event,
            "flow": 20 - 0.002 * t + 5 * np.cos(day) - 4 * event,
            "event": event,
        }
        noise = random.normal(size=(self.steps, 3)) * self.noise * (1, 0.5, 0)
        for before, now in itertools.pairwise(noise):
            now += self.fading * before
        places = [list(curves).index(name) for name in self.columns]
        return np.column_stack([curves[name] for name in self.columns]), noise[:, places]
