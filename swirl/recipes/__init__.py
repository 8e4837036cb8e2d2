"""Recipes: build the shipped models, an image codec, and the small base model of a trial."""
