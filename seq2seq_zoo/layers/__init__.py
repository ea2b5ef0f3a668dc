"""What every mode shares. Knows ids and sizes, never tokens, tasks or YAML."""
