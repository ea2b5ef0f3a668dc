"""A whole training in PyTorch: digits to words with attention, until 99 % exact match on dev."""

import numpy as np
import torch
from problem import Problem
from torch.nn import functional as F
from torch_models import Attention
from whole_data import END, SIZES, START, Pairs, exact_match, report_score

torch.set_num_threads(2)
pairs, seed = Pairs.given()
torch.manual_seed(seed)
sizes = {"source_vocabulary": pairs.sizes[0], "vocabulary": pairs.sizes[1]}
model = Attention(Problem("attention", SIZES["units"], SIZES["length"], **sizes))
optimizer = torch.optim.Adam(model.parameters(), lr=SIZES["rate"], eps=1e-7, fused=True)
sources, targets = map(torch.from_numpy, pairs.arrays["train"])
previous = F.pad(targets[:, :-1], (1, 0), value=START)
dev_sources, dev_targets = pairs.arrays["dev"]

for epoch in range(1, SIZES["epochs"] + 1):
    for rows in torch.randperm(len(sources)).split(SIZES["batch"]):
        longest = int((targets[rows] != 0).sum(1).max())
        logits = model(sources[rows], previous[rows, :longest])
        loss = F.cross_entropy(logits.flatten(0, 1), targets[rows, :longest].flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    outputs = model.greedy(torch.from_numpy(dev_sources), SIZES["length"], START, END)
    if report_score(epoch, exact_match(np.asarray(outputs), dev_targets)):
        break
