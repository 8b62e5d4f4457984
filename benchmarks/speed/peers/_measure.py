"""All peers at the same work, in processes of their own, which run in turn."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import pkgutil
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import benchmarks.speed.peers as folder
from benchmarks.speed import machine
from benchmarks.speed.clock import spread

ROOT = Path(__file__).parents[3]
# regions, units, context
CASES = ((16, 48, 48), (180, 48, 48), (1000, 48, 48), (16, 256, 512), (180, 256, 512))
QUICK = ((180, 48, 48), (180, 256, 512))
QUICK_PEERS = ("ours", "numpy_regions", "numba_loop")
# of float32 sums in different orders, over a few ticks
TOLERANCE = 1e-4
PATIENCE = 90.0  # seconds for an answer, compiles included


def list_peers() -> list[str]:
    """The modules of this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if not m.name.startswith("_"))


def find(name: str) -> ModuleType:
    """The module of a peer; importing it does not import the library it needs."""
    return importlib.import_module(f"benchmarks.speed.peers.{name}")


def installed(name: str) -> bool:
    """Whether the library that a peer needs is there."""
    needs = find(name).NEEDS
    return not needs or importlib.util.find_spec(needs) is not None


class Process:
    """A worker, and its answers.

    Parameters
    ----------
    name, variant : str
        Of the peer.
    threads : int
    module : str
        What the worker runs, with name, variant, `more` and threads as arguments.
    more : tuple of int
    """

    def __init__(self, name: str, variant: str, threads: int, module: str = "benchmarks.speed.peers._worker",
                 more: tuple[int, ...] = ()) -> None:
        self.name, self.variant, self.threads = name, variant, threads
        few = str(threads)
        flags = "--xla_cpu_multi_thread_eigen=false" if threads == 1 else ""
        env = {**os.environ, "OMP_NUM_THREADS": few, "OPENBLAS_NUM_THREADS": few, "MKL_NUM_THREADS": few,
               "NPROC": few, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "",
               "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
        # BLAS shall find out for itself which processor this is
        env = {key: value for key, value in env.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        self.process = subprocess.Popen([sys.executable, "-m", module, name, variant, *map(str, more), few],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, env=env)
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.error = ""
        self.gone = False

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")

    def ask(self, **question: Any) -> dict[str, Any]:
        """Ask and wait; a worker that fails stays quiet from then on, its error kept."""
        assert self.process.stdin is not None
        if self.error:
            return {"error": self.error}
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            answer = json.loads(self.answers.get(timeout=PATIENCE) or '{"error": "it ended"}')
        except queue.Empty:
            answer = {"error": f"no answer in {PATIENCE:.0f} s"}
            self.process.kill()
            self.gone = True
        except OSError:
            answer = {"error": "it ended"}
            self.gone = True
        self.error = answer.get("error", "")
        return answer

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def measure(limits: dict[tuple[str, int], float], threads: int, quick: bool,
            cases: tuple[tuple[int, int, int], ...] | None = None,
            peers: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """One row for each peer, variant, number of threads and case.

    Parameters
    ----------
    limits : dict
        Level, threads -> weight updates per second.
    threads : int
        The most threads.
    quick : bool
    cases : tuple of (regions, units, context), optional
    peers : list of str, optional
        Modules of this folder; by default all whose library is there.

    Yields
    ------
    dict
        With ``error`` where a peer failed or computed something else.
    """
    wanted = peers or [name for name in list_peers() if not quick or name in QUICK_PEERS]
    # ours comes first: the others' weights are held against its
    wanted = sorted((name for name in wanted if installed(name)), key=lambda name: (name != "ours", name))
    workers = [Process(name, variant, k) for name in wanted for variant in find(name).VARIANTS
               for k in find(name).THREADS if k <= threads]
    try:
        for case in cases or (QUICK if quick else CASES):
            yield from _one(case, workers, limits, 3, 0.1)
    finally:
        for worker in workers:
            worker.close()


def _one(case: tuple[int, int, int], workers: list[Process], limits: dict[tuple[str, int], float], rounds: int,
         seconds: float) -> Iterator[dict[str, Any]]:
    regions, units, context = case
    work = regions * units * context
    workers = [worker for worker in workers if work <= getattr(find(worker.name), "MOST", work)]
    ready = {}
    for worker in workers:
        print(f"  peers {case}: {worker.name}, {worker.variant}, threads {worker.threads}", file=sys.stderr, flush=True)
        ready[worker] = worker.ask(case=case)
    first = next((answer["weights"] for answer in ready.values() if answer.get("weights")), None)
    rates: dict[Process, list[float]] = {worker: [] for worker in workers}
    for _ in range(rounds):
        for worker in workers:
            answer = worker.ask(seconds=seconds)
            if "rate" in answer:
                rates[worker].append(answer["rate"])
    for worker in workers:
        peer = find(worker.name)
        row: dict[str, Any] = {
            "section": "peers", "case": {"peer": worker.name, "variant": worker.variant, "regions": regions,
                                         "units": units, "context": context, "threads": worker.threads},
            "name": peer.NAME, "does": peer.VARIANTS[worker.variant], "differs": peer.DIFFERS}
        error = worker.error or _differs(ready[worker].get("weights"), first)
        worker.error = worker.error if worker.gone else ""  # another case may do
        if error or not rates[worker]:
            yield {**row, "error": error or "no figure"}
            continue
        ticks = spread(rates[worker])
        limit = limits[machine.level_of(4 * work), worker.threads]
        rate = spread([r * work for r in rates[worker]]) if ready[worker]["updates"] else None
        yield {**row, "ticks": ticks, "rate": rate, "ratio": ticks["median"] * work / limit}


def _differs(weights: list[float] | None, first: list[float] | None) -> str:
    """Why the weights of a peer are not those of the first one; "" where they are, or where it has none to show."""
    if weights is None or first is None:
        return ""
    error = float(np.max(np.abs(np.subtract(weights, first)))) / max(1e-30, float(np.max(np.abs(first))))
    return "" if error < TOLERANCE else f"its weights differ from the others' by {error:.1e}"
