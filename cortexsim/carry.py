"""State that is moved: copies, resets, edits of the graph with everything carried over by name, and imagination."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from cortexsim import bookkeeping as d
from cortexsim import guard
from cortexsim.engine import Engine
from cortexsim.errors import InputError, nearest
from cortexsim.graph import RegionGraph
from cortexsim.kind import Shapes
from cortexsim.plan import Plan
from cortexsim.pointers import direct_places, point
from cortexsim.policies import keep
from cortexsim.probe import Recorder
from cortexsim.sources.arrays import Inputs
from cortexsim.tables import Memory, seed_of


def curve_rows(plan: Plan) -> tuple[list[str], list[str], list[str], list[str], list[str]]:
    """What the curves must know of every region: names, kinds, units of loss, what is scored, what it predicts."""
    regions = [plan.regions[name] for name in plan.sequence]
    predicts = [", ".join(e.signal for e in r.edges["target"]) or
                ", ".join(part.source for part in r.shapes.predicts) for r in regions]
    return ([r.name for r in regions], [r.kind.name for r in regions],
            [r.kind.score_unit(r.hyper) for r in regions], [r.kind.scores(r.hyper) for r in regions], predicts)


def up_to_date(sim: Any, region: str) -> dict[str, np.ndarray]:
    """The live arrays of a region, holding all that was learned."""
    if region not in sim.memory.arrays:
        raise InputError("parameters", f"there is no region {region!r}", hint=nearest(region, sim.memory.arrays))
    sim.engine.flush()
    return dict(sim.memory.arrays[region])


def parameter(sim: Any, name: str) -> np.ndarray:
    """The live array behind a name such as ``"V1.W"``."""
    region, _, key = name.partition(".")
    arrays = up_to_date(sim, region)
    if key not in arrays:
        raise InputError(f"region {region!r}", f"has no array {key!r}", hint=nearest(key, arrays))
    return arrays[key]


def set_parameter(sim: Any, name: str, values: Any) -> None:
    """Write one array after checking shape and values."""
    array = parameter(sim, name)
    values = np.asarray(values)
    if values.shape != array.shape:
        raise InputError(f"array {name!r}", f"must have the shape {array.shape}", values.shape)
    if not np.isfinite(values).all():
        raise InputError(f"array {name!r}", "must be finite", hint="it holds NaN or infinity")
    array[...] = values


def time_shares(sim: Any) -> dict[str, float]:
    """Share of the time by region; a cluster's time is divided by estimated cost."""
    status, row = sim.memory.status, sim.memory.row
    spent: dict[str, float] = {}
    for unit in sim.plan.order.units:
        cells = status[row[unit[0]]]
        costs = np.array([sim.plan.costs[name][1] for name in unit])
        total = cells[d.CYCLES] / cells[d.TIMED] if cells[d.TIMED] else 0.0
        spent.update({name: total * cost / costs.sum() for name, cost in zip(unit, costs, strict=True)})
    if not any(spent.values()):
        spent = {name: cost / sim.plan.regions[name].data["period"] for name, (_, cost) in sim.plan.costs.items()}
    whole = sum(spent.values())
    return {name: value / whole for name, value in spent.items()}


def learning_rates(sim: Any) -> dict[str, float]:
    """The learning rate of each region that has one, as it is now."""
    memory, found = sim.memory, {}
    for name, row in memory.row.items():
        told = memory.reals[memory.regions[row, d.SCORE_AT] + d.SCORED_RATE]
        word = memory.regions[row, d.RATE]
        if word >= 0:
            # a score that was never written is 0
            found[name] = float(told if np.isfinite(told) and told > 0 else memory.reals[word])
    return found


# ---------------------------------------------------------------------- reset and copy

def reset_activity(sim: Any) -> None:
    """Clear signals, states and traces of every region; keep what its kind names as learned."""
    sim.engine.flush()
    memory = sim.memory
    for name, region in sim.plan.regions.items():
        rng = np.random.default_rng(seed_of(sim.seed, name))
        fresh = region.kind.allocate(region.hyper, region.shapes, rng)
        for key, array in memory.arrays[name].items():
            if key not in region.kind.learned:
                array[...] = fresh[key]
        memory.words[memory.view_at[name] + d.W_ACTIVE + 1] = 0
    memory.signals[:] = 0
    memory.gathered[:] = 0
    memory.counts[:] = -1
    memory.active[:] = 0
    # what an edge held outside its span is gone, too
    memory.present[memory.edges[: len(sim.plan.edges), d.E_PRESENT]] = 0
    memory.status[:, d.RESET] = 1


def copy_simulation(sim: Any) -> Any:
    """A simulation with the same state and no shared memory."""
    sim.engine.flush()
    twin = object.__new__(type(sim))
    twin.__dict__.update(sim.__dict__)
    twin.graph = sim.graph.copy()
    # the plan that runs: the graph may have been edited since, without replan()
    twin.plan = copy_plan(sim.plan)
    twin.memory = Memory(twin.plan, twin.seed, sim.memory.arrays)
    copy_values(sim.memory, twin.memory)
    twin.curves = copy.deepcopy(sim.curves)
    twin.engine = Engine(twin.plan, twin.memory, twin.curves.acc, twin.threads)
    twin.engine.learn = sim.engine.learn
    twin.recorder = Recorder()
    twin._watch, twin._notices = copy.deepcopy(sim._watch), copy.deepcopy(sim._notices)
    twin.skipped, twin._diverged = dict(sim.skipped), dict(sim._diverged)
    return twin


def copy_plan(plan: Plan) -> Plan:
    """The same plan, with its own record of what may change in a run: hyperparameters and lesions."""
    edges = {name: replace(edge, data=dict(edge.data)) for name, edge in plan.edges.items()}
    regions = {name: replace(region, hyper=dict(region.hyper), data=dict(region.data),
                             edges={role: [edges[e.name] for e in group] for role, group in region.edges.items()})
               for name, region in plan.regions.items()}
    return replace(plan, regions=regions, edges=edges)


def copy_values(old: Memory, new: Memory, signals_from: int = 0) -> None:
    """Copy everything that changes in a run, between memories of equal plans; signals only from a place on."""
    new.signals[signals_from:] = old.signals[signals_from:]
    for name in ("gathered", "counts", "active", "status", "baselines", "gradients", "present", "defaults", "diverged"):
        getattr(new, name)[:] = getattr(old, name)
    if new.policies[:, guard.POLICY].any():
        # one that learns nothing has no images
        new.images[:] = old.images
    point(new, direct_places(old))
    new.edges[:, d.E_CUT] = old.edges[:, d.E_CUT]
    new.regions[:, d.FROZEN] = old.regions[:, d.FROZEN]
    for name in new.row:
        place = old.view_at[name] + d.W_ACTIVE + 1
        new.words[new.view_at[name] + d.W_ACTIVE + 1] = old.words[place]
        first, second = (m.view_at[name] + m.layouts[name].n_words + d.FIRST_ENERGY for m in (old, new))
        new.words[second : second + d.N_REALS - d.FIRST_ENERGY] = old.words[first : first + d.N_REALS - d.FIRST_ENERGY]
        for key in old.plan.regions[name].hyper:
            word = old.layouts[name].word[key]
            new.words[new.view_at[name] + word] = old.words[old.view_at[name] + word]


# ---------------------------------------------------------------------- a changed graph

def replan(sim: Any, graph: Any) -> None:
    """Plan the edited graph and carry over, by name, whatever still fits."""
    sim.engine.flush()
    former = sim.graph, sim.plan
    if graph is not None:
        sim.graph = (graph if isinstance(graph, RegionGraph) else RegionGraph.from_networkx(graph)).copy()
    try:
        plan = sim._make_plan()
        memory = Memory(plan, sim.seed)
    except Exception:
        # a graph that cannot be planned leaves the simulation as it was
        sim.graph, sim.plan = former
        raise
    old = sim.memory
    sim.plan = plan
    anew = [name for name in plan.sequence if name in old.row and not _carry_region(old, memory, name)]
    for name in [*plan.sources, *plan.sequence]:
        if name in old.count_rings and name not in anew:
            _carry_signals(old, memory, name, sim.tick)
    _carry_held(old, memory)
    sim.memory = memory
    sim._diverged = {name: count for name, count in sim._diverged.items() if name in plan.regions and name not in anew}
    sim.curves = sim.curves.carry(*curve_rows(plan))
    sim.engine = Engine(plan, memory, sim.curves.acc, sim.threads)
    before = set(old.row)
    for name in sorted(set(plan.sequence) - before):
        sim.curves.add_event(sim.tick, "grown", name)
    for name in sorted(before - set(plan.sequence)):
        sim.curves.add_event(sim.tick, "removed", name)
    for name in anew:
        sim.curves.add_event(sim.tick, "restarted", name, "its arrays no longer fit")


def _carry_region(old: Memory, new: Memory, name: str) -> bool:
    """Carry arrays and counters of one region; False where it must start anew."""
    was, now = old.plan.regions[name], new.plan.regions[name]
    if was.kind.name != now.kind.name:
        return False
    axes, same_edges = now.kind.axes, _same_edges(was.shapes, now.shapes)
    moves: list[tuple[np.ndarray, np.ndarray, Any]] = []
    for key, array in new.arrays[name].items():
        former = old.arrays[name].get(key)
        if former is None or former.dtype != array.dtype or former.ndim != array.ndim:
            return False
        learned = key in now.kind.learned
        if former.shape == array.shape and same_edges:
            moves.append((array, former, None))
        elif key in axes:
            maps = [_axis_map(meaning, was.shapes, now.shapes, former.shape[k], array.shape[k])
                    for k, meaning in enumerate(axes[key])]
            moves.append((array, former, maps))
        elif former.shape == array.shape and (learned or array.dtype.kind == "f"):
            # whole numbers that are not learned may be places in a gathered vector: those of the new edges stand
            moves.append((array, former, None))
        elif learned and former.shape != array.shape:
            return False
    for array, former, maps in moves:
        if maps is None:
            array[...] = former
        else:
            array[np.ix_(*[m[1] for m in maps])] = former[np.ix_(*[m[0] for m in maps])]
    new.status[new.row[name]] = old.status[old.row[name]]
    new.diverged[new.row[name]] = old.diverged[old.row[name]]
    if new.policies[new.row[name], guard.POLICY] == guard.FREEZE:
        keep(new, name)
    _carry_rate(old, new, name)
    a, b = old.baseline_at[name], new.baseline_at[name]
    n = now.shapes.n_target
    if was.shapes.n_target == n:
        new.baselines[b : b + 2 * n] = old.baselines[a : a + 2 * n]
    else:
        new.status[new.row[name], d.SEEN] = 0
    return True


def _carry_rate(old: Memory, new: Memory, name: str) -> None:
    """A learning rate that has changed, unless the edited graph asks for another."""
    was, now = old.plan.regions[name].hyper, new.plan.regions[name].hyper
    if "step_size" not in was or any(was[key] != now.get(key) for key in ("step_size", "learning_rate")):
        return
    a, b = (m.view_at[name] + m.layouts[name].word["learning_rate"] for m in (old, new))
    new.reals[b], new.defaults[b] = old.reals[a], old.defaults[a]
    a, b = (m.view_at[name] + m.layouts[name].n_words for m in (old, new))
    new.reals[b + d.BASE_RATE : b + d.UPDATES + 1] = old.reals[a + d.BASE_RATE : a + d.UPDATES + 1]


def _carry_held(old: Memory, new: Memory) -> None:
    """What edges hold outside their span."""
    for name, edge in new.plan.edges.items():
        former = old.plan.edges.get(name)
        if former is None or former.length != edge.length or not edge.data["span"]:
            continue
        a, b = old.edges[old.edge_row[name]], new.edges[new.edge_row[name]]
        new.present[b[d.E_PRESENT]] = old.present[a[d.E_PRESENT]]
        new.gathered[b[d.E_TO] : b[d.E_TO] + edge.length] = old.gathered[a[d.E_TO] : a[d.E_TO] + edge.length]


def _same_edges(was: Shapes, now: Shapes) -> bool:
    # all but the delay: a weight belongs to what it reads, not to when
    return all([replace(e, delay=0) for e in getattr(was, role)] == [replace(e, delay=0) for e in getattr(now, role)]
               for role in ("context", "target", "prior", "feedback"))


def _axis_map(meaning: str, was: Shapes, now: Shapes, n_old: int, n_new: int) -> tuple[np.ndarray, np.ndarray]:
    """Which old places of an axis go where: by edge for the gathered vectors, else one to one."""
    if meaning == "field":
        olds_at, news_at = _field_places(was), _field_places(now)
        # an array that goes along with these weights may be empty
        kept = [(olds_at[key], place) for key, place in news_at.items() if key in olds_at and n_old and n_new]
        nothing = np.zeros(0, np.int64)
        return np.concatenate([nothing, *[a for a, _ in kept]]), np.concatenate([nothing, *[b for _, b in kept]])
    role = {"dense": "context"}.get(meaning, meaning)
    if role not in ("context", "target", "prior", "feedback"):
        n = min(n_old, n_new)
        return np.arange(n), np.arange(n)
    olds = {e.name: e for e in getattr(was, role)}
    pairs = [(olds[e.name], e) for e in getattr(now, role)
             if e.name in olds and e.stop - e.start == olds[e.name].stop - olds[e.name].start]
    if meaning == "dense":
        pairs = [(a, b) for a, b in pairs if b.rows == 0 and a.rows == 0]
    source = np.concatenate([np.zeros(0, np.int64), *[np.arange(a.start, a.stop) for a, _ in pairs]])
    target = np.concatenate([np.zeros(0, np.int64), *[np.arange(b.start, b.stop) for _, b in pairs]])
    fits = (source < n_old) & (target < n_new)
    return source[fits], target[fits]


def _field_places(shapes: Shapes) -> dict[Any, np.ndarray]:
    """Where the weights of each context edge with a field lie, one patch a unit (or a feature, if shared)."""
    units, at, places = shapes.size or shapes.n_target, 0, {}
    for edge in shapes.context:
        if edge.rows:
            n = (units // edge.rows if edge.shared else units) * edge.per_row
            places[edge.name, edge.rows, edge.per_row, edge.shared, n] = np.arange(at, at + n)
            at += n
    return places


def _carry_signals(old: Memory, new: Memory, name: str, tick: int) -> None:
    """Copy what is in flight: the slots of a node that recent ticks point to."""
    old_at, old_slots = old.count_rings[name]
    new_at, new_slots = new.count_rings[name]
    recent = np.arange(max(0, tick - min(old_slots, new_slots)), tick)
    counts = old.counts[old_at + (recent & (old_slots - 1))]
    new.counts[new_at + (recent & (new_slots - 1))] = counts
    for signal, (at, size, slots) in old.rings.items():
        if signal.split(".")[0] != name or signal not in new.rings or new.rings[signal][1] != size:
            continue
        to, _, new_ring = new.rings[signal]
        wanted = np.unique(counts[counts >= 0])[-min(slots, new_ring):]
        if name in old.row and old.status[old.row[name], d.DUE]:
            # the state that is held while a target is absent, even after a long silence
            wanted = np.union1d(wanted, old.status[old.row[name], d.DUE] - 1)
        for count in wanted:
            a, b = at + (count & (slots - 1)) * size, to + (count & (new_ring - 1)) * size
            new.signals[b : b + size] = old.signals[a : a + size]
            if signal in old.list_rings and signal in new.list_rings:
                a = old.list_rings[signal] + (count & (slots - 1)) * (size + 1)
                b = new.list_rings[signal] + (count & (new_ring - 1)) * (size + 1)
                new.active[b : b + size + 1] = old.active[a : a + size + 1]


# ---------------------------------------------------------------------- imagination

def _rows(sim: Any, known: dict[str, Any], ticks: int, where: str) -> dict[str, np.ndarray]:
    """Given samples as one row a tick; a single sample holds for all of them."""
    rows = {}
    for name, value in known.items():
        if name not in sim.plan.sources:
            raise InputError(where, f"there is no source {name!r}", hint=nearest(name, sim.plan.sources))
        shape = sim.plan.sources[name].shape
        array = np.asarray(value, np.float32)
        if array.size == np.prod(shape):
            array = np.broadcast_to(array.reshape(shape), (ticks, *shape))
        if len(array) < ticks:
            raise InputError(where, f"needs {ticks} rows for source {name!r}", len(array))
        rows[name] = Inputs({name: array[:ticks]}, {name: shape}, where).read(ticks)[1][name]
    return rows


def imagine(sim: Any, ticks: int, known: dict[str, Any], learn_copy: Any = None) -> dict[str, np.ndarray]:
    """Run a copy on its own predictions; see :meth:`cortexsim.Simulation.imagine`."""
    if isinstance(ticks, bool) or int(ticks) != ticks or ticks < 1:
        raise InputError("imagine", "ticks must be a whole number of at least 1", ticks)
    twin = learn_copy or sim.copy()
    rows = _rows(sim, known, ticks, "imagine")
    for name, source in sim.plan.sources.items():
        if name not in rows and source.imagined_by is None:
            raise InputError(f"source {name!r}", "nobody imagines it", hint="give its samples in known=, or "
                             "declare imagined_by= when the source is added")
    twin.engine.learn = twin.engine.scoring = False
    repeat = twin._repeat()
    found: dict[str, list[np.ndarray]] = {}
    for k in range(ticks):
        predictions = _imagine_tick(twin, {name: row[k : k + 1] for name, row in rows.items()}, repeat)
        for signal, value in predictions.items():
            found.setdefault(signal, []).append(value.ravel())
    return {signal: np.array(values) for signal, values in found.items()}


def _imagine_tick(twin: Any, given: dict[str, np.ndarray], repeat: int) -> dict[str, np.ndarray]:
    tick, engine = twin.tick, twin.engine
    for name, source in twin.plan.sources.items():
        row = given.get(name) if source.known == "before" else None
        engine.stage(name, tick, row, None, repeat, repeat)
    engine.run_predict(tick)
    values = {}
    for name, source in twin.plan.sources.items():
        row = given.get(name)
        if row is None:
            by = source.imagined_by if "." in source.imagined_by else f"{source.imagined_by}.prediction"
            # a prediction is there already; any other port still holds the value of the tick before
            row = engine.value(by, tick if by.endswith(".prediction") else tick - 1)[None]
        engine.stage(name, tick, row, None, repeat, repeat)
        values[f"{name}.value"] = row.copy()
    engine.run(tick, tick + repeat, 1)
    twin.tick += repeat
    for name, region in twin.plan.regions.items():
        if "prediction" in region.ports:
            values[f"{name}.prediction"] = engine.value(f"{name}.prediction", twin.tick - 1)
    return values


def predict_ahead(sim: Any, known: dict[str, Any], ahead: int) -> dict[str, np.ndarray]:
    """Predictions for `ahead` ticks from now: imagine the ticks between, then predict."""
    if isinstance(ahead, bool) or int(ahead) != ahead or ahead < 1:
        raise InputError("predict", "ahead must be a whole number of at least 1", ahead)
    rows = _rows(sim, known, ahead, "predict")
    twin = sim.copy()
    imagine(twin, ahead - 1, {name: row[:-1] for name, row in rows.items()}, learn_copy=twin)
    last = {name: row[-1] for name, row in rows.items() if sim.plan.sources[name].known == "before"}
    return twin.predict(last)
