"""Entry point of `python -m swirl`, the same as the `swirl` command."""

import sys

from swirl.cli import main

sys.exit(main())
