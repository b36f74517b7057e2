"""A run's model card: what it learned from, the numbers before and after, samples, the command, licences."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData, hf_api, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from jinja2 import Environment, StrictUndefined

from rlhf_kit import REPOSITORY, __version__, tasks
from rlhf_kit.datasets.sources import is_hub_name
from rlhf_kit.evaluate import Estimate
from rlhf_kit.language import Lang, say
from rlhf_kit.recipes import anthropic, instructgpt, sparrow, stackllama
from rlhf_kit.recipes.stackllama import forum_lang, in_language
from rlhf_kit.runs import stages_report
from rlhf_kit.runs.lineage import began_with, is_hub_model, job_of, run_of, settings_in
from rlhf_kit.runs.report import measures

Note = tuple[str, dict[str, Any]]

DATA = ("reviews", "data", "prompts", "rankings", "pairs", "pretrain")     # settings that name what was learned from
SHOWN = 3                           # samples in a card
SCORERS = ("rewardmodel", "judge", "rulemodel")        # jobs whose model reads and does not write
TAGS = {"tour": ("ppo",), "stackllama": ("ppo", "lora"), "instructgpt": ("ppo",), "anthropic": ("ppo",),
        "sparrow": ("a2c",), "human": ("ppo", "human-feedback"),
        "rewardmodel": ("reward-model",), "judge": ("classifier",)}      # of other jobs their names
# Recipes that make an assistant of a base, in its world.
ASSISTANTS = {"instructgpt": instructgpt.PRESETS, "anthropic": anthropic.PRESETS, "sparrow": sparrow.PRESETS}
OURS = "apache-2.0"                 # of the kit, its made-up texts, and so of what is made of nothing else
STACK_EXCHANGE = "cc-by-sa-4.0"
LICENCES = {"gpt2": "mit", "openai-community/gpt2": "mit", "Qwen/Qwen2.5-0.5B": "apache-2.0",
            "Qwen/Qwen2.5-7B": "apache-2.0"}       # as the hub's pages said; others are looked up


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a run's model was made of."""

    base: str | None                # a hub id, a tiny name, a folder; None: weights that began at random
    base_on_hub: bool
    sets: tuple[str, ...]           # data sets on the hub
    files: tuple[str, ...]          # files of somebody's own
    world: str | None               # the made-up world, where nothing else was named

    @property
    def own_data(self) -> bool:
        """True if a person brought data: what stands in it is theirs to show."""
        return bool(self.files or self.sets)


def origin(run: Path) -> Origin:
    """The base at the end of the chain of runs, and the data of the whole chain."""
    named, world, place, base = [], None, run, None
    seen: set[Path] = set()
    while place is not None and place.resolve() not in seen:
        seen.add(place.resolve())
        settings = settings_in(place)
        named += [value for name in DATA if (value := settings.get(name))]
        world = world or _world(settings)
        if (job := job_of(settings)) == "stackllama":
            preset = in_language(stackllama.PRESETS[settings["preset"]], forum_lang(settings.get("task")))
            named += [preset.data] if preset.data and not (settings.get("data") or settings.get("task")) else []
            base = settings.get("model") or preset.base
        elif job in ASSISTANTS:
            base = settings.get("model") or ASSISTANTS[job][settings["preset"]].base.format(lang=settings["lang"])
        else:
            base = None if job == "tour" else began_with(place)
        place = None if base is None else run_of(base)
        if place is not None and place.resolve() in seen:
            base = None                                 # the first model was made by the run itself
    sets = tuple(dict.fromkeys(name for name in named if is_hub_name(name)))
    own = tuple(dict.fromkeys(Path(name).name for name in named if name not in sets))
    return Origin(base=base, base_on_hub=base is not None and is_hub_model(base), sets=sets, files=own,
                  world=None if sets or own else world)


def write(run: Path, repo: str, lang: Lang, *, command: str, size: int, adapter: bool = False,
          licence: str | None = None, samples: bool = False, ask: bool = False) -> tuple[str, list[Note]]:
    """The text of README.md, and what has to be said of it: keys of sentences, their values.

    Args:
        run: a finished one's folder.
        command: what made it, as one types it.
        size: of what goes with the card, in bytes.
        adapter: whether that is an adapter, to be loaded on its base.
        licence: the hub's name of one; None: as base and data say, if both are known.
        samples: show some although they answer a person's own prompts; of made-up prompts they are shown anyway.
        ask: look for the licence of the base and the sets on the hub, not only in its cache.
    """
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    settings, made = settings_in(run), origin(run)
    words, job = partial(say, lang), job_of(settings)
    licences = {name: _licence(name, "model" if name == made.base else "dataset", ask)
                for name in ([made.base] if made.base_on_hub else []) + list(made.sets)}
    chosen = licence or _following(made, licences)
    shown = result.get("samples") if samples or not made.own_data else None
    notes = []
    if chosen is None:
        notes.append(("card_no_licence", {}))
    if result.get("samples") and shown is None:
        notes.append(("card_no_samples", {}))
    data = ModelCardData(
        language=[settings["lang"]] if made.world and settings.get("lang") else None, license=chosen,
        library_name="peft" if adapter else "transformers", tags=["rlhf-kit", "rlhf", *TAGS.get(job, (job,))],
        base_model=made.base if made.base_on_hub else None, datasets=list(made.sets) or None,
        pipeline_tag="text-classification" if job in SCORERS else "text-generation", model_name=repo.split("/")[-1])
    template = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                           keep_trailing_newline=True).from_string(
        (files("rlhf_kit") / "data" / "model_card.md.j2").read_text(encoding="utf-8"))
    text = template.render(
        say=words, data=data.to_yaml(), repo=repo, kit=REPOSITORY, version=__version__,
        about=_about(job, result, words), use=_use(repo, job, shown, adapter), table=_table(job, result, lang),
        heading=words("card_h_numbers" if job in SCORERS else "card_h_before"), n=_examined(result),
        samples=[_sample(pair, words) for pair in (shown or [])[:SHOWN]], command=command,
        sources=[_base(made, words), *_data(made, words), *_judge(settings, words)],
        licences=_licence_lines(made, licences, chosen, words), weights=f"{size / 1e6:,.1f} MB")
    return text, notes


# -- what it is --------------------------------------------------------------------------------------------------------

def _about(job: str, result: Mapping[str, Any], words: partial) -> str:
    known = ("tour", "ppo", "rest", "grpo", "dpo", "online-dpo", "kto", "distil", "sft", "rewardmodel", "rulemodel",
             "judge", "stackllama", "instructgpt", "anthropic", "sparrow", "human")
    return words(f"card_about_{job}" if job in known else "card_about_other", job=job, n=result.get("ratings", 0))


def _use(repo: str, job: str, shown: Sequence[Mapping[str, Any]] | None, adapter: bool) -> str:
    """A few lines of Python that work with what was published."""
    if job in SCORERS:
        if job == "rulemodel":
            return (f"import rlhf_kit as kit\n\nscore = kit.rewards.rules_of(*kit.load_classifier({repo!r}), "
                    f"[\"Do not insult the user.\"])\nprint(score([\"Hello. \"], [\"Who asks?\"]))")
        door = "load_reward_model" if job == "rewardmodel" else "load_classifier"
        score = (f"score = kit.rewards.learned(kit.{door}({repo!r}))" if job == "rewardmodel"
                 else f"score = kit.rewards.classifier({repo!r})")
        return f"import rlhf_kit as kit\n\n{score}\nprint(score([\"\"], [\"A text to be judged.\"]))"
    prompt = shown[0]["after"]["prompt"] if shown else "..."
    if adapter:
        return (f"import rlhf_kit as kit                  # an adapter: its base is fetched, too\n\n"
                f"policy = kit.load_policy({repo!r})\nprint(kit.generate(policy, [{prompt!r}]))")
    return (f"from transformers import pipeline\n\nwrite = pipeline(\"text-generation\", model={repo!r})\n"
            f"print(write({prompt!r}, max_new_tokens=48, do_sample=True)[0][\"generated_text\"])")


def _base(made: Origin, words: partial) -> str:
    if made.base is None:
        return words("card_base_none")
    if made.base_on_hub:
        return words("card_base_hub", name=made.base)
    if made.base in tasks.tiny_names():
        return words("card_base_tiny", name=made.base)
    return words("card_base_folder", name=Path(made.base).name)


def _data(made: Origin, words: partial) -> list[str]:
    lines = [words("card_data_set", name=name) for name in made.sets]
    lines += [words("card_data_file", name=name) for name in made.files]
    return lines or ([words("card_data_world", name=made.world)] if made.world else [])


def _judge(settings: Mapping[str, Any], words: partial) -> list[str]:
    lines = []
    if isinstance(judge := settings.get("judge"), str):
        name = judge if is_hub_model(judge) or judge in tasks.tiny_names() else Path(judge).name
        lines.append(words("card_judge", name=name))
    if isinstance(reward := settings.get("reward"), str):
        lines.append(words("card_reward", name=Path(reward).name))
    return lines


def _world(settings: Mapping[str, Any]) -> str | None:
    if task := settings.get("task"):
        return Path(task).name
    if job_of(settings) == "stackllama":
        return "forum-en"
    if job_of(settings) in ASSISTANTS:
        return f"assistant-{settings['lang']}"
    return f"reviews-{settings['lang']}" if settings.get("lang") else None


# -- what it measured --------------------------------------------------------------------------------------------------

def _table(job: str, result: Mapping[str, Any], lang: Lang) -> list[list[str]]:
    """Cells of a table, the header first; empty where nothing was measured."""
    words = partial(say, lang)
    if job == "sft":
        loss = result["loss"]
        return _two(words, [(words("row_loss"), f"{loss['before']:.3f}", f"{loss['after']:.3f}")])
    if job == "judge":
        return [[words("column_measure"), words("column_value_texts")],
                [words("row_judge_accuracy"), _estimate(result["accuracy"])],
                [words("row_commonest"), f"{result['commonest']:.3f}"]]
    if job == "rewardmodel":
        rows = [("row_pairs", _estimate(result["agreement"]["pair_accuracy"])),
                ("row_length_only", f"{result['length_only']:.3f}"),
                ("row_calibration", f"{result['agreement']['calibration_error']:.3f}")]
        if result.get("ceiling") is not None:
            rows.insert(1, ("row_ceiling_accuracy", f"{result['ceiling']:.3f}"))
        return [[words("column_measure"), words("column_value")], *([words(name), value] for name, value in rows)]
    if job == "stackllama":
        return _policies(result["policies"], words)
    if job in ASSISTANTS:
        return stages_report.table(result["policies"], lang)
    if "before" not in result or "after" not in result:
        return []
    whole = {"win_rate": {}, "judge_accuracy": {}, **result}
    return _two(words, [(row["name"], row["before"], row["after"]) for row in measures(whole, lang)])


def _two(words: partial, rows: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    return [[words("column_measure"), words("column_before"), words("column_after_sft")], *map(list, rows)]


def _policies(policies: Mapping[str, Any], words: partial) -> list[list[str]]:
    rows = [[words("column_measure"), *(words(f"column_stack_{name}") for name in policies)]]
    for measure in ("gold", "score", "kl", "length", "eos_rate", "fenced", "distinct"):
        seen = [one["scores"].get(measure, one.get(measure)) for one in policies.values()]
        if seen[0] is not None:
            rows.append([words(f"row_stack_{measure}"),
                         *(_estimate(x) if isinstance(x, dict) else f"{x:.2f}" for x in seen)])
    return rows


def _examined(result: Mapping[str, Any]) -> int | None:
    """How many were examined on, where scores say it."""
    policies = result.get("policies") or {}
    after = result.get("after") or policies.get("ppo") or policies.get("policy") or {}
    found = [score["n"] for score in after.get("scores", {}).values()]
    return found[0] if found else result.get("held_out") or None


def _estimate(e: Mapping[str, float]) -> str:
    return str(Estimate(**e))


def _sample(pair: Mapping[str, Any], words: partial) -> str:
    """One prompt and both answers, in a fence that nothing in them closes."""
    parts = [pair["before"]["prompt"], "", f"{words('column_before')}:", pair["before"]["response"], "",
             f"{words('column_after_sft')}:", pair["after"]["response"]]
    text = "\n".join(parts)
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


# -- licences ----------------------------------------------------------------------------------------------------------

def _following(made: Origin, licences: Mapping[str, str | None]) -> str | None:
    """The base's licence, or the kit's own of what began with nothing; None where data or base leave it open."""
    if made.own_data:
        return None
    if made.base_on_hub:
        return licences[made.base]
    return OURS if made.base is None or made.base in tasks.tiny_names() else None


def _licence_lines(made: Origin, licences: Mapping[str, str | None], chosen: str | None, words: partial) -> list[str]:
    lines = [words("card_licence", licence=chosen) if chosen else words("card_licence_open")]
    for name, licence in licences.items():
        lines.append(words("card_licence_of", name=name, licence=licence) if licence
                     else words("card_licence_unknown", name=name))
    if made.files:
        lines.append(words("card_licence_file"))
    if made.world or (not made.own_data and not made.base_on_hub):
        lines.append(words("card_licence_ours"))
    return lines


def _licence(name: str, kind: str, ask: bool) -> str | None:
    """As the page of a model or a set says, in the hub's cache or on the hub."""
    if kind == "dataset" and "stack-exchange" in name.lower():
        return STACK_EXCHANGE
    if name in LICENCES:
        return LICENCES[name]
    try:
        page = try_to_load_from_cache(name, "README.md", repo_type=kind)
        if isinstance(page, str):
            return ModelCard.load(page, ignore_metadata_errors=True).data.license
        if ask:
            api = hf_api.HfApi()
            about = api.model_info(name) if kind == "model" else api.dataset_info(name)
            return about.card_data.license if about.card_data else None
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError):
        pass
    return None
