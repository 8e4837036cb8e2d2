"""Evaluate a model on the paper's benchmarks, read from the user's own files, next to the paper's figures."""

BENCHMARK_NAMES = ("aurora-bench", "bytemorph", "worldprediction", "stabletoolbench", "scienceworld", "mind2web")
