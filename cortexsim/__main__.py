"""``python -m cortexsim`` is the program ``cortexsim``."""

from __future__ import annotations

import sys

from cortexsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
