"""``python -m benchmarks [NAME] [options]``: what cortexsim reaches, what each region adds, and how fast it all is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {"science": "benchmarks.science", "lesions": "benchmarks.lesions", "endurance": "benchmarks.endurance",
            "speed": "benchmarks.speed.__main__"}


def main(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names; returns the exit status."""
    given = list(arguments)
    name = given.pop(0) if given and not given[0].startswith("-") else "speed"
    if name not in COMMANDS or arguments in (["-h"], ["--help"]):
        print("usage: python -m benchmarks [NAME] [--help] [options]\n")
        for known, module in COMMANDS.items():
            doc = importlib.import_module(module).__doc__ or ""
            line = doc.strip().partition("\n\n")[0]
            print(f"  {known:<9}{line}")
        return 0 if name in COMMANDS else 2
    return importlib.import_module(COMMANDS[name]).main(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
