"""Pictures for a page that must open without a network: what is drawn, and that nothing points outside."""

import contextlib
import math
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from rlhf_kit import plots
from rlhf_kit.evaluate import Estimate
from rlhf_kit.formulas.records import Step
from rlhf_kit.plots import COLOURS, bands, curves, grids, histograms, png, progress, reliability, reward_against_kl, svg

HISTORY = [Step(n, {"score": 0.4 + n / 20, "gold": 0.5 + n / 50, "kl": n / 2, "entropy": 2 - n / 10}) for n in range(8)]
NAMESPACES = re.compile(r'xmlns(:\w+)?="[^"]*"')


def lines(figure) -> list[tuple[list[float], list[float]]]:
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in figure.axes[0].lines]


def labels(figure) -> list[str]:
    return figure.axes[0].get_legend_handles_labels()[1]


@pytest.fixture(params=["curves", "one curve", "reward against KL", "nothing"])
def figure(request):
    return {"curves": lambda: curves(HISTORY, ("score", "gold"), title="评判 & <score>", before={"score": 0.4}),
            "one curve": lambda: curves(HISTORY, ("kl",)), "reward against KL": lambda: reward_against_kl(HISTORY),
            "nothing": lambda: curves([], ("entropy",))}[request.param]()


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_an_svg_points_to_nothing_outside_itself(figure):
    picture = svg(figure)
    assert not re.search(r"https?:|file:|data:|@import|<script|<image|<foreignObject", NAMESPACES.sub("", picture))
    root = ElementTree.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.endswith("href"):
                assert value.startswith("#"), (element.tag, value)
            assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", value))


def test_letters_are_drawn_so_that_no_font_is_needed():
    picture = svg(curves(HISTORY, ("score", "gold")))
    assert "<text" not in picture
    assert "font-family" not in picture


def test_the_same_data_give_the_same_picture():
    for draw in (lambda steps: curves(steps, ("score",), before={"score": 0.5}), reward_against_kl):
        assert svg(draw(HISTORY[:3])) == svg(draw(HISTORY[:3])) != svg(draw(HISTORY[:2]))


def test_curves_show_each_metric_against_the_steps_counted_from_1():
    figure = curves(HISTORY, ("score", "gold"))
    assert lines(figure) == [(list(range(1, 9)), [0.4 + n / 20 for n in range(8)]),
                             (list(range(1, 9)), [0.5 + n / 50 for n in range(8)])]
    assert [line.get_color() for line in figure.axes[0].lines] == [COLOURS["score"], COLOURS["gold"]]
    assert len(set(labels(figure))) == 2


def test_what_is_no_number_is_left_out():
    broken = [Step(0, {"score": 0.5, "kl": 0.0}), Step(1, {"score": math.nan, "kl": 1.0}),
              Step(2, {"score": math.inf, "kl": 2.0}), Step(3, {"kl": 3.0}), Step(4, {"score": 0.7, "kl": math.nan}),
              Step(5, {"score": 0.8, "kl": 5.0})]
    assert lines(curves(broken, ("score",))) == [([1, 5, 6], [0.5, 0.7, 0.8])]
    broken.append(Step(6, {"score": 0.9}))
    assert lines(reward_against_kl(broken)) == [([0.0], [0.5]), ([5.0], [0.8])]
    svg(reward_against_kl(broken))


def test_a_metric_that_never_occurs_is_left_out():
    figure = curves(HISTORY, ("score", "nobody"))
    assert len(lines(figure)) == len(labels(figure)) == 1


def test_where_it_began_is_a_dotted_line():
    figure = curves(HISTORY, ("score",), before={"score": 0.42, "gold": 0.1})
    assert lines(figure)[1][1] == [0.42, 0.42]
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["-", ":"]


def test_later_steps_are_darker_and_each_score_is_named_once():
    figure = reward_against_kl(HISTORY)
    assert lines(figure) == [([n / 2], [y]) for y0, slope in ((0.4, 20), (0.5, 50))
                             for n in range(8) for y in [y0 + n / slope]]
    shades = [line.get_alpha() for line in figure.axes[0].lines]
    assert shades[:8] == sorted(shades[:8])
    assert shades[0] < shades[7]
    assert len(labels(figure)) == 2


def test_an_interval_is_a_band_around_its_line():
    figure = bands([1, 2], {"score": [Estimate(0.5, 0.4, 0.6, 9), Estimate(0.7, 0.6, 0.8, 9)]}, across="n", unit="mean")
    assert lines(figure) == [([1, 2], [0.5, 0.7])]
    corners = figure.axes[0].collections[0].get_paths()[0].vertices
    assert {(x, round(y, 3)) for x, y in corners.tolist()} == {(1, 0.4), (1, 0.6), (2, 0.6), (2, 0.8)}


def test_a_run_without_steps_is_an_empty_picture():
    assert lines(curves([], ("score",))) == []
    assert lines(reward_against_kl([])) == []
    assert svg(reward_against_kl([])).startswith("<svg")


def test_drawing_needs_no_screen_and_changes_no_setting():
    import matplotlib
    before = dict(matplotlib.rcParams)
    svg(curves(HISTORY, ("score",)))
    assert dict(matplotlib.rcParams) == before


def test_progress_has_what_was_won_on_the_left_and_what_it_cost_on_the_right():
    left, right = progress(HISTORY, before={"score": 0.4}).axes
    assert [line.get_color() for line in left.lines] == [COLOURS["score"], COLOURS["score"], COLOURS["gold"]]
    assert list(right.lines[0].get_ydata()) == [n / 2 for n in range(8)]


def test_a_png_for_a_notebook_is_small_and_the_same_for_the_same_picture():
    picture = png(curves(HISTORY, ("score", "gold")))
    assert picture[:4] == b"\x89PNG"
    assert picture == png(curves(HISTORY, ("score", "gold")))
    assert len(picture) < 10_000


def test_histograms_share_their_bins_and_count_every_finite_number():
    axes = histograms({"best": [0.0, 1.0, 1.0, math.nan], "worst": [-2.0, 0.0]}, across="score", bins=3).axes[0]
    outlines = {patch.get_label(): patch.get_xy() for patch in axes.patches}
    assert all(sorted(set(xy[:, 0])) == [-2.0, -1.0, 0.0, 1.0] for xy in outlines.values())
    assert {name: xy[:, 1].max() for name, xy in outlines.items()} == {"best": 3, "worst": 1}
    assert len(histograms({"same": [2.0, 2.0]}, across="score").axes[0].patches) == 1
    svg(histograms({"none": []}, across="score"))


def test_reliability_shows_a_dot_for_each_bin_larger_where_it_holds_more_and_the_diagonal():
    axes = reliability({"model": [(0.6, 0.5, 10), (0.9, 1.0, 30)], "empty": []}).axes[0]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines[:2]] == [
        ([0.5, 1], [0.5, 1]), ([0.6, 0.9], [0.5, 1.0])]
    assert axes.collections[0].get_offsets().tolist() == [[0.6, 0.5], [0.9, 1.0]]
    small, large = axes.collections[0].get_sizes()
    assert small < large


def test_grids_keep_nothing_white_and_texts_apart():
    figure = grids({"apart": [[1, 0], [0, 2]], "leak": [[1, 0], [2, 9]]}, across="may look at", down="token")
    left, right = figure.axes
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("apart", "leak")
    assert left.images[0].get_array().tolist() == [[1, 0], [0, 2]]
    assert right.images[0].get_array()[1, 1] == 2               # seven colours, then from the first again


def test_labels_are_drawn_in_chinese_where_a_font_has_them_and_in_english_elsewhere(monkeypatch):
    draw = lambda: plots.lines([0, 1], {"gold": [0, 1], "x": [1, 0]}, across="step", unit="odd", title="t").axes[0]            # noqa: E731
    words = {"step": "步", "gold (the truth)": "真值", "x": "某"}
    monkeypatch.setitem(plots.matplotlib.rcParams, "font.family", ["sans-serif"])
    for known, expected in ((["SimHei", "DejaVu Sans"], ("步", ["真值", "某"])),
                            (["DejaVu Sans"], ("step", ["gold (the truth)", "x"]))):
        with monkeypatch.context() as patch:
            fonts = [SimpleNamespace(name=name) for name in known]
            patch.setattr(plots.font_manager.fontManager, "ttflist", fonts)
            assert plots.speak(words) == ("SimHei" in known)
        plots.matplotlib.rcParams["font.family"] = ["DejaVu Sans"]
        axes = draw()
        assert (axes.get_xlabel(), axes.get_legend_handles_labels()[1]) == expected
        assert axes.get_ylabel() == "odd"                          # a label that has no Chinese yet
    assert plots.speak({})
    assert draw().get_xlabel() == "step"


def test_a_block_draws_in_its_language_and_what_was_spoken_before_goes_on_after_it(monkeypatch):
    fonts = [SimpleNamespace(name=name) for name in ("SimHei", "DejaVu Sans")]
    monkeypatch.setattr(plots.font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setitem(plots.matplotlib.rcParams, "font.family", ["sans-serif"])
    said = lambda: plots._word("step")             # noqa: E731
    plots.speak({"step": "a lesson's word"})
    families = list(plots.matplotlib.rcParams["font.family"])
    with plots.spoken("zh") as drawn:
        assert (drawn, said(), plots.matplotlib.rcParams["font.family"][-1]) == ("zh", "步", "SimHei")
        with plots.spoken("en") as inner:
            assert (inner, said()) == ("en", "step")
        assert said() == "步"
    assert (said(), plots.matplotlib.rcParams["font.family"]) == ("a lesson's word", families)
    with contextlib.suppress(KeyError), plots.spoken("zh"):
        raise KeyError
    assert said() == "a lesson's word"
    fonts.pop(0)
    with plots.spoken("zh") as drawn:
        assert (drawn, said()) == ("en", "step")
    plots.speak({})


def test_grouped_bars_have_a_number_above_each_and_a_line_over_the_runs():
    drawn = plots.grouped_bars({"before": {"score": 0.5, "gold": 0.25}, "after": {"score": 0.9, "gold": 0.1}},
                               ranges={"after": {"gold": (0.05, 0.2)}})
    [axes] = drawn.axes
    assert [bar.get_height() for bar in axes.patches] == [0.5, 0.9, 0.25, 0.1]
    assert [text.get_text() for text in axes.texts] == ["0.50", "0.90", "0.25", "0.10"]
    assert [text.xy[1] for text in axes.texts] == [0.5, 0.9, 0.25, 0.2]          # above the line, where there is one
    assert [label.get_text() for label in axes.get_xticklabels()] == ["before", "after"]
    left = {bar.get_x() for bar in axes.patches}
    assert len(left) == 4                                                        # none hides another
