"""Training steps that compute the parts of a batch at the same time."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.backend import compiled_apart, gradient_of_weights
from seq2seq_zoo.layers.draws import Part, part_of_batch


class BatchInParts(keras.Model):
    """A model whose training step computes equal parts of the batch at the same time, each on a thread of its own.

    TensorFlow only. A loop over time waits at each small product until its threads have divided it among them. A part
    of the batch has a loop of its own, which divides nothing. The gradients of the parts are added before the update:
    but for rounding, the step is that of the model itself, random numbers included.

    It trains the weights of the model with the model's optimizer and loss, and is not saved.

    Args:
        model: a built and compiled `Seq2Seq`. The rows of its loss do not depend on one another.
        parts: by which each batch is divisible.
    """

    def __init__(self, model: Any, parts: int):
        super().__init__()
        self.model = model
        self.parts = parts
        self.built = True
        self._gradients = compiled_apart(self._gradients_of_part)
        self._update = compiled_apart(self._update_weights)
        self.compile(model.optimizer, model.loss, jit_compile=False)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """As the model."""
        return self.model(inputs, training=training)

    def train_step(self, data: Any) -> Any:
        """One update of the weights. Returns the metrics: the loss."""
        (sources, targets), answers = data[:2]
        parts = zip(*(ops.split(each, self.parts) for each in (sources, targets, answers)), strict=True)
        computed = [self._gradients(ops.convert_to_tensor(index), *part) for index, part in enumerate(parts)]
        self._update(computed)
        return self.get_metrics_result()

    def _gradients_of_part(self, index: Any, sources: Any, targets: Any, answers: Any) -> tuple[Any, ...]:
        """The summed loss of a part and its gradients, the number of its targets, and the new states of the model."""
        with keras.StatelessScope() as scope, part_of_batch(Part(index, self.parts)):

            def summed_loss() -> tuple[Any, Any]:
                outputs = self.model((sources, targets), training=True)
                mean = self.model.compute_loss((sources, targets), answers, outputs, training=True)
                count = ops.sum(ops.cast(outputs._keras_mask, mean.dtype))
                return self.optimizer.scale_loss(mean * count), (mean * count, count)

            gradients, (loss, count) = gradient_of_weights(summed_loss, self.trainable_variables)
            states = [scope.get_current_value(state) for state in self.non_trainable_variables]
        return loss, count, gradients, states

    def _update_weights(self, computed: Any) -> None:
        losses, counts, gradients, states = zip(*computed, strict=True)
        count = ops.maximum(sum(counts), 1.0)
        means = [None if each[0] is None else sum(each) / count for each in zip(*gradients, strict=True)]
        self.optimizer.apply(means, self.trainable_variables)
        # Every part draws the random numbers of the whole batch, so the states after each are the same.
        for state, value in zip(self.non_trainable_variables, states[0], strict=True):
            if value is not None:
                state.assign(value)
        (loss,) = (metric for metric in self.metrics if metric.name == "loss")
        loss.update_state(sum(losses) / count)
