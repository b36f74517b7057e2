"""What lesson 03 trains once and keeps beside the tiny models: StackLLaMA's stages at the recipe's tiny preset."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from filelock import FileLock

from rlhf_kit import zoo
from rlhf_kit.jobs.train_stackllama import IMPRESSED, STAGES, StackLlamaJob
from rlhf_kit.language import Lang, say
from rlhf_kit.loops.progress import progress
from rlhf_kit.recipes import stackllama
from rlhf_kit.runs.folder import Event
from rlhf_kit.storage import is_complete
from rlhf_kit.tasks.forum import Forum

LEAVES = {"sft": "sft_adapter", "merge": "sft", "reward": "reward_adapter", "ppo": "policy_adapter",
          "evaluate": "result.json"}                # stage -> what it leaves in the folder
ABOUT = {"sft": 30, "merge": 1, "reward": 60, "ppo": 120, "evaluate": 50}       # seconds of one core
FENCE_STEPS = 60                                    # enough to learn to trust a fence


def tiny_stackllama(last: str = "evaluate", lang: Lang = "en") -> Path:
    """The folder of the tiny preset's run as far as the stage `last`; what is missing is trained now.

        base = zoo.cached(FORUM[lang])      folder / "sft_adapter", "sft", "reward_adapter", "policy_adapter", "policy"

    The forum is that of `lang`. What is trained is said in it on stderr, with a line that shows how far it is. Another
    recipe has another folder, so nothing stale is found. Of two processes that ask at the same time the second waits.

    Raises: ValueError for a stage that does not exist.
    """
    if last not in STAGES:
        raise ValueError(f"last is {last!r}; expected one of {', '.join(STAGES)}.")
    job = _job(lang)
    zoo.cached(job.settings().base)
    folder = _place(job)
    for stage in STAGES[:STAGES.index(last) + 1]:
        if not _there(folder / LEAVES[stage]):
            with FileLock(f"{folder}.lock"):
                _run(job, folder, stage, lang)
    return folder


def impressed_reward(lang: Lang = "en") -> Path:
    """A reward model's adapter on that run's "sft", learnt from voters who take a code fence for quality."""
    job, folder = _job(lang), tiny_stackllama("merge", lang)
    done = folder.with_name(f"{folder.name}-fences-{IMPRESSED:g}-{FENCE_STEPS}")
    preset = job.settings()
    preset = replace(preset, pairs=FENCE_STEPS * preset.reward.batch_size,
                     reward=replace(preset.reward, steps=FENCE_STEPS))
    with FileLock(f"{done}.lock"):
        if not is_complete(done):
            _say("reward_of_others", 30, lang)
            steps = stackllama.reward(preset, Forum(lang, fence_bias=IMPRESSED), folder / "sft", done)
            for _ in progress(steps, FENCE_STEPS):
                pass
    return done


def _job(lang: Lang) -> StackLlamaJob:
    return StackLlamaJob(task="forum-zh" if lang == "zh" else None)


def _run(job: StackLlamaJob, folder: Path, stage: str, lang: Lang) -> None:
    if _there(folder / LEAVES[stage]):                  # another process was faster
        return
    _say(stage, ABOUT[stage], lang)
    _follow(job.run(folder, stage=stage))


def _place(job: StackLlamaJob) -> Path:
    preset = job.settings()
    key = hashlib.sha256(f"{zoo.RECIPES} {zoo.place(preset.base).name} {preset!r}".encode()).hexdigest()[:10]
    return zoo.cache_folder() / f"tiny-stackllama-{key}"


def _there(path: Path) -> bool:
    return path.is_file() or is_complete(path)


def _follow(events: Iterator[Event]) -> None:
    """Let a stage run, with a line that says how far it is."""
    first = next(events, None)
    if first is not None:
        for _ in progress(chain([first], events), first.total):
            pass


def _say(stage: str, seconds: int, lang: Lang) -> None:
    print(say(lang, "lesson_stage", stage=say(lang, f"lesson_stage_{stage}"), seconds=seconds,
              folder=zoo.cache_folder()), file=sys.stderr)
