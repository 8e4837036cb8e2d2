"""The package version. This module imports nothing, so that reading the version stays cheap."""

__version__ = "0.1.0"
