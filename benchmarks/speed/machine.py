"""What the benchmark runs on: processor, caches, memory, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
LARGE = 256 << 20  # bytes of weights that no cache holds
# where no cache can be found out about
USUAL = {"L1": 32 << 10, "L2": 1 << 20, "L3": 16 << 20}
PACKAGES = ("cortexsim", "numpy", "numba", "llvmlite", "scipy", "networkx", "torch", "jax", "jaxlib", "nengo",
            "ngclearn", "pcx", "pyaogmaneo")


@cache
def caches() -> dict[str, int]:
    """Sizes of the data caches in bytes, by level."""
    found: dict[str, int] = {}
    for index in sorted(CACHES.glob("index*")) if CACHES.is_dir() else ():
        if (index / "type").read_text().strip() != "Instruction":
            text = (index / "size").read_text().strip()
            size = int(text.rstrip("KMG")) << {"K": 10, "M": 20, "G": 30}.get(text[-1], 0)
            found[f"L{(index / 'level').read_text().strip()}"] = size
    if not found and platform.system() == "Darwin":
        for level, key in (("L1", "hw.perflevel0.l1dcachesize"), ("L2", "hw.perflevel0.l2cachesize")):
            text = _said("sysctl", "-n", key)
            if text.isdigit():
                found[level] = int(text)
    return found or dict(USUAL)


def levels() -> dict[str, int]:
    """Bytes of weights to measure with at each level: half of each cache, then four times the largest, in memory."""
    sizes = caches()
    return {**{level: size // 2 for level, size in sizes.items()}, "memory": max(64 << 20, 4 * max(sizes.values()))}


def level_of(size: float) -> str:
    """The nearest place that holds so many bytes."""
    return next((level for level, limit in caches().items() if size <= limit), "memory")


def memory_bytes() -> int:
    """Bytes of main memory (8 GiB where that cannot be found out)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, Any]:
    """Everything about the machine that a figure depends on."""
    return {"processor": _processor(), "system": platform.system(), "cores": cores(), "caches": caches(),
            "levels": levels(), "memory": memory_bytes(), "python": platform.python_version()}


def versions() -> dict[str, str]:
    """Versions of the packages that take part."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if match:
            return match.group(1).strip()
    return _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or platform.machine()


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
