"""The panel All methods: every point of `rlhf-kit frontier`, by reward model and in truth, against drift."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from rlhf_kit.language import Lang, say
from rlhf_kit.studio.fields import Names, choices, when_open, when_shown
from rlhf_kit.studio.turns import QUIET
from rlhf_kit.studio.widget import Update, stamp, widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

STORED = ""                         # the points that come with the kit, of lesson 07
LARGEST = 20_000_000                # bytes of a result that is read


def build(lang: Lang, workspace: Workspace) -> None:
    """Put the panel into the page that is being built."""
    panel = Frontier(lang, workspace)
    gr.HTML(f"<p>{panel.words('about')}</p>", js_on_load=None)
    run = Names([], label=panel.words("run"), info=panel.words("run_about"), elem_id=f"rk-frontier-run-{lang}")
    picture = widget("frontier", panel.words, elem_id=f"rk-frontier-{lang}")
    shown = when_shown if isinstance(Context.block, gr.Tab) else lambda *to: when_open(*to, **QUIET)
    shown(panel.open, run, [run, picture])
    run.input(panel.show, run, picture, concurrency_limit=None, **QUIET)


@dataclass(frozen=True)
class Frontier:
    """What the panel does; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "frontier")

    def open(self, picked: str) -> tuple[Update, Update]:
        """The runs that there are, the newest first, and what is shown: (list, picture)."""
        there = self.runs()
        listed = [*((name, name) for name in there), (self.words("stored"), STORED)]
        chosen = picked if picked in there else next(iter(there), STORED)
        return choices(listed, STORED, chosen), self.show(chosen)

    def runs(self) -> dict[str, Path]:
        """Name -> folder of every finished run of `rlhf-kit frontier` beside the studio's folder, or among its runs."""
        found = [folder for home in (self.workspace.folder.absolute().parent, self.workspace.folder / "runs")
                 if home.is_dir() for folder in home.iterdir()
                 if _job(folder) == "frontier" and (folder / "result.json").is_file()]
        found.sort(key=lambda one: (one / "result.json").stat().st_mtime, reverse=True)
        return {folder.name: folder for folder in found}

    def show(self, name: str) -> dict[str, Any]:
        """What `frontier.js` draws of that run; of one that is gone or cannot be read, a line about it."""
        try:
            folder = self.runs().get(name)
            if name and folder is None:
                raise ValueError(name)
            return {**self._drawn(_stored() if folder is None else _read(folder / "result.json")), "stamp": stamp()}
        except (OSError, ValueError, KeyError, TypeError):
            return {"gone": self.words("gone", name=name), "stamp": stamp()}

    def _drawn(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Charts, points and what is said of each, in the page's language."""
        from rlhf_kit import plots
        from rlhf_kit.studies.frontier import page
        lang, points = self.lang, result["points"]
        lead = "" if "world" not in result else say(
            lang, "frontier_lead", world=result["world"], judge=result["judge"], start=result["start"],
            n=result["size"]["held_out"])
        return {"lead": lead, "headline": page.headline(result, lang), "across": page.across(lang),
                "charts": [{"name": reward, "title": say(lang, f"frontier_panel_{reward}")} for reward in page.REWARDS],
                "methods": [{"name": method, "title": say(lang, f"frontier_name_{method}"),
                             "colour": plots.METHODS[method][0]}
                            for method in dict.fromkeys(point["method"] for point in points)],
                "begin": page.ringed(points)["best"],
                "meters": {reward: say(lang, f"frontier_col_{reward}") for reward in page.REWARDS},
                "points": [{"title": page.title(point, lang), "method": point["method"], "x": point["root_kl"],
                            **{reward: [point[reward][side] for side in ("mean", "low", "high")]
                               for reward in page.REWARDS},
                            "numbers": page.numbers(point, lang), "settings": page.settings(point.get("config", {})),
                            "texts": point.get("texts", [])} for point in points]}


def _job(folder: Path) -> str | None:
    try:
        return _read(folder / "settings.json").get("job")
    except (OSError, ValueError, AttributeError):
        return None


def _read(file: Path) -> dict[str, Any]:
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} is larger than any result.")
    return json.loads(file.read_text(encoding="utf-8"))


def _stored() -> dict[str, Any]:
    return json.loads((files("rlhf_kit") / "data" / "lessons" / "07.json").read_text(encoding="utf-8"))["parts"]
