"""What a page says about its models."""

from seq2seq_zoo.cli import page


def config(**decoder):
    return {"task": {"name": "copy"}, "seed": 1, "decoder": {"mode": "basic", "units": 8, **decoder}}


def test_models_are_alike_if_only_the_mode_differs_and_what_it_brings():
    attention = config(mode="attention", attention="additive")
    assert page._are_alike([config(), config(mode="peek", combine="add"), attention])
    assert not page._are_alike([config(), config(mode="peek", units=9)])
    assert not page._are_alike([config(), {**attention, "seed": 2}])
    assert not page._are_alike([config(), config()])
    assert not page._are_alike([config(), {**config(), "decoder": None}])
    assert not page._are_alike([])
