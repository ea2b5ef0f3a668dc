"""Exported models, run without Keras and TensorFlow. It is also the code of the packages that `export` writes.

Such a package is one of the modules `texts`, `labels` and `values`, and all modules of this project that it imports.
They are copied, and their imports of this project become imports of the package.
"""
