"""What `import rlhf_kit as kit` offers: exactly these names, each of them there, and for next to nothing."""

import inspect
import subprocess
import sys

import pytest

import rlhf_kit

NAMES = [
    "CheckFailed", "Comparison", "FileError", "FileReviews", "Forum", "KL", "Labelled", "Labels", "LabelsError", "LoRA",
    "ModelUnavailable", "Policy", "REPOSITORY", "Ranking", "RemoteJudge", "Reviews", "RewardError", "RewardModel",
    "Rollout", "Sampling", "SharedBase", "Step", "StorageError", "__version__", "anthropic", "best_of_n", "check",
    "classifier", "distil", "dpo", "evaluate", "formulas", "generate", "grpo", "guessed", "human", "instructgpt",
    "jobs", "kto", "load_classifier", "load_model", "load_policy", "load_reward_model", "panel", "plots", "ppo",
    "progress", "rest", "reward_model", "rewards", "sample_rollout", "sampling", "save_policy", "save_reward_model",
    "setup", "sft", "slide", "sparrow", "stackllama", "stored", "studies", "table", "tasks", "tell", "tour", "training",
    "words", "zoo",
]


MOVED = {"human": "human_loop", "training": "jobs"}          # public names that outlived their files


def python(program: str) -> list[str]:
    """The words that a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_exactly_these_names_are_public():
    assert rlhf_kit.__all__ == NAMES
    assert dir(rlhf_kit) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_says_what_it_is(name):
    found = getattr(rlhf_kit, name)
    if name not in ("REPOSITORY", "__version__"):
        assert inspect.getdoc(found)
        assert found.__name__.rsplit(".", 1)[-1] == MOVED.get(name, name)


def test_a_name_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="module 'rlhf_kit' has no attribute 'grade_everything'"):
        rlhf_kit.grade_everything  # noqa: B018


def test_every_method_has_the_same_three_names():
    for method in (rlhf_kit.ppo, rlhf_kit.sft, rlhf_kit.classifier, rlhf_kit.reward_model):
        assert inspect.isclass(method.Config)
        assert inspect.isgeneratorfunction(method.steps)
        assert inspect.isfunction(method.train)


def test_importing_the_kit_costs_nothing():
    """CPU seconds of this import alone; torch and transformers take 5 and come when they are needed."""
    heavy = {"torch", "transformers", "numpy", "matplotlib", "tokenizers", "huggingface_hub", "rich", "jinja2"}
    seconds, *modules = python("import sys, time; before = time.process_time(); import rlhf_kit; dir(rlhf_kit);"
                               "print(time.process_time() - before, *sys.modules)")
    assert not heavy & set(modules)
    assert float(seconds) < 0.2


def test_asking_for_a_light_name_loads_no_torch():
    modules = python("import sys, rlhf_kit; rlhf_kit.__version__; rlhf_kit.StorageError; rlhf_kit.FileError;"
                     "print(*sys.modules)")
    assert "torch" not in modules


def test_a_star_import_gives_them_all():
    namespace: dict = {}
    exec("from rlhf_kit import *", namespace)
    assert set(NAMES) <= namespace.keys()
