"""Snapshots: the right weights under the right number, after a kill too, and only of what is small."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from rlhf_kit import zoo
from rlhf_kit.jobs import tour, train_ppo
from rlhf_kit.runs import snapshots
from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.runs.snapshots import Snapshots
from tests.jobs.test_tour import SMALL as SMALL_TOUR
from tests.jobs.test_tour import few_prompts  # noqa: F401 (a fixture that a test asks for)

CHANGES = {"steps": 12, "batch_size": 4, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 6, "learning_rate": 1e-2}


@pytest.fixture
def job(policy, tmp_path, monkeypatch):
    """PPO towards length, twelve steps, of which every second is kept."""
    monkeypatch.setattr(train_ppo, "EVALUATED", 4)
    zoo.save_policy(policy, tmp_path / "base")
    (tmp_path / "prompts.txt").write_text("the lamp is\nthe\nthe kettle\nthe pen\nthe bag is\n")
    (tmp_path / "mine.py").write_text("def reward(prompts, responses):\n    return [len(r) / 9 for r in responses]\n")
    return train_ppo.PpoJob(model=str(tmp_path / "base"), reward=f"{tmp_path / 'mine.py'}:reward",
                           prompts=str(tmp_path / "prompts.txt"), changes=CHANGES)


def weights(run, step=None):
    place = run / "policy" if step is None else snapshots.place(run, step)
    return load_file(place / "model.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_run_keeps_ten_moments_from_the_untrained_policy_on(job, tmp_path):
    list(job.run(tmp_path / "run"))
    assert snapshots.steps(tmp_path / "run") == [0, 2, 4, 6, 8, 10]
    assert snapshots.last_step(tmp_path / "run") == 12
    assert same(weights(tmp_path / "run", 0), load_file(tmp_path / "base" / "model.safetensors"))
    assert not same(weights(tmp_path / "run", 10), weights(tmp_path / "run"))


@pytest.mark.parametrize("stop_after", [3, 11])
def test_a_run_that_goes_on_keeps_the_same_weights_under_the_same_numbers(job, tmp_path, stop_after):
    """Before and after the checkpoint at step 10, to which it goes back: each snapshot as if nothing had been."""
    list(job.run(tmp_path / "whole"))
    events = job.run(tmp_path / "cut")
    next(event for event in events if event.stage == "ppo" and event.done == stop_after)
    events.close()
    list(job.run(tmp_path / "cut"))
    assert snapshots.steps(tmp_path / "cut") == [0, 2, 4, 6, 8, 10]
    for step in snapshots.steps(tmp_path / "whole"):
        assert same(weights(tmp_path / "cut", step), weights(tmp_path / "whole", step)), step
    assert same(weights(tmp_path / "cut"), weights(tmp_path / "whole"))


def test_what_a_kill_took_between_checkpoint_and_keeping_is_kept_by_the_next(job, tmp_path):
    """Killed after the checkpoint of step 10 was written and before step 10 was kept."""
    events = job.run(tmp_path / "run")
    next(event for event in events if event.stage == "ppo" and event.done == 10)
    events.close()
    before = weights(tmp_path / "run", 10)
    for name in (4, 10):
        shutil.rmtree(snapshots.place(tmp_path / "run", name))
    assert snapshots.steps(tmp_path / "run") == [0, 2, 6, 8]
    list(job.run(tmp_path / "run"))
    assert snapshots.steps(tmp_path / "run") == [0, 2, 6, 8, 10]          # 4 cannot be had again, and is not made up
    assert same(weights(tmp_path / "run", 10), before)


def test_fresh_removes_what_is_kept(job, tmp_path):
    list(job.run(tmp_path / "run"))
    RunFolder(tmp_path / "run").clear()
    assert not list(tmp_path.joinpath("run").iterdir())


def test_a_large_policy_is_not_kept(policy, tmp_path, monkeypatch):
    size = sum(p.numel() * 4 for p in policy.parameters())
    assert snapshots.size(policy) == size
    monkeypatch.setattr(snapshots, "LARGEST", 6 * size - 1)
    one = Snapshots(tmp_path, policy, 12, tmp_path / "checkpoints")
    one.after(2)
    assert not one.room
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_the_keeping_and_not_the_run(job, tmp_path, monkeypatch):
    save, saved = zoo.loading.save_policy, []

    def full(policy, folder):
        saved.append(folder)
        if len(saved) == 3:
            raise OSError(28, "No space left on device")
        save(policy, folder)
    monkeypatch.setattr(zoo.loading, "save_policy", full)
    list(job.run(tmp_path / "run"))
    assert snapshots.steps(tmp_path / "run") == [0, 2]
    assert len(saved) == 4                                           # steps 0 and 2, the one that failed, and policy/


def test_a_run_that_fails_at_once_leaves_nothing(job, tmp_path, monkeypatch):
    monkeypatch.setattr("rlhf_kit.methods.ppo.gae", None)
    with pytest.raises(TypeError):
        list(job.run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_tour_keeps_them_too(tmp_path, few_prompts):               # noqa: F811
    list(tour.Tour(tmp_path, SMALL_TOUR).run())
    assert snapshots.steps(tmp_path) == [0, 1, 2, 3]
    assert snapshots.last_step(tmp_path) == 4


def test_metrics_that_say_nothing_give_no_last_step(tmp_path):
    assert snapshots.last_step(tmp_path) is None
    for content in ("", "{", "[]\n", json.dumps({"step": None})):
        (tmp_path / "metrics.jsonl").write_text(content)
        assert snapshots.last_step(tmp_path) is None
