"""`train rest` and `best-of-n`: what they read, what they leave, and that a stop changes no number."""

import json
from dataclasses import replace

import pytest

from rlhf_kit import cli, tasks, zoo
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.jobs import JOBS
from rlhf_kit.jobs.best_of_n import Choice
from rlhf_kit.jobs.settings import with_task_room
from rlhf_kit.methods import rest, sft
from rlhf_kit.models import tiny
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import StorageError


@pytest.fixture(scope="module")
def desk(tmp_path_factory, policy, sentences):
    folder = tmp_path_factory.mktemp("rest")
    zoo.save_policy(policy, folder / "lm")
    rows = [{"question": " ".join(row.split()[:4]), "answer": " " + " ".join(row.split()[4:])} for row in sentences]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "prompts.txt").write_text("\n".join(sorted({row["question"] for row in rows})))
    (folder / "mine.py").write_text("def reward(prompts, responses):\n"
                                    "    return [min(len(r), 20) / 20 for r in responses]\n")
    return folder


@pytest.fixture
def job(desk):
    return JOBS["rest"](model=str(desk / "lm"), reward=f"{desk}/mine.py:reward", data=str(desk / "pairs.jsonl"),
                        prompt="question", response="answer",
                        changes={"grows": 1, "responses": 2, "updates": 2, "thresholds": (0.2, 0.4), "batch_size": 4,
                                 "kind": "percentile", "max_new_tokens": 6})


def run(job, folder):
    for _ in job.run(folder):
        pass
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def without_times(result):
    return {name: value for name, value in result.items() if name not in ("stages", "cpu_seconds", "seconds")}


def test_it_leaves_a_policy_and_says_what_each_improve_kept(job, tmp_path):
    result = run(job, tmp_path / "run")
    assert [(row["grow"], row["improve"]) for row in result["improves"]] == [(1, 1), (1, 2)]
    assert result["improves"][0]["kept"] >= result["improves"][1]["kept"] > 0
    assert result["improves"][0]["reward_calls"] == 2 * result["prompts"]
    assert result["original"] > 0
    assert len(result["samples"]) > 0
    assert zoo.load_policy(str(tmp_path / "run" / "policy"))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_original_data_that_are_too_long_are_left_out_and_that_is_said(job, desk, tmp_path):
    rows = [json.loads(row) for row in (desk / "pairs.jsonl").read_text().splitlines()]
    long = [{"question": f"the lamp {i}", "answer": " sturdy" * 60} for i in range(12)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, [*rows, *long])))
    notes = [event.note for event in replace(job, data=str(tmp_path / "pairs.jsonl")).run(tmp_path / "run")
             if event.note]
    [told] = [values for key, values in notes if key == "rest_too_long"]
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["left_out"] == {"too_long": told["n"]}
    assert 1 <= told["n"] <= 12                                         # the others are kept back for the examination
    assert told["limit"] == 48
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, long)))
    with pytest.raises(ValueError, match="original responses are longer"):
        list(replace(job, data=str(tmp_path / "all.jsonl")).run(tmp_path / "other"))


def test_help_does_not_offer_what_rest_refuses(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "rest", "--help"])
    shown = capsys.readouterr().out
    assert "--updates" in shown
    assert "--steps " not in shown.replace("no --steps", "")
    assert "--more-steps" not in shown
    assert cli.main(["train", "rest", "--model", "tiny-lm-en", "--judge", "tiny-judge-en", "--output", "y", "--steps",
                     "5"]) == 2
    assert "--steps is 5; ReST takes --updates" in capsys.readouterr().err


def test_no_prompt_that_is_kept_back_is_learnt_from(job, desk, tmp_path, monkeypatch):
    """A file of prompts may hold those of the data, too; what is measured on held-out prompts would mean nothing."""
    learnt, steps = [], rest.steps
    monkeypatch.setattr(rest, "steps", lambda policy, prompts, *of, **more: learnt.extend(prompts) or steps(
        policy, prompts, *of, **more))
    result = run(replace(job, prompts=str(desk / "prompts.txt")), tmp_path / "run")
    asked = {row["question"] for row in map(json.loads, (desk / "pairs.jsonl").read_text().splitlines())}
    assert len(learnt) == result["prompts"] < len(asked)
    _, held_out = hold_out([(row["question"], row["answer"]) for row in map(
        json.loads, (desk / "pairs.jsonl").read_text().splitlines())])
    assert held_out
    assert not {question for question, _ in held_out} & set(learnt)
    only = tmp_path / "only.txt"
    only.write_text("\n".join(asked - set(learnt)))
    with pytest.raises(ValueError, match="kept back"):
        run(replace(job, prompts=str(only)), tmp_path / "other")


def test_a_stopped_run_ends_with_the_same_numbers(job, tmp_path):
    stream = job.run(tmp_path / "stopped")
    for event in stream:
        if event.stage == "rest" and event.done == 3:
            stream.close()
            break
    assert without_times(run(job, tmp_path / "stopped")) == without_times(run(job, tmp_path / "whole"))


# --- thresholds that nobody named -------------------------------------------------------------------------------------

QUICK = {"grows": 1, "responses": 2, "updates": 2, "batch_size": 4, "max_new_tokens": 6}


def taken(job, folder):
    """The kind and the thresholds of a run, and what was said of them."""
    notes = [event.note for event in job.run(folder) if event.note]
    config = json.loads((folder / "result.json").read_text(encoding="utf-8"))["settings"]["config"]
    return config["kind"], config["thresholds"], [values for key, values in notes if key == "rest_percentiles"]


def test_a_fresh_reward_model_and_a_function_of_any_scale_are_pleased_by_default(job, desk, tmp_path, tokenizer):
    """The paper's thresholds, 0.7 to 0.9, fit neither; percentiles fit both, and that is said."""
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48), tmp_path / "rm")
    (tmp_path / "far.py").write_text("def reward(prompts, responses):\n"
                                     "    return [3.0 * len(r) - 9 for r in responses]\n")
    for number, pleased in enumerate(({"reward": None, "judge": str(tmp_path / "rm")},
                                      {"reward": f"{tmp_path}/far.py:reward"})):
        kind, thresholds, [said] = taken(replace(job, **pleased, changes=QUICK), tmp_path / f"run{number}")
        assert (kind, thresholds) == ("percentile", [50, 75, 90])
        assert said["percentiles"] == "50, 75, 90"
        assert said["fixed"] == "0.7, 0.8, 0.9"
        assert said["low"] <= said["high"]


def test_thresholds_that_fit_or_were_named_stay(job, desk, tmp_path):
    (tmp_path / "marks.py").write_text("def reward(prompts, responses):\n    return [len(r) % 2 for r in responses]\n")
    fits = replace(job, reward=f"{tmp_path}/marks.py:reward", changes=QUICK)
    assert taken(fits, tmp_path / "fits") == ("fixed", [0.7, 0.8, 0.9], [])
    named = replace(job, changes={**QUICK, "kind": "percentile"})
    assert taken(named, tmp_path / "named") == ("percentile", [50, 75, 90], [])      # and no percents below 1


@pytest.mark.parametrize(("changes", "scores", "kind", "thresholds"), [
    ({}, [0.2, 0.95] * 20, "fixed", (0.7, 0.8, 0.9)),
    ({}, [0.2, 0.85] * 20, "percentile", (50.0,)),              # above the median nothing but the highest
    ({}, [k / 100 for k in range(40)], "percentile", (50.0, 75.0, 90.0)),
    ({}, [-1.0, 4.0], "percentile", (50.0, 75.0, 90.0)),        # too few to tell
    ({"thresholds": (0.1, 0.3)}, [0.2] * 40, "fixed", (0.1, 0.3)),
    ({"kind": "interpolated"}, [-5.0, 3.0], "interpolated", (0.7, 0.8, 0.9))])
def test_which_thresholds_are_taken(job, changes, scores, kind, thresholds):
    config, notes = replace(job, changes=changes)._with_thresholds(rest.Config(**changes), scores)
    assert (config.kind, config.thresholds) == (kind, thresholds)
    assert bool(notes) == (kind == "percentile")


@pytest.mark.parametrize(("changes", "scores", "words"), [
    ({"thresholds": (0.7, 0.8)}, [0.4, 0.55] * 20, "none of the first 40 responses is above --thresholds 0.7"),
    ({"kind": "fixed"}, [-3.0, 1.0], "run from -3 to 1"),
    ({}, [2.0] * 40, "no percentile tells the better part apart")])
def test_a_reward_that_leaves_nothing_is_refused_before_anything_is_drawn_to_learn_from(job, changes, scores, words):
    with pytest.raises(ValueError, match=words):
        replace(job, changes=changes)._with_thresholds(rest.Config(**changes), scores)


@pytest.mark.parametrize(("settings", "words"), [
    ({"reward": None}, "neither --judge nor --reward"), ({"prompt": None}, "without --prompt-column"),
    ({"quantize": "int8", "changes": {"loss": "oac"}}, "trains a value network"),
    ({"data": None, "prompt": None, "response": None, "prompts": "x.txt"}, "Name it, too"),
    ({"data": None, "prompt": None, "response": None, "template": "zephyr"}, "--template is 'zephyr'"),
    ({"changes": {"thresholds": (0.9, 0.8)}}, "must rise"), ({"changes": {"grows": 0}}, "at least 1"),
])
def test_what_cannot_be_is_told_at_once(job, settings, words):
    with pytest.raises(ValueError, match=words):
        replace(job, **settings)


def test_a_world_without_original_data_is_refused(job, tmp_path):
    with pytest.raises(ValueError, match="begins with original data"):
        run(replace(job, data=None, prompt=None, response=None), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_whole_texts_are_no_original_data(job, desk, tmp_path):
    with pytest.raises(ValueError, match=r"whole texts.*--columns"):
        run(replace(job, data=str(desk / "prompts.txt"), prompt=None, response=None), tmp_path / "run")


def test_on_the_command_line(desk, tmp_path, capsys):
    code = cli.main(["train", "rest", "--model", str(desk / "lm"), "--reward", f"{desk}/mine.py:reward", "--data",
                     str(desk / "pairs.jsonl"), "--columns", "prompt=question,response=answer", "--grows", "1",
                     "--responses", "2", "--thresholds", "20", "--threshold-kind", "percentile", "--updates", "2",
                     "--batch-size", "4", "--max-new-tokens", "6", "--output", str(tmp_path / "run"), "--lang", "en"])
    said = capsys.readouterr().out
    assert code == 0
    assert "Grow 1, Improve 1:" in said
    assert "ReST" in said
    assert "PPO" not in said
    assert str(tmp_path / "run" / "policy") in " ".join(said.split())
    assert cli.main(["train", "rest", "--model", "m", "--judge", "j", "--steps", "3", "--output", "x"]) == 2


# --- best-of-n --------------------------------------------------------------------------------------------------------

@pytest.fixture
def choice(desk):
    return Choice(model=str(desk / "lm"), n=3, reward=f"{desk}/mine.py:reward", prompts=str(desk / "prompts.txt"),
                  max_new_tokens=6)


def chosen(choice, *output):
    *_, result = choice.run(*output)
    return result


def test_its_curve_begins_with_one_draw_and_ends_with_the_best(choice, tmp_path):
    result = chosen(choice, tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [point["best_of"] for point in result["curves"]["score"]] == [1, 2, 3]
    everything = [score for row in rows for score in row["scores"]]
    assert result["curves"]["score"][0]["mean"] == pytest.approx(sum(everything) / len(everything))
    assert result["curves"]["score"][2]["mean"] == pytest.approx(sum(row["score"] for row in rows) / len(rows))
    assert all(row["score"] == max(row["scores"]) and row["response"] == row["responses"][row["best"]] for row in rows)
    assert result["reward_calls"] == 3 * len(rows)
    assert result["eos_rate"] == pytest.approx(sum(map(sum, (row["ended"] for row in rows))) / (3 * len(rows)))


def test_answers_have_the_room_that_the_world_s_texts_take():
    usual = Sampling()
    assert with_task_room(usual, tasks.find("reviews-en")) == usual
    assert with_task_room(usual, tasks.find("translation")).max_new_tokens == 72
    assert with_task_room(rest.Config(), tasks.find("forum-en")).sampling.max_new_tokens == 80
    assert with_task_room(rest.Config(), tasks.find("forum-zh")).sampling.max_new_tokens == 96


def test_it_goes_on_in_its_file_and_in_no_other(choice, desk, tmp_path):
    (tmp_path / "many.txt").write_text("\n".join(f"the {i}" for i in range(40)))
    many = replace(choice, prompts=str(tmp_path / "many.txt"))
    whole = chosen(many, tmp_path / "whole.jsonl")
    stream = many.run(tmp_path / "cut.jsonl")
    assert [next(stream) for _ in range(2)] == [(0, 40), (16, 40)]
    stream.close()
    assert next(many.run(tmp_path / "cut.jsonl")) == (16, 40)
    assert chosen(many, tmp_path / "cut.jsonl") == whole
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    with pytest.raises(StorageError, match="no part of this choice"):
        chosen(replace(many, n=2), tmp_path / "cut.jsonl")
    (tmp_path / "many.txt").write_text("\n".join(f"another {i}" for i in range(40)))
    with pytest.raises(StorageError, match="or other prompts"):
        next(replace(many, limit=40).run(tmp_path / "cut.jsonl"))
    with pytest.raises(StorageError, match="no part of this choice"):
        chosen(many, desk / "prompts.txt")
    assert (desk / "prompts.txt").read_text()


def test_best_of_n_on_the_command_line(desk, capsys):
    command = ["best-of-n", "--model", str(desk / "lm"), "--n", "2", "--reward", f"{desk}/mine.py:reward", "--prompts",
               str(desk / "prompts.txt"), "--max-new-tokens", "6", "--lang", "zh"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "2 条里选最好的" in said
    assert "写到 6 个词元还没结束" in said                # a model that never learnt to end
    assert cli.main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 2
    assert 0 <= found["eos_rate"] < 1
    for wrong in (["--n", "0"], ["--limit", "1"], ["--temperature", "0"]):
        assert cli.main([*command, *wrong]) == 2


# --- what cannot be, on the command line: one line, exit code 2, and nothing written ---------------------------------

@pytest.fixture(scope="module")
def wrong(desk):
    """Files beside the desk's, each wrong in one way."""
    rows = [json.loads(line) for line in (desk / "pairs.jsonl").read_text().splitlines()]
    (desk / "empty.jsonl").write_text("")
    (desk / "swapped.jsonl").write_text("\n".join(json.dumps({"question": row["answer"], "answer": row["question"]})
                                                  for row in rows))
    (desk / "marks.py").write_text("def reward(prompts, responses):\n    return [len(r) - 3.0 for r in responses]\n")
    (desk / "poor.py").write_text("def reward(prompts, responses):\n    return [0.5 for r in responses]\n")
    return desk


@pytest.mark.parametrize(("changes", "words"), [
    ({"thresholds": "0.8,0.8"}, "must rise"), ({"thresholds": "0.7,1"}, "below 1"),
    ({"thresholds": "0.6", "reward": "poor.py:reward"}, "leaves none of the"),
    ({"thresholds": "0.6", "reward": "marks.py:reward"}, "are for rewards from 0 to 1"),
    ({"data": "empty.jsonl"}, "empty"), ({"data": "swapped.jsonl"}, "wrong way round"),
    ({"original-share": "1"}, "nothing that was drawn"), ({"responses": "0"}, "at least 1"),
])
def test_bad_input_is_one_line_and_leaves_nothing(wrong, learnt, tmp_path, capsys, changes, words):
    taken = {"data": "pairs.jsonl", "reward": "mine.py:reward", "columns": "prompt=question,response=answer",
             "max-new-tokens": "6", "updates": "2", "thresholds": "0.1", **changes}
    options = [part for name, value in taken.items()
               for part in (f"--{name}", f"{wrong}/{value}" if name in ("data", "reward") else value)]
    assert cli.main(["train", "rest", "--model", str(learnt), *options, "--output", str(tmp_path / "run"),
                     "--lang", "en"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("policy"))


@pytest.fixture(scope="module")
def learnt(desk):
    """A model that has imitated the desk's pairs, so that it can tell which way round they are."""
    rows = [json.loads(line) for line in (desk / "pairs.jsonl").read_text().splitlines()]
    policy = zoo.load_policy(desk / "lm")
    policy.requires_grad_(True)
    sft.train(policy, [(row["question"], row["answer"]) for row in rows], sft.Config(steps=40, learning_rate=1e-2))
    zoo.save_policy(policy, desk / "learnt")
    return desk / "learnt"
