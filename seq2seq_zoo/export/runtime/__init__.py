"""The code of the packages that `export` writes: it needs neither Keras nor TensorFlow.

A package is one of the modules `texts`, `labels` and `values`, and all modules of this project that it imports. They
are copied, and their imports of this project become imports of the package.
"""
