"""The test of a package: the model gives the answers that it gave when it was exported."""

import importlib
import json
from pathlib import Path

import numpy as np


def test_the_model_gives_the_recorded_answers():
    """The recorded answers were those of the package's own graph."""
    recorded = json.loads(Path(__file__).with_name("answers.json").read_text(encoding="utf-8"))
    function = getattr(importlib.import_module(recorded["package"]), recorded["function"])
    found = function(recorded["sources"])
    if recorded["function"] != "predict":
        assert found == recorded["answers"]
        return
    for output, values in zip(found, recorded["answers"], strict=True):
        np.testing.assert_allclose(output.values, values, rtol=1e-4, atol=1e-4)
