"""A stream to which something happens at a tick, for tests of what a run makes of it."""

from __future__ import annotations

import resource
import shutil
import time
from pathlib import Path

import numpy as np

GRAPH = """
version = 1
name = "faulty"
[stream]
name = "faulty:Stream"
ticks = 600
[sources.x]
size = 2
[regions.code]
kind = "subspace"
predicts = "x"
size = 1
decay_updates = 50.0
[regions.next]
predicts = "x"
context = ["x@1", "x@2", "code.state@1"]
learning_rate = 0.1
"""
#: How a command line runs it, with checkpoints.
ARGV = ["--checkpoint-every", "100", "--allow-kind", "faulty:*"]


class Blind:
    """The same, and it cannot go back."""

    length = None

    def __init__(self, seed: int = 0, happens: str = "", at: int = 0, until: int = 0) -> None:
        self.rng, self.happens, self.at, self.until, self._tick = seed, happens, at, until, 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of one sample."""
        return {"x": (2,)}

    def read(self, n: int) -> dict[str, np.ndarray]:
        """Give the next ticks, up to one at which something happens."""
        for tick in (self.at, self.until):
            if self._tick == tick and tick:
                self.happen(tick == self.at)
            elif self._tick < tick:
                n = min(n, tick - self._tick)
        ticks = np.arange(self._tick, self._tick + n)[:, None]
        self._tick += n
        return {"x": (np.sin(ticks / [3, 7]) + 0.1 * np.cos(ticks * ticks)).astype(np.float32)}

    def happen(self, begins: bool) -> None:
        """Let it happen, or be over."""
        if self.happens == "fail":
            raise RuntimeError("the sensor fell off")
        if self.happens == "fail once" and not Path("failed").exists():
            Path("failed").write_text("")
            raise OSError("the line is dead")
        if self.happens == "block":
            Path("blocked").write_text("")
            time.sleep(600)
        if self.happens == "remove folder":
            shutil.rmtree("a")
        if self.happens == "full disk" and not Path("room").exists():
            # no file may grow beyond this, and what tries to gets the error of a full disk
            soft = 1000 if begins else resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))


class Stream(Blind):
    """Waves, and something that happens at tick `at` (and is over at `until`)."""

    @property
    def position(self) -> int:
        """The tick that comes next."""
        return self._tick

    def seek(self, tick: int) -> None:
        """Go to `tick`."""
        self._tick = tick
