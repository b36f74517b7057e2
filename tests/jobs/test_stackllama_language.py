"""Which made-up forum StackLLaMA asks about: the job that is told, and the command that goes by --lang."""

import pytest

from rlhf_kit import cli
from rlhf_kit.commands import stackllama
from rlhf_kit.jobs import StackLlamaJob


def test_the_forum_is_that_of_the_language():
    """Another base, with as much room as its answers take; the preset of a larger model stays as it is."""
    job = StackLlamaJob(task="forum-zh", voters="fences")
    assert (job.settings().base, job.settings().ppo.sampling.max_new_tokens) == ("tiny-forum-zh", 96)
    assert (job.questions().name, job.questions().fence_bias) == ("forum-zh", 1.5)
    assert StackLlamaJob(task="forum-zh", model="mine").settings().base == "mine"
    assert StackLlamaJob(task="forum-zh", preset="colab").settings().base == "Qwen/Qwen2.5-0.5B"
    assert StackLlamaJob().questions().name == "forum-en"


@pytest.mark.parametrize(("words", "task"), [
    ("--lang en", None), ("--lang zh", "forum-zh"), ("--lang zh --task forum", "forum-zh"),
    ("--lang en --task forum", None), ("--lang en --task forum-zh", "forum-zh"), ("--lang zh --task forum-en", None),
    ("--lang zh --model tiny-forum", None), ("--lang zh --preset colab", None)])
def test_the_command_takes_the_forum_of_its_language(words, task):
    options = cli._parser().parse_args(["train", "stackllama", "--output", "o", *words.split()])
    assert stackllama._job(options).task == task
