"""SWIRL: self-improving world models from state-only sequences (arXiv 2602.06130).

The library knows no screen. Importing it is cheap: torch is loaded only when a model is. `load_collection`,
`load_model` and `train` are all that most programs need; `swirl.front` describes them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swirl.front import load_collection, load_model, train

__version__ = "0.1.0"
__all__ = ["load_collection", "load_model", "train"]


def __getattr__(name: str) -> object:
    """Load the front door only when it is used: most of the library needs none."""
    if name in __all__:
        from swirl import front

        return getattr(front, name)
    raise AttributeError(f"module 'swirl' has no attribute {name!r}")
