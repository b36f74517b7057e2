"""`train grpo`, `dpo` and `kto`: what they read, what they leave, that a stop changes no number, what is typed."""

import json
import random
import re
from dataclasses import replace

import pytest
import torch

from rlhf_kit import cli, rewards, zoo
from rlhf_kit.datasets.reading import FileError
from rlhf_kit.jobs import JOBS, train_grpo
from rlhf_kit.methods import dpo, grpo, kto
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.tasks.arithmetic import Arithmetic


@pytest.fixture(scope="module")
def desk(tmp_path_factory, policy):
    folder = tmp_path_factory.mktemp("alignment")
    zoo.save_policy(policy, folder / "lm")
    asked = [f"the {noun} {degree}" for noun in ("lamp", "kettle", "bag", "chair", "pen") for degree in
             ("very", "not", "quite", "is", "and", "it")]
    rows = {"prompts": [{"prompt": text} for text in asked],
            "pairs": [{"question": text, "chosen": " sturdy.", "rejected": " loud and cheap."} for text in asked],
            "labels": [{"prompt": text, "completion": answer, "label": good} for i, text in enumerate(asked)
                       for answer, good in ((" sturdy.", True), (" loud and cheap.", False))[:1 + (i % 3 > 0)]],
            "chats": [{"prompt": [{"role": "user", "content": text}], "label": i % 2 == 0,
                       "completion": [{"role": "assistant", "content": " sturdy." if i % 2 == 0 else " loud."}]}
                      for i, text in enumerate(asked)],
            "talks": [{side: [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
                       for side, answer in (("chosen", " sturdy."), ("rejected", " loud."))} for text in asked]}
    for name, some in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    (folder / "mine.py").write_text("def reward(prompts, responses):\n"
                                    "    return [min(len(r), 20) / 20 for r in responses]\n"
                                    "def brief(prompts, responses):\n    return [-len(r) for r in responses]\n")
    return folder


@pytest.fixture
def jobs(desk, monkeypatch):
    """One of each, saving after every step."""
    for steps in (grpo.steps, dpo.steps, kto.steps):
        monkeypatch.setitem(steps.__kwdefaults__, "checkpoint_every", 1)
    drawn = {"steps": 3, "batch_size": 4, "max_new_tokens": 6}
    asked = {"model": str(desk / "lm"), "reward": f"{desk}/mine.py:reward", "prompts": str(desk / "prompts.jsonl")}
    read = {"model": str(desk / "lm"), "changes": {"steps": 3, "batch_size": 4}, "max_new_tokens": 6}
    return {"grpo": JOBS["grpo"](**asked, changes={**drawn, "group_size": 2}),
            "online-dpo": JOBS["online-dpo"](**asked, changes=drawn),
            "dpo": JOBS["dpo"](**read, data=str(desk / "pairs.jsonl"), columns="prompt=question"),
            "kto": JOBS["kto"](**read, data=str(desk / "labels.jsonl"))}


def run(job, folder):
    notes = [event.note for event in job.run(folder) if event.note]
    return json.loads((folder / "result.json").read_text(encoding="utf-8")), notes


def without_times(result):
    return {name: value for name, value in result.items() if name not in ("stages", "cpu_seconds", "seconds")}


@pytest.mark.parametrize("kind", ["grpo", "dpo", "online-dpo", "kto"])
def test_a_stopped_run_ends_with_the_same_numbers_and_leaves_a_policy(jobs, tmp_path, kind):
    stream = jobs[kind].run(tmp_path / "stopped")
    for event in stream:
        if event.stage == kind and event.done == 2:
            stream.close()
            break
    whole, _ = run(jobs[kind], tmp_path / "whole")
    assert without_times(run(jobs[kind], tmp_path / "stopped")[0]) == without_times(whole)
    assert whole["steps"] == 3
    assert whole["samples"]
    assert zoo.load_policy(str(tmp_path / "whole" / "policy"))


def test_what_was_held_out_is_told_apart_better_afterwards(jobs, tmp_path):
    """Before, policy and reference agree on everything: half."""
    for kind, steps in (("dpo", 40), ("kto", 40)):
        job = replace(jobs[kind], changes={"steps": steps, "batch_size": 8, "learning_rate": 3e-3})
        result, _ = run(job, tmp_path / kind)
        assert result["told"]["before"]["mean"] == 0.5
        assert result["told"]["after"]["mean"] > 0.9
        assert result["examples"] + result["held_out"] <= 60


def test_the_interval_of_kto_knows_that_there_are_few_bad_answers(jobs, monkeypatch):
    """Good answers that share 20 bad ones err together: taken as independent, intervals hold the truth in 39 %."""
    truth, generator = torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(0.5**0.5)).item(), torch.manual_seed(0)
    good, held = torch.arange(320) < 300, 0
    for _ in range(200):
        reward = torch.randn(320, generator=generator) + good.float()
        monkeypatch.setattr(kto, "rewards_on", lambda *_, reward=reward: (reward, good))
        found = jobs["kto"].told(None, None, [], None)
        held += found.low <= truth <= found.high
    assert held / 200 > 0.8


def test_several_rewards_add_up_and_are_reported_apart(jobs, desk, tmp_path):
    job = replace(jobs["grpo"], more_rewards=(f"{desk}/mine.py:brief",), reward_weights=(1.0, 0.01))
    run(job, tmp_path / "run")
    for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["score"] == pytest.approx(row["score_reward"] + 0.01 * row["score_brief"], abs=1e-5)
    assert set(job.claim()["files"]) == {str(desk / "prompts.jsonl"), f"{desk}/mine.py"}


def test_right_answers_in_a_column_are_a_reward(jobs, tmp_path):
    rows = [{"prompt": f"the lamp {i}", "solution": f"so it is {i % 3}"} for i in range(30)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {"reward": None, "prompts": str(tmp_path / "sums.jsonl"), "answers": "solution"}
    job = replace(jobs["grpo"], **asked, changes={**jobs["grpo"].changes, "checks": False})
    assert 0 <= run(job, tmp_path / "run")[0]["after"]["scores"]["score"]["mean"] <= 1
    with pytest.raises(ValueError, match="has no such column; it has prompt, solution"):
        run(replace(job, answers="answer"), tmp_path / "other")
    with pytest.raises(ValueError, match="--answers is 'solution'; it is a column"):
        replace(job, prompts=None)


def test_a_column_of_answers_may_be_called_gold(jobs, tmp_path):
    rows = [{"prompt": f"the lamp {i}", "gold": i} for i in range(30)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = replace(jobs["grpo"], reward=None, prompts=str(tmp_path / "sums.jsonl"), answers="gold")
    assert job.please()(["the lamp 7", "the lamp 8"], [" so it is 7", " so it is 7"]).tolist() == [1, 0]


def test_a_variant_is_its_settings(jobs, tmp_path):
    job = replace(jobs["grpo"], variant="rloo")
    config = run(job, tmp_path / "run")[0]["settings"]["config"]
    assert (config["baseline"], config["ratio"], config["kl"]["in_loss"]) == ("others", "response", False)
    assert job.own("tiny") != replace(job, variant="grpo").own("tiny")


def test_rarer_labels_are_weighed_up_and_that_is_said(jobs, tmp_path):
    """Thirty good answers, twenty bad ones; somebody's own weights stay."""
    result, notes = run(jobs["kto"], tmp_path / "run")
    [(_, said)] = [note for note in notes if note[0] == "kto_balanced"]
    assert said["bad_weight"] == pytest.approx(said["good"] / said["bad"]) == result["settings"]["config"]["bad_weight"]
    own = replace(jobs["kto"], changes={**jobs["kto"].changes, "bad_weight": 3.0})
    result, notes = run(own, tmp_path / "own")
    assert "kto_balanced" not in dict(notes)
    assert result["settings"]["config"]["bad_weight"] == 3.0


def test_kinds_are_weighed_by_what_is_learned_from_and_not_by_what_is_too_long(jobs, tmp_path):
    """As many bad answers as good ones, of which half are too long to be read."""
    rows = [{"prompt": f"the lamp {i}", "completion": " sturdy." * (1 if i % 2 or i % 4 else 200), "label": bool(i % 2)}
            for i in range(60)]
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result, notes = run(replace(jobs["kto"], data=str(tmp_path / "long.jsonl")), tmp_path / "run")
    said, cut = dict(notes)["kto_balanced"], dict(notes)["preferences_too_long"]
    assert said["good"] + said["bad"] + cut["n"] == result["examples"]
    assert result["settings"]["config"]["bad_weight"] == pytest.approx(said["good"] / said["bad"])


def test_kto_takes_pairs_apart_and_says_so(jobs, desk, tmp_path):
    job = replace(jobs["kto"], data=str(desk / "pairs.jsonl"), columns="prompt=question")
    result, notes = run(job, tmp_path / "run")
    assert "kto_from_pairs" in dict(notes)
    assert (result["read"]["kind"], result["examples"] % 2) == ("pairs", 0)


def test_labels_alone_are_no_pairs(jobs, desk, tmp_path):
    rows = [{"prompt": f"{i}?", "completion": " sturdy.", "label": bool(i % 2)} for i in range(20)]
    (tmp_path / "alone.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match="rlhf-kit train kto can"):
        run(replace(jobs["dpo"], data=str(tmp_path / "alone.jsonl"), columns=None), tmp_path / "run")
    assert run(replace(jobs["kto"], data=str(tmp_path / "alone.jsonl")), tmp_path / "kto")[0]["steps"] == 3


@pytest.mark.parametrize(("kind", "file"), [("dpo", "talks"), ("kto", "chats")])
def test_conversations_are_written_by_a_template_and_shown_as_one_reads_them(jobs, desk, tmp_path, kind, file):
    job = replace(jobs[kind], data=str(desk / f"{file}.jsonl"), columns=None, template="zephyr")
    result, _ = run(job, tmp_path / "run")
    assert result["samples"][0]["before"]["prompt"].startswith("the ")
    assert ["read_written_by", {"template": "zephyr"}] in result["read"]["notes"]
    with pytest.raises(ValueError, match="has no chat template"):
        run(replace(job, template=None), tmp_path / "none")


def test_examples_that_are_too_long_are_left_out_and_that_is_said(jobs, tmp_path, desk):
    rows = [{"prompt": "the lamp", "completion": " is sturdy and" * (12 if i < 3 else 1), "label": bool(i % 2)}
            for i in range(30)]
    random.Random(0).shuffle(rows)
    rows = [{**row, "prompt": f"{row['prompt']} {i}"} for i, row in enumerate(rows)]
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = replace(jobs["kto"], data=str(tmp_path / "long.jsonl"), changes={**jobs["kto"].changes, "max_length": 30})
    result, notes = run(job, tmp_path / "run")
    assert 1 <= result["left_out"]["too_long"] <= 3
    assert dict(notes)["preferences_too_long"] == {"n": result["left_out"]["too_long"], "limit": 30}


def test_a_judge_may_look_on(jobs, desk, tmp_path):
    result, _ = run(replace(jobs["dpo"], reward=f"{desk}/mine.py:reward"), tmp_path / "run")
    assert set(result["before"]["scores"]) == {"score"}
    assert result["win_rate"]["score"]["n"] > 0


def test_another_reference_reads_the_same_tokens(jobs, desk, tmp_path):
    result, _ = run(replace(jobs["dpo"], reference=str(desk / "lm")), tmp_path / "run")
    assert result["before"]["kl"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("kind", ["grpo", "dpo", "kto"])
def test_an_adapter_learns_on_a_frozen_model(jobs, tmp_path, kind, saved_llama):
    job = replace(jobs[kind], model=str(saved_llama), lora=4)
    result, _ = run(job, tmp_path / "run")
    assert result["after"]["kl"] != 0
    assert (tmp_path / "run" / "policy" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize(("kind", "settings", "words"), [
    ("grpo", {"reward": None}, "neither --judge nor --reward"), ("grpo", {"variant": "rlo"}, "Did you mean rloo"),
    ("grpo", {"reward_weights": (1.0, 2.0)}, "there are 1 rewards"), ("grpo", {"changes": {"group_size": 1}}, "alone"),
    ("dpo", {"held_out": 1}, "at least 2"), ("dpo", {"data": None}, "--columns are those of a file"),
    ("dpo", {"task": "translation"}, "--task names a made-up world"), ("dpo", {"changes": {"beta": 0}}, "beta is 0"),
    ("kto", {"judge": "a", "reward": "b.py:c"}, "both --judge and --reward"),
    ("grpo", {"label": "negative"}, "--judge-class is an output of a classifier, and there is none"),
    ("grpo", {"label": "negative", "reward": None, "prompts": None, "answers": "gold"}, "--judge-class is an output"),
    ("grpo", {"variant": "rloo", "changes": {"average": "token"}}, "average is 'token' and ratio 'response'"),
    ("kto", {"max_new_tokens": 0}, "max_new_tokens is 0"), ("online-dpo", {"reward": None}, "neither")])
def test_what_cannot_be_is_told_at_once(jobs, kind, settings, words):
    with pytest.raises(ValueError, match=words):
        replace(jobs[kind], **settings)


def test_labels_of_one_kind_are_told_before_a_model_is_loaded(jobs, desk, tmp_path, monkeypatch):
    rows = [row for row in (desk / "labels.jsonl").read_text().splitlines() if json.loads(row)["label"]]
    (tmp_path / "good.jsonl").write_text("\n".join(rows))
    monkeypatch.setattr(zoo, "load_policy", lambda *_, **__: pytest.fail("a model was loaded"))
    with pytest.raises(FileError, match=r"good\.jsonl.* holds good answers only; KTO learns from both kinds"):
        run(replace(jobs["kto"], data=str(tmp_path / "good.jsonl")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# -- on the command line -----------------------------------------------------------------------------------------------

@pytest.fixture
def typed(desk, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def of(method, *options, lang="en"):
        short = ["--steps", "2", "--batch-size", "4", "--max-new-tokens", "6"]
        code = cli.main(["train", method, "--model", str(desk / "lm"), "--output", str(tmp_path / "run"), *short,
                         "--lang", lang, *options])
        out, err = capsys.readouterr()
        return code, " ".join(out.split()), err
    return of


def test_grpo_on_the_command_line(typed, desk, tmp_path):
    code, said, _ = typed("grpo", "--reward", f"{desk}/mine.py:reward", "--reward", f"{desk}/mine.py:brief",
                          "--reward-weights", "1,0.1", "--prompts", str(desk / "prompts.jsonl"), "--group-size", "2",
                          "--variant", "dr-grpo", "--kl", "0.1", "--kl-in", "reward")
    assert code == 0
    assert "score: what is maximised" in said
    assert "PPO" not in said
    assert str(tmp_path / "run" / "policy") in said
    config = json.loads((tmp_path / "run" / "result.json").read_text())["settings"]["config"]
    assert (config["average"], config["kl"]["estimate"], config["kl"]["coefficient"]) == ("constant", "k1", 0.1)


@pytest.mark.parametrize(("lang", "words"), [("en", "held-out pairs whose better answer gained more"),
                                             ("zh", "留出的回答对里")])
def test_dpo_on_the_command_line(typed, desk, lang, words):
    code, said, _ = typed("dpo", "--data", str(desk / "pairs.jsonl"), "--columns", "prompt=question", "--loss", "ipo",
                          lang=lang)
    assert code == 0
    assert words in said
    assert "PPO" not in said


def test_dpo_online_on_the_command_line(typed, desk, tmp_path):
    code, said, _ = typed("dpo", "--online", "--reward", f"{desk}/mine.py:reward", "--prompts",
                          str(desk / "prompts.jsonl"), "--soft-labels")
    assert code == 0
    assert "score: what is maximised" in said
    assert json.loads((tmp_path / "run" / "result.json").read_text())["job"] == "online-dpo"


@pytest.mark.parametrize(("lang", "words"), [("en", "gained more than a bad one"), ("zh", "好回答比坏回答")])
def test_kto_on_the_command_line(typed, desk, lang, words):
    code, said, _ = typed("kto", "--data", str(desk / "labels.jsonl"), lang=lang)
    assert code == 0
    assert words in said


@pytest.mark.parametrize(("options", "words"), [
    (("dpo", "--prompts", "x.txt"), "--prompts is for --online"), (("dpo", "--responses", "3"), "--responses is for"),
    (("dpo", "--online", "--data", "x.jsonl"), "--data is about pairs in a file"),
    (("dpo", "--online", "--reward", "x.py:y", "--max-length", "9"), "--max-length is 9; with --online"),
    (("dpo", "--prompt-column", "question"), "say --columns prompt=question"),
    (("dpo", "--online"), "neither --judge nor --reward"), (("grpo",), "neither --judge nor --reward"),
    (("dpo", "--data", "nowhere.jsonl"), "nowhere.jsonl"), (("kto", "--data", "nowhere.jsonl"), "nowhere.jsonl")])
def test_slips_are_one_line(typed, options, words):
    code, _, err = typed(*options)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("method", "option"), [("grpo", "--variant"), ("dpo", "--loss"), ("rest", "--loss")])
def test_help_says_what_each_choice_is(method, option, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        cli.main(["train", method, "--help"])
    choices, _, about = capsys.readouterr().out.partition(f"\n  {option} {{")[2].partition("}")
    said = about.partition("(default")[0]
    assert [choice for choice in choices.split(",") if choice not in re.findall(r"[\w-]+", said)] == []


# -- truth itself as the reward ----------------------------------------------------------------------------------------

@pytest.mark.slow
def test_arithmetic_is_learnt_from_the_check_alone():
    """Three seeds: on the questions asked accuracy rises by at least .15 each time, and on others on average, too."""
    task, before, after = Arithmetic(), [], []

    def right(policy, split):
        asked = task.prompts(split) * 3
        answers = generate(policy, asked, Sampling(max_new_tokens=4), seed=7)
        return sum(map(task.gold, asked, answers)) / len(asked)
    for seed in range(3):
        policy = zoo.load_policy("tiny-lm-arithmetic", value_head=False)
        before.append([right(policy, split) for split in ("train", "heldout")])
        grpo.train(policy, policy.reference(), task.prompts(), rewards.gold(task), replace(
            train_grpo.TINY_GRPO, steps=60, batch_size=256, seed=seed, sampling=Sampling(max_new_tokens=4)))
        after.append([right(policy, split) for split in ("train", "heldout")])
    assert all(one[0] > other[0] + 0.15 for one, other in zip(after, before, strict=True))
    assert sum(one[1] for one in after) > sum(other[1] for other in before)
