"""`seq2seq-zoo schema`."""

import json

from cli.commands import call


def test_schema():
    schema = json.loads(call("schema").stdout)
    assert list(schema["properties"]) == [
        *("task", "encoder", "decoder", "readout", "encoder_only", "pretrained", "training", "metrics", "seed")
    ]
    assert schema["properties"]["training"]["properties"]["epochs"]["minimum"] == 1
