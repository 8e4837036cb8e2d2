"""The components of the Experiments page."""
