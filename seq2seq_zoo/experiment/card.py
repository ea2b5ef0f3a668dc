"""What a run's records say about its model, as Markdown."""

import json
from pathlib import Path

from seq2seq_zoo.experiment.directory import CONFIG
from seq2seq_zoo.metrics.metric import METRICS


def card(directory: Path) -> str:
    """The results of a run, its data and its configuration, and the commands that make it again.

    Args:
        directory: of a finished run.
    """
    metrics, data = (
        json.loads((directory / name).read_text(encoding="utf-8")) for name in ("metrics.json", "data.json")
    )
    config = (directory / CONFIG).read_text(encoding="utf-8").strip()
    sizes, dev, test = data["sizes"], metrics["dev"], metrics["test"]
    results = [
        f"| {metric.label} | {metric.shown(dev[name])} | {metric.shown(test[name])} |"
        for name, metric in METRICS.items()
        if name in dev and name in test
    ]
    versions = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items() if version)
    return f"""## Results

The model was trained on {sizes["train"]:,} examples and never on those below.

| metric | dev ({sizes["dev"]:,}) | test ({sizes["test"]:,}) |
| --- | ---: | ---: |
{chr(10).join(results)}

It has {metrics["parameters"]:,} parameters, and is the best of {metrics["epochs"]} epochs on dev.

## Data and configuration

This file, `config.yaml`, makes the model again with `seq2seq-zoo train config.yaml`:

```yaml
{config}
```

Trained with {versions}.
"""
