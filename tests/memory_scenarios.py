"""Scenarios of a temporal memory of our own, in the format of the conformance data: what each rule does, by itself."""

from __future__ import annotations

from typing import Any

PARAMS = {"columnDimensions": [32], "cellsPerColumn": 4, "activationThreshold": 3, "initialPermanence": 0.21,
          "connectedPermanence": 0.5, "minThreshold": 2, "maxNewSynapseCount": 3, "permanenceIncrement": 0.1,
          "permanenceDecrement": 0.1, "predictedSegmentDecrement": 0.0}


def segment(name: str, cell: int, *synapses: tuple[int, float]) -> list[dict[str, Any]]:
    """Operations that make a segment; its synapses are called "name/presynaptic cell"."""
    made: list[dict[str, Any]] = [{"op": "createSegment", "name": name, "cell": cell}]
    return made + [{"op": "createSynapse", "name": f"{name}/{other}", "segment": name, "presynapticCell": other,
                    "permanence": permanence} for other, permanence in synapses]


def compute(*columns: int, learn: bool = True) -> dict[str, Any]:
    """A tick with these columns."""
    return {"op": "compute", "activeColumns": list(columns), "learn": learn}


def permanence(name: str, value: float | None) -> dict[str, Any]:
    """What a synapse should have; None: it is gone."""
    return {"expect": "synapsePermanence", "synapse": name, "equals": value}


def expect(what: str, **item: Any) -> dict[str, Any]:
    """Any other expectation."""
    return {"expect": what, **item}


# name -> (parameters that differ, operations)
SCENARIOS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "one winner in a bursting column": ({}, [
        compute(0), expect("getWinnerCells", size=1, subsetOf=[0, 1, 2, 3]), expect("anomaly", equals=1.0)]),
    "no new segment without winners before": ({"maxNewSynapseCount": 2}, [
        compute(), compute(0), expect("numSegments", equals=0)]),
    "a new segment on some of the winners": ({"maxNewSynapseCount": 2}, [
        compute(0, 1, 2), expect("getWinnerCells", size=3), compute(4),
        expect("getWinnerCells", size=1, subsetOf=[16, 17, 18, 19]), expect("numSegments", equals=1),
        {"op": "nameSegment", "name": "new"}, expect("numSynapses", segment="new", equals=2),
        expect("presynapticCells", segment="new", subsetOf=list(range(12))),
        expect("permanences", segment="new", anyOf=[[0.21, 0.21]], tol=1e-6)]),
    "a new segment on all winners": ({"maxNewSynapseCount": 4, "cellsPerColumn": 1}, [
        compute(0, 1, 2), compute(4), {"op": "nameSegment", "name": "new"},
        expect("presynapticCells", segment="new", equals=[0, 1, 2])]),
    "a matching segment grows onto some of the winners": ({"cellsPerColumn": 1, "minThreshold": 1}, [
        *segment("s", 4, (0, 0.5)), compute(0, 1, 2, 3), expect("getWinnerCells", equals=[0, 1, 2, 3]), compute(4),
        expect("presynapticCells", segment="s", anyOf=[[0, 1, 2], [0, 1, 3], [0, 2, 3]]), permanence("s/0", 0.6),
        expect("numSegments", equals=1)]),
    "a matching segment grows onto all winners": ({"cellsPerColumn": 1, "minThreshold": 1}, [
        *segment("s", 4, (0, 0.5)), compute(0, 1), compute(4), expect("presynapticCells", segment="s", equals=[0, 1])]),
    "an active segment grows by its potential overlap": (
        {"cellsPerColumn": 1, "minThreshold": 1, "activationThreshold": 2, "maxNewSynapseCount": 4}, [
            *segment("s", 5, (0, 0.5), (1, 0.5), (2, 0.2)), compute(0, 1, 2, 3, 4), compute(5),
            expect("presynapticCells", segment="s", anyOf=[[0, 1, 2, 3], [0, 1, 2, 4]])]),
    "a weak synapse goes on a wrong prediction": ({"maxNewSynapseCount": 4, "predictedSegmentDecrement": 0.02}, [
        *segment("s", 5, (0, 0.5), (1, 0.5), (2, 0.5), (3, 0.015)), compute(0),
        expect("getPredictiveCells", equals=[5]), compute(2), expect("numSynapses", segment="s", equals=3),
        permanence("s/3", None), permanence("s/0", 0.48)]),
    "a weak synapse goes when its segment is right": ({"maxNewSynapseCount": 4, "predictedSegmentDecrement": 0.02}, [
        *segment("s", 5, (0, 0.5), (1, 0.5), (2, 0.5), (81, 0.09)), compute(0), compute(1),
        permanence("s/81", None), permanence("s/0", 0.6)]),
    "the weakest synapse makes room": (
        {"cellsPerColumn": 1, "minThreshold": 1, "permanenceIncrement": 0.02, "permanenceDecrement": 0.02,
         "maxSynapsesPerSegment": 3}, [
            *segment("s", 4, (81, 0.6), (0, 0.11)), compute(0, 1, 2), compute(4),
            expect("presynapticCells", segment="s", equals=[1, 2, 81])]),
    "the weakest of many, which is not active": (
        {"cellsPerColumn": 1, "minThreshold": 1, "maxSynapsesPerSegment": 4}, [
            *segment("s", 4, (81, 0.6), (82, 0.3), (0, 0.5)), compute(0, 1, 2), compute(4),
            expect("presynapticCells", segment="s", equals=[0, 1, 2, 81]), permanence("s/81", 0.5)]),
    "the segment that was useful longest ago makes room": (
        {"cellsPerColumn": 1, "initialPermanence": 0.5, "permanenceIncrement": 0.02, "permanenceDecrement": 0.02,
         "maxSegmentsPerCell": 2}, [
            compute(0, 1, 2), compute(9), expect("numSegments", cell=9, equals=1),
            {"op": "nameSegment", "name": "oldest", "cell": 9, "index": 0}, {"op": "reset"},
            compute(3, 4, 5), compute(9), expect("numSegments", cell=9, equals=2),
            {"op": "nameSegment", "name": "second", "cell": 9, "index": 1}, {"op": "reset"},
            compute(6, 7, 8), compute(9), expect("numSegments", cell=9, equals=2),
            expect("segmentDestroyed", segment="oldest", equals=True),
            expect("presynapticCells", segment="second", equals=[3, 4, 5])]),
    "being useful counts, not being old": (
        {"cellsPerColumn": 1, "initialPermanence": 0.5, "maxSegmentsPerCell": 2}, [
            compute(0, 1, 2), compute(9), {"op": "nameSegment", "name": "oldest", "cell": 9}, {"op": "reset"},
            compute(3, 4, 5), compute(9), {"op": "nameSegment", "name": "second", "cell": 9}, {"op": "reset"},
            compute(0, 1, 2), compute(9), {"op": "reset"}, compute(6, 7, 8), compute(9),
            expect("segmentDestroyed", segment="second", equals=True),
            expect("segmentDestroyed", segment="oldest", equals=False)]),
    "a segment left too small to match goes": (
        {"initialPermanence": 0.2, "maxNewSynapseCount": 4, "predictedSegmentDecrement": 0.02}, [
            *segment("s", 5, (0, 0.015), (1, 0.015), (2, 0.015), (3, 0.015)), compute(0), compute(2),
            expect("segmentDestroyed", segment="s", equals=True), expect("numSegments", cell=5, equals=0)]),
    "a small segment that nobody touched stays": ({"predictedSegmentDecrement": 0.02}, [
        *segment("s", 5, (0, 0.015)), compute(0), compute(2), permanence("s/0", 0.015)]),
    "matching segments of inactive columns are punished": (
        {"maxNewSynapseCount": 4, "predictedSegmentDecrement": 0.02}, [
            *segment("a", 42, (0, 0.5), (1, 0.5), (2, 0.5), (81, 0.5)),
            *segment("m", 43, (0, 0.5), (1, 0.5), (81, 0.5)), compute(0),
            expect("getActiveSegments", equals=["a"]), expect("getMatchingSegments", equals=["a", "m"]), compute(1),
            permanence("a/0", 0.48), permanence("a/1", 0.48), permanence("a/2", 0.48), permanence("a/81", 0.5),
            permanence("m/0", 0.48), permanence("m/1", 0.48), permanence("m/81", 0.5)]),
    "a new segment goes to the cell with the fewest": (
        {"initialPermanence": 0.2, "maxNewSynapseCount": 4, "predictedSegmentDecrement": 0.02}, [
            *segment("first", 0, (4, 0.5)), *segment("last", 3, (81, 0.5)), compute(1, 2, 3, 4),
            expect("numSegments", equals=2), compute(0), expect("getActiveCells", equals=[0, 1, 2, 3]),
            expect("numSegments", equals=3), expect("numSegments", cell=0, equals=1),
            expect("numSegments", cell=3, equals=1), expect("getWinnerCells", anyOf=[[1], [2]]),
            {"op": "nameSegment", "name": "new"}, expect("permanences", segment="new", anyOf=[[0.2] * 4], tol=1e-6),
            expect("presynapticCells", segment="new", subsetOf=list(range(4, 20)))]),
    "without learning nothing changes": (
        {"initialPermanence": 0.2, "maxNewSynapseCount": 4, "predictedSegmentDecrement": 0.02}, [
            *segment("right", 5, (0, 0.5), (1, 0.5), (2, 0.5), (81, 0.5)),
            *segment("matching", 12, (0, 0.5), (1, 0.5), (81, 0.5)), {"op": "remember"},
            compute(0, learn=False), compute(1, 5, learn=False), expect("getWinnerCells", size=2),
            expect("connectionsUnchanged", equals=True), compute(2), expect("connectionsUnchanged", equals=False)]),
    "of equal matches the first that was made learns": ({}, [
        *segment("later cell", 6, (0, 0.3), (1, 0.3)), *segment("earlier cell", 5, (0, 0.3), (1, 0.3)), compute(0),
        compute(1), expect("getWinnerCells", equals=[6]), permanence("later cell/0", 0.4),
        permanence("earlier cell/0", 0.3)]),
    "a reset forgets what was active": ({"cellsPerColumn": 1}, [
        *segment("s", 4, (0, 0.5), (1, 0.5), (2, 0.5)), compute(0, 1, 2), expect("getPredictiveCells", equals=[4]),
        {"op": "reset"}, expect("getPredictiveCells", empty=True), compute(4), expect("anomaly", equals=1.0),
        expect("numSegments", equals=1), permanence("s/0", 0.5)]),
}
