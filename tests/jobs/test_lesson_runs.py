"""What lesson 03 trains once: as far as it is asked, kept, and found again."""

import pytest

from rlhf_kit import jobs
from rlhf_kit.jobs import lessons
from rlhf_kit.recipes import stackllama
from rlhf_kit.runs.folder import Event
from rlhf_kit.storage import is_complete, new_folder


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and a job whose stages write a file instead of training; returns the stages that ran."""
    ran = []

    def run(job, folder, stage):
        ran.append(stage)
        with new_folder(folder / lessons.LEAVES[stage]) as made:
            (made / "weights").write_text(stage)
        yield Event(stage, 1, 1)

    def reward(preset, data, base, folder):
        ran.append(f"{preset.reward.steps} steps, fence_bias {data.fence_bias}, {base.name}")
        with new_folder(folder) as made:
            (made / "weights").write_text("fences")
        yield Event("reward", 1, 1)

    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path))
    monkeypatch.setattr(lessons.zoo, "cached", lambda name: ran.append(name))
    monkeypatch.setattr(lessons.StackLlamaJob, "run", run)
    monkeypatch.setattr(stackllama, "reward", reward)
    return ran


def test_stages_are_trained_as_far_as_asked_and_never_again(cache, capsys):
    folder = jobs.tiny_stackllama("merge")
    assert cache == ["tiny-forum", "sft", "merge"]
    assert "StackLLaMA at its tiny preset, SFT: trained here once" in capsys.readouterr().err
    assert jobs.tiny_stackllama("reward") == folder
    assert cache[3:] == ["tiny-forum", "reward"]
    jobs.tiny_stackllama("reward")
    assert cache[5:] == ["tiny-forum"]


def test_each_language_has_its_own_forum(cache, capsys):
    english, chinese = jobs.tiny_stackllama("sft"), jobs.tiny_stackllama("sft", "zh")
    assert cache == ["tiny-forum", "sft", "tiny-forum-zh", "sft"]
    assert english != chinese
    assert jobs.impressed_reward("zh").name.startswith(chinese.name)
    assert "最小规模的 StackLLaMA" in capsys.readouterr().err


def test_impressed_voters_get_a_reward_model_on_the_same_base(cache):
    folder = jobs.impressed_reward()
    assert is_complete(folder)
    assert cache[-1] == "60 steps, fence_bias 1.5, sft"
    assert jobs.impressed_reward() == folder
    assert sum("fence_bias" in entry for entry in cache) == 1


def test_another_recipe_has_another_folder(cache, monkeypatch):
    folder = jobs.tiny_stackllama("sft")
    monkeypatch.setattr(lessons.zoo, "RECIPES", lessons.zoo.RECIPES + 1)
    assert jobs.tiny_stackllama("sft") != folder


def test_a_stage_that_does_not_exist_is_named(cache):
    with pytest.raises(ValueError, match="last is 'dpo'; expected one of sft, merge"):
        jobs.tiny_stackllama("dpo")
