"""Pictures: what is drawn where, for few regions and for many."""

from __future__ import annotations

import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from cortexsim.curves import Curves
from cortexsim.errors import FileError, InputError
from cortexsim.measures import MEASURES
from cortexsim.plot import plot_curves, plot_forecast, plot_graph, plot_heat, save
from cortexsim.plot_style import COLOURS, GREY, SKILL_COLOURS, fit, text_width


def learning(names, ticks: int = 640, last: float = 1.2, start: int = 0) -> Curves:
    """Curves that rise from skill 0: the first to 0.9, the others less; the last value has 1 - last."""
    count = len(names)
    curves = Curves(names, ["subspace" if index % 2 else "delta" for index in range(count)], ["mse"] * count,
                    ["reconstruction" if index % 2 else "forecast" for index in range(count)],
                    [f"{name}.state" for name in names], bins=64, start=start)
    curves.bin_width, curves.n_ticks = 16, ticks
    used = ticks // 16
    for row in range(count):
        ratio = 1 - 0.9 / (1 + row) * (1 - np.exp(-np.arange(used) / 8))
        curves.acc[row, :used] = 16 * np.array([1, 0, last, 1, 0.01, 0.1, 0.25, 1, 2, 5, 1, 0.1, 0.05, 0.2, 1])
        curves.acc[row, :used, 1] = 16 * ratio
    return curves


def texts(figure: Figure) -> list[str]:
    """All words in a figure but the numbers of its axes."""
    return [text.get_text() for part in (figure, *figure.axes) for text in part.texts]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def region_graph() -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(name="small")
    graph.add_node("retina", type="source", known="after")
    graph.add_node("saccade", type="source", known="before")
    for name, kind in (("V1", "subspace"), ("V1-next", "mylab.rules:gain"), ("V2", "subspace")):
        graph.add_node(name, type="region", kind=kind)
    for low, high, role, delay, cut in (
            ("retina", "V1", "target", 0, False), ("V1", "V2", "target", 0, False),
            ("V1", "V1-next", "target", 0, False), ("V1", "V1-next", "context", 1, False),
            ("saccade", "V1-next", "gate", 0, False), ("V2", "V1-next", "context", 3, False),
            ("V2", "V2", "context", 1, True), ("V2", "V1", "modulator", 1, False)):
        graph.add_edge(low, high, key=f"{low}@{delay}->{high}:{role}", role=role, delay=delay, lesioned=cut,
                       auto=False)
    return graph


# --- learning curves ---

@pytest.mark.parametrize("count", [1, 3, 16, 41])
def test_every_region_has_a_panel_of_its_own(count):
    names = [f"R{index}" for index in range(count)]
    figure = plot_curves(learning(names))
    assert len(figure.axes) == count
    assert [axes.texts[0].get_text() for axes in figure.axes] == names
    assert {axes.get_ylim() for axes in figure.axes} == {(-0.5, 1.0)}
    boxes = [axes.get_position() for axes in figure.axes]
    for index, box in enumerate(boxes):
        assert 0 < box.x0 < box.x1 < 1
        assert 0 < box.y0 < box.y1 < 1
        for other in boxes[:index]:
            assert not box.overlaps(other)


def test_a_panel_shows_the_curve_the_baseline_and_the_end():
    curves = learning(["V1", "V2"])
    axes = curves.plot(smooth=1).axes[0]
    assert isinstance(axes.figure, Figure)
    drawn = {line.get_color(): line for line in axes.lines if len(line.get_xdata()) == 40}
    np.testing.assert_array_equal(drawn[COLOURS[0]].get_xdata(), curves.ticks)
    np.testing.assert_array_equal(drawn[COLOURS[0]].get_ydata(), curves.curve("V1", "skill"))
    np.testing.assert_allclose(drawn[GREY].get_ydata(), -0.2)
    assert drawn[GREY].get_linewidth() < drawn[COLOURS[0]].get_linewidth()
    assert [text.get_text() for text in axes.texts] == ["V1", f"{curves.final('V1')['skill']:.2f}",
                                                        "predicts V1.state"]


def test_smoothing_draws_the_pooled_curve_over_the_bins():
    curves = learning(["V1"])
    lines = [line for line in plot_curves(curves, smooth=5).axes[0].lines if line.get_color() == COLOURS[0]]
    by_width = sorted(lines, key=lambda line: line.get_linewidth())
    np.testing.assert_array_equal(by_width[0].get_ydata(), curves.curve("V1", "skill"))
    np.testing.assert_array_equal(by_width[1].get_ydata(), curves.curve("V1", "skill", 5))


def test_regions_are_chosen_and_ordered():
    figure = plot_curves(learning(["A", "B", "C"]), regions=["C", "A"])
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["C", "A"]
    assert legend(figure)[:1] == ["delta (forecast)"]


def test_colours_stand_for_kinds():
    figure = plot_curves(learning(["A", "B"]))
    assert legend(figure) == ["delta (forecast)", "subspace (reconstruction)", "last value", "running mean"]
    many = learning([f"R{index}" for index in range(8)])
    many.kinds = [f"kind{index}" for index in range(8)]
    assert legend(plot_curves(many))[:2] == ["forecast", "reconstruction"]


def test_what_leaves_the_panel_is_marked():
    figure = plot_curves(learning(["A", "B"], last=3.0))
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "v"]
    assert [to_hex(line.get_color()) for line in marks] == [GREY]
    assert "off the scale" in legend(figure)
    assert "off the scale" not in legend(plot_curves(learning(["A", "B"])))


def test_events_stand_in_the_panels_they_concern():
    curves = learning(["V1", "V2", "V3"], start=1000)
    curves.add_event(1100, "lesion", "saccade@0->V2:gate")
    curves.add_event(1200, "reset", "V3")
    curves.add_event(1300, "freeze", "")
    curves.add_event(1500, "skipped", "retina")  # of no region, so it concerns all
    figure = plot_curves(curves)
    found = [[text.get_text() for text in axes.texts[3:]] for axes in figure.axes]
    assert found == [["freeze", "skipped"], ["lesion", "freeze", "skipped"], ["reset", "freeze", "skipped"]]
    upright = sorted(place for group in figure.axes[1].collections for (place, _), _ in group.get_segments())
    assert upright == [1100, 1300, 1500]
    assert "event" in legend(figure)


def test_a_flood_of_events_is_thinned_to_what_can_be_told_apart():
    curves = learning(["V1", "V2"])
    for tick in range(640):
        curves.add_event(tick, "skipped", "V1")
    first, second = (axes.collections[-1] for axes in plot_curves(curves).axes)
    assert 100 < len(first.get_segments()) <= 500
    assert len(second.get_segments()) == 0


def test_many_panels_keep_only_what_is_readable():
    curves = learning([f"a-rather-long-region-name-{index:02d}" for index in range(45)])
    curves.add_event(100, "freeze", "")
    figure = plot_curves(curves, columns=9)
    for index, axes in enumerate(figure.axes):
        words = axes.texts[0].get_text()
        assert words.endswith("…")
        assert text_width(words, 5) < 1.1
        assert len(axes.texts) == 2, "a name and a number, no more"
        assert axes.yaxis.get_tick_params()["labelleft"] == (index % 9 == 0)
        assert axes.xaxis.get_tick_params()["labelbottom"] == (index >= 36)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("count", [2, 41])
def test_every_measure_can_be_drawn(measure, count, tmp_path):
    curves = learning([f"R{index}" for index in range(count)])
    curves.score[1] = "bits"
    curves.acc[0] = 0.0  # never due
    curves.acc[-1, 5:, 1] = np.inf  # diverged
    figure = plot_curves(curves, measure=measure)
    save(figure, tmp_path / "x.svg")
    assert "<svg" in (tmp_path / "x.svg").read_text()
    drawn = figure.axes[1].lines
    has_values = measure not in ("skill_last", "loss_last", "baseline_skill")  # in bits
    assert any(len(line.get_xdata()) > 2 for line in drawn) == has_values


def test_a_loss_has_an_axis_of_its_own_and_both_baselines():
    figure = plot_curves(learning(["A", "B"]), measure="loss")
    assert legend(figure)[-2:] == ["last value", "running mean"]
    low, high = figure.axes[0].get_ylim()
    assert low == 0
    assert high == pytest.approx(1.15 * 1.2)


def test_a_long_silence_is_not_bridged():
    curves = learning(["V1"])
    curves.acc[0, 10:30] = 0.0
    curves.acc[0, 1::2] = 0.0
    line = max(plot_curves(curves, smooth=1).axes[0].lines, key=lambda line: line.get_zorder())
    assert np.isnan(line.get_ydata()).sum() == 1
    assert len(line.get_xdata()) == 11


def test_curves_of_no_ticks_can_be_drawn(tmp_path):
    curves = learning(["A", "B"], ticks=0)
    save(plot_curves(curves), tmp_path / "a.png")
    save(plot_heat(curves), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"


def test_wrong_regions_and_measures_are_refused():
    curves = learning(["V1", "V1-next"])
    with pytest.raises(InputError, match=r"curves: no region named 'V1-nxt'; did you mean 'V1-next'\?"):
        plot_curves(curves, regions=["V1-nxt"])
    with pytest.raises(InputError, match=r"curves: no measure named 'skll'; did you mean 'skill'\?"):
        plot_curves(curves, measure="skll")
    with pytest.raises(InputError, match=r"plot_curves: there is no region to plot"):
        plot_curves(curves, regions=[])


# --- heat map ---

def test_the_rows_of_a_heat_map_follow_the_hierarchy():
    curves = learning(["V1-next", "V2", "V1"])
    axes = plot_heat(curves, region_graph()).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["V1-next", "V2", "V1"]
    assert [text.get_text() for text in axes.texts] == ["level 1", "level 2"]
    plain = plot_heat(curves).axes[0]
    assert [label.get_text() for label in plain.get_yticklabels()] == ["V1", "V1-next", "V2"]
    assert list(plain.texts) == []


def test_the_cells_of_a_heat_map_are_the_skills():
    curves = learning(["B", "A"])
    curves.acc[0, 3:7] = 0.0
    curves.add_event(320, "freeze", "")
    figure = plot_heat(curves)
    cells = figure.axes[0].images[0].get_array()
    assert cells.shape == (2, 40, 4)
    np.testing.assert_allclose(cells[0], SKILL_COLOURS.to_rgba(curves.curve("A", "skill")))
    assert {to_hex(cell) for cell in cells[1, 3:7]} == {to_hex(SKILL_COLOURS.cmap(np.nan))}
    assert figure.axes[0].get_xlim() == (0, 640)
    assert legend(figure) == ["not due", "last value, at the end", "event"]


def test_a_heat_map_of_nothing_is_refused():
    with pytest.raises(InputError, match="plot_heat: there is no region to plot"):
        plot_heat(Curves([], [], [], [], []))


# --- region graph ---

def boxes(figure: Figure) -> dict[str, FancyBboxPatch]:
    """The box of each node, by the first line in it."""
    axes = figure.axes[0]
    found = {}
    for patch in axes.patches:
        middle = patch.get_x() + patch.get_width() / 2, patch.get_y() + patch.get_height() / 2
        inside = [text for text in axes.texts if np.hypot(*np.subtract(text.get_position(), middle)) < 0.12]
        found[max(inside, key=lambda text: text.get_position()[1]).get_text()] = patch
    return found


def test_the_legend_fits_the_figure():
    graph = region_graph()
    for index in range(8):
        graph.add_node(f"extra-{index}", type="region", kind=f"some-long-kind-{index}")
    for figure in (plot_graph(graph), plot_graph(region_graph()), plot_curves(learning(["A"], last=3.0))):
        figure.canvas.draw()
        box = figure.legends[0].get_window_extent()
        assert box.x1 <= figure.bbox.x1


def test_nodes_are_drawn_by_what_they_are():
    figure = plot_graph(region_graph(), skills={"V1": 0.5, "V2": -0.3, "V1-next": float("nan")})
    found = boxes(figure)
    assert set(found) == {"retina", "saccade", "V1", "V1-next", "V2"}
    assert [name for name, box in found.items() if "square" in str(type(box.get_boxstyle())).lower()] == [
        "retina", "saccade"]
    assert to_hex(found["V1"].get_facecolor()) == to_hex(SKILL_COLOURS.to_rgba(0.5))
    assert to_hex(found["V1-next"].get_facecolor()) == to_hex(SKILL_COLOURS.cmap(np.nan))
    assert to_hex(found["retina"].get_facecolor()) == "#ffffff"
    words = texts(figure)
    assert {"source", "known before", "subspace  0.50", "subspace  −0.30", "gain", "@3"} <= set(words)
    assert "small · 2 sources · 3 regions · 8 edges" in words
    assert len(figure.axes) == 2, "the colour bar"


def test_skills_come_from_curves_too():
    curves = learning(["V1", "V1-next", "V2"])
    skill = curves.final("V1")["skill"]
    assert to_hex(boxes(plot_graph(region_graph(), curves=curves))["V1"].get_facecolor()) == to_hex(
        SKILL_COLOURS.to_rgba(skill))


def test_without_skills_colours_stand_for_kinds():
    figure = plot_graph(region_graph())
    assert len(figure.axes) == 1
    assert legend(figure) == ["target", "context", "gate", "modulator", "lesioned", "delay in ticks", "gain",
                              "subspace"]
    found = boxes(figure)
    assert found["V1"].get_facecolor() == found["V2"].get_facecolor() != found["V1-next"].get_facecolor()


def test_roles_differ_in_their_lines_and_lesioned_edges_are_dashed_grey():
    figure = plot_graph(region_graph())
    lines = {handle.get_label(): handle for handle in figure.legends[0].legend_handles[:5]}
    styles = {(handle.get_color(), handle.get_linewidth(), str(handle._unscaled_dash_pattern))
              for handle in lines.values()}
    assert len(styles) == 5
    groups = [group for group in figure.axes[0].collections if hasattr(group, "get_segments")]
    dashed = [group for group in groups if to_hex(group.get_color()[0]) == lines["lesioned"].get_color()]
    assert len(dashed) == 1
    assert len(dashed[0].get_segments()) == 1
    assert dashed[0].get_linestyle()[0][1] is not None
    assert sum(len(group.get_segments()) for group in groups) == 8


def test_names_shrink_and_then_go():
    def names_of(count):
        graph = nx.MultiDiGraph()
        graph.add_node("x", type="source")
        for index in range(count - 1):
            graph.add_node(f"R{index}", type="region", kind="delta")
            graph.add_edge("x", f"R{index}", key=str(index), role="target", delay=0)
        found = [text for text in plot_graph(graph).axes[0].texts if text.get_text().startswith("R")]
        return len(found), {text.get_fontsize() for text in found}

    assert names_of(20) == (19, {8.0})
    assert names_of(60) == (59, {6.5})
    assert names_of(100) == (99, {5.0})
    assert names_of(181) == (0, set())


def test_other_networkx_graphs_are_drawn_and_left_alone():
    graph = nx.DiGraph([("a", "b"), ("b", "c")])
    figure = plot_graph(graph)
    assert set(boxes(figure)) == {"a", "b", "c"}
    assert list(graph.edges(data=True)) == [("a", "b", {}), ("b", "c", {})]
    assert texts(figure)[0] == "Region graph · 0 sources · 3 regions · 2 edges"
    with pytest.raises(InputError, match="plot_graph: the graph has no nodes"):
        plot_graph(nx.MultiDiGraph())


# --- forecasts ---

def test_a_forecast_is_drawn_beside_the_truth():
    truth = np.array([1.0, 3.0, 1.0, 3.0, np.nan])
    figure = plot_forecast(np.arange(5), truth, truth + 0.5, title="sunspots")
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), truth)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), truth + 0.5)
    assert {"sunspots", "NRMSE 0.500"} <= set(texts(figure))
    columns = plot_forecast(np.arange(5), np.ones((5, 2)), np.ones((5, 2)), names=["left", "right"])
    assert len(columns.axes) == 2
    assert {"left", "right"} <= set(texts(columns))


@pytest.mark.parametrize(("shapes", "names", "message"), [
    (((4,), (5,), (5,)), None, r"ticks, truth and forecast .*\(got \(\(4,\), \(5, 1\), \(5, 1\)\)\)"),
    (((5,), (5, 2), (5,)), None, r"ticks, truth and forecast must be of one length"),
    (((0,), (0,), (0,)), None, r"ticks, truth and forecast must be of one length, and not empty"),
    (((5,), (5, 2), (5, 2)), ["one"], r"names must have one entry per column, 2 \(got 1\)"),
])
def test_forecasts_of_other_shapes_are_refused(shapes, names, message):
    with pytest.raises(InputError, match="plot_forecast: " + message):
        plot_forecast(*(np.zeros(shape) for shape in shapes), names=names)


# --- style and files ---

def test_text_is_cut_to_the_room_there_is():
    assert fit("V1", 8, 1.0) == "V1"
    short = fit("a rather long name", 8, 0.5)
    assert short.endswith("…")
    assert 0.3 < text_width(short, 8) <= 0.5
    assert fit("name", 8, 0.0) == ""


def test_figures_are_saved_whole(tmp_path):
    figure = plot_curves(learning(["A"]))
    for name, start in (("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")):
        save(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(FileError, match=r"folder '.*none': cannot write 'a.png' \(No such file"):
        save(figure, tmp_path / "none" / "a.png")
    with pytest.raises(InputError, match=r"file '.*a.picture': must end in one of \[.*'png'.*'picture'\)"):
        save(figure, tmp_path / "a.picture")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png"]


def test_curves_import_no_matplotlib_and_plots_no_pyplot():
    code = ("import sys, cortexsim.curves as c\n"
            "assert 'matplotlib' not in sys.modules\n"
            "c.Curves(['A'], ['delta'], ['mse'], ['forecast'], ['x']).plot()\n"
            "assert 'matplotlib' in sys.modules\n"
            "assert 'matplotlib.pyplot' not in sys.modules\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
