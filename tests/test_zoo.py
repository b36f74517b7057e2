"""A name becomes a model: built once, the same for a seed, never half a one."""

import multiprocessing
import os
from dataclasses import replace

import pytest
import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.methods import classifier, reward_model, sft
from rlhf_kit.models import loading
from rlhf_kit.models.loading import ModelUnavailable
from rlhf_kit.storage import StorageError, is_complete
from rlhf_kit.tasks.reviews import Reviews
from rlhf_kit.tasks.translation import Translation

SMALL = zoo.LanguageModel(texts=60, vocabulary=200, layers=1, width=16,
                          sft=sft.Config(steps=4, batch_size=4, max_length=48))
SMALL_JUDGE = zoo.Judge(texts=60, vocabulary=200, layers=1, width=16,
                        classifier=classifier.Config(steps=4, batch_size=4))

SMALL_RANKED = zoo.TinyRewardModel(rankings=20, vocabulary=200, layers=1, width=16,
                               reward_model=reward_model.Config(steps=4, batch_size=4))


@pytest.fixture
def small_zoo(monkeypatch, tmp_path):
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(zoo, "TINY", {"small-lm": (SMALL, "en"), "small-judge": (SMALL_JUDGE, "zh"),
                                      "small-rm": (SMALL_RANKED, "en")})
    return tmp_path / "cache"


def weights(policy):
    return torch.cat([p.flatten() for p in policy.lm.parameters()])


def test_a_tiny_model_is_trained_once_and_then_found(small_zoo):
    assert len(list(zoo.build("small-lm"))) == 4
    assert list(zoo.build("small-lm")) == []
    assert zoo.load_policy("small-lm").lm.config.n_layer == 1
    assert sorted(p.suffix for p in zoo.place("small-lm").iterdir()) == [".json"] * 5 + [".safetensors"]


def test_training_on_first_use_is_said_in_the_models_language_and_followed(small_zoo, capsys):
    """To stderr alone: a cell's output does not say which machine trained what."""
    for name, said in (("small-lm", "small-lm is trained here once, which takes up to a minute"),
                       ("small-judge", "small-judge 第一次用到，现在训练一次，最多一分钟")):
        zoo.cached(name)
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(said)
        assert "4/4 · loss" in err
        zoo.cached(name)
        assert capsys.readouterr().err == ""


def test_the_same_recipe_gives_the_same_weights_and_another_seed_others(small_zoo, monkeypatch, tmp_path):
    first = weights(zoo.load_policy("small-lm"))
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "elsewhere"))
    torch.manual_seed(1234)                                          # the caller's random numbers play no part
    assert torch.equal(weights(zoo.load_policy("small-lm")), first)
    zoo.TINY["small-lm"] = (replace(SMALL, seed=1), "en")
    assert not torch.equal(weights(zoo.load_policy("small-lm")), first)


def test_another_recipe_has_another_place(small_zoo):
    before = zoo.place("small-lm")
    zoo.TINY["small-lm"] = (replace(SMALL, width=32), "en")
    assert zoo.place("small-lm") != before


def test_a_build_that_was_cut_short_is_not_found_and_goes_on(small_zoo):
    stream = zoo.build("small-lm")
    next(stream)
    stream.close()
    assert not is_complete(zoo.place("small-lm"))
    assert zoo.load_policy("small-lm")


def test_a_damaged_model_is_built_again(small_zoo):
    folder = zoo.cached("small-lm")
    (folder / "model.safetensors").write_bytes(b"x")
    assert len(list(zoo.build("small-lm"))) == 4


def _build_and_count(cache, queue):
    os.environ["RLHF_KIT_CACHE"] = cache
    torch.set_num_threads(1)
    zoo.TINY = {"small-lm": (SMALL, "en")}
    queue.put(len(list(zoo.build("small-lm"))))


@pytest.mark.slow
def test_two_processes_that_ask_at_once_train_it_once(small_zoo):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    both = [context.Process(target=_build_and_count, args=(str(small_zoo), queue)) for _ in range(2)]
    for process in both:
        process.start()
    counts = sorted(queue.get(timeout=120) for _ in both)
    for process in both:
        process.join()
    assert counts == [0, 4]


def test_a_judge_knows_its_labels_by_name(small_zoo):
    model, _ = zoo.load_classifier("small-judge")
    assert model.config.id2label == {0: "negative", 1: "positive"}


def test_asking_for_the_wrong_kind_names_the_right_ones(small_zoo):
    with pytest.raises(ModelUnavailable, match="small-lm"):
        zoo.load_policy("small-judge")


def test_an_unknown_folder_names_what_works_offline(small_zoo, tmp_path):
    with pytest.raises(ModelUnavailable, match="Offline names: small-lm"):
        zoo.load_policy(tmp_path / "nowhere")


# One model in place of another, and never in silence.

@pytest.fixture
def folder(small_zoo, tmp_path):
    zoo.save_policy(zoo.load_policy("small-lm"), tmp_path / "mine")
    return tmp_path / "mine"


def test_the_model_that_was_asked_for_is_loaded_and_named(small_zoo, folder, capsys):
    capsys.readouterr()
    zoo.load_model(folder, fallback="small-lm")
    assert capsys.readouterr().err == f"{folder} is loaded.\n"


def test_the_model_that_stands_in_is_named_with_the_reason(small_zoo, capsys):
    wanted = weights(zoo.load_policy("small-lm"))
    capsys.readouterr()
    policy = zoo.load_model("nobody/nothing", fallback="small-lm")
    reason, named = capsys.readouterr().err.splitlines()
    assert "nobody/nothing" in reason
    assert "hub" in reason
    assert named == "small-lm stands in for nobody/nothing."
    assert torch.equal(weights(policy), wanted)


def test_what_stands_in_decides_between_writing_and_judging(small_zoo, folder, capsys):
    assert zoo.load_model("nobody/nothing", fallback="small-lm", value_head=False).value_head is None
    model, _ = zoo.load_model(folder, fallback="small-judge")                 # a language model is no judge
    assert model.config.id2label[1] == "positive"
    assert f"由 small-judge 顶替 {folder}。" in capsys.readouterr().err


def test_only_a_tiny_model_may_stand_in(small_zoo):
    with pytest.raises(ValueError, match="fallback is 'gpt2'; expected one of small-judge, small-lm, small-rm"):
        zoo.load_model("nobody/nothing", fallback="gpt2")


def test_a_mistake_that_is_no_missing_model_is_not_answered_with_another(small_zoo):
    with pytest.raises(TypeError):
        zoo.load_model("small-lm", fallback="small-lm", colour="red")


def test_the_names_say_what_is_here(small_zoo):
    def here():
        return {row["name"] for row in zoo.names() if row["tiny"] and row["here"]}

    assert here() == set()
    zoo.cached("small-lm")
    assert here() == {"small-lm"}
    (zoo.place("small-lm") / "config.json").unlink()
    assert here() == set()


# Reward models.

def test_the_best_of_each_ranking_scores_0_on_average_by_a_tiny_reward_model(small_zoo):
    ranked = Reviews("en").rankings(SMALL_RANKED.rankings, SMALL_RANKED.k, SMALL_RANKED.noise, seed=0)
    said = rewards.learned(zoo.load_reward_model("small-rm"))([one.prompt for one in ranked],
                                                              [one.responses[0] for one in ranked])
    assert all(one.ranks[0] == 1 for one in ranked)
    assert abs(said.mean().item()) < 1e-5 < said.std().item()


def test_the_same_recipe_gives_the_same_reward_model(small_zoo, monkeypatch, tmp_path):
    flat = lambda: torch.cat([p.flatten() for p in zoo.load_reward_model("small-rm").parameters()])     # noqa: E731
    first = flat()
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "elsewhere"))
    torch.manual_seed(1234)
    assert torch.equal(flat(), first)


def test_a_model_is_known_to_score_or_to_sort_before_it_is_loaded(small_zoo, tmp_path):
    assert zoo.is_reward_model("small-rm")
    assert not zoo.is_reward_model("small-judge")
    assert not zoo.place("small-rm").exists()                                 # asking trains nobody
    zoo.save_reward_model(zoo.load_reward_model("small-rm"), tmp_path / "mine")
    assert zoo.is_reward_model(tmp_path / "mine")
    assert not zoo.is_reward_model(zoo.cached("small-judge"))
    with pytest.raises(ModelUnavailable, match=r"does not exist; give a folder .*Offline names: small-judge"):
        zoo.is_reward_model(str(tmp_path / "nowhere"))


def test_a_reward_model_is_no_classifier_and_a_language_model_no_reward_model(small_zoo):
    with pytest.raises(ModelUnavailable, match=r"'small-rm' is a reward model; expected a classifier\. .*small-judge"):
        zoo.load_classifier("small-rm")
    with pytest.raises(ModelUnavailable, match=r"'small-lm' is a language model; expected a reward model\. .*small-rm"):
        zoo.load_reward_model("small-lm")
    with pytest.raises(ValueError, match=r"one output.*kit\.rewards\.learned"):
        rewards.classifier(*zoo.load_classifier(zoo.cached("small-rm")))


@pytest.mark.parametrize("name", ["small-lm", "small-judge", "small-rm"])
def test_any_tiny_model_may_become_a_reward_model(small_zoo, name):
    model = zoo.load_reward_model(name, new_head=True)
    assert rewards.learned(model)(["the lamp"], [" is loud"]).isfinite().all()


def test_a_reward_model_may_stand_in_and_is_named(small_zoo, capsys):
    model = zoo.load_model("nobody/nothing", fallback="small-rm")
    assert model.model.config.num_labels == 1
    assert "small-rm stands in for nobody/nothing." in capsys.readouterr().err


def test_a_saved_reward_model_appears_whole_or_not_at_all(small_zoo, tmp_path, monkeypatch):
    model = zoo.load_reward_model("small-rm")
    monkeypatch.setattr(model.tokenizer, "save_pretrained", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        zoo.save_reward_model(model, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match=r"kept in .*file, which cannot be written: .*variable RLHF_KIT_CACHE\."):
        next(zoo.build("tiny-lm-en"))


@pytest.mark.parametrize(("load", "name", "near"), [
    (zoo.load_policy, "tiny-lm-eng", "tiny-lm-en"), (zoo.load_classifier, "tiny_judge_en", "tiny-judge-en"),
    (zoo.load_reward_model, "tiny-rm-ne", "tiny-rm-en"), (zoo.is_reward_model, "Tiny-rm-en", "tiny-rm-en")])
def test_a_slip_in_a_tiny_name_never_reaches_the_hub(load, name, near, monkeypatch):
    def asked(*_, **__):
        raise AssertionError("the hub was asked")
    for module in (loading.AutoConfig, loading.AutoModelForCausalLM, loading.AutoModelForSequenceClassification):
        monkeypatch.setattr(module, "from_pretrained", asked)
    with pytest.raises(ModelUnavailable, match=rf"there is no tiny model '{name}'. Did you mean {near}\?"):
        load(name)


# A translator, and the metric that starts from it.

@pytest.fixture
def small_translation(small_zoo, monkeypatch):
    translator = zoo.Translator(pairs=60, vocabulary=400, layers=1, width=64, sft=sft.Config(steps=4, batch_size=4))
    metric = zoo.Metric(start="small-translator", sources=20, calibrated_on=10,
                        reward_model=reward_model.Config(steps=12, batch_size=8, learning_rate=2e-2, max_length=128))
    monkeypatch.setattr(zoo, "TINY", {"small-translator": (translator, "en"), "small-metric": (metric, "en")})
    monkeypatch.setattr(zoo, "TASKS", dict.fromkeys(zoo.TINY, "translation"))


def test_a_metric_starts_from_its_translator_and_lies_between_0_and_1(small_translation):
    kinds = {one["name"]: one["kind"] for one in zoo.names()}
    assert (kinds["small-translator"], kinds["small-metric"]) == ("writer", "reward_model")
    model = zoo.load_reward_model("small-metric")
    assert is_complete(zoo.place("small-translator"))
    assert model.model.config.hidden_size == 64
    assert zoo.load_policy("small-translator").tokenizer.get_vocab() == model.tokenizer.get_vocab()
    task, recipe = Translation(), zoo.recipe_of("small-metric")
    calibrated_on = recipe.candidates(task)[20:]
    asked = [(prompt, response) for prompt, quality in calibrated_on for response in quality]
    assert len(calibrated_on) == 10
    assert 3 * 10 <= len(asked) <= 4 * 10                               # made ones, and those that the translator drew
    said = rewards.learned(model, output="probability")(*zip(*asked, strict=True))
    assert 0 <= said.min() <= said.max() <= 1
    assert said.mean().item() == pytest.approx(sum(task.gold(*one) for one in asked) / len(asked), abs=1e-4)


def test_a_metric_of_another_translator_has_another_place(small_translation):
    before = zoo.place("small-metric")
    zoo.TINY["small-translator"] = (replace(zoo.TINY["small-translator"][0], width=128), "en")
    assert zoo.place("small-metric") != before
