"""A whole training in seq2seq_zoo: digits to words with attention, until 99 % exact match on dev."""

import sys

import keras
from whole_data import SIZES, report_score

from seq2seq_zoo.experiment import factory

folder, seed = sys.argv[1], int(sys.argv[2])
config = factory.schema.resolve(
    {
        "task": {
            "name": "file",
            "train": f"{folder}/train.tsv",
            "dev": f"{folder}/dev.tsv",
            "test": f"{folder}/dev.tsv",
            "source_tokens": "words",
            "target_tokens": "words",
        },
        "encoder": {"units": SIZES["units"]},
        "decoder": {"mode": "attention", "units": SIZES["units"], "max_length": SIZES["length"]},
        "training": {
            "epochs": SIZES["epochs"],
            "batch_size": SIZES["batch"],
            "learning_rate": SIZES["rate"],
            "clip_norm": None,
        },
        "seed": seed,
    }
)


def stop_when_good(model, record, better):
    """Report the exact match on dev, which is measured after every epoch, and stop when it is reached."""
    if report_score(record["epoch"], record["exact_match"]):
        model.stop_training = True


keras.utils.set_random_seed(seed)
data = factory.make_task(config).load()
model = factory.make_model(config, data)
factory.make_training(config).fit(model, data, seed, on_epoch=stop_when_good)
