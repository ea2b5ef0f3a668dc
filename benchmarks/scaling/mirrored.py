"""Shows that a step of Keras under `tf.distribute.MirroredStrategy` is not the step of the whole batch.

One step is trained twice: with the whole batch on one device, and with half of it on each of two virtual devices. It is
why `training.distribute` needs JAX: `python benchmarks/scaling/mirrored.py`
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

PADDED = [[1, 2, 3, 1, 2, 3], [2, 3, 1, 2, 3, 1], [3, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
"""Twelve tokens in the first half of the batch, two in the second; 0 is padding."""


def step(strategy, clip_norm):
    """The loss of a step, and the change of the weights."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        ids = keras.Input((None,), dtype="int32")
        model = keras.Model(ids, keras.layers.Dense(4)(keras.layers.Embedding(4, 3, mask_zero=True)(ids)))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(1.0, global_clipnorm=clip_norm), loss)
    before = model.get_weights()
    batches = tf.data.Dataset.from_tensor_slices((np.array(PADDED), np.array(PADDED))).batch(4)
    (value,) = model.fit(batches, verbose=0, shuffle=False).history["loss"]
    return value, np.concatenate([(new - old).ravel() for new, old in zip(model.get_weights(), before, strict=True)])


def main():
    """Compare both, without and with clipping."""
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    print(f"Keras {keras.__version__}, TensorFlow {tf.__version__}")
    for clip_norm in (None, 0.1):
        loss, change = step(tf.distribute.get_strategy(), clip_norm)
        try:
            other, mirrored = step(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), clip_norm)
        except tf.errors.InvalidArgumentError as error:
            print(f"clip_norm {clip_norm}: fails: {error.message.splitlines()[-3]}")
            continue
        print(
            f"clip_norm {clip_norm}: loss {loss:.4f} and {other:.4f}, norm of the change {np.linalg.norm(change):.4f}, "
            f"largest difference {np.abs(change - mirrored).max():.4f}"
        )


if __name__ == "__main__":
    main()
