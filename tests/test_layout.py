"""Places of nodes and courses of edges in a drawing of a region graph."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexsim.layout import bundle_delays, find_levels, lay_out

HEIGHT, GAP, PITCH = 0.4, 0.2, 1.0


def chart(*edges: tuple, sources: str = "") -> nx.MultiDiGraph:
    """A graph from (source, target, role, delay) tuples; `sources` names the sources."""
    graph = nx.MultiDiGraph()
    for low, high, role, delay in edges:
        graph.add_edge(low, high, key=f"{low}@{delay}->{high}:{role}", role=role, delay=delay)
    for name in graph:
        graph.nodes[name]["type"] = "source" if name in sources.split() else "region"
    return graph


def random_graph(seed: int, size: int = 14) -> nx.MultiDiGraph:
    rng = np.random.default_rng(seed)
    names = [f"s{index}" for index in range(3)] + [f"R{index}" for index in range(size)]
    edges = [(names[rng.integers(index)], names[index], "target", 0) for index in range(3, len(names))]
    for _ in range(2 * size):
        low, high = rng.integers(len(names)), rng.integers(3, len(names))
        role = str(rng.choice(["context", "gate", "prior", "feedback", "modulator"]))
        edges.append((names[low], names[high], role, int(rng.integers(0, 4))))
    return chart(*edges, sources="s0 s1 s2")


def place(graph: nx.MultiDiGraph, row_limit: int = 8):
    widths = {name: 0.3 + 0.1 * len(name) for name in graph}
    return widths, lay_out(graph, widths, HEIGHT, GAP, PITCH, row_limit)


def test_a_region_lies_above_what_it_predicts_and_reads():
    graph = chart(("retina", "V1", "target", 0), ("V1", "V2", "target", 0), ("V1", "V1-next", "target", 0),
                  ("V1-next", "fuse", "context", 1), ("saccade", "V1-next", "context", 0),
                  sources="retina saccade")
    assert find_levels(graph) == {"retina": 0, "saccade": 0, "V1": 1, "V2": 2, "V1-next": 2, "fuse": 3}


def test_late_context_and_modulators_lift_nothing():
    graph = chart(("retina", "V1", "target", 0), ("V1", "V2", "target", 0), ("V2", "V1", "context", 2),
                  ("V2", "V1", "modulator", 1), sources="retina")
    assert find_levels(graph) == {"retina": 0, "V1": 1, "V2": 2}


def test_a_cycle_is_ordered_by_its_targets():
    graph = chart(("retina", "V1", "target", 0), ("V1", "V2", "target", 0), ("V2", "V1", "context", 1),
                  ("V2", "top", "context", 1), sources="retina")
    assert find_levels(graph) == {"retina": 0, "V1": 1, "V2": 2, "top": 3}


def test_priors_come_down_and_feedback_does_not_count():
    graph = chart(("image", "L1", "target", 0), ("L2", "L1", "prior", 0), ("L1", "L2", "feedback", 0),
                  ("L3", "L2", "prior", 0), ("L2", "L3", "feedback", 0), sources="image")
    assert find_levels(graph) == {"image": 0, "L1": 1, "L2": 2, "L3": 3}


def test_a_tower_of_contexts_falls_back_to_targets():
    names = [f"R{index:02d}" for index in range(40)]
    edges = [("x", name, "target", 0) for name in names]
    edges += [(low, high, "context", 1) for low, high in zip(names, names[1:], strict=False)]
    assert set(find_levels(chart(*edges, sources="x")).values()) == {0, 1}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), row_limit=st.sampled_from([3, 8]))
def test_boxes_never_overlap_and_lie_inside(seed, row_limit):
    graph = random_graph(seed)
    widths, drawing = place(graph, row_limit)
    assert set(drawing.centres) == set(graph)
    rows: dict[float, list[str]] = {}
    for name, (x, y) in drawing.centres.items():
        rows.setdefault(round(y, 6), []).append(name)
        assert -1e-6 <= x - widths[name] / 2
        assert x + widths[name] / 2 <= drawing.width + 1e-6
        assert HEIGHT / 2 - 1e-6 <= y <= drawing.height - HEIGHT / 2 + 1e-6
    assert np.allclose(np.diff(sorted(rows)), PITCH)
    for names in rows.values():
        assert len(names) <= row_limit
        names.sort(key=lambda name: drawing.centres[name][0])
        for left, right in zip(names, names[1:], strict=False):
            space = drawing.centres[right][0] - drawing.centres[left][0]
            assert space >= (widths[left] + widths[right]) / 2 + GAP - 1e-6


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_edge_runs_from_box_to_box(seed):
    graph = random_graph(seed)
    widths, drawing = place(graph)
    assert set(drawing.lines) == set(graph.edges(keys=True))
    for (low, high, _), line in drawing.lines.items():
        assert np.isfinite(line).all()
        for name, point in ((low, line[0]), (high, line[-1])):
            apart = np.abs(point - drawing.centres[name])
            assert apart[0] <= widths[name] / 2 + 1e-6
            assert apart[1] <= HEIGHT / 2 + 1e-6
            on_edge = np.isclose(apart, [widths[name] / 2, HEIGHT / 2])
            assert on_edge.any(), "an edge ends at the border of a box, not inside it"


def test_a_long_edge_passes_between_the_boxes_of_a_row():
    graph = chart(("x", "A", "target", 0), ("A", "B", "target", 0), ("B", "C", "target", 0),
                  ("x", "C", "context", 0), sources="x")
    widths, drawing = place(graph)
    line = drawing.lines["x", "C", "x@0->C:context"]
    for name in ("A", "B"):
        x, y = drawing.centres[name]
        beside = line[np.abs(line[:, 1] - y) < HEIGHT / 2]
        assert len(beside) > 2
        assert (np.abs(beside[:, 0] - x) > widths[name] / 2).all()


def test_edges_that_need_not_cross_do_not():
    graph = chart(*((f"s{index}", f"R{(index * 3) % 5}", "target", 0) for index in range(5)),
                  sources="s0 s1 s2 s3 s4")
    drawing = place(graph)[1]
    pairs = sorted((drawing.centres[low][0], drawing.centres[high][0]) for low, high in graph.edges())
    assert [high for _, high in pairs] == sorted(high for _, high in pairs)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_insertion_never_matters(seed):
    graph = random_graph(seed)
    other = nx.MultiDiGraph()
    other.add_nodes_from(reversed(list(graph.nodes(data=True))))
    other.add_edges_from(reversed(list(graph.edges(keys=True, data=True))))
    one, two = place(graph)[1], place(other)[1]
    assert one.centres == two.centres
    for edge, line in one.lines.items():
        np.testing.assert_array_equal(line, two.lines[edge])


def test_a_graph_too_dense_to_follow_is_drawn_with_direct_edges():
    rng = np.random.default_rng(0)
    names = [f"R{index:03d}" for index in range(60)]
    edges = [(names[index - 1] if index % 6 else "x", name, "target", 0) for index, name in enumerate(names)]
    edges += [(*rng.choice(names, 2), "context", 2) for _ in range(500)]
    drawing = place(chart(*edges, sources="x"), row_limit=26)[1]
    lengths = {len(line) for (low, high, _), line in drawing.lines.items() if low != high}
    assert len(lengths) == 1, "one piece each, without bends"


def test_edges_that_differ_only_in_their_delay_are_drawn_as_one():
    graph = nx.MultiDiGraph()
    for delay in (3, 1, 2, 4):
        graph.add_edge("x", "V1", key=f"past-{delay}", role="context", delay=delay)
    graph.add_edge("x", "V1", key="target", role="target", delay=0)
    for delay in (1, 2, 3):
        graph.add_edge("y", "V1", key=f"few-{delay}", role="context", delay=delay)
    bundled = bundle_delays(graph)
    assert graph.number_of_edges() == 8 and bundled.number_of_edges() == 5
    assert [data["delays"] for *_, data in bundled.edges(data=True) if "delays" in data] == ["@1..4"]
    assert "delays" not in graph.edges["x", "V1", "past-3"], "a copy"
    graph.add_edge("y", "V1", key="far", role="context", delay=9)
    assert bundle_delays(graph).edges["y", "V1", "few-1"]["delays"] == "4 delays to @9"
