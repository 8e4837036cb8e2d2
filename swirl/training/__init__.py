"""Training: the alternating loop, its GRPO phases with their rollouts and rewards, and the supervised stages."""
