"""Start SWIRL Studio: `python launch.py [--home DIR] [--host 127.0.0.1] [--port 7860] [--no-browser] [--demo]`."""

import sys

from studio.serve import serve

if __name__ == "__main__":
    sys.exit(serve())
