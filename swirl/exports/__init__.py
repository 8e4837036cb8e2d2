"""Collections, inferred actions and trajectories as files that other programs read: JSONL and Parquet."""
