"""`seq2seq-zoo schema`: prints the JSON Schema of configurations."""

import json

from seq2seq_zoo.cli.shared import app, examples, start_backend


@app.command(epilog=examples("seq2seq-zoo schema > seq2seq-zoo.schema.json"))
def schema() -> None:
    """Print the JSON Schema of configurations, with which an editor completes and checks them."""
    start_backend()
    from seq2seq_zoo.config.schema import json_schema
    from seq2seq_zoo.experiment import factory

    print(json.dumps(json_schema(factory.schema), indent=2))
