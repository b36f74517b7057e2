"""The table of jobs: every command's job by its name, and the names that they had first."""

import inspect
from dataclasses import replace

import pytest

from rlhf_kit import jobs
from rlhf_kit.jobs import JOBS, human_loop, tour
from rlhf_kit.jobs.settings import changed
from rlhf_kit.methods import ppo
from rlhf_kit.runs.pipeline import Job


def test_every_command_has_its_job():
    assert list(JOBS) == ["tour", "sft", "reward-model", "judge", "ppo", "rest", "grpo", "dpo",
                          "online-dpo", "kto", "distil", "rule-model", "stackllama", "human-loop", "instructgpt",
                          "anthropic", "sparrow"]
    assert all(issubclass(kind, Job) and inspect.getdoc(kind) for kind in JOBS.values())
    assert len({kind.name for kind in JOBS.values()}) == len(JOBS)
    with pytest.raises(KeyError):
        JOBS["orpo"]


def test_the_first_names_still_work():
    assert (jobs.Sft, jobs.Ppo, jobs.RewardModel, jobs.StackLlama) == tuple(
        JOBS[name] for name in ("sft", "ppo", "reward-model", "stackllama"))
    assert (human_loop.Human, tour.Settings) == (JOBS["human-loop"], JOBS["tour"])
    assert {"JOBS", "PpoJob", "TourJob", "Ppo", "claimed"} <= set(dir(jobs))
    with pytest.raises(AttributeError, match="no attribute 'OrpoJob'"):
        jobs.OrpoJob                                                        # noqa: B018


def test_a_human_loop_is_answered_and_not_run(tmp_path):
    with pytest.raises(TypeError, match="with job"):
        JOBS["human-loop"](model="tiny-lm-en").run(tmp_path)


def test_a_batch_smaller_than_minibatches_that_nobody_named_is_learned_from_whole():
    own = ppo.Config(batch_size=64, minibatch_size=16)
    sizes = [(found.batch_size, found.minibatch_size) for found in (
        changed(own, {"batch_size": 8}), changed(own, {"batch_size": 32}), changed(own, {}),
        changed(own, {"batch_size": 8, "minibatch_size": 4}),
        changed(replace(own, minibatch_size=None), {"batch_size": 8}))]
    assert sizes == [(8, 8), (32, 16), (64, 16), (8, 4), (8, None)]
    with pytest.raises(ValueError, match="is not a multiple"):
        changed(own, {"batch_size": 24})
    with pytest.raises(ValueError, match="is not a multiple"):
        changed(own, {"batch_size": 8, "minibatch_size": 16})
