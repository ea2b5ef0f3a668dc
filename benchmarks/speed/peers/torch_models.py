"""Encoder-decoders as PyTorch's users write them."""

import torch
from problem import Problem, Weights, make_weights
from torch import Tensor, nn

CELLS = {"lstm": (nn.LSTM, nn.LSTMCell), "gru": (nn.GRU, nn.GRUCell)}


class Fused(nn.Module):
    """Basic, feedback and peek: all steps of both sides by `nn.LSTM` or `nn.GRU`."""

    def __init__(self, problem: Problem):
        super().__init__()
        self.mode, units = problem.mode, problem.units
        recurrent, _ = CELLS[problem.cell]
        self.source_embedding = nn.Embedding(problem.sources, units)
        self.encoder = recurrent(units, units, problem.depth, batch_first=True)
        self.bridge = nn.Linear(units, problem.depth * problem.states * units)
        if self.mode != "basic":
            self.target_embedding = nn.Embedding(problem.vocabulary, units)
        self.decoder = recurrent(2 * units if self.mode == "peek" else units, units, problem.depth, batch_first=True)
        self.readout = nn.Linear(units, problem.vocabulary)
        self.shape = (problem.depth, problem.states, units)

    def forward(self, source: Tensor, previous: Tensor) -> Tensor:
        """Logits `(batch, length, vocabulary)`."""
        outputs, _ = self.encoder(self.source_embedding(source))
        summary = outputs[:, -1]
        states = torch.tanh(self.bridge(summary)).unflatten(-1, self.shape).permute(2, 1, 0, 3).contiguous()
        states = tuple(states) if len(states) == 2 else states[0]
        repeated = summary.unsqueeze(1).expand(-1, previous.shape[1], -1)
        if self.mode == "basic":
            x = repeated
        elif self.mode == "feedback":
            x = self.target_embedding(previous)
        else:
            x = torch.cat([self.target_embedding(previous), repeated], dim=-1)
        outputs, _ = self.decoder(x, states)
        return self.readout(outputs)


class Attention(nn.Module):
    """Additive attention: the encoder by `nn.LSTM` or `nn.GRU`, the decoder by a cell in a Python loop."""

    def __init__(self, problem: Problem):
        super().__init__()
        units = problem.units
        recurrent, cell = CELLS[problem.cell]
        self.source_embedding = nn.Embedding(problem.sources, units)
        self.encoder = recurrent(units, units, batch_first=True)
        self.bridge = nn.Linear(units, problem.states * units)
        self.target_embedding = nn.Embedding(problem.vocabulary, units)
        self.query = nn.Linear(units, units, bias=False)
        self.key = nn.Linear(units, units)
        self.score = nn.Linear(units, 1, bias=False)
        self.decoder = cell(2 * units, units)
        self.readout = nn.Linear(2 * units, problem.vocabulary)
        self.states = problem.states

    def initialize(self, source: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The memory (values, keys, padding) and the initial states."""
        padding = source == 0
        values, _ = self.encoder(self.source_embedding(source))
        summary = values[torch.arange(len(source)), (~padding).sum(1) - 1]
        states = torch.tanh(self.bridge(summary)).chunk(self.states, dim=-1)
        return (values, self.key(values), padding), states

    def step(
        self, embedded: Tensor, states: tuple[Tensor, ...], values: Tensor, keys: Tensor, padding: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Features for the readout, and the next states."""
        scores = self.score(torch.tanh(self.query(states[0]).unsqueeze(1) + keys)).squeeze(-1)
        weights = scores.masked_fill(padding, -torch.inf).softmax(-1)
        context = torch.bmm(weights.unsqueeze(1), values).squeeze(1)
        x = torch.cat([embedded, context], dim=-1)
        states = self.decoder(x, states) if len(states) == 2 else (self.decoder(x, states[0]),)
        return torch.cat([states[0], context], dim=-1), states

    def forward(self, source: Tensor, previous: Tensor) -> Tensor:
        """Logits `(batch, length, vocabulary)`, with teacher forcing."""
        memory, states = self.initialize(source)
        features = []
        for embedded in self.target_embedding(previous).unbind(1):
            each, states = self.step(embedded, states, *memory)
            features.append(each)
        return self.readout(torch.stack(features, dim=1))

    @torch.inference_mode()
    def greedy(self, source: Tensor, length: int, start: int, end: int) -> Tensor:
        """Ids `(batch, length)`, or fewer steps if every row has ended."""
        memory, states = self.initialize(source)
        previous = torch.full((len(source),), start)
        ended = torch.zeros(len(source), dtype=torch.bool)
        outputs = []
        for _ in range(length):
            features, states = self.step(self.target_embedding(previous), states, *memory)
            previous = self.readout(features).argmax(-1)
            outputs.append(previous)
            ended |= previous == end
            if ended.all():
                break
        return torch.stack(outputs, dim=1)


def make_model(problem: Problem) -> nn.Module:
    """The model with the problem's weights."""
    model = Attention(problem) if problem.mode == "attention" else Fused(problem)
    state = {name: torch.from_numpy(array) for name, array in renamed(problem, make_weights(problem)).items()}
    model.load_state_dict(state)
    return model


def renamed(problem: Problem, weights: Weights) -> Weights:
    """The weights by their PyTorch names, with kernels `(output, input)` and two biases for each gate."""
    order = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2]}[problem.cell]
    named = {
        f"{name}.{theirs}": weights[f"{name}.{ours}"].T
        for name in ("bridge", "readout")
        for ours, theirs in (("kernel", "weight"), ("bias", "bias"))
    }
    for side, embedding in (("encoder", "source_embedding"), ("decoder", "target_embedding")):
        if f"{side}.embedding" in weights:
            named[f"{embedding}.weight"] = weights[f"{side}.embedding"]
        for layer in range(problem.depth):
            suffix = "" if (side, problem.mode) == ("decoder", "attention") else f"_l{layer}"
            bias = weights[f"{side}.{layer}.bias"]
            second = 0 * bias
            if problem.cell == "gru":
                second[2 * problem.units :] = weights[f"{side}.{layer}.recurrent_bias"]
            kernels = (weights[f"{side}.{layer}.{kernel}"].T for kernel in ("kernel", "recurrent_kernel"))
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            for theirs, array in zip(names, (*kernels, bias, second), strict=True):
                blocks = array.reshape(problem.gates, -1, *array.shape[1:])[order]
                named[f"{side}.{theirs}{suffix}"] = blocks.reshape(array.shape)
    if problem.mode == "attention":
        named |= {f"{name}.weight": weights[f"attention.{name}_kernel"].T for name in ("query", "key")}
        named |= {"key.bias": weights["attention.bias"], "score.weight": weights["attention.scale"].T}
    return {name: array.copy() for name, array in named.items()}
