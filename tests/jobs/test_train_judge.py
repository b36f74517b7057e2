"""`train judge`: labels in a file become a classifier that PPO can ask; and what a run says before it begins."""

import json

import pytest

from rlhf_kit import rewards, zoo
from rlhf_kit.jobs import JOBS
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.storage import StorageError


@pytest.fixture
def labelled(tmp_path):
    """400 short texts whose label is in one word."""
    rows = [f"the {noun} of {place} {n % 5} is {'good' if n % 2 else 'poor'},{5 if n % 2 else 1}"
            for n, (noun, place) in enumerate((a, b) for a in ("soup", "tea", "cake", "bread", "fish", "rice", "wine",
                                                               "pie", "egg", "jam", "ham", "nut", "fig", "pea", "oat",
                                                               "rye", "bun", "cod", "yam", "plum")
                                              for b in ("Rome", "Oslo", "Cork", "Bonn", "Nice", "Linz", "Kiel", "Graz",
                                                        "Bari", "Lens", "Faro", "Vigo", "Ulm", "Bern", "Lodz", "Brno",
                                                        "Riga", "York", "Bath", "Metz"))]
    (tmp_path / "food.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    return str(tmp_path / "food.csv")


def run(job, folder):
    events = list(job.run(folder))
    return json.loads((folder / "result.json").read_text(encoding="utf-8")), [e.note for e in events if e.note]


def test_labels_become_a_judge_that_a_reward_can_ask(labelled, tmp_path):
    job = JOBS["judge"](data=labelled, positive_from=4.0, changes={"steps": 60, "batch_size": 32})
    result, notes = run(job, tmp_path / "judge")
    assert ("labels_read_as", {"how": "good 5; bad 1"}) in notes
    assert result["accuracy"]["mean"] > 0.95
    assert result["above_commonest"]
    assert result["held_out"] + result["texts"] == 400
    judge = rewards.classifier(tmp_path / "judge" / "model")
    good, poor = judge(["the tea of Rome 1 is"] * 2, [" good", " poor"]).tolist()
    assert good > 0.8 > 0.2 > poor


def test_steps_follow_from_the_size_of_the_file_unless_named(labelled, tmp_path):
    from rlhf_kit.jobs.train_judge import SCALES
    assert SCALES.fitted("tiny", {}, 640).steps == 20 * 640 // 64
    assert SCALES.fitted("tiny", {}, 10**6).steps == 900                      # as a tour's judge of real reviews
    assert (SCALES.fitted("tiny", {}, 10).steps, SCALES.fitted("tiny", {}, 10).warmup) == (60, 12)
    assert SCALES.fitted("tiny", {"steps": 7}, 10**6).steps == 7


def test_any_network_becomes_a_judge(policy, labelled, tmp_path):
    zoo.save_policy(policy, tmp_path / "lm")
    job = JOBS["judge"](data=labelled, model=str(tmp_path / "lm"), changes={"steps": 3, "batch_size": 8})
    result, notes = run(job, tmp_path / "judge")
    assert [key for key, _ in notes] == ["preset_taken", "labels_read_as", "unknown_tokens"]        # capitals, say
    model, _ = zoo.load_classifier(tmp_path / "judge" / "model")
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert result["steps"] == 3


def test_columns_need_a_file():
    with pytest.raises(ValueError, match="there is none"):
        JOBS["judge"](positive_from=4.0)


# Settings that differ are named

def test_a_run_with_other_settings_says_which(tmp_path, labelled):
    first = JOBS["judge"](data=labelled, changes={"steps": 3, "seed": 1}).claim()
    other = JOBS["judge"](data=labelled, changes={"steps": 5, "seed": 1, "batch_size": 8}).claim()
    RunFolder(tmp_path / "run").claim(first)
    with pytest.raises(StorageError, match=r"settings \(steps was 3, is now 5, batch_size was not given, is now 8"):
        RunFolder(tmp_path / "run").claim(other)
    with open(labelled, "a") as file:
        file.write("one more,5\n")
    with pytest.raises(StorageError, match=r"\(the content of .*food.csv has changed\); name another"):
        RunFolder(tmp_path / "run").claim(JOBS["judge"](data=labelled, changes={"steps": 3, "seed": 1}).claim())
    with pytest.raises(StorageError, match=r"\(it is a judge run, this is a sft run\)"):
        RunFolder(tmp_path / "run").claim(JOBS["sft"](model="tiny-lm-en").claim())


# PPO: what drift is measured from, and a reward that says nothing

def ppo(tmp_path, policy, code="[len(r) for r in responses]", **options):
    zoo.save_policy(policy, tmp_path / "lm")
    (tmp_path / "mine.py").write_text(f"def reward(prompts, responses):\n    return {code}\n")
    (tmp_path / "prompts.txt").write_text("\n".join(f"the {noun} is {n}" for noun in ("lamp", "bag", "pen", "chair")
                                                    for n in range(100)))
    changes = {"steps": 1, "batch_size": 4, "minibatch_size": 4, "epochs": 1, "max_new_tokens": 4,
               **options.pop("changes", {})}
    return JOBS["ppo"](model=str(tmp_path / "lm"), reward=f"{tmp_path}/mine.py:reward",
                       prompts=str(tmp_path / "prompts.txt"), changes=changes, **options)


def test_drift_is_measured_from_the_model_that_is_named(tmp_path, policy):
    first = run(ppo(tmp_path, policy, changes={"learning_rate": 1e-2, "steps": 3}), tmp_path / "first")[0]
    assert first["before"]["kl"] == pytest.approx(0, abs=1e-5)
    assert first["after"]["kl"] > 0
    (tmp_path / "again").mkdir()
    again = JOBS["ppo"](model=str(tmp_path / "first" / "policy"), reward=f"{tmp_path}/mine.py:reward",
                        prompts=str(tmp_path / "prompts.txt"), changes={"steps": 1, "batch_size": 4, "epochs": 1,
                                                                        "minibatch_size": 4, "max_new_tokens": 4})
    result, notes = run(again, tmp_path / "silent")
    assert result["before"]["kl"] == pytest.approx(0, abs=1e-5)
    assert ("ppo_reference_trained", {"model": str(tmp_path / "first" / "policy")}) in notes
    named = JOBS["ppo"](model=again.model, reward=again.reward, prompts=again.prompts, changes=again.changes,
                        reference=str(tmp_path / "lm"))
    result, notes = run(named, tmp_path / "named")
    assert abs(result["before"]["kl"]) > 1e-3
    assert "ppo_reference_trained" not in dict(notes)


def test_a_reference_of_other_tokens_is_refused(tmp_path, policy, monkeypatch):
    """A tiny one before it is trained, too."""
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"^--reference tiny-lm-en reads other tokens than --model"):
        run(ppo(tmp_path, policy, reference="tiny-lm-en"), tmp_path / "out")
    assert not (tmp_path / "cache").exists()
    other = text.train_tokenizer(["die Lampe ist schön"] * 9, 60)
    zoo.save_policy(Policy(tiny.language_model(other, layers=1, width=8, heads=2, context=48), other), tmp_path / "de")
    with pytest.raises(ValueError, match=r"de reads other tokens than --model"):
        run(ppo(tmp_path, policy, reference=str(tmp_path / "de")), tmp_path / "out")


def test_a_reward_that_never_varies_stops_before_anything_is_written(tmp_path, policy):
    job = ppo(tmp_path, policy, "[0.0] * len(responses)")
    with pytest.raises(RuntimeError, match=r"^all \d+ responses to the held-out prompts score 0.000 by the reward"):
        list(job.run(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    job = ppo(tmp_path, policy, "[0.0] * len(responses)", changes={"checks": False})
    assert run(job, tmp_path / "out")[0]["steps"] == 1


def test_unknown_tokens_are_said_with_their_share(tmp_path, policy):
    zoo.save_policy(policy, tmp_path / "lm")
    (tmp_path / "texts.txt").write_text("\n".join(f"the lamp is 好 {n}" for n in range(40)))
    job = JOBS["sft"](model=str(tmp_path / "lm"), data=str(tmp_path / "texts.txt"),
                      changes={"steps": 1, "batch_size": 4})
    [_, (key, values)] = run(job, tmp_path / "out")[1]         # after what was taken by the model's size
    assert key == "unknown_tokens"
    assert 0 < values["share"] < 1
    assert "好" in values["examples"].split()
