"""The shelf: what there is, loaded once, and one line where a model cannot be had."""

import json
import os
import shutil
import threading

import pytest
import torch
from filelock import FileLock

from rlhf_kit import zoo
from rlhf_kit.models import loading, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.loading import save_model
from rlhf_kit.storage import new_folder
from rlhf_kit.studio import shelf as shelves
from rlhf_kit.studio.entries import of_folder
from rlhf_kit.studio.shelf import Shelf, ShelfError, spacing
from rlhf_kit.studio.worlds import world_of


def save_judge(model, tokenizer, folder):
    with new_folder(folder) as unfinished:
        save_model(model, tokenizer, unfinished)


@pytest.fixture(scope="module")
def made(tmp_path_factory, policy, tokenizer):
    """A policy, a classifier, a reward model, and what a PPO run on them leaves, with three snapshots."""
    home = tmp_path_factory.mktemp("models")
    zoo.save_policy(policy, home / "writer")
    save_judge(tiny.classifier(tokenizer, layers=1, width=16), tokenizer, home / "praise")
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16), home / "scores")
    run = home / "studio" / "runs" / "short"
    for step in (0, 4, 8):
        moved = Policy(loading.load_policy(home / "writer").lm, tokenizer)
        with torch.no_grad():
            moved.lm.transformer.wpe.weight.add_(step)
        zoo.save_policy(moved, run / "snapshots" / f"step-{step:04d}")
    zoo.save_policy(moved, run / "policy")
    (run / "metrics.jsonl").write_text('{"step": 1}\n{"step": 10}\n')
    (run / "settings.json").write_text(json.dumps({"job": "ppo", "model": str(home / "writer"), "lang": "en",
                                                   "judge": str(home / "scores")}))
    return home


@pytest.fixture
def shelf(made):
    return Shelf(made / "studio", [str(made / "praise")])


def test_the_tiny_models_that_are_listed_without_torch_are_the_zoos():
    for lang in ("en", "zh"):
        for entry in shelves._tiny(lang):
            recipe, speaks = zoo.TINY[entry.name]
            assert (speaks, entry.kind == "policy") == (lang, isinstance(recipe, zoo.LanguageModel))


def test_a_run_is_found_with_what_it_was_trained_from_and_for(shelf, made):
    entry = shelf.find("short", "policy", "en")
    assert entry.trained
    assert {"short", "short · before", "tiny-lm-en"} <= set(shelf.names("policy", "en"))
    assert ("short · 训练前", "short · before") in shelf.offered("policy", "zh")
    assert {"short · judge", "praise", "tiny-judge-en", "tiny-rm-en"} <= set(shelf.names("judge", "en"))
    assert shelf.reference("short", "en") == "short · before"
    assert shelf.reference("short · before", "en") == "short · before"
    assert shelf.defaults("en") == ("short · before", "short", "short · judge")
    assert shelf.defaults("zh") == ("tiny-lm-zh", None, "praise")


def test_a_run_of_the_studio_finds_its_judge_wherever_the_server_was_started(made, tmp_path, monkeypatch):
    home = tmp_path / "studio"
    shutil.copytree(made / "scores", home / "runs" / "rm-1" / "model")
    (home / "runs" / "rm-1" / "settings.json").write_text(json.dumps({"job": "rewardmodel", "lang": "en"}))
    for number, source in ((1, "tiny-lm-en"), (2, "runs/policy-1/policy")):             # the second goes on from it
        shutil.copytree(made / "studio" / "runs" / "short", home / "runs" / f"policy-{number}")
        (home / "runs" / f"policy-{number}" / "settings.json").write_text(json.dumps(
            {"job": "ppo", "model": source, "judge": "runs/rm-1/model", "lang": "en"}))
    shutil.copytree(made / "praise", tmp_path / "elsewhere" / "runs" / "rm-1" / "model")    # not this one
    monkeypatch.chdir(tmp_path / "elsewhere")
    for shelf in (Shelf(home), Shelf(tmp_path / "other", [str(home / "runs" / "rm-1"), str(home / "runs" / "policy-2"),
                                                          str(home / "runs" / "policy-1")])):
        second = shelf.find("policy-2", "policy", "en")
        assert (second.base, second.judge) == ("policy-1", "rm-1")
        assert shelf.find("policy-1", "policy", "en").base == "tiny-lm-en"
        assert shelf.judge("rm-1", "en").kind == "reward_model"
        assert not any("·" in name for kind in ("policy", "judge") for name in shelf.names(kind, "en"))


def test_without_any_run_there_is_a_base_and_nothing_trained(tmp_path):
    assert Shelf(tmp_path).defaults("zh") == ("tiny-lm-zh", None, "tiny-judge-zh")


def test_the_current_reward_model_is_the_one_trained_last_in_that_language(made, tmp_path):
    shelf = Shelf(tmp_path)
    assert shelf.reward_model("en") == "tiny-rm-en"
    for name, lang, written in (("older", "en", 100), ("newer", "en", 200), ("中文", "zh", 300)):
        shutil.copytree(made / "scores", tmp_path / "runs" / name / "model")
        (tmp_path / "runs" / name / "settings.json").write_text(json.dumps({"job": "rewardmodel", "lang": lang}))
        for path in (tmp_path / "runs" / name / "model", tmp_path / "runs" / name / "model" / "config.json"):
            os.utime(path, (written, written))
    (tmp_path / "runs" / "begun").mkdir()
    (tmp_path / "runs" / "begun" / "settings.json").write_text(json.dumps({"job": "rewardmodel", "lang": "en"}))
    shutil.copytree(made / "studio" / "runs" / "short", tmp_path / "runs" / "short")       # has a judge, is none
    assert [shelf.reward_model(lang) for lang in ("en", "zh")] == ["newer", "中文"]


def test_a_tiny_model_that_another_process_makes_is_waited_for_line_by_line(tmp_path, monkeypatch):
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path))
    monkeypatch.setattr(shelves, "PATIENCE", 0.01)
    monkeypatch.setattr(zoo, "build", lambda name: iter(()))
    with FileLock(f"{zoo.place('tiny-lm-zh')}.lock"):
        waits = Shelf(tmp_path).prepare([("tiny-lm-zh", "policy")], "zh")
        assert [next(waits)[:2] for _ in range(3)] == [("tiny-lm-zh", None)] * 3
    assert list(waits) == []


def test_a_line_names_a_model_as_the_page_does():
    assert "“mine · 评判模型”" in ShelfError("unknown", name="mine · judge").told("zh")


def test_what_was_named_at_start_comes_first(made):
    shelf = Shelf(made / "studio", [str(made / "writer"), str(made / "studio" / "runs" / "short")])
    assert shelf.names("policy", "en")[0] == "writer"
    assert shelf.defaults("en")[1] == "short"
    alone = Shelf(made / "elsewhere", [str(made / "writer"), str(made / "studio" / "runs" / "short" / "policy")])
    assert alone.defaults("en")[:2] == ("writer", "policy")


def test_a_slider_reaches_every_kept_step_and_the_finished_policy(shelf):
    steps = shelf.steps("short", "en")
    assert steps == [0, 4, 8, 10]
    assert spacing(steps) == 2
    assert shelf.steps("short · before", "en") == []
    seen = [shelf.policy("short", "en", step).lm.transformer.wpe.weight[0, 0].item() for step in (0, 4, 8)]
    assert [round(x - seen[0], 3) for x in seen] == [0, 4, 8]
    assert shelf.policy("short", "en", 10) is shelf.policy("short", "en")


def test_a_run_that_goes_on_shows_its_latest_step(made, tmp_path):
    shutil.copytree(made / "studio" / "runs" / "short", tmp_path / "runs" / "now")
    shutil.rmtree(tmp_path / "runs" / "now" / "policy")
    shelf = Shelf(tmp_path)
    assert shelf.steps("now", "en") == [0, 4, 8]
    assert shelf.policy("now", "en") is shelf.policy("now", "en", 8)


def test_a_model_is_loaded_once_and_few_are_held(shelf, monkeypatch):
    first = shelf.policy("short", "en")
    assert shelf.policy("short", "en") is first
    assert not any(p.requires_grad for p in first.parameters())
    monkeypatch.setattr(shelves, "MOST", 2)
    shelf.policy("short", "en", 0)
    shelf.policy("short", "en", 4)
    assert shelf.loaded() == 2
    assert shelf.policy("short", "en") is not first


def test_by_their_weight_too(shelf, monkeypatch):
    monkeypatch.setattr(shelves, "MOST_BYTES", 1)
    shelf.policy("short", "en", 0)
    shelf.policy("short", "en", 4)
    assert shelf.loaded() == 1


def test_a_judge_scores_on_one_scale(shelf):
    for name, kind in (("praise", "classifier"), ("short · judge", "reward_model")):
        judge = shelf.judge(name, "en")
        assert judge.kind == kind
        score, chance = (torch.as_tensor(f(["the"], [" lamp is"])) for f in (judge.score, judge.probability))
        torch.testing.assert_close(torch.sigmoid(score), chance)


def test_threads_that_ask_at_once_get_the_same_model(shelf, monkeypatch):
    loads, load = [], shelves._policy
    monkeypatch.setattr(shelves, "_policy", lambda *of: loads.append(of) or load(*of))
    found, threads = [], []
    for _ in range(6):
        threads.append(threading.Thread(target=lambda: found.append(shelf.policy("short", "en"))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len({id(one) for one in found}) == 1


@pytest.fixture
def own(made, tmp_path):
    shutil.copytree(made / "writer", tmp_path / "mine")
    return tmp_path / "mine"


@pytest.mark.parametrize("loaded_before", [False, True])
def test_a_folder_deleted_meanwhile_is_one_line_in_the_page_s_language(own, loaded_before):
    shelf = Shelf(own.parent / "studio", [str(own)])
    name = shelf.names("policy", "en")[0]
    if loaded_before:
        shelf.policy(name, "en")
    shutil.rmtree(own)
    with pytest.raises(ShelfError) as told:
        shelf.policy(shelf.names("policy", "en")[0], "en")
    assert told.value.key == "gone"
    assert "已被删除" in told.value.told("zh")
    assert "\n" not in told.value.told("zh")


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_folder_is_one_line(own, file, capsys):
    (own / file).write_bytes((own / file).read_bytes()[:40])
    shelf = Shelf(own.parent / "studio", [str(own)])
    with pytest.raises(ShelfError, match="cannot be loaded") as told:
        shelf.policy("mine", "en")
    assert told.value.key == "damaged"
    assert "mine: " in capsys.readouterr().err


def test_a_model_that_was_trained_anew_in_the_same_place_is_read_again(own, policy):
    shelf = Shelf(own.parent / "studio", [str(own)])
    first = shelf.policy("mine", "en")
    other = loading.load_policy(own)
    other.lm.transformer.wpe.weight.data.zero_()
    zoo.save_policy(other, own)
    assert shelf.policy("mine", "en") is not first
    assert shelf.policy("mine", "en").lm.transformer.wpe.weight.abs().sum() == 0


@pytest.mark.parametrize("name", ["../../etc", "/etc", "gpt3", "", "writer"])
def test_a_page_cannot_name_a_folder(shelf, name):
    with pytest.raises(ShelfError, match="no model"):
        shelf.policy(name, "en")


def test_what_is_no_model_is_no_entry(tmp_path):
    (tmp_path / "runs" / "odd").mkdir(parents=True)
    (tmp_path / "runs" / "odd" / "settings.json").write_text("[")
    assert of_folder(tmp_path, "x") == []
    assert of_folder(tmp_path / "runs" / "odd", "odd") == []
    assert Shelf(tmp_path).defaults("en")[1] is None


def test_an_adapter_is_merged_into_its_base_in_memory(saved_llama, tmp_path):
    """A run of level 3: policy_adapter beside sft, a reward adapter, and a snapshot that is an adapter."""
    from rlhf_kit.models.adapters import LoRA
    from rlhf_kit.models.shared import SharedBase
    run = tmp_path / "runs" / "stack"
    shutil.copytree(saved_llama, run / "sft")
    shared = SharedBase(*loading.load_language_model(run / "sft"), lora=LoRA(rank=2))
    zoo.save_policy(shared.policy, run / "snapshots" / "step-0000")
    with torch.no_grad():
        for name, p in shared.policy.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    zoo.save_policy(shared.policy, run / "policy_adapter")
    (run / "settings.json").write_text(json.dumps({"job": "stackllama"}))
    (run / "metrics.jsonl").write_text('{"step": 5}\n')
    shelf, ids = Shelf(tmp_path), torch.tensor([[3, 4, 5]])
    merged, mask = shelf.policy("stack", "en"), torch.ones(1, 3, dtype=torch.bool)
    assert shelf.steps("stack", "en") == [0, 5]
    assert shelf.reference("stack", "en") == "stack · before"
    with torch.no_grad():
        ours, base = (p(ids, mask, keep=1).logits for p in (merged, shelf.policy("stack · before", "en")))
        torch.testing.assert_close(ours, shared.policy(ids, mask, keep=1).logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(shelf.policy("stack", "en", 0)(ids, mask, keep=1).logits, base)
    assert not torch.allclose(ours, base, atol=1e-2)
    assert shelf.reference("stack", "en")
    plain = Shelf(tmp_path / "elsewhere", [str(run / "policy_adapter")])
    with torch.no_grad():
        torch.testing.assert_close(plain.policy("policy_adapter", "en")(ids, mask, keep=1).logits, ours)


def test_of_plain_models_named_at_start_the_first_is_the_base(policy, tmp_path):
    """As a notebook hands over what it trained: before, after."""
    for name in ("before", "after"):
        zoo.save_policy(policy, tmp_path / name)
    shelf = Shelf(tmp_path / "studio", [str(tmp_path / "before"), str(tmp_path / "after")])
    assert [shelf.reference(name, "en") for name in ("before", "after")] == ["before", "before"]
    assert shelf.defaults("en")[:2] == ("before", "after")


def test_the_policies_of_three_labs_stand_beside_their_base(policy, tmp_path):
    """What `rlhf-kit labs` leaves, named at start, with a lab that is not done yet."""
    run = tmp_path / "labs-run"
    for folder in ("sft-0-0a1b2c3d", "instructgpt-0-160802bd", "sparrow-1-00000000"):
        zoo.save_policy(policy, run / "labs" / folder / "policy")
    (run / "labs" / "anthropic-0-3679ecda").mkdir()
    (run / "settings.json").write_text(json.dumps({"job": "labs", "lang": "en"}))
    shelf = Shelf(tmp_path / "studio", [str(run)], world_of("assistant"))
    names = ["labs-run · instructgpt", "labs-run · sft", "labs-run · sparrow 1"]
    assert [name for name in shelf.names("policy", "en") if name.startswith("labs-run")] == names
    assert {shelf.reference(name, "en") for name in names} == {"tiny-base-en"}
    assert shelf.policy(names[0], "en").lm.config.vocab_size == policy.lm.config.vocab_size
