"""How far a run is, and what stops it: a progress bar, plain lines where nobody watches, and Ctrl-C."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import Any, TextIO

from tqdm import tqdm

PATIENCE = 5.0  #: Seconds that a run may take to answer the first interrupt.


class Progress:
    """Tells how many ticks are done, with ticks/s.

    Parameters
    ----------
    total : int
        Ticks of the whole run.
    quiet : bool
        Say nothing.
    file : text file, optional
        Where to; standard error by default. A terminal gets a bar, anything else a line now and then, after 1, 2, 4
        and so on seconds and at least once a minute.
    done : int
        Ticks that were done before.
    """

    def __init__(self, total: int, quiet: bool = False, file: TextIO | None = None, done: int = 0) -> None:
        self.total, self.done, self.quiet = total, done, quiet
        self.file = sys.stderr if file is None else file
        self.started, self._first = time.perf_counter(), done
        self._pause, self._next = 1.0, 1.0
        self._bar: Any = None
        if not quiet and self.file.isatty():
            # its width is asked for here: some terminals say 0 columns, where tqdm would show nothing
            self._bar = tqdm(total=total, initial=done, unit=" ticks", unit_scale=True, file=self.file, leave=False,
                             ncols=min(110, shutil.get_terminal_size().columns))

    def update(self, ticks: int) -> None:
        """Count more ticks."""
        self.done += ticks
        if self._bar is not None:
            self._bar.update(ticks)
            return
        seconds = time.perf_counter() - self.started
        if not self.quiet and seconds >= self._next:
            self._pause = min(60.0, 2 * self._pause)
            self._next = seconds + self._pause
            print(f"{self.done:,} of {self.total:,} ticks, {(self.done - self._first) / seconds:,.0f} ticks/s",
                  file=self.file, flush=True)

    def say(self, text: str) -> None:
        """Print a line to standard error, where the bar does not overwrite it; even if quiet."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=self.file, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


class Interrupts:
    """While it is entered, a first Ctrl-C (or SIGTERM) only asks for an end; a second one interrupts at once.

    A tick is never cut in the middle, and the files of a run get written. Where no second one comes, a run that waits
    for its stream is interrupted after a while all the same: whoever sends SIGTERM may send SIGKILL next.

    Parameters
    ----------
    patience : float
        Seconds between the two.

    Attributes
    ----------
    asked : int
        The number of the signal that came, 0 before.
    waiting : bool
        Whether the run is at its ticks, and not at its files: only then is it interrupted unasked.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.asked, self.waiting, self._patience = 0, False, patience
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        handlers = {signal.SIGINT: self._ask, signal.SIGTERM: self._ask}
        if hasattr(signal, "setitimer"):  # not on Windows
            handlers[signal.SIGALRM] = self._lose_patience
        for number, handler in handlers.items():
            try:
                self._former[number] = signal.signal(number, handler)
            except ValueError:  # only the main thread may; elsewhere things stay as they are
                break
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if hasattr(signal, "SIGALRM") and signal.SIGALRM in self._former:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former.clear()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self._interrupt(frame)
        self.asked = number
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, self._patience)

    def _lose_patience(self, number: int, frame: FrameType | None) -> None:
        if self.asked and self.waiting:
            self._interrupt(frame)

    def _interrupt(self, frame: FrameType | None) -> None:
        # while ticks run, the engine puts SIGINT off until what is counted agrees with what has run: SIGTERM, too
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and handler != self._ask:
            handler(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt
