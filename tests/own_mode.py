"""A mode from outside the package: reads the previous output and the mean of the source."""

from keras import ops

from seq2seq_zoo import Decoder, decoders


@decoders.register("mean", "reads its own last output and the mean of the source")
class MeanDecoder(Decoder):
    """A decoder whose steps read the previous output and the mean of `H`."""

    def prepare(self, encoded):
        """The mean over the real positions."""
        real = ops.cast(encoded.mask, encoded.sequence.dtype)[:, :, None]
        total = ops.sum(real * encoded.sequence, axis=1, keepdims=True)
        return total / ops.maximum(ops.sum(real, axis=1, keepdims=True), 1)

    def inputs(self, previous, source):
        """`y[t-1]` and the mean."""
        return previous, source
