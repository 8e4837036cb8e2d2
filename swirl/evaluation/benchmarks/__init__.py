"""The paper's benchmarks, read from where the user has them and shown beside the paper's figures."""

BENCHMARK_NAMES = ("aurora-bench", "bytemorph", "worldprediction", "stabletoolbench", "scienceworld", "mind2web")
