"""The InstructGPT job: seven stages in one folder, a second round, one's own folder, killed or not, what it refuses."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rlhf_kit import cli, zoo
from rlhf_kit.jobs import JOBS, instructions
from rlhf_kit.methods import ppo
from rlhf_kit.models.adapters import LoRA
from rlhf_kit.recipes import instructgpt
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import is_complete
from tests.recipe_runs import blank_base, people, refused, result, run

pytestmark = pytest.mark.timeout(300)
Job = JOBS["instructgpt"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return blank_base(tmp_path_factory.mktemp("base") / "llama", context=320)


def smaller(preset: instructgpt.Preset, base) -> instructgpt.Preset:
    """The preset on that base, a few updates of each stage."""
    return replace(preset, base=str(base), demonstrations=8, epochs=3, keep_every=2, rankings=6, prompts=24,
                   pretraining=8, held_out=6, validation=4, held_out_rankings=4, sft=replace(preset.sft, batch_size=4),
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
        patch.setattr(instructions, "TAXED", 2)
        yield


def crowd(writers, prompts, sampling, seed):
    """People's responses."""
    rng, found = random.Random(seed), []
    for prompt in prompts:
        found.append((prompt, list(people(prompt, 9, rng))))
    assert len(writers) >= 1
    assert sampling.max_new_tokens == 8
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("instructgpt") / "run"
    return folder, run(Job(rounds=2, critic="judge"), folder)


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


def test_stage_by_stage_and_stopped_within_it_ends_as_in_one_go(finished, tmp_path):
    """Each stage alone, SFT and PPO broken off and begun again: the same numbers."""
    folder = tmp_path / "run"
    for stage in ("sft", "start", "labels", "reward", "select", "ppo", "labels-2", "reward-2", "ppo-2", "evaluate"):
        for event in Job(rounds=2, critic="judge").run(folder, stage=stage):
            if (event.stage, event.done) in (("sft", 2), ("ppo-2", 2)):
                break
        run(Job(rounds=2, critic="judge"), folder, stage=stage)
    ours, theirs = result(folder), result(finished[0])
    for name in ("policies", "reward_models", "selection", "tax", "samples"):
        assert ours[name] == theirs[name], name


def test_a_stage_without_the_one_before_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"--stage ppo needs what --stage start leaves in .*Run that stage first"):
        run(Job(), tmp_path / "run", stage="ppo")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("settings", "says"), [
    ({"preset": "huge"}, "--preset is 'huge'; expected one of tiny"), ({"rounds": 0}, "--rounds is 0; expected 1 to 3"),
    ({"data": "mine", "rounds": 2}, "of --data nobody can be asked|for --data nobody can be asked"),
    ({"changes": {"weight_ema": 1.0}}, "weight_ema is 1.0"), ({"lang": "fr"}, "--lang is 'fr'"),
    ({"preset": "7b", "critic": "judge"}, "--critic judge is a second model")])
def test_settings_that_cannot_be_are_refused_at_once(settings, says):
    with pytest.raises(ValueError, match=says):
        Job(**settings)


# -- a folder of one's own ---------------------------------------------------------------------------------------------

def brought(folder: Path, **parts: list[dict]) -> Path:
    """A folder that would do, but for the parts that are given."""
    asked = [f"User: What is the best of {i}?\n\nAssistant:" for i in range(60)]
    good = {"demonstrations": [{"prompt": p, "response": " I do not know."} for p in asked[:20]],
            "rankings": [{"prompt": p, "responses": [" I do not know.", " It is.", " You fool."], "ranks": [1, 2, 3]}
                         for p in asked[20:40]], "prompts": [{"prompt": p} for p in asked[40:]]}
    folder.mkdir()
    for name, rows in {**good, **parts}.items():
        rows = [{**row, "split": row.get("split", "train" if i % 3 else "heldout")} for i, row in enumerate(rows)]
        if rows:
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_a_folder_of_ones_own_goes_through_without_labels_or_gold(tmp_path):
    folder = brought(tmp_path / "mine", pretraining=[{"text": "The river is long."}, {"text": "The hill is high."}])
    events = run(Job(data=str(folder)), tmp_path / "run")
    assert [e.stage for e in events if e.done == 0 and e.note is None] == ["sft", "start", "reward_model", "select",
                                                                           "ppo", "evaluate"]
    found = result(tmp_path / "run")
    assert list(found["policies"]) == ["base", "sft", "start", "policy"]
    assert set(found["policies"]["policy"]["scores"]) == {"score"}
    assert found["settings"]["config"]["ptx_coef"] > 0


def test_without_pretraining_texts_it_is_plain_ppo_and_that_is_said(tmp_path):
    events = run(Job(data=str(brought(tmp_path / "mine"))), tmp_path / "run")
    assert [e.note for e in events if e.note is not None and e.note[0] == "instructgpt_plain"]
    assert result(tmp_path / "run")["settings"]["config"]["ptx_coef"] == 0


ASKED = [{"prompt": f"What is {i}?"} for i in range(20)]
BAD = {
    "no demonstrations": ({"demonstrations": []}, r"has no demonstrations; it has prompts\.jsonl, rankings\.jsonl"),
    "rankings of one": ({"rankings": [{**row, "responses": [" It is."], "ranks": [1]} for row in ASKED]},
                        r"1 response; a ranking compares at least 2"),
    "demonstrated prompts": ({"prompts": [{"prompt": f"User: What is the best of {i}?\n\nAssistant:"}
                                          for i in range(20)]},
                             r"has 20 prompts that are demonstrations, too, such as .*Leave them out of the prompts"),
    "a user in two splits": ({"prompts": [{**row, "user": "ann", "split": ("train", "heldout")[i % 2]}
                                          for i, row in enumerate(ASKED)]},
                             r"has the user 'ann' in two splits, train in prompts and heldout in prompts"),
    "an unknown split": ({"prompts": [{**row, "split": "later"} for row in ASKED]},
                         r"line 1: has the split 'later'; expected train or heldout"),
    "nothing held out": ({"prompts": [{**row, "split": "train"} for row in ASKED]},
                         r"leaves 0 prompts in the split heldout; at least 2 are needed there"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line_and_nothing_is_written(name, tmp_path, capsys):
    parts, says = BAD[name]
    folder = brought(tmp_path / "mine", **parts)
    refused("instructgpt", folder, tmp_path / "run", says, capsys)


def test_the_command_shows_every_policy_of_a_finished_run(finished, capsys):
    settings = ["--rounds", "2", "--critic", "judge", "--lang", "en", "--output", str(finished[0])]
    assert cli.main(["train", "instructgpt", *settings]) == 0
    said = capsys.readouterr().out
    for words in ("round 1", "gold: the true", "Of the SFT models", "report.html", "load_policy"):
        assert words in said, said


def test_an_adapter_learns_where_the_preset_says_so(base, tmp_path, monkeypatch):
    """As at 7 billion parameters: every stage is an adapter that is merged, the critic a head on the policy."""
    preset = replace(instructgpt.PRESETS["tiny"], lora=LoRA(rank=2, alpha=4))
    monkeypatch.setitem(instructgpt.PRESETS, "tiny", preset)
    run(Job(), tmp_path / "run")
    places = ("epochs/epoch-03", "start", "reward_model", "policy")
    assert not [place for place in places if (tmp_path / "run" / place / "adapter_config.json").exists()]
    assert zoo.load_reward_model(tmp_path / "run" / "reward_model").shift != 0
    before, after = (zoo.load_policy(tmp_path / "run" / name).lm.state_dict() for name in ("start", "policy"))
    assert any(not torch.equal(before[name], after[name]) for name in before)
