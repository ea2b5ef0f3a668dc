"""A synthetic series whose best possible forecast is known."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import Fraction, NonNegative, NonNegativeFloat, Positive, checked
from seq2seq_zoo.tasks.task import Series, tasks
from seq2seq_zoo.tasks.windows import Windows


@tasks.register("seasons", "forecast a synthetic hourly series with seasons, a trend, events and noise")
class Seasons(Windows):
    """A synthetic hourly series of two columns to forecast and one that is known in advance:

        load[t] = 50 + 0.005 t + 10 sin(2 pi t / 24) + 4 sin(4 pi t / 24) + 8 event[t] + noise
        flow[t] = 20 - 0.002 t + 5 cos(2 pi t / 24) - 4 event[t] + noise

    An event starts in any hour with probability 1/24 and lasts 1 to 6 hours; `event` is 1 during an event, else 0. The
    noise is a first-order autoregressive process:

        noise[t] = fading noise[t-1] + new[t],   new[t] normal with standard deviation `noise`, half of it for flow

    The best possible forecast k hours ahead is therefore the curve without noise plus `fading ** k` times the last
    noise. No model can have a smaller error on average. It is reported as a baseline, beside the naive forecast.

    Arguments are `Windows`', and:

    Args:
        targets: the columns to forecast.
        known: columns that are known in advance; their future is read as well.
        period: the length of a season in steps: the seasonal naive forecast repeats the last season of the history.
        steps: the length of the series in hours.
        noise: standard deviation of the new noise in each hour of load.
        fading: share of the noise that remains an hour later.
        seed: seed of the events and the noise.

    Raises:
        ValueError: a column does not exist.
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
            raise ValueError(f"There is no column '{min(unknown)}': the synthetic series has load, flow and event.")

    def stream(self) -> np.ndarray:
        """The curve plus the noise."""
        curve, noise = self._curve_and_noise()
        return curve + noise

    def load(self) -> Series:
        """The windows, with the best possible forecast as a further baseline if events are known in advance."""
        data = super().load()
        if "event" not in self.known:
            return data  # without the events of the future, there is no closed form for the best forecast
        curve, noise = (each[:, : len(self.targets)] for each in self._curve_and_noise())
        fading = self.fading ** np.arange(1, self.horizon + 1)[:, None]

        def best(split: str) -> list[np.ndarray]:
            part = self.parts(self.steps)[split]
            ends = range(part.start + self.history, part.stop - self.horizon + 1)
            return [curve[end : end + self.horizon] + fading * noise[end - 1] for end in ends]

        return dataclasses.replace(data, baselines={**data.baselines, "best possible": best})

    def _curve_and_noise(self) -> tuple[np.ndarray, np.ndarray]:
        """The series without its noise, and the noise: `(steps, columns)` each."""
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
