"""``python -m mien`` is the same as ``mien``."""

import sys

if __name__ == "__main__":
    from mien.cli import app

    sys.exit(app())
