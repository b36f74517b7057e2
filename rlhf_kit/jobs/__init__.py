"""Jobs: settings become a trained model in a folder, resumed when killed; the table of them.

    job = kit.jobs.JOBS["ppo"](model="tiny-lm-en", judge="tiny-judge-en")
    for event in job.run("runs/mine"):
        print(event.stage, event.done, event.total)

Names are imported when they are first used: whoever takes the tour need not wait for what StackLLaMA needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlhf_kit.runs.pipeline import Job

_TABLE = {                          # what it is called on the command line -> its class, and where that stands
    "tour": ("TourJob", "tour"), "sft": ("SftJob", "train_sft"), "reward-model": ("RewardModelJob",
                                                                                  "train_reward_model"),
    "judge": ("JudgeJob", "train_judge"), "ppo": ("PpoJob", "train_ppo"), "rest": ("RestJob", "train_rest"),
    "grpo": ("GrpoJob", "train_grpo"), "dpo": ("DpoJob", "train_dpo"), "online-dpo": ("OnlineDpoJob", "train_dpo"),
    "kto": ("KtoJob", "train_kto"), "distil": ("DistilJob", "train_distil"),
    "rule-model": ("RuleModelJob", "train_rule_model"),
    "stackllama": ("StackLlamaJob", "train_stackllama"), "human-loop": ("HumanLoopJob", "human_loop"),
    "instructgpt": ("InstructGptJob", "train_instructgpt"), "anthropic": ("AnthropicJob", "train_anthropic"),
    "sparrow": ("SparrowJob", "train_sparrow"),
}
_OLD = {"Sft": "sft", "RewardModel": "reward-model", "Ppo": "ppo", "StackLlama": "stackllama"}      # their first names
_NAMES = {
    "EVALUATED": "questions", "SHOWN": "questions", "SMALL": "settings", "changed": "settings", "claimed": "settings",
    "cores": "settings", "use_threads": "settings", "impressed_reward": "lessons", "tiny_stackllama": "lessons",
}
__all__ = sorted([*_NAMES, *_OLD, *(name for name, _ in _TABLE.values()), "JOBS"])


class _Jobs(Mapping):
    """Every job by the name of its command; a class is imported when it is asked for."""

    def __getitem__(self, name: str) -> type[Job]:
        kind, module = _TABLE[name]
        return getattr(import_module(f"rlhf_kit.jobs.{module}"), kind)

    def __iter__(self) -> Iterator[str]:
        return iter(_TABLE)

    def __len__(self) -> int:
        return len(_TABLE)


JOBS: Mapping[str, type[Job]] = _Jobs()


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(import_module(f"rlhf_kit.jobs.{_NAMES[name]}"), name)
    of = _OLD.get(name) or next((key for key, (kind, _) in _TABLE.items() if kind == name), None)
    if of is not None:
        return JOBS[of]
    raise AttributeError(f"module 'rlhf_kit.jobs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
