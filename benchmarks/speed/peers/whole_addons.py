"""A whole training in TensorFlow Addons: digits to words with attention, until 99 % exact match on dev."""

import tensorflow as tf
from addons_models import Attention
from problem import Problem, shifted
from whole_data import SIZES, Pairs, exact_match, report_score

tf.config.threading.set_intra_op_parallelism_threads(2)
tf.config.threading.set_inter_op_parallelism_threads(2)
pairs, seed = Pairs.given()
tf.keras.utils.set_random_seed(seed)
sizes = {"source_vocabulary": pairs.sizes[0], "vocabulary": pairs.sizes[1]}
model = Attention(Problem("attention", SIZES["units"], SIZES["length"], pads=True, **sizes))
optimizer = tf.keras.optimizers.legacy.Adam(SIZES["rate"])
crossentropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
sources, targets = pairs.arrays["train"]
dev_sources, dev_targets = pairs.arrays["dev"]


@tf.function
def train(source, previous, target):
    """One step."""
    real = tf.cast(target != 0, tf.float32)
    with tf.GradientTape() as tape:
        losses = crossentropy(target, model((source, previous)))
        loss = tf.reduce_sum(losses * real) / tf.reduce_sum(real)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


search = tf.function(lambda source: model.greedy(source, SIZES["length"]))
data = tf.data.Dataset.from_tensor_slices((sources, shifted(targets), targets))
data = data.shuffle(len(sources), seed=seed).batch(SIZES["batch"], drop_remainder=True).prefetch(2)

for epoch in range(1, SIZES["epochs"] + 1):
    for batch in data:
        train(*batch)
    outputs = search(tf.constant(dev_sources)).numpy()
    if report_score(epoch, exact_match(outputs, dev_targets)):
        break
