"""`rlhf-kit train reward-model`: what it learns from, what it says afterwards, to people and to machines."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import rlhf_kit as kit
from rlhf_kit import cli, zoo
from rlhf_kit.datasets.rankings import hold_out, read_comparisons, read_rankings, texts_of
from rlhf_kit.datasets.reading import same_text
from rlhf_kit.evaluate import agreement
from rlhf_kit.jobs import RewardModel, settings, train_reward_model, warm_start
from rlhf_kit.language import LANGS, say
from rlhf_kit.methods import reward_model
from rlhf_kit.models import tiny
from rlhf_kit.rewards import learned
from rlhf_kit.tasks.reviews import Reviews

NOUNS, EASY = ("lamp", "kettle", "bag", "chair", "pen", "coat"), ("lovely", "fair", "awful")
SMALL = ["--batch-size", "8", "--learning-rate", "5e-3", "--lang", "en"]


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """Rankings that a glance tells apart, the same as dialogues, reviews that overlap with them, and noise."""
    monkeypatch.chdir(tmp_path)
    lists = [[f"the {noun} number {i} is {word}" for word in EASY] for noun in NOUNS for i in range(8)]
    (tmp_path / "lists.tsv").write_text("".join("\t".join(row) + "\n" for row in lists))
    pairs = [{side: f"\n\nHuman: How is {row[0][4:-10]}?\n\nAssistant: {text}" for side, text in
              (("chosen", row[0]), ("rejected", row[2]))} for row in lists]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    rng = random.Random(0)
    noise = [rng.sample([f"word{rng.randrange(99)} and {i}", f"word{rng.randrange(99)} or {i}"], 2) for i in range(40)]
    (tmp_path / "noise.tsv").write_text("".join("\t".join(row) + "\n" for row in noise))
    (tmp_path / "noise.csv").write_text("chosen,rejected\n" + "".join(",".join(row) + "\n" for row in noise))
    rows = [f"{text.upper()},{label}\n" for row in lists for text, label in ((row[0], 1), (row[2], 0))]
    (tmp_path / "reviews.csv").write_text("text,label\n" + "".join(rows))
    return tmp_path


def trained(*words: str, output: str = "out") -> dict:
    assert cli.main(["train", "reward-model", "--output", output, *SMALL, "--json", *words]) == 0
    return json.loads(Path(output, "result.json").read_text())


def shown(capsys, *words: str) -> str:
    """What people read, line breaks aside."""
    capsys.readouterr()
    assert cli.main(["train", "reward-model", "--output", "out", *SMALL, *words]) == 0
    return capsys.readouterr().out


# Results

def test_it_learns_to_rank_and_prints_one_line_of_json(capsys):
    words = ["--rankings", "lists.tsv", "--steps", "40"]
    result = trained(*words)
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    assert json.loads(out) == result
    assert result["pair_accuracy"] > 0.9
    assert result["loss"] < 0.5
    assert result["list_accuracy"] == result["agreement"]["list_accuracy"]["mean"]
    low, high = (result["agreement"]["pair_accuracy"][name] for name in ("low", "high"))
    assert 0.5 < low <= result["pair_accuracy"] <= high <= 1
    assert result["above_chance"] is True
    assert (result["rankings"], result["held_out"], result["comparisons"]) == (39, 9, 117)
    assert (result["pretrained_on"], result["ceiling"], result["steps"]) == (0, None, 40)
    assert result["settings"]["config"]["steps"] == 40


def test_the_saved_model_is_the_one_that_was_examined():
    texts = ["the sofa is lovely", "the sofa is awful", "沙发"]
    examples = [word for text in texts for word in ("--example", text)]
    result = trained("--rankings", "lists.tsv", "--steps", "5", *examples)
    model = kit.load_reward_model("out/model")
    score = learned(model)
    assert [row["text"] for row in result["examples"]] == texts
    assert score([""] * 3, texts).tolist() == pytest.approx([row["score"] for row in result["examples"]], abs=1e-5)
    _, out = hold_out(read_rankings("lists.tsv"), 9)
    seen = agreement(score, out)
    assert seen.pair_accuracy.mean == pytest.approx(result["pair_accuracy"])
    assert seen.loss == pytest.approx(result["loss"], abs=1e-5)
    every = [text for one in out for text in one.responses]
    assert score([""] * len(every), every).mean().item() == pytest.approx(0, abs=1e-4)       # centred


def test_pairs_of_dialogues_are_learned_by_their_answers():
    result = trained("--pairs", "pairs.jsonl", "--steps", "40", "--held-out", "8")
    assert result["pair_accuracy"] == result["list_accuracy"] > 0.9
    assert (result["rankings"], result["held_out"], result["comparisons"]) == (40, 8, 40)
    learn, out = hold_out(read_comparisons("pairs.jsonl"), 8)
    assert len(out) == 8
    assert not {pair.prompt for pair in learn} & {pair.prompt for pair in out}


def test_made_up_reviews_bring_the_ceiling_that_their_noise_sets(monkeypatch):
    monkeypatch.setattr(train_reward_model, "MADE_UP", 24)
    result = trained("--steps", "1", "--held-out", "30")
    rankings = Reviews("en").rankings(30, 4, 0.1, split="heldout")
    gold = Reviews("en").gold
    pairs = [pair for one in rankings for pair in one.pairs()]
    gaps = [gold(pair.prompt, pair.chosen) - gold(pair.prompt, pair.rejected) for pair in pairs]
    assert result["ceiling"] == pytest.approx(sum((gap > 0) + (gap == 0) / 2 for gap in gaps) / len(gaps))
    assert 0.7 < result["ceiling"] < 1
    assert (result["rankings"], result["held_out"]) == (24, 30)


def test_one_ranking_to_be_examined_on_proves_nothing():
    """All three of its pairs are right, and still it is one ranking."""
    result = trained("--rankings", "lists.tsv", "--steps", "40", "--held-out", "1")
    assert result["pair_accuracy"] == 1
    assert result["agreement"]["pair_accuracy"]["low"] < 0.5
    assert result["above_chance"] is False


def test_the_article_s_loss_is_another_loss():
    values = {loss: trained("--rankings", "lists.tsv", "--steps", "3", *([] if loss == "default" else ["--loss", loss]),
                            output=loss)["loss"] for loss in ("default", "log_sigmoid", "sigmoid")}
    assert values["default"] == values["log_sigmoid"] != values["sigmoid"]
    first = [json.loads(Path(loss, "metrics.jsonl").read_text().splitlines()[0])["loss"]
             for loss in ("log_sigmoid", "sigmoid")]
    assert -1 < first[1] < 0 < first[0]                               # -σ lies between -1 and 0, -log σ above 0


# Where it starts

def test_a_decoder_gets_a_head_and_reads_only_as_much_as_it_can(desk, policy):
    """The texts are longer than its 48 tokens; of each the end is read."""
    zoo.save_policy(policy, desk / "lm")
    rows = ["\t".join(f"{'the lamp is very pretty, ' * 12} number {i} is {word}" for word in EASY) for i in range(8)]
    (desk / "long.tsv").write_text("\n".join(rows))
    result = trained("--rankings", "long.tsv", "--model", "lm", "--steps", "2", "--example", "very pretty " * 60)
    assert result["settings"]["config"]["max_length"] == 48
    model = kit.load_reward_model("out/model")
    assert type(model.model).__name__ == "GPT2ForSequenceClassification"
    assert learned(model)([""], ["very pretty " * 60]).item() == pytest.approx(result["examples"][0]["score"], abs=1e-5)


def test_a_tiny_language_model_by_name(desk, policy, monkeypatch):
    zoo.save_policy(policy, desk / "lm")
    monkeypatch.setattr(zoo, "cached", {"tiny-lm-en": desk / "lm"}.get)
    result = trained("--rankings", "lists.tsv", "--model", "tiny-lm-en", "--steps", "2")
    assert result["settings"]["model"] == "tiny-lm-en"
    assert kit.load_reward_model("out/model").model.config.num_labels == 1


def test_a_reward_model_from_before_is_a_warm_start():
    first = trained("--rankings", "lists.tsv", "--steps", "40", output="first")
    again = trained("--rankings", "lists.tsv", "--model", "first/model", "--steps", "1", "--learning-rate", "1e-9",
                    "--example", "the sofa is lovely")
    assert again["pair_accuracy"] == first["pair_accuracy"]
    assert again["loss"] == pytest.approx(first["loss"], abs=1e-4)
    one, other = (load_file(f"{place}/model/model.safetensors") for place in ("first", "out"))
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_the_device_of_a_new_encoder_is_the_processor(monkeypatch):
    from rlhf_kit.commands import choices
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    options = cli._parser().parse_args(["train", "reward-model", "--output", "out"])
    assert choices.device_of(options) == "cpu"


# Pretraining

def test_no_text_to_be_examined_on_is_pretrained_on(monkeypatch):
    """The reviews hold every text of the lists in capitals."""
    learned_from = []

    def spy(model, rankings, config, **options):
        learned_from.append(rankings)
        yield from real(model, rankings, config, **options)
    real = reward_model.steps
    monkeypatch.setattr(reward_model, "steps", spy)
    monkeypatch.setattr(train_reward_model, "FEWEST_STEPS", 1)
    result = trained("--rankings", "lists.tsv", "--pretrain", "reviews.csv", "--steps", "1", "--held-out", "20")
    first, second = learned_from
    _, out = hold_out(read_rankings("lists.tsv"), 20)
    tested = {same_text(text) for one in out for text in texts_of(one)}
    used = {text for one in first for text in texts_of(one)}
    assert not tested & {same_text(text) for one in (*first, *second) for text in texts_of(one)}
    assert len(used) == result["pretrained_on"] == 96 - 2 * 20        # 48 good, 48 bad; of each list two
    assert all("LOVELY" in pair.chosen and "AWFUL" in pair.rejected for one in first for pair in one.pairs())


def test_pretraining_helps_where_there_are_few_rankings(desk):
    few = (desk / "lists.tsv").read_text().splitlines()[::4]
    (desk / "few.tsv").write_text("\n".join(few) + "\n")
    words = ["--rankings", "few.tsv", "--steps", "1", "--held-out", "6"]
    without, with_it = trained(*words), trained(*words, "--pretrain", "reviews.csv", output="pre")
    assert with_it["pair_accuracy"] > without["pair_accuracy"] + 0.1


# For people

@pytest.mark.slow
@pytest.mark.parametrize(("lang", "words"), [(lang, words) for lang in LANGS for words in (
    ["--rankings", "lists.tsv"], ["--pairs", "pairs.jsonl"], ["--rankings", "noise.tsv"], ["--pairs", "noise.csv"])])
def test_people_are_told_whether_it_is_above_chance(capsys, lang, words):
    out = shown(capsys, *words, "--steps", "40", "--held-out", "9", "--example", "[bold]so so", "--lang", lang)
    result = json.loads(Path("out/result.json").read_text())
    kind = "_pairs" if words[0] == "--pairs" else ""
    reaches = result["agreement"]["pair_accuracy"]["low"] <= 0.5
    assert reaches == ("noise" in words[1])
    assert (say(lang, f"not_above_chance{kind}") in out) == reaches == (not result["above_chance"])
    assert say(lang, "training_new", device="cpu") in out
    assert say(lang, f"column_value{kind}") in out
    assert (say(lang, "row_lists") in out) == (not kind)
    assert (say(lang, "ranked_examples", n=result["rankings"], held_out=9, comparisons=result["comparisons"]) in out
            or say(lang, "paired_examples", n=result["rankings"], held_out=9) in out)
    assert f"{result['pair_accuracy']:.3f} ({result['agreement']['pair_accuracy']['low']:.3f}–" in out
    assert f"{result['examples'][0]['score']:+.2f}  [bold]so so" in out
    assert "kit.load_reward_model('out/model')" in out


@pytest.mark.parametrize("lang", LANGS)
def test_people_are_told_what_it_was_pretrained_on_and_a_finished_run_is_shown_again(capsys, monkeypatch, lang):
    monkeypatch.setattr(train_reward_model, "FEWEST_STEPS", 1)
    words = ["--rankings", "lists.tsv", "--pretrain", "reviews.csv", "--steps", "1", "--held-out", "9", "--lang", lang]
    out = shown(capsys, *words)
    assert say(lang, "pretrained_examples", n=96 - 18) in out
    assert say(lang, "about_pretrain") in out
    monkeypatch.setattr(reward_model, "steps", None)
    again = shown(capsys, *words)
    assert say(lang, "train_finished") in again
    assert out.splitlines()[-6:] == again.splitlines()[-6:]


# From Python

def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_numbers(desk, monkeypatch):
    monkeypatch.setitem(reward_model.steps.__kwdefaults__, "checkpoint_every", 1)
    monkeypatch.setattr(train_reward_model, "FEWEST_STEPS", 3)
    job = RewardModel(rankings="lists.tsv", pretrain="reviews.csv", changes={"steps": 3, "batch_size": 4})
    stages = []
    for stop in (2, 9, 99):
        stream = job.run("cut")
        stages.append([event.stage for event, _ in zip(stream, range(stop), strict=False)])
        stream.close()
    assert (stages[0][-1], stages[1][-1]) == ("pretrain", "pretrain")
    list(job.run("whole"))
    one, other = (json.loads((desk / place / "result.json").read_text()) for place in ("cut", "whole"))
    times = ("stages", "cpu_seconds", "seconds")
    assert {k: v for k, v in one.items() if k not in times} == {k: v for k, v in other.items() if k not in times}
    assert (desk / "cut/model/model.safetensors").read_bytes() == (desk / "whole/model/model.safetensors").read_bytes()


def test_files_that_changed_since_make_another_run(desk):
    job = RewardModel(rankings="lists.tsv", pretrain="reviews.csv", changes={"steps": 1})
    before = settings.claimed(job)
    for name in ("lists.tsv", "reviews.csv"):
        (desk / name).write_text((desk / name).read_text() + "\n")
        assert settings.claimed(job) != before
        before = settings.claimed(job)
    shutil.copy("lists.tsv", "copy.tsv")
    assert settings.claimed(job) == before


def test_a_list_may_have_any_number_of_responses(desk, tokenizer):
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48), desk / "scorer")
    rows = [{"prompt": f"p {i}", "responses": [f"{word} {i}" for word in EASY[:2 + i % 2]]} for i in range(8)]
    (desk / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = trained("--rankings", "mixed.jsonl", "--model", "scorer", "--steps", "1", "--held-out", "3")
    assert result["comparisons"] + result["agreement"]["pair_accuracy"]["n"] == 4 * 1 + 4 * 3


# Preference models of the labs

def test_votes_come_first_and_are_a_stage_of_their_own(desk, capsys):
    votes = [json.dumps({"prompt": f"the {noun} number {i} ", "chosen": "is lovely", "rejected": "is awful"}) + "\n"
             for noun in NOUNS for i in range(60, 64)]
    (desk / "votes.jsonl").write_text("".join(votes))
    words = ("--rankings", "lists.tsv", "--votes", "votes.jsonl", "--steps", "5")
    assert "Votes" in shown(capsys, *words)
    result = json.loads(Path("out/result.json").read_text())
    assert result["pretrained_on"] == 2 * 2 * len(votes)                        # each text under both ratings
    ranked = trained(*words, "--votes-form", "ranked", output="ranked")
    assert ranked["pretrained_on"] == 2 * len(votes)


def test_votes_of_a_made_up_forum_and_none_that_the_examination_holds(desk, monkeypatch):
    monkeypatch.setattr(warm_start, "VOTED", 30)
    found = warm_start.votes("forum-en", "binarised", [], None, None, "new")
    assert len(found) == 60
    assert found[0].chosen.startswith("GOOD: ")
    shown_texts = [one.prompt + one.chosen for one in warm_start.votes("forum-en", "ranked", [], None, None, "new")][:3]
    left = warm_start.votes("forum-en", "ranked", [kit.Comparison("", text, "x") for text in shown_texts], None, None,
                            "new")
    assert not {one.prompt + one.chosen for one in left} & set(shown_texts)


def test_a_red_team_s_pairs_are_turned_round(desk):
    """They hold the awful text as the picked, more harmful one; weighed alike, one model is right about both."""
    (desk / "attacks.jsonl").write_text("".join(json.dumps(
        {"prompt": f"the {noun} number {i} ", "chosen": "is awful", "rejected": "is lovely"}) + "\n"
        for noun in NOUNS for i in range(60, 68)))
    result = trained("--rankings", "lists.tsv", "--red-team", "attacks.jsonl", "--harmless-weight", "2", "--steps",
                     "60")
    assert result["pair_accuracy"] > 0.9
    assert result["harmless"]["pair_accuracy"] > 0.9
    assert result["rankings"] == 48 - result["held_out"] + 48 - 9


def test_choices_with_distractors_are_examined_on_what_is_off_the_topic(desk, capsys):
    (desk / "turns.jsonl").write_text("".join(json.dumps(
        {"prompt": f"the {noun} number {i} ", "chosen": f"of {i} is lovely", "rejected": f"of {i} is awful"}) + "\n"
        for noun in NOUNS for i in range(8)))
    lines = shown(capsys, "--pairs", "turns.jsonl", "--loss", "choice", "--distractors", "2", "--centring", "0.1",
                  "--steps", "10")
    assert "above a reply from another dialogue" in lines
    assert "off_topic" in json.loads(Path("out/result.json").read_text())


@pytest.mark.parametrize(("words", "message"), [
    (["--votes", "forum-en", "--pretrain", "reviews.csv"], "both --votes and --pretrain"),
    (["--votes-form", "ranked"], "there are none"), (["--votes", "arithmetic"], "in which nobody votes"),
    (["--harmless-weight", "2"], "that of --red-team"), (["--distractors", "2"], "--loss choice"),
    (["--distractors", "2", "--loss", "choice"], "one prompt or none"),
    (["--red-team", "pairs.jsonl", "--loss", "choice"], "leave one of them out")])
def test_slips_of_these_are_told_in_one_line(capsys, words, message):
    assert cli.main(["train", "reward-model", "--output", "out", "--rankings", "lists.tsv", *words]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
