"""Benchmarks of a GRPO step: ours part by part, beside stock trl and a plain two-model trainer."""
