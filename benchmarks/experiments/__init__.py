"""Experiments of the table of results, one a file; see `benchmarks.science` for what a file brings."""
