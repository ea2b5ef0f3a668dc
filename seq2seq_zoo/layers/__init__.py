"""What every mode shares. Knows ids and sizes, never tokens, tasks or YAML."""

import keras  # noqa: F401  before any module here, so that what Keras's import sets off finds none half imported
