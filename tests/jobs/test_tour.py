"""The tour in small: what it leaves behind, that it goes on where it stopped, and what its report shows."""

import json
import random
import re
from dataclasses import replace
from html import unescape

import pytest

from rlhf_kit import zoo
from rlhf_kit.datasets.labelled import FileReviews
from rlhf_kit.jobs import tour
from rlhf_kit.methods import classifier, ppo, reward_model, sft
from rlhf_kit.runs import report
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import StorageError

LM = zoo.LanguageModel(texts=100, vocabulary=300, layers=1, width=16, sft=sft.Config(steps=6, batch_size=4))
JUDGE = zoo.Judge(texts=100, vocabulary=300, layers=1, width=16, classifier=classifier.Config(steps=6, batch_size=4))
RANKED_JUDGE = zoo.TinyRewardModel(rankings=20, vocabulary=300, layers=1, width=16,
                               reward_model=reward_model.Config(steps=6, batch_size=4))
PPO = ppo.Config(steps=4, batch_size=8, minibatch_size=4, epochs=1, learning_rate=1e-3,
                 sampling=Sampling(max_new_tokens=8))
SMALL = tour.Settings(lang="en", language_model=LM, judge=JUDGE, ppo=PPO)
RANKED = replace(SMALL, judge=RANKED_JUDGE)


@pytest.fixture(autouse=True)
def few_prompts(monkeypatch):
    monkeypatch.setattr(tour, "EVALUATED", 24)
    monkeypatch.setattr(tour, "EXAMINED", 160)


def run(folder, settings=SMALL, stop_at=None):
    """Run to the end, or drop everything at the event (stage, done)."""
    stream = tour.Tour(folder, settings).run()
    for event in stream:
        if (event.stage, event.done) == stop_at:
            stream.close()
            return None
    return tour.Tour(folder, settings).result()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tour, "EVALUATED", 24)
        patch.setattr(tour, "EXAMINED", 160)
        folder = tmp_path_factory.mktemp("tour") / "out"
        return folder, run(folder)


def numbers(result):
    return {k: v for k, v in result.items() if k not in ("stages", "cpu_seconds", "seconds")}


def test_metrics_have_a_line_a_step_and_nothing_else(finished):
    rows = [json.loads(line) for line in (finished[0] / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert all(list(row) == ["step", "score", "gold", "kl", "entropy", "response_length", "eos_rate", "seconds"]
               for row in rows)


def test_policy_and_judge_are_left_as_safetensors_and_load_again(finished):
    folder, _ = finished
    policy, (judge, _) = zoo.load_policy(folder / "policy"), zoo.load_classifier(folder / "judge")
    assert policy.value_head.weight.abs().sum() > 0
    assert judge.config.id2label[1] == "positive"
    assert {p.suffix for p in folder.rglob("[!.]*") if p.is_file()} <= {".json", ".jsonl", ".safetensors", ".html"}


def test_the_report_needs_nothing_from_elsewhere_and_shows_every_sample(finished):
    folder, result = finished
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", page.replace("xlink:href=\"#", "xlink:hook=\"#"))
    assert not re.search(r"@import|url\((?!#)", page)
    assert page.count("<svg") == 6
    text = unescape(page)
    assert all(row[side]["response"] in text for row in result["samples"] for side in ("before", "after"))


def test_text_from_the_model_cannot_become_markup(finished, tmp_path):
    _, result = finished
    evil = json.loads(json.dumps(result))
    evil["samples"][0]["after"]["response"] = "<script>alert(1)</script>"
    report.write(tmp_path / "r.html", evil, [], "en")
    assert "<script>" not in (tmp_path / "r.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "warned"), [
    (0.8, 0.601, False), (0.8, 0.6, True), (0.9, 0.52, True), (0.5, 0.5, False), (0.5, 0.9, False)])
@pytest.mark.parametrize(("lang", "words"), [("en", "Warning: "), ("zh", "警告：")])
def test_a_quarter_of_the_variety_lost_is_a_warning(finished, tmp_path, before, after, warned, lang, words):
    result = {**finished[1], "before": {**finished[1]["before"], "distinct": before},
              "after": {**finished[1]["after"], "distinct": after}}
    assert report.warnings(result["before"], result["after"]) == ["diversity"] * warned
    assert len(report.headline(result, lang)) == 3 + warned
    report.write(tmp_path / "r.html", result, [], lang)
    assert ((tmp_path / "r.html").read_text(encoding="utf-8").count(words) == 1) == warned


def read_reviews(folder, texts):
    lines = [f"{text},{i % 2}" for i, text in enumerate(texts)]
    (folder / "any.csv").write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return FileReviews.read(folder / "any.csv")


@pytest.mark.parametrize(("text", "tokens"), [
    (lambda i: f"好吃{i:03}号", 8),                              # 6 characters
    (lambda i: "很好吃的一家店" * (1 + i // 20) + f"{i:03}", 40),        # up to 73 in nine of ten
    (lambda i: "味道" + "好" * (i % 10 + 1) + f"{i:03}", 15),          # 6 to 15
    (lambda i: " ".join(["good"] * (i % 10 + 1)) + f" {i}", 17),    # 2 to 11 words, one and a half tokens each
])
def test_a_response_may_be_as_long_as_nine_in_ten_of_the_files_reviews(tmp_path, text, tokens):
    config = tour.ppo_for(read_reviews(tmp_path, map(text, range(200))))
    assert config.sampling.max_new_tokens == tokens
    assert replace(config, sampling=tour.FROM_FILE.sampling) == tour.FROM_FILE


def test_over_a_file_the_penalty_is_in_the_loss_where_no_token_pays_for_being_there(tmp_path):
    read_reviews(tmp_path, [f"the {thing} is good" for thing in range(200)])
    settings = tour.for_file(str(tmp_path / "any.csv"), text="text", label="label", lang="en", seed=3)
    assert settings.ppo.kl.in_loss
    assert settings.ppo.seed == 3
    assert not tour.embedded("en").ppo.kl.in_loss


def test_the_result_names_its_warnings(finished):
    assert finished[1]["warnings"] == report.warnings(finished[1]["before"], finished[1]["after"])


def test_the_chinese_report_is_in_chinese(finished, tmp_path):
    report.write(tmp_path / "r.html", finished[1], [], "zh")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'lang="zh-CN"' in page
    assert "接下来可以试试" in page
    assert "What changed" not in page


@pytest.mark.parametrize("moment", [("language_model", 3), ("judge", 4), ("ppo", 2), ("evaluate", 1)])
def test_a_tour_cut_short_goes_on_to_the_same_numbers(finished, tmp_path, moment):
    assert run(tmp_path, stop_at=moment) is None
    assert not tour.Tour(tmp_path, SMALL).finished
    assert numbers(run(tmp_path)) == numbers(finished[1])


def test_a_finished_tour_is_known_and_another_one_in_its_place_refused(finished):
    folder, _ = finished
    assert tour.Tour(folder, SMALL).finished
    with pytest.raises(StorageError, match="--fresh"):
        tour.Tour(folder, replace(SMALL, seed=5)).finished          # noqa: B018 (the property checks)


def test_starting_anew_removes_what_a_tour_wrote_and_nothing_else(tmp_path):
    run(tmp_path, stop_at=("judge", 2))
    (tmp_path / "my notes.txt").write_text("keep me")
    tour.Tour(tmp_path, SMALL).start_anew()
    assert [p.name for p in tmp_path.iterdir()] == ["my notes.txt"]


def test_a_tour_over_a_file_trains_two_judges_that_share_no_text(tmp_path):
    rng = random.Random(0)
    words = ["lamp", "kettle", "chair", "phone", "bag", "coat", "plate", "spoon", "screen", "box"]
    rows = [f"the {rng.choice(words)} and the {rng.choice(words)} I got number {i} {verdict},{i % 2}"
            for i, verdict in enumerate(["broke", "are lovely"] * 150)]
    (tmp_path / "mine.csv").write_text("review,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    settings = replace(SMALL, reviews=str(tmp_path / "mine.csv"), text="review")
    result = run(tmp_path / "out", settings)
    line = json.loads((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()[0])
    assert line["gold"] is None
    assert set(result["after"]["scores"]) == {"score", "second_judge"}
    assert set(result["judge_accuracy"]) == {"judge", "second_judge"}
    task = settings.world()
    halves = [{t for t, _ in tour._Half(task, h).labelled(10**9)} for h in (0, 1)]
    assert halves[0]
    assert halves[1]
    assert not halves[0] & halves[1]


def test_metrics_that_are_no_number_become_null():
    from rlhf_kit.formulas.records import Step
    line = tour.metrics_line(Step(0, {"score": 0.5, "kl": float("nan")}))
    assert (line["step"], line["score"], line["kl"], line["gold"]) == (1, 0.5, None, None)


def test_a_file_that_changed_since_is_another_tour(tmp_path):
    rows = [f"the lamp number {i} {'shines' if i % 2 else 'broke'} in the end,{i % 2}" for i in range(200)]
    (tmp_path / "mine.csv").write_text("review,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    settings = replace(SMALL, reviews=str(tmp_path / "mine.csv"), text="review")
    run(tmp_path / "out", settings, stop_at=("language_model", 1))
    with open(tmp_path / "mine.csv", "a", encoding="utf-8") as file:
        file.write("one more lamp that shines,1\n")
    with pytest.raises(StorageError, match="other settings"):
        run(tmp_path / "out", settings)


def test_the_command_of_a_tour_can_be_typed_again():
    settings = tour.plain_values(replace(SMALL, reviews="my reviews.csv", positive="so good", seed=3))
    assert report.command(settings, kl=0) == ("rlhf-kit tour --lang en --reviews 'my reviews.csv' --text-column text "
                                              "--label-column label --positive 'so good' --seed 3 --kl 0")


def test_a_tour_never_writes_over_what_somebody_else_made(tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "mine.txt").write_text("keep me")
    with pytest.raises(StorageError, match="no run of the kit wrote"):
        run(tmp_path)
    tour.Tour(tmp_path, SMALL).start_anew()
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["policy", "policy/mine.txt"]


def test_a_stage_copied_from_the_cache_is_known_to_be_finished(tmp_path, monkeypatch):
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(zoo, "TINY", {"small-lm": (LM, "en"), "small-judge": (JUDGE, "en")})
    run(tmp_path / "out", stop_at=("ppo", 1))
    events = tour.Tour(tmp_path / "out", SMALL).run()
    assert [(event.stage, event.kept) for event, _ in zip(events, range(2), strict=False)] == [
        ("language_model", True), ("judge", True)]
    events.close()


def test_what_a_kill_left_half_written_does_not_block_the_folder(tmp_path):
    (tmp_path / ".settings.json-ab12").write_text("{")
    assert run(tmp_path)


def test_a_typo_does_not_cost_the_old_result(finished):
    folder, result = finished
    with pytest.raises(ValueError, match="nowhere"):
        tour.Tour(folder, replace(SMALL, reviews="nowhere.csv")).start_anew()
    assert tour.Tour(folder, SMALL).result() == result


def test_commands_name_the_program_as_the_user_can_start_it(monkeypatch):
    settings = tour.plain_values(SMALL)
    monkeypatch.setattr("sys.argv", [".venv/bin/rlhf-kit", "tour"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert report.command(settings) == ".venv/bin/rlhf-kit tour --lang en"
    assert report.studio_command("runs/my tour") == """make studio ARGS="--model 'runs/my tour'\""""
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/rlhf-kit")
    assert report.command(settings) == "rlhf-kit tour --lang en"
    assert report.studio_command("runs/tour") == "rlhf-kit studio --model runs/tour"


# A judge that learned from rankings.

@pytest.fixture(scope="module")
def ranked(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tour, "EVALUATED", 24)
        patch.setattr(tour, "EXAMINED", 160)
        folder = tmp_path_factory.mktemp("ranked") / "out"
        return folder, run(folder, RANKED)


def test_a_ranked_tour_is_examined_on_pairs_beside_their_ceiling(ranked):
    folder, result = ranked
    assert set(result["judge_accuracy"]) == {"judge", "ceiling"}
    assert {found["n"] for found in result["judge_accuracy"].values()} == {160 // 20 * 6}
    assert result["judge_accuracy"]["ceiling"]["mean"] > 0.6
    assert set(result["after"]["scores"]) == {"score", "gold"}
    assert 0 < result["after"]["scores"]["score"]["mean"] < 1                  # a probability
    assert zoo.is_reward_model(folder / "reward_model")
    assert not (folder / "judge").exists()


@pytest.mark.slow
@pytest.mark.parametrize("moment", [("reward_model", 3), ("ppo", 2)])
def test_a_ranked_tour_cut_short_goes_on_to_the_same_numbers(ranked, tmp_path, moment):
    assert run(tmp_path, RANKED, stop_at=moment) is None
    assert numbers(run(tmp_path, RANKED)) == numbers(ranked[1])


@pytest.mark.parametrize(("lang", "words"), [
    ("en", ["A reward model was shown rankings", "reward model: right on held-out pairs", "the truth itself",
            "P(preferred to an average winner)"]),
    ("zh", ["一个奖励模型看了许多排序", "奖励模型在留出的成对比较上的正确率", "真值本身"])])
def test_the_report_names_the_reward_model_and_its_ceiling(ranked, tmp_path, lang, words):
    report.write(tmp_path / "r.html", ranked[1], [], lang)
    page = unescape((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [word for word in words if word not in page] == []
    assert "--judge ranked" in page


def test_the_command_of_a_ranked_tour_says_so_and_that_of_another_does_not():
    assert report.command(tour.plain_values(RANKED)).endswith("rlhf-kit tour --lang en --judge ranked")
    assert "--judge" not in report.command(tour.plain_values(SMALL))


def test_a_ranked_tour_in_the_place_of_another_is_refused(finished):
    with pytest.raises(StorageError, match="--fresh"):
        tour.Tour(finished[0], RANKED).finished                     # noqa: B018 (the property checks)


def test_the_embedded_ranked_tour_differs_in_its_judge_alone():
    plain, other = tour.embedded("en", 3), tour.embedded("en", 3, "ranked")
    assert replace(other, judge=plain.judge) == plain
    assert other.judge == zoo.TinyRewardModel(seed=3)
