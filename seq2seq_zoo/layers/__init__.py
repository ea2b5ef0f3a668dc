"""What every mode shares. Knows ids and sizes, never symbols, tasks or YAML."""
