"""Learning curves: sums, merging, reading, events, carrying, files."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexsim import curve_events
from cortexsim.curves import Curves
from cortexsim.errors import InputError
from cortexsim.measures import FIELDS, MEASURES

WORDS = (["V1", "V1-next", "words"], ["subspace", "delta", "delta"], ["mse", "mse", "bits"],
         ["reconstruction", "forecast", "forecast"], ["retina", "V1.state", "letters"])


def record(curves: Curves, samples: np.ndarray) -> None:
    """What the driver does: `samples` [ticks, regions, fields] are added tick by tick."""
    for sample in samples:
        if curves.capacity_left() == 0:
            curves.merge()
        curves.acc[:, curves.n_ticks // curves.bin_width] += sample
        curves.n_ticks += 1


def make(ticks: int = 0, bins: int = 8, start: int = 0, seed: int = 0) -> tuple[Curves, np.ndarray]:
    """Curves of three regions and the samples in them; the second region is due every third tick."""
    curves = Curves(*WORDS, bins=bins, start=start)
    samples = np.random.default_rng(seed).integers(1, 64, (ticks, 3, len(FIELDS))).astype(float)
    samples[:, :, [0, 7, 10, 14]] = 1.0
    samples[np.arange(ticks) % 3 != 0, 1] = 0.0
    record(curves, samples)
    return curves, samples


# --- recording ---

def test_the_sums_have_the_layout_the_driver_writes():
    curves = Curves(*WORDS)
    assert FIELDS == ("ticks", "loss", "loss_last", "loss_mean", "update", "dead", "saturated", "learned", "energy",
                      "energy_start", "energy_ticks", "moved", "rate", "anomaly", "anomaly_ticks")
    assert curves.acc.shape == (3, 512, 15)
    assert curves.acc.dtype == np.float64
    assert curves.acc.flags.c_contiguous
    assert (curves.bin_width, curves.n_ticks, curves.capacity_left()) == (1, 0, 512)


@settings(max_examples=30, deadline=None)
@given(ticks=st.integers(1, 100), bins=st.sampled_from([2, 4, 8, 32]))
def test_merging_keeps_every_sum_and_the_address(ticks, bins):
    curves = Curves(*WORDS, bins=bins)
    address = curves.acc.ctypes.data
    _, samples = make(ticks)
    record(curves, samples)
    width = curves.bin_width
    assert curves.acc.ctypes.data == address
    assert width & (width - 1) == 0
    assert ticks <= bins * width < 2 * max(ticks, bins)
    for index in range(bins):  # whole numbers: exact in any order
        wanted = samples[index * width:(index + 1) * width].sum(axis=0)
        np.testing.assert_array_equal(curves.acc[:, index], wanted)


def test_capacity_left_counts_down_to_the_merge():
    curves, _ = make(7)
    assert curves.capacity_left() == 1
    curves.n_ticks += 1
    assert curves.capacity_left() == 0
    curves.merge()
    assert curves.capacity_left() == 8


# --- reading ---

def test_ticks_are_the_middles_of_the_bins():
    assert make(5, start=100)[0].ticks.tolist() == [100, 101, 102, 103, 104]
    # 11 ticks in bins of two: the last bin holds tick 110 only
    assert make(11, start=100)[0].ticks.tolist() == [100.5, 102.5, 104.5, 106.5, 108.5, 110]
    assert make(0)[0].ticks.tolist() == []


def test_every_measure_is_what_its_definition_says():
    curves, samples = make(8)
    s = dict(zip(FIELDS, samples[:, 0].T, strict=True))
    wanted = {"loss": s["loss"], "loss_last": s["loss_last"], "loss_mean": s["loss_mean"],
              "skill": 1 - s["loss"] / s["loss_mean"], "skill_last": 1 - s["loss"] / s["loss_last"],
              "baseline_skill": 1 - s["loss_last"] / s["loss_mean"], "update": s["update"], "dead": s["dead"],
              "saturated": s["saturated"], "ticks": s["ticks"], "learned": s["learned"],
              "energy": s["energy"], "energy_start": s["energy_start"], "moved": s["moved"],
              "rate": s["rate"], "anomaly": s["anomaly"]}
    assert set(wanted) == set(MEASURES)
    for measure, values in wanted.items():
        np.testing.assert_allclose(curves.curve("V1", measure), values, rtol=1e-12, err_msg=measure)


def test_update_is_per_learning_tick_and_the_rest_per_scored_tick():
    curves = Curves(*WORDS, bins=2)
    curves.acc[0, 0] = [4, 8, 8, 16, 6, 2, 1, 3, 10, 30, 5, 20, 6, 1, 2]
    curves.n_ticks, curves.bin_width = 4, 4
    read = {measure: curves.curve("V1", measure)[0] for measure in MEASURES}
    assert read == {"loss": 2, "loss_last": 2, "loss_mean": 4, "skill": 0.5, "skill_last": 0,
                    "baseline_skill": 0.5, "update": 2, "dead": 0.5, "saturated": 0.25, "ticks": 4,
                    "learned": 3, "energy": 2, "energy_start": 6, "moved": 4, "rate": 2, "anomaly": 0.5}


def test_bins_without_a_score_are_nan():
    curves, samples = make(8)
    loss = curves.curve("V1-next", "loss")
    assert np.isnan(loss).tolist() == [False, True, True, False, True, True, False, True]
    assert loss[3] == samples[3, 1, 1]
    assert curves.curve("V1-next", "ticks").tolist() == [1, 0, 0, 1, 0, 0, 1, 0]


def test_bits_have_no_last_value():
    curves, _ = make(8)
    for measure in ("loss_last", "skill_last", "baseline_skill"):
        assert np.isnan(curves.curve("words", measure)).all()
    assert np.isfinite(curves.curve("words", "skill")).all()


def test_skill_is_undefined_where_the_baseline_makes_no_error():
    curves = Curves(*WORDS, bins=2)
    curves.acc[0, :2, :4] = [[1, 0, 0, 0], [1, 3, 0, 0]]
    curves.n_ticks = 2
    assert np.isnan(curves.curve("V1", "skill")).all()
    assert curves.curve("V1", "loss").tolist() == [0, 3]


@pytest.mark.parametrize("smooth", [1, 2, 3, 8, 50])
def test_smoothing_pools_the_sums_of_neighbours(smooth):
    curves, samples = make(8)
    got = curves.curve("V1-next", "skill", smooth)
    for place, value in enumerate(got):
        part = samples[max(0, place - (smooth - 1) // 2):place + smooth // 2 + 1, 1].sum(axis=0)
        np.testing.assert_allclose(value, 1 - part[1] / part[3] if part[3] else math.nan, rtol=1e-12)


def test_final_weighs_every_tick_of_the_last_part_alike():
    curves, samples = make(40, bins=8)  # bins of 8 ticks; the last 10 % begin inside the fifth
    last = samples[32:, 0].sum(axis=0)
    end = curves.final("V1")
    assert end["ticks"] == 8
    assert end["loss"] == pytest.approx(last[1] / 8, rel=1e-12)
    assert end["skill"] == pytest.approx(1 - last[1] / last[3], rel=1e-12)
    assert curves.final("V1", 1.0)["loss"] == pytest.approx(samples[:, 0, 1].mean(), rel=1e-12)
    assert set(end) == set(MEASURES)


def test_final_looks_back_to_where_the_region_was_last_due():
    curves, samples = make(20, bins=32)
    curves.acc[0, 10:] = 0.0  # not due in the second half
    end = curves.final("V1", 0.2)
    part = samples[6:10, 0].sum(axis=0)  # as long a stretch: 4 ticks
    assert (end["ticks"], end["loss"]) == (4, part[1] / 4)


def test_final_of_a_region_that_never_ran_is_nan():
    curves, _ = make(20, bins=32)
    curves.acc[0] = 0.0
    assert math.isnan(curves.final("V1")["skill"])
    assert math.isnan(Curves(*WORDS).final("V1")["loss"])


def test_table_has_a_row_a_region():
    curves, samples = make(8)
    rows = curves.table(fraction=1.0)
    assert [row["region"] for row in rows] == WORDS[0]
    assert list(rows[1]) == ["region", "kind", "predicts", "scores", "unit", "loss", "loss_last", "loss_mean",
                             "skill", "baseline_skill", "ticks"]
    total = samples[:, 1].sum(axis=0)
    assert (rows[1]["kind"], rows[1]["predicts"], rows[1]["scores"]) == ("delta", "V1.state", "forecast")
    assert rows[1]["skill"] == pytest.approx(1 - total[1] / total[3], rel=1e-12)
    assert rows[1]["baseline_skill"] == pytest.approx(1 - total[2] / total[3], rel=1e-12)
    assert [row["ticks"] for row in rows] == [8, 3, 8]
    assert [row["unit"] for row in rows] == ["MSE", "MSE", "bits"]
    assert math.isnan(rows[2]["loss_last"])


def test_table_text_is_aligned():
    curves = Curves(["V1", "words"], ["subspace", "delta"], ["mse", "bits"], ["reconstruction", "forecast"],
                    ["retina", "a very long list of predicted signals"], bins=2)
    curves.acc[:, 0, :4] = [[1000, 250, 2000, 1000], [20, 50, 0, 100]]
    curves.n_ticks = curves.bin_width = 1024
    head, rule, first, second = curves.table_text(share={"V1": 0.75}).split("\n")
    assert head == ("region  kind      predicts                          scores          loss  unit  skill"
                    "  last value  ticks  share of the time")
    assert rule == ("------  --------  --------------------------------  --------------  ----  ----  -----"
                    "  ----------  -----  -----------------")
    assert first == ("V1      subspace  retina                            reconstruction  0.25  MSE   0.750"
                     "      -1.000  1,000              75.0%")
    assert second == ("words   delta     a very long list of predicted s…  forecast         2.5  bits  0.500"
                      "           -     20                  -")
    assert "share" not in curves.table_text()


def test_summary_survives_json_without_nan():
    curves, _ = make(8)
    curves.acc[0, :, 1] = math.inf
    curves.add_event(3, "lesion", "V1.state@1->V1-next")
    summary = json.loads(json.dumps(curves.to_dict(), allow_nan=False))
    assert summary["regions"]["words"]["loss_last"] is None
    assert summary["regions"]["V1"]["loss"] is None
    assert summary["regions"]["V1-next"]["predicts"] == "V1.state"
    assert (summary["n_ticks"], summary["events"]) == (8, curves.events)


def test_repr_says_how_much_there_is():
    assert repr(make(11)[0]) == "Curves: 3 regions, 11 ticks in 6 bins of 2, 0 events"


# --- errors ---

@pytest.mark.parametrize(("change", "message"), [
    ({"bins": 7}, r"curves: bins must be even and at least 2 \(got 7\)"),
    ({"kinds": ["delta"]}, r"curves: kinds must have one entry per region, 3 \(got 1\)"),
    ({"regions": ["V1", "V2", "V1"]}, r"curves: region names must differ \(got 'V1'\)"),
    ({"score": ["mse", "bit", "mse"]}, r"curve of 'V1-next': must score one .*'bit'\); did you mean 'bits'"),
    ({"scores": ["forecast", "forecast", "code"]}, r"curve of 'words': must score one of .*'code'\); known"),
])
def test_wrong_lists_are_refused(change, message):
    names = ("regions", "kinds", "score", "scores", "predicts")
    with pytest.raises(InputError, match=message):
        Curves(**{**dict(zip(names, WORDS, strict=True)), **change})


def test_misspelt_names_get_the_nearest():
    curves, _ = make(4)
    with pytest.raises(InputError, match=r"curves: no region named 'V1-nxt'; did you mean 'V1-next'\?"):
        curves.curve("V1-nxt")
    with pytest.raises(InputError, match=r"curves: no region named 'V1-nxt'; did you mean 'V1-next'\?"):
        curves.final("V1-nxt")
    with pytest.raises(InputError, match=r"curves: no measure named 'skil'; did you mean 'skill'\?"):
        curves.curve("V1", "skil")
    with pytest.raises(InputError, match=r"curve of 'V1': smooth must be at least 1 \(got 0\)"):
        curves.curve("V1", smooth=0)
    with pytest.raises(InputError, match=r"curve of 'V1': fraction must be in \(0, 1\] \(got 0\)"):
        curves.final("V1", 0)


# --- events ---

def test_events_are_kept_in_order():
    curves = Curves(*WORDS)
    curves.add_event(np.int64(3), "lesion", "V1", "by hand")
    curves.add_event(5, "reset", "")
    assert curves.events == [{"tick": 3, "what": "lesion", "where": "V1", "detail": "by hand", "count": 1},
                             {"tick": 5, "what": "reset", "where": "", "detail": "", "count": 1}]
    assert type(curves.events[0]["tick"]) is int
    assert curves.events_dropped == 0


def test_a_flood_of_events_is_merged_oldest_of_the_commonest_first(monkeypatch):
    monkeypatch.setattr(curve_events, "MAX_EVENTS", 64)
    curves = Curves(*WORDS)
    for tick in range(1000):
        curves.add_event(tick, "lesion" if tick in (10, 500) else "divergence", "V1")
    assert len(curves.events) <= 64
    assert sum(event["count"] for event in curves.events) == 1000
    assert curves.events_dropped == 1000 - len(curves.events)
    assert [event["tick"] for event in curves.events if event["what"] == "lesion"] == [10, 500]
    assert curves.events[-1] == {"tick": 999, "what": "divergence", "where": "V1", "detail": "", "count": 1}
    first = curves.events[0]
    assert (first["tick"], first["where"]) == (0, "V1")
    gone = [tick for tick in range(1000) if tick not in (10, 500)][:first["count"]]
    assert first["detail"] == f"{first['count']} events merged, the last at tick {gone[-1]}"


def test_events_of_many_kinds_are_merged_too(monkeypatch):
    monkeypatch.setattr(curve_events, "MAX_EVENTS", 16)
    curves = Curves(*WORDS)
    for tick in range(100):
        curves.add_event(tick, f"kind {tick}", f"place {tick}")
    assert len(curves.events) <= 16
    assert sum(event["count"] for event in curves.events) == 100
    assert (curves.events[0]["what"], curves.events[0]["where"]) == ("several", "")


# --- carrying ---

def test_an_edited_graph_keeps_rows_by_name():
    curves, _ = make(11, start=5)
    curves.add_event(6, "lesion", "V1")
    new = curves.carry(["V2", "V1-next", "V1", "words"], ["delta"] * 4, ["mse", "mse", "mse", "mse"],
                       ["forecast", "forecast", "reconstruction", "forecast"], ["x"] * 4)
    np.testing.assert_array_equal(new.acc[1:3], curves.acc[[1, 0]])
    assert not new.acc[0].any()
    assert not new.acc[3].any(), "bits and squared errors cannot be added"
    assert (new.bin_width, new.n_ticks, new.start, new.bins) == (2, 11, 5, 8)
    assert new.events == curves.events
    new.acc += 1.0
    new.add_event(7, "growth", "V2")
    assert len(curves.events) == 1, "the old curves are not touched"
    assert curves.acc[0, 7, 0] == 0.0
