"""Does every region of a ready-made graph matter? Each is lesioned in turn, and the other regions' losses are compared.

A lesion cuts all edges that leave a region, before the first tick, so that the others learn without it. A loss is
taken in units of the running mean's on the same ticks, over the last tenth of the run, and compared with the intact run
of the same seed. Only regions whose targets are the same in both runs are compared: not those that predict the lesioned
region, nor a code that is built on it.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

import cortexsim as cs
from cortexsim.sources import open_stream


@dataclass(frozen=True)
class Effect:
    """What a lesion does to the other region that suffers most from it.

    Parameters
    ----------
    lesioned, affected : str
        Names of the regions.
    change : list of float
        Relative change of the affected region's loss, one a seed.
    spread : float
        Standard deviation of that loss between seeds without any lesion, over its mean; NaN for one seed.
    """

    lesioned: str
    affected: str
    change: list[float]
    spread: float

    @property
    def least(self) -> float:
        """The smallest change of all seeds."""
        return min(self.change)


def losses(name: str, seed: int, ticks: int | None = None, lesioned: str | None = None) -> dict[str, float]:
    """Run a ready-made graph and give each region's loss over that of the running mean.

    Parameters
    ----------
    name : str
        Of the graph; it must have a stream.
    seed : int
    ticks : int, optional
        By default what the graph's file says.
    lesioned : str, optional
        The region whose outgoing edges are cut.

    Returns
    -------
    dict
        Without the regions whose targets a lesion took away, so that they are silent, or always zero.
    """
    graph = cs.load(name)
    table = dict(graph.graph["stream"])
    default = table.pop("ticks", None)
    if lesioned is not None:
        graph.lesion(f"{lesioned}->*")
    curves = cs.Simulation(graph, seed=seed).run(open_stream(table, seed), ticks=ticks or default)
    ends = {region: curves.final(region) for region in curves.regions}
    return {region: end["loss"] / end["loss_mean"] for region, end in ends.items() if end["loss_mean"] > 0}


def changed_targets(graph: cs.RegionGraph, lesioned: str) -> set[str]:
    """The regions whose targets a lesion changes, the lesioned one itself among them."""
    targets = {region: {u for u, _, data in graph.in_edges(region, data=True) if data["role"] == "target"}
               for region in graph.regions}
    changed = {lesioned}
    while more := {region for region, of in targets.items() if of & changed} - changed:
        changed |= more
    return changed


def study(name: str = "glimpses", seeds: Sequence[int] = range(2), ticks: int | None = None,
          regions: Sequence[str] | None = None, quiet: bool = True) -> list[Effect]:
    """Lesion the regions of a graph one after the other.

    Parameters
    ----------
    name : str
        Of the graph.
    seeds : sequence of int
    ticks : int, optional
        Of every run.
    regions : sequence of str, optional
        By default all of them.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    list of Effect
        One a region; of the other regions the one whose smallest change over the seeds is the largest.
    """
    graph = cs.load(name)
    chosen = list(regions or graph.regions)
    with tqdm(total=len(seeds) * (len(chosen) + 1), unit="run", disable=quiet, leave=False) as bar:
        def told(seed: int, lesioned: str | None) -> dict[str, float]:
            bar.set_description(f"{lesioned or 'intact'}, seed {seed}")
            bar.update()
            return losses(name, seed, ticks, lesioned)

        intact = [told(seed, None) for seed in seeds]
        return [_effect(graph, region, intact, [told(seed, region) for seed in seeds]) for region in chosen]


def _effect(graph: cs.RegionGraph, lesioned: str, intact: list[dict[str, float]],
            cut: list[dict[str, float]]) -> Effect:
    effects = []
    for other in set(intact[0]) - changed_targets(graph, lesioned):
        before = [run[other] for run in intact]
        change = [run[other] / value - 1 for run, value in zip(cut, before, strict=True)]
        spread = statistics.stdev(before) / statistics.fmean(before) if len(before) > 1 else float("nan")
        effects.append(Effect(lesioned, other, change, spread))
    return max(effects, key=lambda effect: (effect.least, effect.affected))


def table(effects: Sequence[Effect]) -> str:
    """The effects as aligned text."""
    width = max(len(effect.lesioned) for effect in effects)
    other = max(len(effect.affected) for effect in effects)
    lines = [f"{'lesioned':<{width}}  {'most affected':<{other}}  {'its loss':>9}  {'least':>9}  {'seeds spread':>12}"]
    lines += [f"{e.lesioned:<{width}}  {e.affected:<{other}}  {statistics.fmean(e.change):>+9.1%}  {e.least:>+9.1%}  "
              f"{e.spread:>12.1%}" for e in effects]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the study and print its table; returns 1 where a region does not matter."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks lesions", description="Does every region matter?")
    parser.add_argument("name", nargs="?", default="glimpses", help="a ready-made graph with a stream")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="seeds 0 to N - 1 (default 2)")
    parser.add_argument("--ticks", type=int, metavar="N", help="of each run, instead of what the graph's file says")
    parser.add_argument("--only", action="append", metavar="REGION", help="a region; may be given several times")
    options = parser.parse_args(arguments)
    effects = study(options.name, range(options.seeds), options.ticks, options.only, quiet=False)
    print(table(effects))
    return 0 if all(effect.least > 0 for effect in effects) else 1
