"""What the commands show: their help, tables and progress, to people in two languages and to machines."""

import argparse
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants
from rich.console import Console

from rlhf_kit import cli, zoo
from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say
from rlhf_kit.methods import ppo, sft
from rlhf_kit.runs.folder import Event

COMMANDS = [[], ["tour"], ["lessons"], ["human-loop"], ["train"], ["train", "judge"], ["train", "sft"],
            ["train", "reward-model"], ["train", "ppo"],
            ["labels"], ["labels", "import"], ["labels", "export"], ["labels", "agreement"], ["posts"],
            ["posts", "read"], ["posts", "write"], ["models"], ["doctor"]]


@pytest.fixture
def small_zoo(monkeypatch, tmp_path):
    """One tiny model that trains in a moment, and an empty cache of the hub."""
    recipe = zoo.LanguageModel(texts=60, vocabulary=200, layers=1, width=16, sft=sft.Config(steps=2, batch_size=4))
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(zoo, "TINY", {"tiny-lm-en": (recipe, "en"), "tiny-judge-en": (zoo.Judge(), "en")})
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def listed(capsys) -> dict[str, dict]:
    assert cli.main(["models", "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


# Help

@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_each_of_its_options(capsys, words):
    with pytest.raises(SystemExit) as stop:
        cli.main([*words, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: {' '.join(['rlhf-kit', *words])}" in shown
    parser = cli._parser()
    for word in words:
        parser = next(a for a in parser._actions if a.choices and word in a.choices).choices[word]
    for action in parser._actions:
        assert action.help or action.choices, action
        hidden = action.help == argparse.SUPPRESS                       # an option's name of before
        assert hidden or all(name in shown for name in action.option_strings)


def test_help_and_the_import_of_the_kit_stay_free_of_torch():
    program = ("import sys, rlhf_kit; from rlhf_kit import cli\n"
               f"for words in {COMMANDS}:\n"
               "    try: cli.main([*words, '--help'])\n"
               "    except SystemExit: pass\n"
               "heavy = {'torch', 'transformers', 'numpy', 'rich', 'huggingface_hub'} & set(sys.modules)\n"
               "sys.exit(f'imported: {heavy}' if heavy else 0)")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("usage: ") == len(COMMANDS)


# Models

def test_models_for_machines_say_which_are_here(capsys, small_zoo):
    before = listed(capsys)
    assert set(before) == {"tiny-lm-en", "tiny-judge-en", *zoo.HUB}
    assert not any(row["here"] for row in before.values())
    list(zoo.build("tiny-lm-en"))
    snapshot = small_zoo / "hub" / "models--gpt2" / "snapshots" / "abc"
    (snapshot.parents[1] / "refs").mkdir(parents=True)
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    assert {name for name, row in listed(capsys).items() if row["here"]} == {"tiny-lm-en", "gpt2"}


def test_models_for_machines_name_the_label_of_a_classifier(capsys, small_zoo):
    rows = listed(capsys).values()
    assert all((row["label"] is not None) == (row["kind"] == "judge") for row in rows)
    assert {row["tiny"] for row in rows} == {True, False}


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("lang", LANGS)
def test_models_for_people_are_named_in_one_piece(capsys, monkeypatch, small_zoo, lang, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert cli.main(["models", "--lang", lang]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in (*zoo.TINY, *zoo.HUB))
    assert say(lang, "models_writer") in shown
    assert say(lang, "models_tiny", task="forum-zh") in shown
    assert str(small_zoo / "cache") in shown


# Training

@pytest.fixture
def trained(tmp_path, policy, sentences, monkeypatch):
    """The words of a finished run, which nothing could train a second time."""
    zoo.save_policy(policy, tmp_path / "lm")
    (tmp_path / "texts.txt").write_text("\n".join(sentences))
    (tmp_path / "mine.py").write_text("def reward(prompts, responses):\n    return [len(r) for r in responses]\n")
    (tmp_path / "prompts.txt").write_text("\n".join(sorted({" ".join(s.split()[:4]) for s in sentences})))
    monkeypatch.chdir(tmp_path)
    common = ["--model", "lm", "--steps", "1", "--batch-size", "4", "--lang", "en"]
    words = {"sft": ["train", "sft", *common, "--data", "texts.txt", "--output", "s"],
             "ppo": ["train", "ppo", *common, "--minibatch-size", "4", "--max-new-tokens", "4", "--reward",
                     "mine.py:reward", "--prompts", "prompts.txt", "--output", "p"]}
    for command in words.values():
        assert cli.main([*command, "--json"]) == 0
    for method in (sft, ppo):
        monkeypatch.setattr(method, "steps", None)
    return words


@pytest.mark.parametrize("kind", ["sft", "ppo"])
def test_a_finished_run_is_shown_and_not_trained_again(capsys, trained, kind):
    capsys.readouterr()
    assert cli.main([*trained[kind], "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert (result["job"], result["steps"], err) == (kind, 1, "")
    assert cli.main(trained[kind]) == 0
    shown = capsys.readouterr().out
    assert "This run is finished" in shown
    assert f"kit.load_policy('{trained[kind][-1]}/{'model' if kind == 'sft' else 'policy'}')" in shown


def test_the_numbers_shown_are_those_of_the_result(capsys, trained):
    capsys.readouterr()
    assert cli.main([*trained["sft"], "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert cli.main(trained["sft"]) == 0
    shown = capsys.readouterr().out
    assert f"{result['loss']['before']:.3f}" in shown
    assert f"{result['loss']['after']:.3f}" in shown
    assert f"Learned from {result['examples']} examples, examined on {result['held_out']} others." in shown


# Showing

def written(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, highlight=False)


def test_in_a_file_each_stage_is_one_line():
    console = written(terminal=False)
    events = [Event("sft", 0, 2), Event("sft", 1, 2), Event("sft", 2, 2), Event("evaluate", 0, 1)]
    showing.watch(events, "en", console, n=5)
    assert console.file.getvalue().splitlines() == ["Fine-tuning the model imitates the texts",
                                                    "Before and after answers 5 openings it has never seen"]


@pytest.mark.parametrize(("each", "before", "line"), [
    (1.0, 0, "About 2 minutes"),            # two seconds and two updates: 98 are left at 1 s
    (5.0, 0, "About 8 minutes"), (5.0, 60, "About 3 minutes"),      # after a stop only what is done now is measured
    (120.0, 0, "About 3.3 hours"), (0.7, 0, "About a minute"), (0.3, 0, None)])
@pytest.mark.parametrize("terminal", [False, True])
def test_the_time_that_is_left_is_said_once_in_words_by_the_first_updates(each, before, line, terminal):
    now, console = [0.0], written(terminal)

    def events():
        yield Event("ppo", 0, 100)
        for done in range(1, 100):
            now[0] += each if done > before else 0.001
            yield Event("ppo", done, 100)
    showing.watch(events(), "en", console, clock=lambda: now[0])
    said = re.findall("About (?:a|[0-9.]+) (?:minutes?|hours)", console.file.getvalue())
    assert said == ([] if line is None else [line])


def test_of_a_stage_that_is_kept_no_time_is_said():
    console, now = written(terminal=False), iter(range(0, 9000, 100))
    events = [Event("sft", 0, 9, kept=True), Event("sft", 3, 9, kept=True)]
    showing.watch(events, "en", console, clock=lambda: next(now))
    assert "About" not in console.file.getvalue()


@pytest.mark.parametrize(("metrics", "note"), [
    ({"score": 0.5, "kl": 1.25, "loss": 9.0}, "score 0.50  KL 1.2"), ({"loss": 2.345}, "loss 2.35"),
    ({"accuracy": 0.5, "loss": 2.0}, "right 50%"), ({}, "")])
def test_on_a_terminal_the_bar_says_how_it_goes(metrics, note):
    console = written(terminal=True)
    showing.watch([Event("ppo", 0, 4), Event("ppo", 3, 4, metrics)], "en", console)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    last = [line for line in shown.splitlines() if line.strip()][-1]
    assert "3/4" in last
    assert note in last


def test_texts_stand_side_by_side_and_what_looks_like_markup_is_text():
    console = written(terminal=False)
    row = {"prompt": "[bold]It", "response": " is [/nonsense] [red]fine", "score": 0.25, "gold": 1}
    showing.texts(console, [{"before": row, "after": {**row, "response": " broke", "score": 0.75}}], "en")
    shown = console.file.getvalue()
    assert "[bold]It is [/nonsense] [red]fine" in shown
    assert "judge 0.25  gold 1.00" in shown
    assert "judge 0.75" in shown


def test_nothing_is_shown_where_the_result_is_for_a_machine(capsys):
    console = showing.console_for(json=True)
    showing.watch([Event("sft", 0, 1)], "en", console)
    console.print("anything")
    assert capsys.readouterr().out == ""


# Lessons

@pytest.mark.parametrize("lang", ["en", "zh"])
def test_lessons_are_copied_and_what_somebody_wrote_stays(lang, tmp_path, capsys):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "00_map.ipynb").write_text("mine")
    assert cli.main(["lessons", str(tmp_path / "work"), "--lang", lang, "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert [Path(place).name for place in seen["kept"]] == ["00_map.ipynb"]
    assert (tmp_path / "work" / "00_map.ipynb").read_text() == "mine"
    source = Path(__file__).parents[2] / "notebooks" / ("" if lang == "en" else lang)
    copied = [Path(place) for place in seen["copied"]]
    assert {place.name for place in copied} == {file.name for file in source.glob("*.ipynb")} - {"00_map.ipynb"}
    assert all(place.read_bytes() == (source / place.name).read_bytes() for place in copied)


# Old names of options

def test_an_old_name_does_what_the_new_one_does_and_is_said_once(tmp_path, capsys):
    (tmp_path / "food.csv").write_text("review,stars\n" + "good soup,5\n" * 3)
    for text, label in (("--text", "--label"), ("--text-column", "--label-column")):
        words = ["tour", "--lang", "en", "--reviews", str(tmp_path / "food.csv"), text, "review", label, "star"]
        assert cli.main([*words, "--output", str(tmp_path / "out")]) == 2
        *said, refusal = capsys.readouterr().err.splitlines()
        assert "no column 'star'" in refusal
        assert said == [f"{old} is now called {old}-column; the old name goes on working for one more release."
                        for old in (text, label) if text == "--text"]


@pytest.mark.parametrize(("words", "old", "new", "field"), [
    (["train", "ppo", "--model", "m", "--output", "o"], "--label", "--judge-class", "label"),
    (["train", "ppo", "--model", "m", "--output", "o"], "--column", "--prompt-column", "column"),
    (["train", "sft", "--model", "m", "--output", "o"], "--prompt", "--prompt-column", "prompt"),
    (["train", "sft", "--model", "m", "--output", "o"], "--response", "--response-column", "response"),
    (["train", "judge", "--output", "o"], "--label", "--label-column", "label"),
    (["human-loop"], "--column", "--prompt-column", "column")])
def test_every_old_name_is_another_name_of_the_new_one(words, old, new, field):
    before, now = (cli._parser().parse_args([*words, name, "mine"]) for name in (old, new))
    assert getattr(before, field) == getattr(now, field) == "mine"
    assert before.renamed == {old: new}
    assert not hasattr(now, "renamed")


# Slips

@pytest.mark.parametrize("words", [
    ["train", "sft", "--model", "tiny-lm-ne", "--output", "o"], ["human-loop", "--model", "tiny-lm-eng"],
    ["train", "ppo", "--model", "tiny-lm-en", "--judge", "Tiny_judge_en", "--output", "o"],
    ["memory", "--model", "tiny-form"], ["merge", "a", "--base", "tiny-lm-n", "--output", "o"],
    ["train", "stackllama", "--model", "tiny-forums", "--output", "o"]])
def test_a_slip_in_a_tiny_name_is_told_before_torch_is_imported(words):
    """And before the hub is asked, which takes a minute to say that it has no such model."""
    code = f"import sys; from rlhf_kit import cli; print(cli.main({words!r}), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "2 False"
    assert "there is no tiny model" in done.stderr
    assert "Did you mean tiny-" in done.stderr


def test_a_wrong_column_is_told_before_torch_is_imported(tmp_path):
    (tmp_path / "mine.csv").write_text("body,stars\n" + "a lamp,5\n" * 60)
    for words in (["tour", "--reviews"], ["train", "sft", "--model", "tiny-lm-en", "--data"],
                  ["train", "judge", "--data"], ["train", "reward-model", "--pretrain"],
                  ["train", "ppo", "--model", "tiny-lm-en", "--judge", "tiny-judge-en", "--prompts"],
                  ["human-loop", "--prompts"]):
        words = [*words, "mine.csv", "--output", "o"]
        code = f"import sys; from rlhf_kit import cli; print(cli.main({words!r}), 'torch' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout.splitlines()[-1] == "2 False", words
        assert "has no column" in done.stderr
        assert not (tmp_path / "o").exists()
