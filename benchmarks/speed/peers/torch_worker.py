"""The worker of PyTorch: eager by default; the argument "compiled step" or "compiled" compiles step or model."""

import sys
import time

import torch
from problem import END, START, Problem, make_pairs, shifted
from serve import Measure, searching, serve, timed_products
from torch.nn import functional as F
from torch_models import make_model

HOW = sys.argv[1] if len(sys.argv) > 1 else "eager"


def step(problem: Problem) -> tuple[float, Measure]:
    """The loss of the first batch; seconds of a training step."""
    torch.compiler.reset()
    model = make_model(problem)
    if HOW == "compiled step":
        model.step = torch.compile(model.step)
    elif HOW == "compiled":
        model.compile()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    arrays = make_pairs(problem)
    sources, previous, targets = (torch.from_numpy(a).long() for a in (arrays[0], shifted(arrays[1]), arrays[1]))

    def loss_of(rows: torch.Tensor | slice) -> torch.Tensor:
        logits = model(sources[rows], previous[rows])
        return F.cross_entropy(logits.flatten(0, 1), targets[rows].flatten())

    def measure(steps: int) -> float:
        began = time.perf_counter()
        batches = torch.randperm(problem.pairs).split(problem.batch)
        total = torch.zeros(())
        for i in range(steps):
            optimizer.zero_grad()
            loss = loss_of(batches[i % len(batches)])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        total.item()
        return (time.perf_counter() - began) / steps

    with torch.no_grad():
        return float(loss_of(slice(problem.batch))), measure


def fit(problem: Problem) -> tuple[None, Measure]:
    """Seconds of a training step, without a check."""
    _, measure = step(problem)
    return None, measure


def first(problem: Problem) -> tuple[None, Measure]:
    """The same: nothing is compiled here."""
    return fit(problem)


def greedy(problem: Problem) -> tuple[list, Measure]:
    """The outputs for the first batch; seconds of a greedy search."""
    torch.compiler.reset()
    model = make_model(problem)
    if HOW == "compiled step":
        model.step = torch.compile(model.step)
    return searching(problem, lambda s: model.greedy(torch.from_numpy(s).long(), problem.steps, START, END).numpy())


def products(problem: Problem) -> tuple[dict[str, int], Measure]:
    """Seconds of each matrix product of a training step."""
    return timed_products(problem, torch.randn, torch.mm)


if __name__ == "__main__":
    torch.set_num_threads(2)
    serve(step, fit, first, greedy, products)
