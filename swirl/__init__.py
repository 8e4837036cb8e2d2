"""SWIRL: self-improving world models from state-only sequences (arXiv 2602.06130).

The library knows no screen. Importing it is cheap: torch is loaded only when a model is.
"""

__version__ = "0.1.0"
