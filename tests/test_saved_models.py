"""A saved model loads in a new process that has imported Keras and this package, in whatever order."""

import subprocess
import sys

import keras
import pytest

from seq2seq_zoo import Encoder, Seq2Seq, Tokens, decoders

# Each leaves a package of ours half imported where Keras is imported for the first time.
IMPORTS = (
    "import keras, seq2seq_zoo",
    "import seq2seq_zoo, keras",
    "from seq2seq_zoo import Encoder; import keras",
    "import seq2seq_zoo.decoding, keras",
    "import seq2seq_zoo.layers.stack, keras",
    "import seq2seq_zoo.training, keras",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A functional model and a `Seq2Seq` of every mode."""
    folder = tmp_path_factory.mktemp("saved")
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    for mode in decoders.list():
        encoder = Encoder(4, vocabulary_size=7)
        decoder = decoders.create(mode, units=4, readout=Tokens(7), max_length=3)
        functional = keras.Model([source, target], decoder(encoder(source), target))
        functional.save(folder / f"functional-{mode}.keras")
        model = Seq2Seq(encoder, decoder)
        model.build((None, None))
        model.save(folder / f"seq2seq-{mode}.keras")
    return folder


@pytest.mark.parametrize("imports", IMPORTS)
def test_importing_the_package_is_enough_to_load_a_model(imports, folder):
    code = f"""if True:
        import pathlib
        {imports}
        for path in sorted(pathlib.Path({str(folder)!r}).glob("*.keras")):
            print(type(keras.saving.load_model(path)).__name__)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["Functional"] * len(decoders.list()) + ["Seq2Seq"] * len(decoders.list()), (
        done.stderr
    )
