"""Jobs: a model's name and a file become a trained model in a folder, resumed when killed.

Names are imported when they are first used: whoever takes the tour need not wait for what StackLLaMA needs.
"""

from importlib import import_module

_NAMES = {
    "Sft": "train_sft", "RewardModel": "train_reward_model", "Ppo": "train_ppo", "EVALUATED": "train_ppo",
    "SHOWN": "train_ppo", "StackLlama": "train_stackllama", "SMALL": "settings", "changed": "settings",
    "claimed": "settings", "cores": "settings", "use_threads": "settings", "impressed_reward": "lessons",
    "tiny_stackllama": "lessons",
}
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(import_module(f"rlhf_kit.jobs.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'rlhf_kit.jobs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
