"""Keras models made of the layers: text in, text out."""

import keras  # noqa: F401  before any module here, so that what Keras's import sets off finds none half imported
