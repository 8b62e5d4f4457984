"""The faults that are planted in a copy of the package: each breaks a law on purpose, and its tests must see it."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A small edit of one file.

    `breaks` is the law, by number, or the promise; `old` occurs once in the file; `tests` are what must fail, as small
    a choice as will do.
    """

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


BOOKKEEPING, SCORING, CARRY = "cortexsim/bookkeeping.py", "cortexsim/scoring.py", "cortexsim/carry.py"
TABLES, ORDER, DELTA = "cortexsim/tables.py", "cortexsim/plan_order.py", "cortexsim/kinds/delta.py"
LAWS, MIDWAY = "tests/contract/test_laws.py::", "tests/contract/test_laws_midway.py::"
REFERENCE = (LAWS + "test_every_graph_gives_the_numbers_of_the_reference_runner",)
LEAK = (LAWS + "test_nothing_of_the_outcome_reaches_its_prediction",)
FROZEN = (LAWS + "test_frozen_is_frozen",)
ALONE = (LAWS + "test_a_region_writes_its_own_signals_and_nothing_else",)
COPY = (LAWS + "test_same_bits_for_a_split_run_and_for_a_copy_in_the_middle",)
RESUMED = (MIDWAY + "test_same_bits_for_a_run_resumed_from_checkpoints",)
DISK = "tests/test_checkpoint.py::test_it_is_on_the_disk_before_it_gets_its_name"
IN_PLACE = (MIDWAY + "test_a_kernel_still_reads_in_place_what_its_edges_brought_last",)
DIVERGES = (MIDWAY + "test_same_bits_where_regions_diverge",)
RESET = (MIDWAY + "test_after_a_reset_nothing_of_the_past_is_left_but_what_was_learned",)

FAULTS = (
    # ------------------------------------------------------------------ 1 one writer per signal
    Fault("rings that overlap", "law 1", TABLES,
          "self.rings[signal] = (arena.place(size * slots), size, slots)",
          "self.rings[signal] = (arena.place(size * slots - size), size, slots)", ALONE),
    Fault("arrays that overlap", "law 1", TABLES,
          "places[name] = {key: store.place(array.nbytes) for key", "places[name] = {key: store.place(4) for key",
          ALONE),

    # ------------------------------------------------------------------ 2 no leak
    Fault("leaks are not refused", "law 2", ORDER,
          'if edge.delay or not (early or ROLE_STEP[edge.role] == "predict"):', "if True:",
          ("tests/test_plan.py::test_a_leak_is_refused_by_name",)),
    Fault("a gate may leak", "law 2", ORDER,
          'if edge.delay or not (early or ROLE_STEP[edge.role] == "predict"):',
          'if edge.delay or edge.role == "gate" or not (early or ROLE_STEP[edge.role] == "predict"):',
          ("tests/test_plan.py::test_a_gate_leaks_too",)),
    Fault("a kernel predicts from its target", "law 2", DELTA,
          "    add(p, 0, n, r.b, 0)\n    if r.output == 1:",
          "    add(p, 0, n, r.b, 0)\n    add(p, 0, n, r.target, 0)\n    if r.output == 1:",
          (LAWS + "test_predict_says_beforehand_what_the_run_predicts",)),
    Fault("one tick too soon", "law 2", BOOKKEEPING,
          "then = t - edges[e, E_DELAY]", "then = t - max(0, edges[e, E_DELAY] - 1)", LEAK),
    Fault("a trial scored too late", "law 2", ORDER,
          "if place <= trial.score_at:", "if place < trial.score_at:",
          ("tests/test_plan.py::test_a_forecast_that_would_know_its_outcome_before_it_is_scored_is_refused",)),
    Fault("a try leaves a trace", "law 2", "cortexsim/engine.py",
          "memory.gathered[place], memory.present[cell] = gathered, present", "pass",
          ("tests/test_carry.py::test_a_gate_that_only_a_try_has_opened_leaves_nothing_behind_an_edge_that_holds",)),

    # ------------------------------------------------------------------ 3 order never matters
    Fault("edges in the order of building", "law 3", "cortexsim/plan_shapes.py",
          "edges = sorted(self.graph.edges(keys=True, data=True), key=lambda item: item[2])",
          "edges = list(self.graph.edges(keys=True, data=True))",
          (LAWS + "test_the_order_of_building_never_matters",)),
    Fault("steps of a cluster without their waves", "law 3", TABLES,
          "nodes = sorted((self.plan.order.waves[name, step], name, step) for",
          "nodes = sorted((number[step], name, step) for",
          ("tests/contract/test_fake_kinds.py::test_the_span_init_starts_settling_from_the_priors_in_waves",)),
    Fault("a shared random stream", "law 3", TABLES,
          'return [seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")]', "return [seed, 0]",
          ("tests/contract/test_kinds.py::test_a_kind_draws_its_first_values_from_its_region_s_name",)),
    Fault("zero-delay cycles are not refused", "law 3", ORDER,
          "    if len(waves) < len(waiting):\n", "    if False:\n",
          ("tests/test_plan.py::test_a_zero_delay_cycle_is_refused_and_named",)),

    # ------------------------------------------------------------------ 4 same bits
    Fault("a delay one tick too long", "law 4", BOOKKEEPING,
          "then = t - edges[e, E_DELAY]", "then = t - edges[e, E_DELAY] - 1", REFERENCE),
    Fault("a wrong mask of a ring", "law 4", BOOKKEEPING,
          "at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK]) * edges[e, E_SIZE]\n    index = edges[e, E_INDEX]",
          "at = edges[e, E_SIGNAL] + (slot & edges[e, E_MASK] >> 1) * edges[e, E_SIZE]\n    index = edges[e, E_INDEX]",
          REFERENCE),
    Fault("rings too short", "law 4", "cortexsim/plan.py",
          "return 1 << max(0, int(delay + block)).bit_length()",
          "return 1 << max(0, int(delay + block) - 1).bit_length() - 1",
          ("tests/test_plan.py::test_a_ring_holds_the_longest_delay_and_a_block",)),
    Fault("blocks one tick too long", "law 4", ORDER,
          "block = next((d - 1 for d in grown", "block = next((d for d in grown",
          ("tests/test_plan.py::test_the_block_is_bounded_by_the_smallest_delay_that_points_backward",)),
    Fault("levels run at once", "law 4", "cortexsim/plan.py",
          "    for level in range(max(order.level, default=-1) + 1):\n"
          "        last = first + order.level.count(level)\n",
          "    for level in range(min(1, len(order.level))):\n        last = len(order.level)\n",
          ("tests/test_plan.py::test_partitions_are_contiguous_and_hold_every_unit_once",)),
    Fault("a reader beside its writer", "law 4", ORDER,
          "layer = _layers(n_units, between[crossing & (delays < block)])",
          "layer = _layers(n_units, between[crossing & (delays < 1)])",
          ("tests/test_plan.py::test_partitions_are_contiguous_and_hold_every_unit_once",)),
    Fault("two threads at one unit", "law 4", ORDER,
          "return [(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b > a]",
          "return [(a, min(b + 1, cuts[-1])) for a, b in zip(cuts, cuts[1:], strict=False) if b > a]",
          ("tests/test_plan.py::test_partitions_are_contiguous_and_hold_every_unit_once",)),
    Fault("a unit that no thread has", "law 4", ORDER,
          "    cuts.append(len(costs))\n", "    cuts.append(max(len(costs) - 1, cuts[-1]))\n",
          ("tests/test_plan.py::test_partitions_are_contiguous_and_hold_every_unit_once",)),
    Fault("a pointer that is stale", "law 4", BOOKKEEPING,
          "        T.words[edges[e, E_WORD]] = T.gathered_address + 4 * to\n    copy_edge(T, e, slot, to)",
          "    copy_edge(T, e, slot, to)", REFERENCE),
    Fault("staged rows off by one", "law 4", "cortexsim/engine.py",
          "left, place = left[stop - place :], 0", "left, place = left[stop - place + 1 :], 0",
          (MIDWAY + "test_same_bits_for_a_run_longer_than_the_rings_of_its_sources",)),
    Fault("a copy that shares its curves", "law 4", CARRY,
          "twin.curves = copy.deepcopy(sim.curves)", "twin.curves = sim.curves", COPY),
    Fault("a copy that shares its arrays", "law 4", CARRY,
          "twin.memory = Memory(twin.plan, twin.seed, sim.memory.arrays)",
          "twin.memory = Memory(twin.plan, twin.seed, sim.memory.arrays, shared=True)", COPY),
    Fault("a copy that reads nothing in place", "law 4", CARRY, "    point(new, direct_places(old))\n", "", IN_PLACE),
    Fault("a copy without the traces of rates", "law 4", CARRY,
          '"status", "baselines", "gradients", "present",', '"status", "baselines", "present",',
          ("tests/test_carry.py::test_a_copy_takes_the_traces_of_a_learning_rate_along",)),
    Fault("a gate closed is held", "law 4", BOOKKEEPING,
          "counts[at + (t & mask)] = counts[at + ((t - 1) & mask)] if regions[r, HOLD] else -1",
          "counts[at + (t & mask)] = counts[at + ((t - 1) & mask)]", REFERENCE),
    Fault("spans are ignored", "law 4", BOOKKEEPING,
          "if edges[e, E_SPAN] and not edges[e, E_SPAN] & span:", "if edges[e, E_SPAN] < 0:", REFERENCE),
    Fault("clocks off by one", "law 4", BOOKKEEPING,
          "(t - regions[r, OFFSET]) % period != 0", "(t - regions[r, OFFSET] + 1) % period != 0", REFERENCE),
    Fault("lesions of gates are ignored", "law 4", TABLES,
          'cells[d.E_CUT] = edge.data["lesioned"]', 'cells[d.E_CUT] = edge.data["lesioned"] and edge.role != "gate"',
          REFERENCE),

    # ------------------------------------------------------------------ 5 local
    Fault("another region's prediction", "law 5", BOOKKEEPING,
          "p, e = port_at(T, r, PREDICTION, due), port_at(T, r, ERROR, due)",
          "p, e = port_at(T, 0, PREDICTION, due), port_at(T, r, ERROR, due)",
          (LAWS + "test_a_region_that_is_no_ancestor_changes_nothing", *REFERENCE)),

    # ------------------------------------------------------------------ 6 frozen is frozen
    Fault("learning while frozen", "law 6", BOOKKEEPING,
          "words[view + W_LEARN] = T.learn and not regions[r, FROZEN]", "words[view + W_LEARN] = T.learn", FROZEN),
    Fault("learning in imagination", "law 6", BOOKKEEPING,
          "words[view + W_LEARN] = T.learn and not regions[r, FROZEN]",
          "words[view + W_LEARN] = not regions[r, FROZEN]", FROZEN),
    Fault("a kind that learns while frozen", "law 6", DELTA,
          "    if r.learn == 0:\n        loss = dot(e, 0, e, 0, n)",
          "    if r.learn < 0:\n        loss = dot(e, 0, e, 0, n)",
          ("tests/test_simulation.py::test_freeze_and_unfreeze_by_wildcard",)),
    Fault("statistics that move while frozen", "law 6", "cortexsim/kinds/subspace.py",
          "    if r.learn == 0:\n        _emit(r)", "    if r.learn == 0:\n        _statistics(r)\n        _emit(r)",
          (LAWS + "test_a_kind_learns_until_it_is_frozen",)),

    # ------------------------------------------------------------------ 7 hyperparameters are data
    Fault("a change that waits for a plan", "law 7", "cortexsim/changes.py",
          "            sim.memory.set_hyper(name, key, value)\n", "",
          ("tests/test_simulation.py::test_set_hyper_takes_effect_at_the_next_tick",)),
    Fault("modulators without limits", "law 7", BOOKKEEPING,
          "reals[edges[e, E_WORD]] = min(max(value, T.limits[e, 0]), T.limits[e, 1])",
          "reals[edges[e, E_WORD]] = value", REFERENCE),
    Fault("a modulator that piles up", "law 7", BOOKKEEPING,
          "        reals[edges[e, E_WORD]] = T.defaults[edges[e, E_WORD]]\n", "        pass\n", REFERENCE),

    # ------------------------------------------------------------------ 8 nothing lost
    Fault("a bad sample is taken for zero", "law 8", "cortexsim/intake.py",
          "            present[name] = finite if present.get(name) is None else present[name] & finite\n", "",
          (LAWS + "test_a_bad_sample_may_be_skipped_as_if_it_had_not_been_delivered",)),
    Fault("ticks before a bad sample are lost", "law 8", "cortexsim/intake.py",
          "        good = at\n", "        good = 0\n",
          (LAWS + "test_a_bad_sample_is_named_and_everything_before_it_is_kept",)),
    Fault("rows before a failing source are lost", "law 8", "cortexsim/sources/arrays.py",
          "                self._raised = error\n                return row\n", "                raise\n",
          (MIDWAY + "test_a_source_that_fails_at_any_tick_loses_nothing_before_it",)),
    Fault("divergence is seen now and then", "law 8", "cortexsim/driver.py",
          "            if only == 0:\n                watch(T, r, step, t)",
          "            if only == 0 and t % 4 == 3:\n                watch(T, r, step, t)", DIVERGES),
    Fault("a region that diverged speaks", "law 8", "cortexsim/guard.py",
          "    _silence(T, r, t)\n    count =", "    count =", DIVERGES),
    Fault("files written in place", "law 8", "cortexsim/files.py",
          'temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")', "temporary = target",
          (DISK,)),
    Fault("files that may not reach the disk", "law 8", "cortexsim/files.py",
          "            os.fsync(file.fileno())\n", "", (DISK,)),
    Fault("a checkpoint without its rings", "law 8", "cortexsim/checkpoint_state.py",
          'WHOLE = ("signals", "counts",', 'WHOLE = ("counts",', RESUMED),
    Fault("a checkpoint without what is held", "law 8", "cortexsim/checkpoint_state.py",
          '"gathered", "active", "status",', '"active", "status",', RESUMED),
    Fault("a checkpoint without counters", "law 8", "cortexsim/checkpoint_state.py",
          '"gathered", "active", "status",', '"gathered", "active",', RESUMED),
    Fault("a checkpoint without rates", "law 8", "cortexsim/checkpoint_state.py",
          '"baselines", "gradients", "defaults",', '"baselines", "defaults",',
          ("tests/test_checkpoint.py::test_a_run_goes_on_with_the_same_bits",)),
    Fault("a checkpoint without what is present", "law 8", "cortexsim/checkpoint_state.py",
          'return {"there": (memory.present, memory.edges[:n_edges, d.E_PRESENT].astype(np.int64)),\n            "cut"',
          'return {"cut"', (MIDWAY + "test_what_an_edge_holds_outside_its_span_is_in_a_checkpoint",)),
    Fault("a checkpoint that reads nothing in place", "law 8", "cortexsim/checkpoint_state.py",
          "    point(memory, places)\n", "", IN_PLACE),
    Fault("events in the order of visits", "law 4", "cortexsim/divergence.py",
          "entries.sort(key=lambda found: found[:3])", "entries.sort(key=lambda found: found[0])",
          (MIDWAY + "test_regions_that_diverge_at_one_tick_are_told_by_name",)),
    Fault("a checkpoint without baselines", "law 8", "cortexsim/checkpoint_state.py",
          '"status", "baselines",', '"status",', RESUMED),

    # ------------------------------------------------------------------ other promises
    Fault("numbers of double length", "float32", DELTA,
          "p[i] = np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-p[i])))",
          "p[i] = 1.0 / (1.0 + math.exp(-p[i]))",
          ("tests/contract/test_numbers.py::test_numbers_are_as_long_as_it_is_said",)),
    Fault("a reset that keeps states", "reset", CARRY,
          "            if key not in region.kind.learned:\n                array[...] = fresh[key]\n",
          "            pass\n", RESET),
    Fault("a reset that keeps what is in flight", "reset", CARRY,
          "    memory.counts[:] = -1\n", "",
          ("tests/test_simulation.py::test_reset_forgets_that_what_is_in_flight_was_ever_delivered",)),
    Fault("a reset that keeps what is held", "reset", CARRY,
          "    memory.present[memory.edges[: len(sim.plan.edges), d.E_PRESENT]] = 0\n", "",
          ("tests/test_simulation.py::test_reset_clears_what_an_edge_held_outside_its_span",)),
    Fault("scored after it has learned", "curves", DELTA,
          "            squared = dense * step * step * loss\n",
          "            squared = dense * step * step * loss\n"
          "            loss *= (np.float32(1.0) - step * (dense + bias)) * (np.float32(1.0) - step * (dense + bias))\n",
          ("tests/contract/test_kinds.py::test_kernels_match_the_naive_twin_tick_by_tick_from_the_same_state"
           "[delta-False-False-linear-False-fixed-False]",)),
    Fault("a baseline that knows its target", "curves", SCORING,
          "    track(values, place,",
          "    for i in range(n):\n"
          "        baselines[own + n + i] += rate * (values[place + i] - baselines[own + n + i])\n"
          "    track(values, place,", REFERENCE),
    Fault("a baseline of symbols that knows its target", "curves", SCORING,
          "            x = values[place + i]\n            if x > 0:",
          "            x = values[place + i]\n"
          "            baselines[own + n + i] += rate * (x - baselines[own + n + i])\n"
          "            if x > 0:",
          ("tests/test_scoring.py::test_the_baseline_of_symbols_counts_those_that_came_before",)),
    Fault("a merge that loses a bin", "curves", "cortexsim/curves.py",
          "self.acc[:, :half] = self.acc[:, 0::2] + self.acc[:, 1::2]", "self.acc[:, :half] = self.acc[:, 0::2]",
          ("tests/test_curves.py::test_merging_keeps_every_sum_and_the_address",)),
    Fault("a new plan loses weights", "replan", CARRY,
          "        if maps is None:\n            array[...] = former\n", "        if maps is None:\n            pass\n",
          ("tests/test_carry.py::test_replanning_an_unchanged_graph_changes_nothing",)),
    Fault("a new plan loses what is in flight", "replan", CARRY,
          "            _carry_signals(old, memory, name, sim.tick)\n", "            pass\n",
          ("tests/test_carry.py::test_replanning_an_unchanged_graph_changes_nothing",)),
    Fault("a new plan loses what is held", "replan", CARRY,
          "    _carry_held(old, memory)\n", "",
          ("tests/test_carry.py::test_replanning_an_unchanged_graph_changes_nothing",)),
    Fault("TOML without an attribute", "files", "cortexsim/toml_write.py",
          '("period", "offset", "when_closed", "frozen", "on_divergence")',
          '("period", "offset", "frozen", "on_divergence")',
          ("tests/test_toml_write.py::test_graphs_come_back_the_same",)),
)
