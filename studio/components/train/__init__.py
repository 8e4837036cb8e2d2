"""The components of the Train page."""
