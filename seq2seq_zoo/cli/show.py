"""`seq2seq-zoo show`: prints a resolved configuration."""

from seq2seq_zoo.cli.shared import ConfigName, Overrides, app, examples, find_file, presets, start_backend


@app.command(epilog=examples("seq2seq-zoo show copy", "seq2seq-zoo show copy --set decoder.mode=peek"))
def show(config: ConfigName, overrides: Overrides = None) -> None:
    """Print a configuration with every default filled in."""
    path = find_file(config, "preset", presets())
    start_backend()
    from seq2seq_zoo.config.reader import dump, read
    from seq2seq_zoo.experiment import factory

    print(dump(read(path, factory.schema, overrides or ())), end="")
