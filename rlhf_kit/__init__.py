"""Learn RLHF by doing it: language model, reward model and policy in three minutes on two CPU cores.

    import rlhf_kit as kit

    policy = kit.load_policy("tiny-lm-en")                   # trained here on first use, about 40 seconds
    prompts = kit.Reviews("en").prompts("train")
    def reward(prompts, responses): return [float("sturdy" in r) for r in responses]
    for step in kit.ppo.steps(policy, policy.reference(), prompts, reward, kit.ppo.Config(learning_rate=1e-3)):
        print(step.metrics["score"], step.metrics["kl"])

Names are imported when they are first used, so `import rlhf_kit` costs nothing.
"""

from importlib import import_module

__version__ = "0.2.0"

REPOSITORY = "https://github.com/OWNER/rlhf-kit"        # the one place for the address

_MODULES = {                                             # name here -> where it stands
    "evaluate": "evaluate", "formulas": "formulas", "human": "jobs.human_loop", "jobs": "jobs", "plots": "plots",
    "rewards": "rewards", "sampling": "sampling", "studies": "studies", "tasks": "tasks", "tour": "jobs.tour",
    "training": "jobs", "zoo": "zoo",
}
_METHODS = ("best_of_n", "classifier", "distil", "dpo", "grpo", "kto", "ppo", "rest", "reward_model", "sft")
_RECIPES = ("stackllama", "instructgpt", "anthropic", "sparrow")
_NAMES = {
    "Reviews": "tasks.reviews", "Forum": "tasks.forum", "FileReviews": "datasets.labelled",
    "FileError": "datasets.reading",
    "Policy": "models.heads", "RewardModel": "models.heads", "LoRA": "models.adapters", "SharedBase": "models.shared",
    "load_model": "zoo", "load_policy": "zoo",
    "save_policy": "zoo", "load_classifier": "zoo", "load_reward_model": "zoo", "save_reward_model": "zoo",
    "ModelUnavailable": "models.loading",
    "Sampling": "sampling", "generate": "sampling", "sample_rollout": "sampling", "KL": "formulas.kl_penalty",
    "Rollout": "formulas.records", "Step": "formulas.records", "Comparison": "formulas.records",
    "Ranking": "formulas.records", "Labelled": "formulas.records", "RewardError": "rewards",
    "CheckFailed": "loops.sanity_checks",
    "RemoteJudge": "models.remote", "Labels": "labels", "LabelsError": "labels", "StorageError": "storage",
    "check": "classroom.exercises.checking", "setup": "classroom.exercises.session", "panel": "studio.inline",
    "tell": "classroom.telling", "words": "classroom.telling", "guessed": "classroom.telling",
    "table": "classroom.telling", "stored": "classroom.stored", "progress": "loops.progress",
    "slide": "studies.sliders",
}
__all__ = sorted([*_MODULES, *_METHODS, *_RECIPES, *_NAMES, "REPOSITORY", "__version__"])

def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"rlhf_kit.{_MODULES[name]}")
    if name in _METHODS:
        return import_module(f"rlhf_kit.methods.{name}")
    if name in _RECIPES:
        return import_module(f"rlhf_kit.recipes.{name}")
    if name in _NAMES:
        return getattr(import_module(f"rlhf_kit.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'rlhf_kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
