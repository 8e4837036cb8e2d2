"""SWIRL: self-improving world models from state-only sequences (arXiv 2602.06130).

The library knows no screen. Importing it is cheap: torch is loaded only when a model is. `load_collection`,
`load_model` and `train` are all that most programs need; `swirl.library` describes them.
"""

from typing import TYPE_CHECKING

from swirl.version import __version__

if TYPE_CHECKING:
    from swirl.library import load_collection, load_model, train

FRONT = ("load_collection", "load_model", "train")
__all__ = ["__version__", "load_collection", "load_model", "train"]


def __getattr__(name: str) -> object:
    """Load the front door only when it is used: most of the library needs none."""
    if name in FRONT:
        from swirl import library

        return getattr(library, name)
    raise AttributeError(f"module 'swirl' has no attribute {name!r}")
