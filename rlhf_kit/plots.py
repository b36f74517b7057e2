"""Pictures: learning curves of a run, drawn without a screen; the only door to matplotlib."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from rlhf_kit.evaluate import Estimate
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import Lang, lesson_sentences
from rlhf_kit.scale.memory import Plan
from rlhf_kit.storage import write_bytes

INK, QUIET = "#1f2933", "#9aa5b1"
COLOURS = {"score": "#d9480f", "gold": "#2b8a3e", "second_judge": "#1864ab", "kl": "#5f3dc4", "entropy": "#0b7285",
           "response_length": "#495057", "eos_rate": "#a61e4d"}
NAMES = {"score": "judge's score", "gold": "gold (the truth)", "second_judge": "second judge",
         "kl": "KL from reference", "entropy": "entropy", "response_length": "response length",
         "eos_rate": "share that ends"}
MEMORY = {"weights": "#1864ab", "adapters": "#d9480f", "gradients": "#e8a33d", "optimiser": "#5f3dc4",
          "heads": "#a61e4d", "logits": "#2b8a3e", "checkpointed": "#0b7285", "activations": "#8fd3d9", "cache": "none"}
MEMORY_NAMES = {"optimiser": "optimiser and master copy", "checkpointed": "activations, with checkpointing",
                "activations": "more of them without", "cache": "KV cache, in turn with the above"}
RUNS = ("#1864ab", "#d9480f", "#2b8a3e", "#5f3dc4", "#a61e4d", "#495057", "#e8a33d", "#0b7285", "#c2255c", "#66a80f")
NO_METADATA = ("Date", "Creator", "Format", "Type")        # a date would differ each time, the others link to the web
UNITS = {"score": "P(positive)", "kl": "nats per response", "entropy": "nats per token",
         "response_length": "tokens", "eos_rate": "share"}
# Colour and marker of a method: what chooses, imitates, is reinforced, prefers; seen on white and on black alike.
METHODS = {"sft": ("#868e96", "*"), "best-of-n": ("#868e96", "D"), "rs-sft": ("#e8590c", "s"), "rest": ("#f08c00", "P"),
           "ppo": ("#1c7ed6", "o"), "a2c": ("#7048e8", "v"), "rloo": ("#0ca678", "^"), "grpo": ("#22b8cf", "X"),
           "dpo": ("#e64980", "h"), "kto": ("#be4bdb", "d")}
# Of a policy of `labs`: what nothing was done to, imitation, and the three recipes.
LABS = {"base": "#ced4da", "prompted": "#adb5bd", "sft": "#868e96", "instructgpt": "#1c7ed6", "anthropic": "#e8590c",
        "sparrow": "#0ca678"}
CHINESE = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei",
           "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans GB", "STHeiti", "Heiti TC", "Microsoft YaHei", "SimHei",
           "SimSun", "Arial Unicode MS", "Droid Sans Fallback")       # families that have Chinese characters
_words: dict[str, str] = {}                                 # English label -> what is drawn in its place


def speak(words: Mapping[str, str]) -> bool:
    """Draw these words in place of English labels from now on; {} for English. False where no font has them."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    font = next((name for name in CHINESE if name in known), None)
    _words.clear()
    matplotlib.rcParams["font.family"] = ["sans-serif"]
    if not words or font is None:
        return not words
    _words.update(words)
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", font]         # the second for what the first does not have
    return True


@contextmanager
def spoken(lang: Lang) -> Iterator[Lang]:
    """Draw in that language within the block and as before after it; gives "en" where no font here has Chinese.

    Figures are made and saved within the block, for a font is found when a text is drawn.
    """
    words, family = dict(_words), list(matplotlib.rcParams["font.family"])
    try:
        yield lang if speak(lesson_sentences("plots")["labels"] if lang == "zh" else {}) else "en"
    finally:
        _words.clear()
        _words.update(words)
        matplotlib.rcParams["font.family"] = family


def speaking() -> bool:
    """True where `speak` has put other words in place of English labels."""
    return bool(_words)


def _word(text: str) -> str:
    """A label in the language of the lesson."""
    return _words.get(text, text)


def _name(name: str) -> str:
    """A metric or a series as the legend calls it, in the language of the lesson."""
    return _word(NAMES.get(name, name))


def curves(history: Sequence[Step], names: Sequence[str], *, title: str = "", size: tuple[float, float] = (4.2, 2.7),
           before: Mapping[str, float] | None = None) -> Figure:
    """Metrics of a run against its steps in one panel, each with its own colour; dotted = where it began.

    Args:
        names: keys of `Step.metrics`; those that never occur are left out.
        before: values before training, drawn as a dotted line.
    """
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    _draw(figure.subplots(), history, names, title, before)
    return figure


def progress(history: Sequence[Step], *, before: Mapping[str, float] | None = None,
             size: tuple[float, float] = (6, 2.6)) -> Figure:
    """What was won and what it cost: score and gold on the left, KL on the right."""
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    for axes, names in zip(figure.subplots(1, 2), (("score", "gold"), ("kl",)), strict=True):
        _draw(axes, history, names, "", before)
    return figure


def overlay(metrics: Mapping[str, Mapping[str, tuple[Sequence[int], Sequence[float]]]], *, legend: bool = True,
            across: str = "step", size: tuple[float, float] = (4.2, 2.7)) -> Figure:
    """Several runs over each other: a panel for each metric, in each of them one line for each run, always its colour.

    Args:
        metrics: metric -> run -> (steps, values); a run without it has empty lists.
        legend: says above all panels which colour is which run.
        across: the axis label of all.
        size: of one panel.
    """
    runs = list(next(iter(metrics.values())))
    colours, columns = run_colours(runs), min(len(metrics), 3)
    down = -(-len(metrics) // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * down + 0.3 * legend), dpi=90, layout="constrained")
    panels = figure.subplots(down, columns, squeeze=False).flat
    for (metric, lines), axes in zip(metrics.items(), panels, strict=False):
        for run, (steps, values) in lines.items():
            axes.plot(steps, values, color=colours[run], lw=1.6, marker="o" if len(steps) == 1 else "")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _label(axes, across, UNITS.get(metric, "") if metric != "score" else "", metric, legend=False)
    for axes in panels:                                 # those that are left of the last row
        axes.set_visible(False)
    if legend:
        figure.legend([Line2D([], [], color=colours[run], lw=1.6) for run in runs], [_word(run) for run in runs],
                      loc="outside upper left", ncols=min(len(runs), 4), frameon=False, fontsize=8)
    return figure


class Mark(NamedTuple):
    """A point of `frontier`."""

    x: float
    y: Estimate
    each: Sequence[tuple[float, float]] = ()        # (x, y) of each seed, where there are several
    name: str = ""                                  # the id that it has in an SVG
    said: str = ""                                  # what is written beside it; it is ringed


def frontier(panels: Mapping[str, Mapping[str, Sequence[Mark]]], *, across: str, names: Mapping[str, str],
             legend: bool = True, size: tuple[float, float] = (5.4, 4.0)) -> Figure:
    """Methods against drift, a panel for each reward: a line for each method, dashed from its highest point on.

    Args:
        panels: title -> method, a key of `METHODS` -> points in the order of its dial, with 95 % intervals.
        across: the axis label of all. names: what a method is called.
        legend: below all panels.
    """
    figure = Figure(figsize=(size[0] * len(panels), size[1] + 0.7 * legend), dpi=110, layout="constrained")
    for (title, lines), axes in zip(panels.items(), figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
        for method, marks in lines.items():
            _drift_line(axes, marks, *METHODS[method])
        ringed = [mark for marks in lines.values() for mark in marks if mark.said]
        for mark in ringed:
            up = mark.y.mean < 0.08 or mark.y.mean == max(other.y.mean for other in ringed)
            axes.plot(mark.x, mark.y.mean, "o", ms=13, mfc="none", mec=INK, mew=1.2)
            side = "right" if mark.x > 0.75 * axes.get_xlim()[1] else "center" if up else "left"
            axes.annotate(mark.said, (mark.x, mark.y.mean), (0, 14 if up else -14), textcoords="offset points",
                          ha=side, va="bottom" if up else "top",
                          fontsize=9, color=INK)
        axes.set_ylim(-0.02, 1.06)
        axes.set_xlim(left=-0.08)
        _label(axes, across, "", "", legend=False)
        axes.set_title(_word(title), fontsize=11, color=INK, loc="left")
        axes.tick_params(labelsize=9)
        axes.xaxis.label.set_fontsize(9)
    if legend:
        shown = list(dict.fromkeys(method for lines in panels.values() for method in lines))
        figure.legend([_drift_key(method) for method in shown], [names[method] for method in shown],
                      loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


class Optimised(NamedTuple):
    """A line of `overoptimisation`: proxy and gold while the proxy is optimised, the start as first point."""

    name: str
    x: Sequence[float]
    gold: Sequence[Estimate]
    proxy: Sequence[float]
    fitted: tuple[Sequence[float], Sequence[float]]
    peak: tuple[float, float] | None = None         # of what is fitted, where it lies inside


def overoptimisation(panels: Mapping[str, Sequence[Optimised]], *, across: str, unit: str, styles: Sequence[str],
                     columns: int = 3, size: tuple[float, float] = (3.7, 3.1), legend: bool = True) -> Figure:
    """Gold and proxy against drift, a panel for each title: gold solid with its band, what is fitted to it dashed, the
    proxy dotted; a cross marks a fitted peak.

    Args: styles: what the three kinds of line are called, gold, fitted and proxy, in a legend below all panels.
    """
    down = -(-len(panels) // columns)
    columns = -(-len(panels) // down)                   # four are two by two
    figure = Figure(figsize=(size[0] * columns, size[1] * down + 0.3 * legend), dpi=110, layout="constrained")
    places = figure.subplots(down, columns, squeeze=False).flat
    for (title, drawn), axes in zip(panels.items(), places, strict=False):
        colours = run_colours([one.name for one in drawn])
        for one in drawn:
            colour = colours[one.name]
            band = [e.low for e in one.gold], [e.high for e in one.gold]
            axes.fill_between(one.x, *band, color=colour, alpha=0.13, lw=0)
            axes.plot(one.x, [e.mean for e in one.gold], color=colour, lw=1.8, label=one.name)
            axes.plot(*one.fitted, color=colour, lw=1.1, ls=(0, (4, 2)))
            axes.plot(one.x, one.proxy, color=colour, lw=1.1, ls=":", alpha=0.9)
            if one.peak is not None:
                axes.plot(*one.peak, marker="x", ms=8, mew=2, color=colour)
        axes.set_xlim(left=0)
        _label(axes, across, unit, title, legend=False)
        axes.legend(frameon=False, fontsize=7.5, loc="best", labelcolor=INK)
    for axes in list(places):
        axes.set_visible(False)
    if legend:
        kinds = ((1.8, "-"), (1.1, (0, (4, 2))), (1.1, ":"))
        figure.legend([Line2D([], [], color=INK, lw=width, ls=style) for width, style in kinds], styles,
                      loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def labs(panels: Mapping[str, Mapping[str, Estimate]], *, names: Mapping[str, str], best: Mapping[str, str],
         title: str, columns: int = 3, size: tuple[float, float] = (4.1, 2.6)) -> Figure:
    """Policies side by side, a panel for each measure, a bar for each policy; the longer, the better, in all of them.

    Args:
        panels: title -> policy, a key of `LABS` -> the measure in [0, 1] with its interval.
        names: what a policy is called. best: the policy of each panel whose number is bold.
        title: stands above all panels.
        size: of one panel.
    """
    down = -(-len(panels) // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * down + 0.7), dpi=110, layout="constrained")
    figure.suptitle(_word(title), fontsize=14, color=INK, x=0.01, ha="left")
    grid = figure.subplots(down, columns, squeeze=False)
    for place, (head, bars_of) in enumerate(panels.items()):
        axes = grid[place // columns][place % columns]
        for row, (policy, value) in enumerate(bars_of.items()):
            axes.barh(row, value.mean, color=LABS[policy], height=0.72)
            axes.plot([value.low, value.high], [row, row], color=INK, lw=1.2)
            axes.annotate(f"{value.mean:.2f}", (max(value.high, value.mean), row), (5, 0), textcoords="offset points",
                          va="center", fontsize=9.5, color=INK, weight="bold" if policy == best[head] else "normal")
        axes.set_yticks(range(len(bars_of)), [names[policy] for policy in bars_of] if place % columns == 0 else [])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.16)
        axes.set_xticks([0, 0.5, 1])
        axes.set_title(_word(head), fontsize=11.5, color=INK, loc="left")
        _style(axes)
        axes.grid(axis="y", visible=False)
        axes.tick_params(labelsize=10)
    for spare in list(grid.flat)[len(panels):]:
        spare.set_visible(False)
    return figure


def run_colours(runs: Sequence[str]) -> dict[str, str]:
    """A colour for each run, in order; after ten they begin again."""
    return {run: RUNS[i % len(RUNS)] for i, run in enumerate(runs)}


def reward_against_kl(history: Sequence[Step], names: Sequence[str] = ("score", "gold"), *,
                      size: tuple[float, float] = (4.2, 2.7)) -> Figure:
    """What a nat of drift bought: scores against KL, one dot a step, later steps darker."""
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    axes = figure.subplots()
    for name in names:
        points = [point for s in history if {"kl", name} <= s.metrics.keys()
                  if all(map(math.isfinite, point := (s.metrics["kl"], s.metrics[name])))]
        for i, (x, y) in enumerate(points):
            axes.plot(x, y, "o", ms=3.5, color=COLOURS.get(name, INK), alpha=0.25 + 0.75 * i / len(points), mew=0,
                      label=_name(name) if i == len(points) - 1 else None)
    axes.set_xlabel(_word("KL from the reference (nats per response)"), color=INK, fontsize=8)
    _style(axes)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
    return figure


def bars(values: Mapping[str, Estimate | float], *, unit: str, title: str = "",
         size: tuple[float, float] = (4.2, 2.7)) -> Figure:
    """One bar for each name, in order, with its 95 % interval where there is one; the first is the baseline."""
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    axes = figure.subplots()
    heights = [v.mean if isinstance(v, Estimate) else v for v in values.values()]
    errors = [(v.high - v.low) / 2 if isinstance(v, Estimate) else 0.0 for v in values.values()]
    colours = [QUIET, *[COLOURS["gold"]] * (len(values) - 1)]
    axes.bar([_word(name) for name in values], heights, yerr=errors if any(errors) else None, color=colours,
             error_kw={"ecolor": INK, "lw": 1.2, "capsize": 3}, width=0.6)
    axes.axhline(heights[0], color=INK, ls=":", lw=1)
    axes.set_ylabel(_word(unit), color=INK, fontsize=8)
    if title:
        axes.set_title(_word(title), fontsize=9, color=INK, loc="left")
    _style(axes)
    axes.grid(axis="x", visible=False)
    return figure


def grouped_bars(values: Mapping[str, Mapping[str, float]], *, ranges: Mapping[str, Mapping[str, tuple[float, float]]]
                 | None = None, size: tuple[float, float] = (8.4, 3.4)) -> Figure:
    """Groups of bars, a number above each: of every group the same metrics, by the colours and names of a curve.

    Args:
        values: group -> metric -> height, from 0 to 1.
        ranges: the same -> (lowest, highest) of the runs behind it, as a line.
    """
    figure = Figure(figsize=size, dpi=140, layout="constrained")
    axes = figure.subplots()
    metrics = list(next(iter(values.values())))
    width = 0.8 / len(metrics)
    for number, metric in enumerate(metrics):
        places = [group + (number - (len(metrics) - 1) / 2) * width for group in range(len(values))]
        heights = [group[metric] for group in values.values()]
        axes.bar(places, heights, width=0.92 * width, color=COLOURS[metric], label=_name(metric))
        for place, height, group in zip(places, heights, values, strict=True):
            low, high = (ranges or {}).get(group, {}).get(metric, (height, height))
            axes.plot([place, place], [low, high], color=INK, lw=1.2)
            axes.annotate(f"{height:.2f}", (place, max(height, high)), (0, 3), textcoords="offset points", ha="center",
                          fontsize=11, color=INK)
    axes.set_xticks(range(len(values)), [_word(name) for name in values])
    axes.set_ylim(0, 1.25)                                 # room for the legend
    axes.set_yticks([])
    axes.legend(frameon=False, fontsize=10, loc="upper left", ncols=len(metrics))
    _style(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", length=0, labelsize=11)
    axes.grid(visible=False)
    return figure


def memory_bars(plans: Mapping[str, Plan], *, gpu: float | None = None, title: str = "",
                size: tuple[float, float] = (6, 3.5)) -> Figure:
    """Where the memory goes, a bar for each way of training, in GB; dotted = what the GPU has.

    A bar ends at the peak without checkpointing; what checkpointing saves is its pale end. Keys and values lie in the
    room of activations and logits, which are not there while it samples: a frame, beginning where those begin.
    """
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    axes = figure.subplots()
    names, bottoms = [_word(name) for name in plans], [0.0] * len(plans)
    for part in ("weights", "adapters", "gradients", "optimiser", "heads", "logits", "checkpointed", "activations"):
        heights = [getattr(plan, part) / 1e9 for plan in plans.values()]
        if part == "activations":
            heights = [h - plan.checkpointed / 1e9 for h, plan in zip(heights, plans.values(), strict=True)]
        if max(heights) > 1e-3:
            axes.bar(names, heights, bottom=bottoms, width=0.6, color=MEMORY[part],
                     label=_word(MEMORY_NAMES.get(part, part)))
        bottoms = [below + h for below, h in zip(bottoms, heights, strict=True)]
    axes.bar(names, [plan.cache / 1e9 for plan in plans.values()], bottom=[p.standing / 1e9 for p in plans.values()],
             width=0.36, color="none", edgecolor=INK, hatch="////", lw=0.8, label=_word(MEMORY_NAMES["cache"]))
    for place, plan in enumerate(plans.values()):
        axes.annotate(f"{plan.peak() / 1e9:.0f}", (place, plan.peak() / 1e9), (0, 2), textcoords="offset points",
                      ha="center", fontsize=8, color=INK)
    if gpu is not None:
        axes.axhline(gpu, color=INK, ls=":", lw=1.2, label=_word("a GPU of {} GB").format(f"{gpu:g}"))
    axes.set_ylabel("GB", color=INK, fontsize=8)
    axes.margins(y=0.1)
    if title:
        axes.set_title(_word(title), fontsize=9, color=INK, loc="left")
    _style(axes)
    axes.grid(axis="x", visible=False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=7.5)
    return figure


def grids(values: Mapping[str, Sequence[Sequence[float]]], *, across: str, down: str,
          size: tuple[float, float] = (6, 2.7)) -> Figure:
    """Tables of whole numbers as coloured squares, side by side, each under its name: 0 is white, others have colours.

    Args:
        across, down: the axis labels of all.
    """
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    known = ["white", *COLOURS.values()]
    for axes, (name, table) in zip(figure.subplots(1, len(values), squeeze=False)[0], values.items(), strict=True):
        rows = [[int(x) and 1 + (int(x) - 1) % (len(known) - 1) for x in row] for row in table]
        axes.imshow(rows, cmap=ListedColormap(known), vmin=0, vmax=len(known) - 1, aspect="auto",
                    interpolation="nearest")
        axes.set_title(_word(name), fontsize=9, color=INK, loc="left")
        axes.set_xlabel(_word(across), color=INK, fontsize=8)
        axes.set_ylabel(_word(down), color=INK, fontsize=8)
        _style(axes)
        axes.grid(visible=False)
    return figure


def save(figure: Figure, file: str | Path) -> None:
    """Write a picture to a file that appears whole or not at all; .png or .svg. Raises ValueError, OSError."""
    path = Path(file).expanduser()
    if path.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"a picture cannot be written to {str(file)!r}; its name must end in .png or .svg.")
    write_bytes(path, png(figure) if path.suffix.lower() == ".png" else svg(figure).encode())


def lines(x: Sequence[float], values: Mapping[str, Sequence[float]], *, across: str, unit: str, title: str = "",
          dashed: Sequence[str] = (), size: tuple[float, float] = (4.2, 2.7)) -> Figure:
    """One line for each name over common x; `across` and `unit` are the axis labels, `dashed` some of the names."""
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    axes = figure.subplots()
    for (name, y), colour in zip(values.items(), [*COLOURS.values()] * len(values), strict=False):
        axes.plot(x, y, color=COLOURS.get(name, colour), label=_name(name), lw=1.8,
                  ls="--" if name in dashed else "-")
    if all(isinstance(place, int) for place in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))            # steps and tokens are counted
    _label(axes, across, unit, title, legend=len(values) > 1)
    return figure


def bands(x: Sequence[float], values: Mapping[str, Sequence[Estimate]], *, across: str, unit: str, title: str = "",
          dashed: Sequence[str] = (), size: tuple[float, float] = (6, 3.2)) -> Figure:
    """One line for each name over common x, with its 95 % interval as a pale band; the rest as in `lines`."""
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    axes = figure.subplots()
    for (name, estimates), spare in zip(values.items(), [*COLOURS.values()][2:] * len(values), strict=False):
        colour = COLOURS.get(name, spare)
        axes.fill_between(x, [e.low for e in estimates], [e.high for e in estimates], color=colour, alpha=0.15, lw=0)
        axes.plot(x, [e.mean for e in estimates], color=colour, label=_name(name), lw=1.8,
                  ls="--" if name in dashed else "-")
    if all(isinstance(place, int) for place in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label(axes, across, unit, title, legend=len(values) > 1)
    return figure


def histograms(values: Mapping[str, Sequence[float]], *, across: str, title: str = "", bins: int = 24,
               size: tuple[float, float] = (4.2, 2.7)) -> Figure:
    """How numbers are spread, one outline for each name over common bins; `across` says what they are."""
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    axes = figure.subplots()
    known = [x for numbers in values.values() for x in numbers if math.isfinite(x)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    edges = [low + (high - low or 1.0) * i / bins for i in range(bins + 1)]
    for (name, numbers), colour in zip(values.items(), [*COLOURS.values()] * len(values), strict=False):
        axes.hist([x for x in numbers if math.isfinite(x)], bins=edges, color=COLOURS.get(name, colour), alpha=0.35,
                  histtype="stepfilled", label=_name(name))
    _label(axes, across, "how many", title, legend=len(values) > 1)
    return figure


def reliability(bins: Mapping[str, Sequence[tuple[float, float, int]]], *, title: str = "",
                size: tuple[float, float] = (4.2, 2.7)) -> Figure:
    """What was stated against what happened: a dot for each bin, larger where it holds more; dotted = calibrated.

    Args:
        bins: name -> (stated probability, share that happened, how many), as in `evaluate.Agreement.reliability`.
    """
    figure = Figure(figsize=size, dpi=90, layout="constrained")
    axes = figure.subplots()
    axes.plot([0.5, 1], [0.5, 1], color=INK, ls=":", lw=1)
    for (name, points), colour in zip(bins.items(), [*COLOURS.values()] * len(bins), strict=False):
        stated, seen, counts = zip(*points, strict=True) if points else ((), (), ())
        axes.plot(stated, seen, color=colour, lw=1.2, label=_name(name))
        axes.scatter(stated, seen, s=[8 + 120 * n / max(sum(counts), 1) for n in counts], color=colour)
    _label(axes, "stated probability", "share that was right", title, legend=len(bins) > 1)
    return figure


def show_in_notebook() -> None:
    """In Jupyter, let a figure that is the last value of a cell be drawn as a picture; elsewhere do nothing."""
    if (ipython := sys.modules.get("IPython")) and (shell := ipython.get_ipython()):
        shell.display_formatter.formatters["image/png"].for_type(Figure, png)


def png(figure: Figure) -> bytes:
    """The picture as a PNG of 64 colours, a quarter of the usual size: notebooks are kept with their pictures."""
    buffer, small = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, format="png")
    Image.open(buffer).convert("RGB").quantize(64).save(small, format="png", optimize=True)
    return small.getvalue()


def svg(figure: Figure) -> str:
    """The picture as SVG text to be put into a page: no fonts or files from elsewhere, the same for the same data."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "rlhf-kit"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(NO_METADATA))
    text = buffer.getvalue()
    return text[text.index("<svg"):]


def _drift_line(axes: Axes, marks: Sequence[Mark], colour: str, marker: str) -> None:
    """One method of `frontier`."""
    top = max(range(len(marks)), key=lambda i: marks[i].y.mean)
    for part, style in ((marks[:top + 1], "-"), (marks[top:], (0, (2, 1.6)))):
        axes.plot([m.x for m in part], [m.y.mean for m in part], color=colour, lw=1.6, ls=style)
    for m in marks:
        axes.plot([m.x, m.x], [m.y.low, m.y.high], color=colour, lw=1, alpha=0.45)
        for x, y in m.each:
            axes.plot(x, y, marker=marker, ms=3, color=colour, alpha=0.45, mew=0)
        [drawn] = axes.plot(m.x, m.y.mean, marker=marker, ms=9 if marker == "*" else 6.5, color=colour, mew=0)
        if m.name:
            drawn.set_gid(m.name)


def _drift_key(method: str) -> Line2D:
    colour, marker = METHODS[method]
    return Line2D([], [], color=colour, marker=marker, ms=6.5, lw=0 if method == "sft" else 1.6, mew=0)


def _draw(axes: Axes, history: Sequence[Step], names: Sequence[str], title: str,
          before: Mapping[str, float] | None) -> None:
    for name in names:
        points = [(s.number + 1, s.metrics[name]) for s in history
                  if name in s.metrics and math.isfinite(s.metrics[name])]
        if points:
            axes.plot(*zip(*points, strict=True), color=COLOURS.get(name, INK), label=_name(name), lw=1.8)
        if before and name in before:
            axes.axhline(before[name], color=COLOURS.get(name, INK), ls=":", lw=1)
    _finish(axes, title, names)


def _finish(axes: Axes, title: str, names: Sequence[str]) -> None:
    axes.set_xlabel(_word("PPO step"), color=INK, fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(_word(UNITS.get(names[0], "")), color=INK, fontsize=8)
    if title:
        axes.set_title(_word(title), fontsize=9, color=INK, loc="left")
    if {"score", "gold", "second_judge", "eos_rate"} & set(names):
        axes.set_ylim(-0.02, 1.02)
    elif names[0] != "kl":
        axes.set_ylim(bottom=0)
    if len(names) > 1 and axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    _style(axes)


def _label(axes: Axes, across: str, unit: str, title: str, legend: bool) -> None:
    axes.set_xlabel(_word(across), color=INK, fontsize=8)
    axes.set_ylabel(_word(unit), color=INK, fontsize=8)
    if title:
        axes.set_title(_word(title), fontsize=9, color=INK, loc="left")
    if legend:
        axes.legend(frameon=False, fontsize=8)
    _style(axes)


def _style(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(color=QUIET, alpha=0.25, lw=0.6)
