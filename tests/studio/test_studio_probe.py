"""Reward model without a browser: the score, what each word is worth, the tricks, and what it says when it cannot."""

import json
import shutil

import pytest
import torch

from rlhf_kit import zoo
from rlhf_kit.models import tiny
from rlhf_kit.models.loading import save_model
from rlhf_kit.storage import new_folder
from rlhf_kit.studio import probing
from rlhf_kit.studio.probe import Probe
from rlhf_kit.studio.workspace import Workspace

TEXT = "the lamp is very pretty, and it works."


@pytest.fixture(scope="module")
def models(tmp_path_factory, tokenizer):
    home = tmp_path_factory.mktemp("models")
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16), home / "scores")
    with new_folder(home / "praise") as unfinished:
        save_model(tiny.classifier(tokenizer, layers=1, width=16), tokenizer, unfinished)
    return home


@pytest.fixture
def panel(models, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "REVIEWS", 12)
    monkeypatch.setattr(probing, "RANKINGS", 5)
    return Probe("en", Workspace(tmp_path, [str(models / name) for name in ("scores", "praise")]))


@pytest.mark.parametrize("name", ["scores", "praise"])
def test_a_text_is_scored_and_each_word_is_what_the_score_loses_without_it(panel, name):
    *_, (view, line) = panel.score(TEXT, name)
    judge = panel.shelf.judge(name, "en")
    assert line.startswith("Done")
    assert "".join(part for part, _ in view["parts"]) == TEXT
    whole, without = torch.as_tensor(judge.score([""] * 2, [TEXT, TEXT.replace(" lamp", "")])).tolist()
    assert view["score"] == pytest.approx(whole, abs=1e-3)
    assert dict(map(tuple, view["parts"]))[" lamp"] == pytest.approx(whole - without, abs=1e-3)
    assert view["probability"] == pytest.approx(torch.sigmoid(torch.tensor(whole)).item(), abs=1e-3)
    assert view["kind"] == {"scores": "reward_model", "praise": "classifier"}[name]
    assert len(view["held_out"]) == 12
    assert view["gold"] is None


def test_gold_stands_beside_it_where_the_task_knows_the_product(panel):
    text = "This mini umbrella is a present for my friend. The handle is sturdy."
    assert list(panel.score(text, "scores"))[-1][0]["gold"] > 0.5


def test_a_change_is_told_only_between_scores_of_the_same_judge(panel):
    def scored(judge, last=None):
        return list(panel.score(TEXT, judge, last))[-1][0]
    view = scored("scores")
    last = panel.remembered({**view, "score": 0.25}, "scores")
    assert (view["was"], scored("scores", last)["was"], scored("praise", last)["was"]) == (None, 0.25, None)
    assert panel.remembered(view, "gone") is None


def test_held_out_reviews_are_scored_once_and_the_accuracy_stays(panel):
    lines = [line for _, line in panel.score(TEXT, "scores")]
    assert panel.words("reading") in lines
    assert panel.words("reading") not in [line for _, line in panel.score(TEXT, "scores")]
    *_, (view, line) = panel.measure(TEXT, "scores")
    assert line == panel.words("measured", n=view["accuracy"]["n"])
    assert 0 <= view["accuracy"]["low"] <= view["accuracy"]["mean"] <= view["accuracy"]["high"] <= 1
    assert list(panel.score(TEXT, "scores"))[-1][0]["accuracy"] == view["accuracy"]
    assert list(panel.score(TEXT, "praise"))[-1][0]["accuracy"] is None


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("trick", probing.TRICKS)
def test_a_trick_only_adds(trick, lang):
    text = {"en": "It works.", "zh": "很好用。"}[lang]
    once, twice = probing.fooled(trick, text, lang), probing.fooled(trick, probing.fooled(trick, text, lang), lang)
    assert once.startswith(text[:-1])
    assert len(text) < len(once) < len(twice)


def test_of_a_very_long_text_the_first_words_are_left_out(panel, monkeypatch):
    monkeypatch.setattr(probing, "WORDS", 3)
    *_, (view, _) = panel.score(TEXT, "scores")
    assert [part for part, _ in view["parts"]] == ["the", " lamp", " is", " very pretty, and it works."]
    assert view["parts"][3][1] is None


@pytest.mark.parametrize(("text", "judge", "said"), [
    ("", "scores", "Write a text first."), ("  ", "scores", "Write a text first."),
    ("a" * 100_000, "scores", "The text has 100,000 characters"), ("a", "", "Choose a reward model.")])
def test_what_cannot_be_scored_is_refused_before_anything_is_loaded(panel, text, judge, said):
    assert panel.refused(text, judge).startswith(said)
    [(view, line)] = panel.score(text, judge)
    assert view is None
    assert line.startswith(said)
    assert panel.shelf.loaded() == 0


@pytest.mark.parametrize("text", ["👍🏽🎉", "${7*7} {{7*7}} <script>x</script>", "\x00‮abc", "质量很好"])
def test_odd_texts_are_scored(panel, text):
    *_, (view, line) = panel.score(text, "praise")
    assert line.startswith("Done")
    assert "".join(part for part, _ in view["parts"]) == text


def test_a_deleted_reward_model_is_told_in_chinese(models, tmp_path):
    shutil.copytree(models / "scores", tmp_path / "mine")
    panel = Probe("zh", Workspace(tmp_path / "studio", [str(tmp_path / "mine")]))
    list(panel.score("好", "mine"))
    (tmp_path / "mine" / "config.json").unlink()
    (tmp_path / "mine" / "model.safetensors").unlink()
    assert list(panel.score("好", "mine"))[-1][1] == "这里已经没有名为“mine”的模型。请另选一个。"


def test_the_first_judge_is_a_reward_model(panel, tmp_path):
    assert panel.choices()[1] == "scores"
    assert Probe("zh", Workspace(tmp_path / "new")).choices()[1] == "tiny-rm-zh"


def test_a_reward_model_that_was_trained_meanwhile_comes_first(panel, models):
    run = panel.workspace.folder / "runs" / "rm-1"
    shutil.copytree(models / "scores", run / "model")
    (run / "settings.json").write_text(json.dumps({"job": "rewardmodel", "lang": "en"}))
    names, first = panel.choices()
    assert first == "rm-1"
    assert ("rm-1", "rm-1") in names


def test_the_example_is_plain_json(panel):
    made = probing.example("en", None, panel.shelf.judge("scores", "en"))
    assert json.loads(json.dumps(made)) == made
    assert {"judge", "kind", "text", "score", "probability", "gold", "parts", "length", "held_out", "accuracy",
            "was"} == set(made)
