"""What a folder is: a model, an adapter, or a run that left several. Small files are read, nothing is loaded."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rlhf_kit.language import LANGS, Lang
from rlhf_kit.runs import snapshots
from rlhf_kit.runs.lineage import BEGAN, JUDGES
from rlhf_kit.studio.words import Words
from rlhf_kit.tasks import BASES

RUNS = "runs"                       # the folder that runs lie in
ADAPTER, MODEL, OF_BASE = "adapter_config.json", "config.json", "base.json"
BEFORE, JUDGE = " · before", " · judge"                 # what a run's own base and judge are called, after the run


@dataclass(frozen=True)
class Entry:
    """A model that can be asked for by name."""

    name: str                               # shown, and sent back by the page
    kind: Literal["policy", "judge"]
    place: str                              # a tiny model's name, a folder, or a hub id; of an adapter, its base
    lang: Lang | None = None                # None = nobody says
    adapter: str | None = None              # a folder; laid on the model at `place`
    base: str | None = None                 # name of the policy that it was trained from
    judge: str | None = None                # name of the judge that it was trained to please
    label: str = "positive"                 # of a classifier: the output that stands for praise
    run: Path | None = None                 # the run that trained it by reward, where steps may be kept
    written: float = 0.0                    # seconds since 1970

    @property
    def trained(self) -> bool:
        """True if a run made it that optimises a reward."""
        return self.kind == "policy" and self.run is not None


def label(name: str, lang: Lang) -> str:
    """How an entry's name is shown on a page of that language."""
    for suffix, key in ((BEFORE, "before"), (JUDGE, "judge")):
        if name.endswith(suffix):
            return Words(lang, "shelf")(key, name=name.removesuffix(suffix))
    return name


def of_folder(folder: Path, name: str) -> list[Entry]:
    """The entries of a folder, whose own policy is called `name`; none if it holds nothing that we know."""
    if (folder / "settings.json").is_file():
        return _of_run(folder, name)
    if (folder / MODEL).is_file() or (folder / ADAPTER).is_file():
        return [_model(folder, name)]
    return []


def by_own_name(entries: list[Entry]) -> list[Entry]:
    """The same, where a run's base or judge that is an entry of its own goes by that entry's name, once."""
    own = {(entry.kind, os.path.realpath(entry.place), entry.adapter): entry.name for entry in reversed(entries)
           if not entry.name.endswith((BEFORE, JUDGE))}
    other = {(entry.kind, entry.name): found for entry in entries if entry.name.endswith((BEFORE, JUDGE))
             and (found := own.get((entry.kind, os.path.realpath(entry.place), entry.adapter)))}
    return [replace(entry, base=other.get(("policy", entry.base), entry.base),
                    judge=other.get(("judge", entry.judge), entry.judge))
            for entry in entries if (entry.kind, entry.name) not in other]


def steps_of(entry: Entry) -> list[int]:
    """The steps of its run at which a policy can be looked at, the last one included; none if there is no choice."""
    if entry.run is None:
        return []
    found, last = snapshots.steps(entry.run), snapshots.last_step(entry.run)
    if last is not None and _policy_of(entry.run) is not None:
        found = [*(step for step in found if step < last), last]
    return found if len(found) > 1 else []


def at_step(entry: Entry, step: int) -> tuple[str, str | None]:
    """Place and adapter of that policy at a step; the finished one where that step has no snapshot."""
    if entry.run is None or step not in snapshots.steps(entry.run) or step == snapshots.last_step(entry.run):
        return entry.place, entry.adapter
    folder = snapshots.place(entry.run, step)
    return (_base(folder, entry.run), str(folder)) if (folder / ADAPTER).is_file() else (str(folder), None)


def context_of(entry: Entry) -> int | None:
    """The longest text in tokens, prompt included, as a policy's folder or recipe says; None where that is not known.

    Nothing is loaded for it: of a tiny model it is known once somebody has waited for torch.
    """
    folder = Path(entry.place).expanduser()
    if folder.is_dir():
        config = _json(folder / MODEL)
        config = config.get("text_config") or config
        found = config.get("n_positions") or config.get("max_position_embeddings")      # as `Policy.context`
        return found if isinstance(found, int) and found > 1 else None
    zoo = sys.modules.get("rlhf_kit.zoo")
    return getattr(zoo.recipe_of(entry.place), "context", None) if zoo and zoo.is_tiny(entry.place) else None


def _of_run(run: Path, name: str) -> list[Entry]:
    """What a run left: a policy with what it was trained from and for, or a model that scores."""
    settings = _json(run / "settings.json")
    lang: Any = settings.get("lang") if settings.get("lang") in LANGS else "en"
    job = settings.get("job", "tour" if "language_model" in settings else None)
    if job == "labs":
        return _of_labs(run, name, lang)
    if job in ("sft", "rewardmodel", "judge"):
        there = any((run / "model" / name).is_file() for name in (MODEL, ADAPTER))
        return [replace(_model(run / "model", name), lang=lang)] if there else []
    base, judge = _made_from(run, settings, job)
    common = {"lang": lang, "written": _written(run)}
    beside = []
    if isinstance(base, Path) and base.is_dir():
        beside.append(Entry(f"{name}{BEFORE}", "policy", str(base), **common))
    if isinstance(judge, Path) and judge.is_dir():
        adapted = _is_adapter(judge) and not _stands_alone(judge)
        beside.append(Entry(f"{name}{JUDGE}", "judge", _base(judge, run) if adapted else str(judge),
                            adapter=str(judge) if adapted else None, **common))
    found = _policy_of(run) or _latest(run)
    if found is None:
        return beside
    base_name, judge_name = (f"{name}{suffix}" if isinstance(made, Path) else made
                             for made, suffix in ((base, BEFORE), (judge, JUDGE)))
    adapted = (found / ADAPTER).is_file()
    own = Entry(name, "policy", _base(found, run) if adapted else str(found), adapter=str(found) if adapted else None,
                base=base_name, judge=judge_name, run=run, **common)
    return [own, *beside]


def _of_labs(run: Path, name: str, lang: Lang) -> list[Entry]:
    """The policies of a comparison of labs, from the base that they share; after the first seed with its number."""
    found = []
    for folder in sorted((run / "labs").glob("*-*-*")):
        lab, seed, _ = folder.name.rsplit("-", 2)
        if (place := _policy_of(folder)) is not None and not (place / ADAPTER).is_file():
            found.append(Entry(f"{name} · {lab}" + (f" {seed}" if seed != "0" else ""), "policy", str(place), lang=lang,
                               base=BASES[lang], run=folder, written=_written(folder)))
    return found


def _made_from(run: Path, settings: dict[str, Any], job: str | None) -> tuple[Path | str | None, Path | str | None]:
    """Base and judge of a run: folders in it, or what its settings name."""
    if job in BEGAN:
        return run / BEGAN[job], next((run / name for name in JUDGES[job] if (run / name).is_dir()), None)
    untrained = snapshots.place(run, 0)                      # the model that the settings name may be elsewhere by now
    return (_named(settings.get("model"), run) or (untrained if untrained.is_dir() else None),
            _named(settings.get("judge"), run))


def _named(source: object, run: Path) -> Path | str | None:
    """A model that a run's settings name, as a folder that exists or as a name.

    DIR/runs/NAME was begun in DIR, as the studio begins its trainings: there a relative folder is looked for first,
    and only then where this program was started.
    """
    if not isinstance(source, str) or not source:
        return None
    begun = [run.absolute().parents[1]] if run.absolute().parent.name == RUNS else []
    for home in (*begun, Path()):
        if (folder := home / Path(source).expanduser()).is_dir():
            return folder
    return None if source.startswith((".", "/", "~")) or source.count("/") > 1 else source


def _policy_of(run: Path) -> Path | None:
    """What a finished training left: a whole policy, or an adapter beside its base."""
    return next((run / name for name in ("policy", "policy_adapter")
                 if (run / name / MODEL).is_file() or (run / name / ADAPTER).is_file()), None)


def _latest(run: Path) -> Path | None:
    """Of a training that goes on, or was stopped: the last snapshot."""
    steps = snapshots.steps(run)
    return snapshots.place(run, steps[-1]) if steps else None


def _is_adapter(folder: Path) -> bool:
    """True of an adapter alone."""
    return (folder / ADAPTER).is_file() and not (folder / MODEL).is_file()


def _stands_alone(folder: Path) -> bool:
    """True of an adapter of a judge that says itself what its outputs mean and where 0 is: its folder is a judge."""
    return "labels" in _json(folder / OF_BASE)


def _base(adapter: Path, run: Path) -> str:
    """What an adapter is laid on: of level 3's folders the one beside it, which moved along; else what it names."""
    beside = run / "sft"
    return str(beside) if (beside / MODEL).is_file() else str(_json(adapter / ADAPTER).get("base_model_name_or_path"))


def _model(folder: Path, name: str) -> Entry:
    """A model or an adapter in a folder, by what its own config says it is."""
    if not (folder / MODEL).is_file():
        kind = "judge" if _json(folder / ADAPTER).get("task_type") == "SEQ_CLS" else "policy"
        if kind == "judge" and _stands_alone(folder):
            return Entry(name, kind, str(folder), written=_written(folder))
        return Entry(name, kind, _base(folder, folder.parent), adapter=str(folder), written=_written(folder))
    made = _json(folder / MODEL).get("architectures")
    judges = isinstance(made, list) and any("SequenceClassification" in str(one) for one in made)
    return Entry(name, "judge" if judges else "policy", str(folder), written=_written(folder))


def _written(folder: Path) -> float:
    """When what is newest in it was written."""
    times = [path.stat().st_mtime for path in (folder, *(folder / name for name in (
        "result.json", "settings.json", "policy", snapshots.FOLDER, MODEL))) if path.exists()]
    return max(times, default=0.0)


def _json(path: Path) -> dict[str, Any]:
    """A small file of ours; an empty one if it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
