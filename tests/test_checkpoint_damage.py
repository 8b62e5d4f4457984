"""Checkpoints that are damaged, or made up: refused by name, before anything is made of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import cortexsim as cs
from cortexsim import checkpoint
from test_checkpoint import mixed, settling, started


def rewrite(path: Path, words: dict | None = None, **arrays: np.ndarray | None) -> None:
    """Change the manifest and arrays of a checkpoint, by honest means."""
    with np.load(path) as data:
        held = {name: data[name] for name in data.files if name != checkpoint.MANIFEST}
        manifest = json.loads(data[checkpoint.MANIFEST]) | (words or {})
    held |= {name.replace("__", "/"): array for name, array in arrays.items()}
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(checkpoint.MANIFEST, json.dumps(manifest))
        for name, array in held.items():
            if array is not None:
                with made.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array)


def refusal(path: Path) -> str:
    """The message with which a checkpoint is refused."""
    with pytest.raises(cs.CortexsimError) as caught:
        cs.Simulation.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def manifest_of(path: Path) -> dict:
    """The words of a checkpoint."""
    return checkpoint.read_manifest(path)


@pytest.mark.parametrize(("words", "text"), [
    ({"format": 2}, "has another format than this version reads, 1 (got 2); it was written by cortexsim"),
    ({"format": 0}, "has another format than this version reads, 1 (got 0)"),
    ({"schema": "photo album"}, "manifest.json is not that of a checkpoint"),
    ({"tick": -3}, "tick is out of range (got -3)"),
    ({"tick": "3"}, "tick is missing or of the wrong type (got 'str')"),
    ({"seed": "x"}, "seed is not a whole number"),
    ({"threads": 0}, "threads must be a whole number of at least 1"),
    ({"on_bad": "explode"}, "on_bad must be 'stop' or 'skip'"),
    ({"graph": {}}, "is not node-link JSON"),
    ({"told": [["a"]]}, "does not hold what it should"),
    ({"tick": 5}, "does not hold what it should"),
    ({"place": [1]}, "does not hold what it should"),
    ({"place": [-1, True]}, "row -1 of the input"),
    ({"diverged": {"low": 1}}, "told of divergences {'low': 1}"),
    ({"diverged": {"nobody": 0}}, "does not hold what it should"),
])
def test_words_that_no_run_leaves_behind_are_refused(tmp_path, words, text):
    _, path = started(settling(), tmp_path)
    rewrite(path)
    assert cs.Simulation.load(path)
    rewrite(path, words)
    assert text in refusal(path)


def test_arrays_that_no_run_leaves_behind_are_refused(tmp_path):
    _, path = started(mixed(), tmp_path)
    whole = path.read_bytes()
    with np.load(path) as data:
        held = {name: data[name].copy() for name in data.files if name != checkpoint.MANIFEST}

    def changed(name: str, place, value) -> np.ndarray:
        array = held[name].copy()
        array[place] = value
        return array

    cases = [
        ("regions__next__W", None, "lacks the array 'regions/next/W'"),
        ("regions__other__W", np.zeros(3), "holds an unknown array 'regions/other/W'"),
        ("regions__next__W", np.zeros((2, 2), np.float32), "regions/next/W"),
        ("regions__next__W", held["regions/next/W"].astype(np.float64), "regions/next/W"),
        ("regions__next__W", changed("regions/next/W", (0, 0), np.nan), "array 'W' of region 'next' holds NaN"),
        ("regions__each__V_start", changed("regions/each/V_start", 1, 10**6), "region 'each': array 'V_start' is not"),
        ("regions__echo__origin", changed("regions/echo/origin", (0, 0), 20), "region 'echo': array 'origin' names"),
        ("regions__memory__synapses", changed("regions/memory/synapses", (0, 0), 10**6),
         "region 'memory': array 'synapses'"),
        ("regions__memory__free", changed("regions/memory/free", 1, held["regions/memory/free"][0]),
         "region 'memory': array 'free'"),
        ("regions__memory__winners", changed("regions/memory/winners", (0, 1), -5), "region 'memory': array 'winners'"),
        ("active", held["active"] + np.int32(10**6), "the list of"),
        ("counts", changed("counts", 0, -7), "array 'counts' holds -7"),
        ("frozen", changed("frozen", 0, 3), "array 'frozen' holds 0 to 3"),
        ("curves", changed("curves", (0, 0, 0), np.nan), "holds curves whose ticks are no count"),
        *[("direct", changed("direct", 0, place), "array 'direct' points out of the signals")
          for place in (len(held["signals"]), (1 << 63) - 1, -2, -(1 << 63))],
        ("diverged", changed("diverged", (0, 0), 10), "array 'diverged' counts more divergences"),
        # the next one would be written behind the log
        ("diverged", changed("diverged", (0, 0), 9), "array 'diverged' counts more divergences"),
        ("diverged", changed("diverged", (0, slice(4)), [1, 0, 99, 0]), "array 'diverged' tells of what cannot happen"),
        ("diverged", changed("diverged", (0, slice(4)), [1, 0, 21, 3]), "array 'diverged' tells of what cannot happen"),
    ]
    for name, array, text in cases:
        path.write_bytes(whole)
        rewrite(path, **{name: array})
        assert text in refusal(path), name


def test_a_graph_larger_than_the_file_is_not_made(tmp_path):
    _, path = started(settling(), tmp_path)
    graph = manifest_of(path)["graph"]
    for node in graph["nodes"]:
        if node["id"] == "x":
            node["shape"] = [1 << 24]
    rewrite(path, {"graph": graph})
    assert "source 'x' alone needs 67,108,864 bytes, and the file holds" in refusal(path)
    graph["nodes"] = [node | {"shape": [4]} if node["id"] == "x" else node for node in graph["nodes"]]
    rewrite(path, {"graph": graph, "curves": manifest_of(path)["curves"] | {"bins": 1 << 40}})
    assert "curves have more bins than the file has room for" in refusal(path)


def test_no_single_wrong_bit_passes(tmp_path):
    graph = cs.RegionGraph()
    graph.add_source("x", size=2)
    graph.add_region("next", predicts="x", context="x@1")
    sim = cs.Simulation(graph, bins=4)
    sim.run({"x": np.ones((50, 2))})
    path = tmp_path / "a.ckpt"
    sim.save(path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    want = sim.get("next.W")
    for place in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            again = cs.Simulation.load(path)
        except cs.CortexsimError as error:
            assert str(path) in str(error)
        else:
            # a date in the directory, or what else no value hangs on
            assert again.get("next.W").tobytes() == want.tobytes() and again.tick == 50


def test_what_could_not_be_read_again_is_not_saved(tmp_path):
    sim, path = started(mixed(), tmp_path)
    whole = path.read_bytes()
    sim.parameters("code")["variance"][0] = np.inf
    with pytest.raises(cs.InputError, match="region 'code': its array 'variance' holds NaN or infinity, so no checkpo"):
        sim.save(path)
    assert path.read_bytes() == whole
    sim.restart("code")
    sim.save(path)
    assert cs.Simulation.load(path).tick == sim.tick
