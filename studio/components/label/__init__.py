"""The components of the Label page."""
