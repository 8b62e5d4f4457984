"""The random graphs over which the laws are tested: all that a graph may have is among them, and nothing is rare."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from graphs import all_kinds, features, sketches


@pytest.mark.slow
def test_a_thousand_larger_graphs_mix_all_that_a_graph_may_have():
    counts: Counter[str] = Counter()

    @settings(max_examples=1000, derandomize=True)
    @given(sketches(max_regions=9))
    def count(sketch):
        counts.update(features(sketch))

    count()
    for what, number in sorted(counts.items()):
        print(f"{number:5} {what}")
    rare = {what: number for what, number in counts.items() if number < 10}
    assert rare == {}
    wanted = {f"kind {kind.name.split(':')[-1]}" for kind in all_kinds()} | {
        "clock of its own", "offset", "gate, hold", "gate, silent", "gate of delay 0", "no trial",
        "trial with span init", "context in a span, outside hold", "target in a span, outside silent",
        "context of delay 0", "context of delay 3", "context over one_to_one", "context over sparse",
        "window that is wrap", "window that is shared", "select", "target over window", "sparse source", "sparse",
        "modulator that may scale", "modulator that may set", "lesioned", "frozen", "feedforward", "auto",
        "edge to itself", "edge to an earlier region", "edge to a later region"}
    assert wanted <= set(counts)
