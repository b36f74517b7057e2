"""`rlhf-kit train` from Python: what it trains on, what it leaves behind, and that a stop changes no number."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.evaluate import evaluate
from rlhf_kit.jobs import Ppo, Sft, questions, scaling, settings, train_sft
from rlhf_kit.methods import ppo, sft
from rlhf_kit.models import loading, text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.storage import StorageError, new_folder
from rlhf_kit.tasks.reviews import Reviews


@pytest.fixture(scope="session")
def desk(tmp_path_factory, policy, tokenizer):
    folder = tmp_path_factory.mktemp("training")
    zoo.save_policy(policy, folder / "lm")
    with new_folder(folder / "judge") as judge:
        loading.save_model(tiny.classifier(tokenizer, layers=1, width=16, context=48, dropout=0.0, seed=0), tokenizer,
                           judge)
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48), folder / "ranked")
    return folder


@pytest.fixture
def jobs(desk, tmp_path, sentences, monkeypatch):
    """One job of each kind that takes a moment, saving after every step."""
    for steps in (sft.steps, ppo.steps):
        monkeypatch.setitem(steps.__kwdefaults__, "checkpoint_every", 1)
    (tmp_path / "texts.txt").write_text("\n".join(sentences))
    (tmp_path / "prompts.txt").write_text("\n".join(sorted({" ".join(row.split()[:4]) for row in sentences})))
    (tmp_path / "mine.py").write_text("def reward(prompts, responses):\n    return [len(r) for r in responses]\n")
    small = {"steps": 4, "batch_size": 4}
    return {"sft": Sft(model=str(desk / "lm"), data=str(tmp_path / "texts.txt"), changes=small),
            "ppo": Ppo(model=str(desk / "lm"), reward=f"{tmp_path}/mine.py:reward",
                       prompts=str(tmp_path / "prompts.txt"),
                       changes={**small, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 6})}


def run(job, folder) -> dict:
    for _ in job.run(folder):
        pass
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def without_times(numbers):
    return {name: x for name, x in numbers.items() if name not in ("stages", "cpu_seconds", "seconds")}


@pytest.mark.parametrize("kind", ["sft", "ppo"])
def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_numbers(jobs, tmp_path, kind):
    stream = (event for event in jobs[kind].run(tmp_path / "stopped") if not event.note)
    seconds = [next(stream).metrics.get("seconds") for _ in range(3)]            # the beginning, and two steps
    stream.close()
    stopped, whole = run(jobs[kind], tmp_path / "stopped"), run(jobs[kind], tmp_path / "whole")
    assert without_times(stopped) == without_times(whole)
    again = lines(tmp_path / "stopped")
    assert [without_times(row) for row in again] == [without_times(row) for row in lines(tmp_path / "whole")]
    assert [row["seconds"] for row in again[:2]] == seconds[1:]                  # remembered, not taken again


@pytest.mark.parametrize("kind", ["sft", "ppo"])
def test_events_count_the_steps(jobs, tmp_path, kind):
    events = list(jobs[kind].run(tmp_path / "out"))
    seen = [(event.stage, event.done, event.total) for event in events if not event.note]
    assert seen == [(kind, n, 4) for n in range(5)]
    assert [row["step"] for row in lines(tmp_path / "out")] == [1, 2, 3, 4]


def test_the_loss_before_is_the_models_and_the_loss_after_that_of_the_saved_one(jobs, desk, tmp_path, sentences):
    result = run(jobs["sft"], tmp_path / "out")
    learn, held_out = hold_out(sentences)
    config = replace(train_sft.TINY_SFT, batch_size=4)
    for when, place in (("before", desk / "lm"), ("after", tmp_path / "out" / "model")):
        loss = sft.loss_on(zoo.load_policy(place), held_out, config)
        assert result["loss"][when] == pytest.approx(loss, abs=1e-5)
    assert result["loss"]["after"] < result["loss"]["before"]
    assert (result["examples"], result["held_out"]) == (len(learn), len(held_out))


def test_the_saved_policy_answers_as_the_result_says(jobs, desk, tmp_path):
    result = run(jobs["ppo"], tmp_path / "out")
    prompts = (tmp_path / "prompts.txt").read_text().splitlines()
    learn, held_out = hold_out(prompts)
    policy, reference = zoo.load_policy(tmp_path / "out" / "policy"), zoo.load_policy(desk / "lm").reference()
    after = evaluate(policy, reference, held_out, {"score": rewards.from_file(f"{tmp_path}/mine.py:reward")},
                     replace(zoo.TINY_PPO.sampling, max_new_tokens=6), seed=1)
    assert [row["after"]["response"] for row in result["samples"]] == list(after.responses)[:10]
    assert result["after"]["kl"] == pytest.approx(after.kl, abs=1e-4)
    assert {row["before"]["prompt"] for row in result["samples"]} <= set(held_out)
    assert result["prompts"] == len(learn)


def test_pairs_are_learned_by_their_responses(desk, tmp_path):
    rows = [f'"the {a} is","{b}."\n' for a in ("lamp", "bag", "pen", "chair") for b in ("loud", "cheap", "very pretty")]
    (tmp_path / "pairs.csv").write_text("q,a\n" + "".join(rows))
    job = Sft(model=str(desk / "lm"), data=str(tmp_path / "pairs.csv"), prompt="q", response="a", changes={"steps": 1})
    result = run(job, tmp_path / "out")
    pairs = [tuple(row.strip().strip('"').split('","')) for row in rows]
    _, held_out = hold_out(pairs)
    assert result["loss"]["before"] == pytest.approx(
        sft.loss_on(zoo.load_policy(desk / "lm"), held_out, train_sft.TINY_SFT), abs=1e-5)


def test_too_few_examples_to_keep_any_back_are_counted_as_none(desk, tmp_path):
    (tmp_path / "one.txt").write_text("the lamp is very sturdy, and it works.\n")
    job = Sft(model=str(desk / "lm"), data=str(tmp_path / "one.txt"), changes={"steps": 1})
    result = run(job, tmp_path / "out")
    assert (result["examples"], result["held_out"]) == (1, 0)


def test_made_up_reviews_bring_their_gold(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "EVALUATED", 8)
    words = text.train_tokenizer(Reviews("en").corpus(200), 300)
    zoo.save_policy(Policy(tiny.language_model(words, layers=1, width=16, heads=2, context=64), words), tmp_path / "lm")
    job = Ppo(model=str(tmp_path / "lm"), judge=str(desk / "judge"),
              changes={"steps": 1, "batch_size": 4, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 2})
    result = run(job, tmp_path / "out")
    assert set(result["after"]["scores"]) == {"score", "gold"}
    assert result["after"]["scores"]["score"]["n"] == 8
    assert "gold" in lines(tmp_path / "out")[0]


@pytest.mark.parametrize("kind", ["sft", "ppo"])
@pytest.mark.parametrize("name", ["texts.txt", "prompts.txt", "mine.py"])
def test_files_that_changed_since_make_another_run(jobs, tmp_path, kind, name):
    run(jobs[kind], tmp_path / "out")
    with open(tmp_path / name, "a") as file:
        file.write("\n# one more line\n")
    same = settings.claimed(jobs[kind]) == json.loads((tmp_path / "out" / "settings.json").read_text())
    assert same == (name in {"sft": ["prompts.txt", "mine.py"], "ppo": ["texts.txt"]}[kind])
    if not same:
        with pytest.raises(StorageError, match="other settings"):
            run(jobs[kind], tmp_path / "out")


def test_a_change_finds_its_place(jobs):
    config = settings.changed(zoo.TINY_PPO, {"coefficient": 0.5, "max_new_tokens": 7, "steps": 3})
    assert (config.kl.coefficient, config.sampling.max_new_tokens, config.steps) == (0.5, 7, 3)
    assert replace(config, kl=zoo.TINY_PPO.kl, sampling=zoo.TINY_PPO.sampling, steps=50) == zoo.TINY_PPO
    with pytest.raises(TypeError, match="speed"):
        settings.changed(zoo.TINY_PPO, {"speed": 1})


@pytest.mark.parametrize(("limit", "rates"), [(10**9, (1e-3, 5e-4)), (1, (5e-5, 1.5e-5))])
def test_a_large_model_gets_the_small_steps(jobs, tmp_path, monkeypatch, limit, rates):
    monkeypatch.setattr(scaling, "SMALL", limit)
    for kind, rate in zip(("sft", "ppo"), rates, strict=True):
        job = replace(jobs[kind], changes={**jobs[kind].changes, "steps": 1})
        assert run(job, tmp_path / kind)["settings"]["config"]["learning_rate"] == rate


def test_fresh_waits_until_the_new_run_has_all_it_needs(jobs, tmp_path):
    before = run(jobs["sft"], tmp_path / "out")
    with pytest.raises(OSError, match="nowhere"):
        list(replace(jobs["sft"], model="./nowhere").run(tmp_path / "out", fresh=True))
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == before
    list(replace(jobs["sft"], changes={"steps": 2}).run(tmp_path / "out", fresh=True))
    assert len(lines(tmp_path / "out")) == 2


def test_a_reward_model_may_be_the_judge_and_its_score_is_the_chance_against_one_that_scores_0(jobs, desk, tmp_path):
    job = replace(jobs["ppo"], reward=None, judge=str(desk / "ranked"))
    result = run(job, tmp_path / "out")
    judge = rewards.learned(zoo.load_reward_model(desk / "ranked"), output="probability")
    for row in result["samples"]:
        [said] = judge([row["after"]["prompt"]], [row["after"]["response"]]).tolist()
        assert row["after"]["score"] == pytest.approx(said, abs=1e-5)
        assert 0 < said < 1
    assert len(lines(tmp_path / "out")) == 4


def test_a_test_judge_is_reported_beside_the_judge_and_changes_nothing_that_is_learned(jobs, desk, tmp_path, tokenizer):
    """The policy ends with the same weights; the gap between both judges is that of the metrics."""
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48, seed=5), tmp_path / "other")
    alone = replace(jobs["ppo"], reward=None, judge=str(desk / "ranked"))
    result = run(replace(alone, test_judge=str(tmp_path / "other")), tmp_path / "both")
    assert "split_half" not in run(alone, tmp_path / "alone")
    weights = [load_file(tmp_path / name / "policy" / "model.safetensors") for name in ("both", "alone")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
    rows = lines(tmp_path / "both")
    assert result["split_half"] == pytest.approx({
        f"gap_at_{when}": row["score"] - row["test_judge"] for when, row in (("first", rows[0]), ("last", rows[-1]))})


def test_a_test_judge_that_is_the_judge_itself_or_no_reward_model_is_refused(jobs, desk, tmp_path):
    with pytest.raises(ValueError, match="test-judge"):
        replace(jobs["ppo"], reward=None, judge=str(desk / "ranked"), test_judge=str(desk / "ranked"))
    with pytest.raises(ValueError, match="two reward models"):
        run(replace(jobs["ppo"], reward=None, judge=str(desk / "ranked"), test_judge=str(desk / "judge")),
            tmp_path / "out")


def test_a_killed_run_does_not_go_on_towards_a_judge_that_was_trained_anew(jobs, desk, tmp_path):
    shutil.copytree(desk / "ranked", tmp_path / "judge")
    job = replace(jobs["ppo"], reward=None, judge=str(tmp_path / "judge"))
    next(event for event in job.run(tmp_path / "out") if event.done == job.changes["steps"])    # saved, not finished
    judge = zoo.load_reward_model(tmp_path / "judge")
    judge.shift += 0.5
    zoo.save_reward_model(judge, tmp_path / "judge")
    with pytest.raises(StorageError, match=r"other settings .reward: 'learned_probability#"):
        list(job.run(tmp_path / "out"))


def test_another_engine_draws_the_responses_and_the_gap_is_in_the_metrics(jobs, tmp_path):
    job = replace(jobs["ppo"], rollouts="continuous", changes={**jobs["ppo"].changes, "steps": 1})
    result = run(job, tmp_path / "drawn")
    assert result["settings"]["rollouts"] == job.claim()["rollouts"] == "continuous"
    [row] = lines(tmp_path / "drawn")
    assert row["sampler_gap"] < 1e-5
    assert "rollouts" not in jobs["ppo"].claim()                        # runs of before go on


def test_a_server_that_cannot_take_the_policy_is_refused_before_anything_is_written(jobs, tmp_path):
    one, other = (replace(jobs["ppo"], rollouts=f"vllm=http://127.0.0.1:{port}") for port in (1, 2))
    with pytest.raises(ValueError, match="a whole model"):
        run(one, tmp_path / "drawn")
    assert not (tmp_path / "drawn").exists()
    assert one.claim() == other.claim() != jobs["ppo"].claim()          # the server may stand elsewhere
    with pytest.raises(ValueError, match="--rollouts is 'vlm'"):
        replace(jobs["ppo"], rollouts="vlm")
