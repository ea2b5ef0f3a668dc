"""Configurations: registries, options from signatures, schemas, and the YAML reader. Imports no backend."""
