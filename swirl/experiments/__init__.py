"""Experiments: declared grids of problems, methods, sizes and seeds, carried out as runs of the same history."""
