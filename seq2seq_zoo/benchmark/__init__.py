"""The comparison: suites of cells, run in workers, recorded one file each, and reported with intervals."""
