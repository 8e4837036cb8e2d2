"""Start SWIRL Studio and open it in the browser; `python launch.py --help` lists the options."""

import sys

from studio.serve import serve

if __name__ == "__main__":
    sys.exit(serve())
