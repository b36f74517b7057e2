"""The InstructGPT job: seven stages in one folder, a second round, one's own folder, killed or not, what it refuses."""

import json
import random
from dataclasses import replace

import pytest

from rlhf_kit import zoo
from rlhf_kit.jobs import JOBS
from rlhf_kit.methods import ppo
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.recipes import instructgpt
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import is_complete
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.answers import draw_writer
from rlhf_kit.tasks.assistant.prompts import case_of

pytestmark = pytest.mark.timeout(300)
Job = JOBS["instructgpt"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A LLaMA of one layer that knows the assistant's words and nothing else."""
    tokenizer = text.train_tokenizer(Assistant("en").corpus(300), 500)
    folder = tmp_path_factory.mktemp("base") / "llama"
    zoo.save_policy(Policy(tiny.llama(tokenizer, layers=1, width=64, context=320), tokenizer, value_head=False), folder)
    return folder


def smaller(preset: instructgpt.Preset, base) -> instructgpt.Preset:
    """The preset on that base, a few updates of each stage."""
    return replace(preset, base=str(base), demonstrations=8, epochs=3, rankings=6, prompts=24, pretraining=8,
                   held_out=6, validation=4, held_out_rankings=4, sft=replace(preset.sft, batch_size=4),
                   start=replace(preset.start, batch_size=4), reward=replace(preset.reward, batch_size=3),
                   ppo=replace(preset.ppo, steps=3, batch_size=8, minibatch_size=4,
                               sampling=Sampling(max_new_tokens=8)))


@pytest.fixture(scope="module", autouse=True)
def small(base):
    """The tiny preset, smaller still: a run takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(instructgpt.PRESETS, "tiny", smaller(instructgpt.PRESETS["tiny"], base))
        patch.setitem(ppo.steps.__kwdefaults__, "checkpoint_every", 1)
        patch.setattr(instructgpt, "candidates", crowd)
        yield


def crowd(writers, prompts, sampling, seed):
    """In place of what an untrained model writes, which is all worth nothing: people's responses."""
    rng, found = random.Random(seed), []
    for prompt in prompts:
        case = case_of(prompt, "en")
        found.append((prompt, [" " + draw_writer(rng).answer(case, rng).text("en") for _ in range(9)]))
    assert len(writers) >= 1
    assert sampling.max_new_tokens == 8
    return found


def run(job, folder, **options) -> list:
    return list(job.run(folder, **options))


def result(folder) -> dict:
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instructgpt") / "run"
    return folder, run(Job(rounds=2), folder)


def test_every_stage_leaves_its_folder(finished):
    folder, events = finished
    begun = [event.stage for event in events if event.done == 0 and event.note is None]
    assert begun == ["sft", "start", "labels", "reward_model", "select", "ppo", "labels-2", "reward_model-2", "ppo-2",
                     "evaluate"]
    names = ("epochs/epoch-01", "epochs/epoch-02", "epochs/epoch-03", "start", "sft", "labels-1", "reward_model-1",
             "policy-1", "labels", "reward_model", "policy")
    assert all(is_complete(folder / name) for name in names)
    assert not list(folder.rglob("*.bin")) + list(folder.rglob("*.pt")) + list(folder.rglob("*.pkl"))
    assert not (folder / "checkpoints").exists()


def test_the_result_compares_every_stage(finished):
    found = result(finished[0])
    assert list(found["policies"]) == ["base", "sft", "start", "policy-1", "policy"]
    assert {"score", "gold", "helpful", "honest", "harmless", "invented"} == set(found["policies"]["policy"]["scores"])
    assert found["policies"]["start"]["kl"] == pytest.approx(0, abs=1e-5)
    assert found["rankings"] == [6, 6]
    assert [row["epoch"] for row in found["selection"]["epochs"]] == [1, 2, 3]
    best = max(found["selection"]["epochs"], key=lambda row: row["score"])
    assert found["selection"]["chosen"] == best["epoch"]
    assert "<svg" in (finished[0] / "report.html").read_text(encoding="utf-8")


def test_the_policy_brings_a_critic_with_a_trunk_of_its_own(finished):
    policy = zoo.load_policy(finished[0] / "policy")
    assert policy.value_trunk is not None
    assert len((finished[0] / "metrics.jsonl").read_text().splitlines()) == 3
