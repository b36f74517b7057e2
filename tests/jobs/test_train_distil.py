"""`train distil`: what it reads, what its teacher writes, that a stop changes no number, what is typed and shown."""

import json
from dataclasses import replace

import pytest

from rlhf_kit import cli, zoo
from rlhf_kit.evaluate import share_kept
from rlhf_kit.jobs import JOBS, written
from rlhf_kit.methods import distil
from rlhf_kit.models import tiny
from rlhf_kit.models.chats import use_template
from rlhf_kit.models.heads import Policy
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.corpus import preamble

PROMPT = "the lamp is very loud, and it broke."


@pytest.fixture(scope="module")
def desk(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("distil")
    lm = tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=96)
    zoo.save_policy(Policy(lm, tokenizer, value_head=False), folder / "lm")
    asked = [f"the {noun} {degree}" for noun in ("lamp", "kettle", "bag", "chair", "pen") for degree in
             ("very", "not", "quite", "is", "and", "it")]
    rows = {"prompts": [{"prompt": text} for text in asked],
            "pairs": [{"question": text, "response": " sturdy."} for text in asked],
            "texts": [{"text": f"{text} cheap."} for text in asked],
            "chats": [{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": " sturdy."}]}
                      for text in asked]}
    for name, some in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    (folder / "mine.py").write_text("def reward(prompts, responses):\n"
                                    "    assert all('loud, and' not in p for p in prompts)\n"
                                    "    return [min(len(r), 20) / 20 for r in responses]\n")
    (folder / "prompt.txt").write_text(f"{PROMPT}\n")
    return folder


def job_of(desk, monkeypatch, **settings):
    monkeypatch.setitem(distil.steps.__kwdefaults__, "checkpoint_every", 1)
    return JOBS["distil"](model=str(desk / "lm"), preamble=str(desk / "prompt.txt"), max_new_tokens=6,
                          changes={"steps": 3, "batch_size": 4}, **settings)


def run(job, folder):
    notes = [event.note for event in job.run(folder) if event.note]
    return json.loads((folder / "result.json").read_text(encoding="utf-8")), notes


def without_times(result):
    return {name: value for name, value in result.items() if name not in ("stages", "cpu_seconds", "seconds")}


def test_the_teacher_answers_and_the_student_learns_from_that(desk, tmp_path, monkeypatch):
    job = job_of(desk, monkeypatch, prompts=str(desk / "prompts.jsonl"), reward=f"{desk}/mine.py:reward")
    result, _ = run(job, tmp_path / "run")
    answers = [json.loads(line) for line in (tmp_path / "run/answers/answers.jsonl").read_text().splitlines()]
    assert len(answers) == result["examples"] + result["held_out"]
    assert all(PROMPT not in row["prompt"] for row in answers)
    assert result["loss"]["after"]["loss"] < result["loss"]["before"]["loss"]
    assert set(result["kept"]) == {"score"}                 # the reward saw no preamble: see mine.py
    assert result["samples"][0]["teacher"]
    assert zoo.load_policy(tmp_path / "run/policy")


def test_texts_and_pairs_are_compared_as_they_are(desk, tmp_path, monkeypatch):
    pairs, _ = run(job_of(desk, monkeypatch, data=str(desk / "pairs.jsonl"), columns="prompt=question"),
                   tmp_path / "pairs")
    texts, _ = run(job_of(desk, monkeypatch, data=str(desk / "texts.jsonl")), tmp_path / "texts")
    assert not (tmp_path / "pairs/answers").exists()
    assert pairs["after"]["scores"] == {}
    assert pairs["samples"]
    assert texts["after"] is None
    assert texts["loss"]["after"]["loss"] < texts["loss"]["before"]["loss"]


def test_of_a_conversation_the_prompt_is_the_systems_turn(desk, tmp_path, monkeypatch):
    (desk / "short.txt").write_text("the pen.")
    job = replace(job_of(desk, monkeypatch, data=str(desk / "chats.jsonl"), template="zephyr"),
                  preamble=str(desk / "short.txt"))
    result, _ = run(job, tmp_path / "run")
    assert result["examples"] > 0
    policy = zoo.load_policy(desk / "lm")
    use_template(policy.tokenizer, "zephyr")
    material = job._material(policy)
    asked = written.behind(policy.tokenizer, "the pen.\n\n", material.chats)(material.prompts[0])
    assert asked.startswith("<|system|>\nthe pen.<eos>\n<|user|>\n")
    assert asked.endswith("<|assistant|>\n")


@pytest.mark.parametrize("source", ["prompts", "pairs"])
def test_a_stopped_run_ends_with_the_same_numbers(desk, tmp_path, monkeypatch, source):
    settings = {"prompts": {"prompts": str(desk / "prompts.jsonl")},
                "pairs": {"data": str(desk / "pairs.jsonl"), "columns": "prompt=question"}}[source]
    whole, _ = run(job_of(desk, monkeypatch, **settings), tmp_path / "whole")
    for stop in (1, 3):                                     # while the teacher answers, while the student learns
        events = job_of(desk, monkeypatch, **settings).run(tmp_path / "stopped")
        for event in events:
            if event.stage == ("answer" if stop == 1 and source == "prompts" else "distil") and event.done >= 1:
                events.close()
                break
    again, _ = run(job_of(desk, monkeypatch, **settings), tmp_path / "stopped")
    assert without_times(again) == without_times(whole)


def test_it_is_typed_and_shown_in_both_languages(desk, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    typed = ["train", "distil", "--model", str(desk / "lm"), "--preamble", str(desk / "prompt.txt"), "--prompts",
             str(desk / "prompts.jsonl"), "--reward", f"{desk}/mine.py:reward", "--steps", "2", "--batch-size", "4",
             "--max-new-tokens", "6", "--output", str(tmp_path / "run")]
    assert cli.main([*typed, "--lang", "en"]) == 0
    shown = capsys.readouterr().out
    assert "behind the preamble" in shown
    assert "KL from the teacher" in shown
    assert cli.main([*typed, "--lang", "zh", "--fresh"]) == 0
    assert "教师（带提示）" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "message"), [
    (["--preamble", "none.txt"], "none.txt"), (["--task", "forum-en"], "no --preamble"),
    (["--preamble", "prompt.txt", "--data", "pairs.jsonl", "--prompts", "prompts.jsonl"], "both --data and --prompts"),
    (["--preamble", "prompt.txt", "--prompts", "prompts.jsonl", "--kept", "0"], "kept is 0"),
    (["--preamble", "empty.txt", "--prompts", "prompts.jsonl"], "is empty"),
    (["--preamble", "long.txt", "--prompts", "prompts.jsonl"], "reads 96 at most")])
def test_slips_are_told_in_one_line(desk, tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.chdir(desk)
    (desk / "empty.txt").write_text(" \n")
    (desk / "long.txt").write_text(f"{PROMPT} " * 12)
    assert cli.main(["train", "distil", "--model", "lm", *options, "--output", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_other_tokens_is_refused_by_its_own_option_and_not_trained(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "cache"))
    job = job_of(desk, monkeypatch, prompts=str(desk / "prompts.jsonl"), teacher="tiny-lm-en")
    with pytest.raises(ValueError, match=r"^--teacher tiny-lm-en reads other tokens than --model"):
        run(job, tmp_path / "run")
    assert not any((tmp_path / "cache").glob("tiny-lm-en*"))


def test_the_assistants_world_has_a_prompt_of_its_own():
    job = JOBS["distil"](model="tiny-base-en", task="assistant-en")
    assert job._preamble_text() == preamble(Assistant("en")) + "\n\n---\n\n"
    assert job.sampling.max_new_tokens >= 48


def test_what_is_kept_is_a_share_of_what_the_prompt_does():
    before, behind = [0.0] * 40, [1.0, 0.5] * 20
    kept = share_kept(before, behind, [0.9, 0.45] * 20)
    assert (kept.mean, kept.low, kept.high) == pytest.approx((0.9, 0.9, 0.9))
    assert share_kept([0.0, 1.0] * 20, [1.0, 0.0] * 20, [1.0] * 40) is None     # the prompt itself does nothing
