"""SWIRL: self-improving world models from state-only sequences (arXiv 2602.06130).

The library does not depend on the studio. Importing it is cheap: torch is loaded only with the first model.
`load_collection`, `load_model`, `plan` and `train` are all that most programs need; `swirl.library` describes them.
"""

import os
from typing import TYPE_CHECKING

from swirl.version import __version__

# huggingface_hub reads it once, when it is imported: trl would report each trainer that is made to the Hub.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from swirl.library import load_collection, load_model, plan, train

LIBRARY_FUNCTIONS = ("load_collection", "load_model", "plan", "train")
__all__ = ["__version__", "load_collection", "load_model", "plan", "train"]


def __getattr__(name: str) -> object:
    """Import `swirl.library` on first use only, to keep `import swirl` cheap."""
    if name in LIBRARY_FUNCTIONS:
        from swirl import library

        return getattr(library, name)
    raise AttributeError(f"module 'swirl' has no attribute {name!r}")
