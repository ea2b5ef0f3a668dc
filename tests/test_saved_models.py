"""A saved model loads in a new process that has imported Keras and this package, in whatever order."""

import json
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

# TensorFlow takes most of the time of an import, so the processes are copies of one that has imported it, without the
# Keras that it imports.
SCRIPT = """
import json, os, pathlib, sys

sys.modules["keras"] = None
import tensorflow
del sys.modules["keras"]

folder, *every = sys.argv[1:]
for imports in every:
    if os.fork():
        os.wait()
        continue
    assert not {"keras", "seq2seq_zoo"} & sys.modules.keys()
    exec(imports)
    import keras
    names = [type(keras.saving.load_model(path)).__name__ for path in sorted(pathlib.Path(folder).glob("*.keras"))]
    print(json.dumps([imports, names]), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The classes of a functional model with all modes and of a `Seq2Seq` of every mode, loaded after each way of
    importing; and the errors."""
    folder = tmp_path_factory.mktemp("saved")
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    encoder, outputs = Encoder(4, vocabulary_size=7), []
    for mode in decoders.list():
        decoder = decoders.create(mode, units=4, readout=Tokens(7), max_length=3)
        outputs.append(decoder(encoder(source), target))
        model = Seq2Seq(encoder, decoder)
        model.build((None, None))
        model.save(folder / f"seq2seq-{mode}.keras")
    keras.Model([source, target], outputs).save(folder / "functional.keras")
    done = subprocess.run([sys.executable, "-c", SCRIPT, folder, *IMPORTS], capture_output=True, text=True)
    return dict(map(json.loads, done.stdout.splitlines())), done.stderr


@pytest.mark.parametrize("imports", IMPORTS)
def test_importing_the_package_is_enough_to_load_a_model(imports, loaded):
    found, errors = loaded
    assert found.get(imports) == ["Functional", *["Seq2Seq"] * len(decoders.list())], errors
