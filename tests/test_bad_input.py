"""Whatever is wrong with what a person typed: one line that says it, exit code 2, and nothing half-written.

Every test goes through the command line. `refused` looks at all of that each time; the tests look at what is said.
"""

import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from rlhf_kit import cli, zoo
from rlhf_kit.models import loading, tiny
from rlhf_kit.storage import new_folder

TOUR = ["tour", "--lang", "en", "--output", "out"]
SFT = ["train", "sft", "--lang", "en", "--model", "lm", "--output", "out", "--steps", "2", "--batch-size", "4"]
PPO = ["train", "ppo", "--lang", "en", "--model", "lm", "--output", "out", "--steps", "2", "--batch-size", "8",
       "--minibatch-size", "4", "--max-new-tokens", "6"]
LEARN, PLEASE = [*SFT, "--data", "texts.csv"], [*PPO, "--prompts", "prompts.txt", "--reward", "good.py:reward"]
JUDGED = [*PPO, "--prompts", "prompts.txt", "--judge"]
RM = ["train", "reward-model", "--lang", "en", "--output", "out", "--steps", "2", "--batch-size", "4"]
RANK, COMPARE = [*RM, "--rankings", "lists.tsv"], [*RM, "--pairs", "pairs.jsonl"]
COMMANDS = {"tour": TOUR, "sft": LEARN, "ppo": PLEASE, "reward-model": RANK}
READERS = {"tour": [*TOUR, "--reviews"], "sft": [*SFT, "--data"],
           "ppo": [*PPO, "--reward", "good.py:reward", "--prompts"]}


@pytest.fixture(scope="session")
def sound(tmp_path_factory, policy, tokenizer, sentences):
    """Three models, texts, prompts, rankings, pairs and a reward with which everything works; and a finished run."""
    folder = tmp_path_factory.mktemp("sound") / "desk"
    zoo.save_policy(policy, folder / "lm")
    with new_folder(folder / "judge") as judge:
        loading.save_model(tiny.classifier(tokenizer, layers=1, width=16, context=48, dropout=0.0, seed=0), tokenizer,
                           judge)
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48), folder / "scorer")
    lists = [sentences[i:i + 3] for i in range(0, len(sentences), 3)]
    (folder / "lists.tsv").write_text("".join("\t".join(row) + "\n" for row in lists))
    (folder / "pairs.jsonl").write_text("".join(json.dumps({"chosen": a, "rejected": c}) + "\n" for a, _, c in lists))
    rows = [f'"{text}",{i % 2}\n' for i, text in enumerate(sentences)]
    (folder / "texts.csv").write_text("text,label\n" + "".join(rows))
    (folder / "prompts.txt").write_text("".join(" ".join(text.split()[:4]) + "\n" for text in sentences))
    (folder / "good.py").write_text("def reward(prompts, responses):\n    return [len(r) for r in responses]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.main([*LEARN, "--output", "done", "--json"]) == 0
    return folder


@pytest.fixture(scope="module", autouse=True)
def parser():
    """Of all commands, made once and not for every test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "_parser", cache(cli._parser))
        yield


@pytest.fixture(autouse=True)
def desk(sound, tmp_path, monkeypatch):
    """A copy of it to work on."""
    shutil.copytree(sound, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


def everything() -> dict[str, bytes]:
    """Every file here with its content, and every folder, hidden ones included."""
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in sorted(Path().rglob("*"))}


@pytest.fixture
def refused(capsys):
    """Type a command that must be refused; gives the line that it prints."""
    def typed(*words: str) -> str:
        before = everything()
        capsys.readouterr()
        try:
            code = cli.main(list(words))
        except SystemExit as stop:                                    # argparse
            code = stop.code
        out, err = capsys.readouterr()
        assert code == 2
        assert err.startswith("rlhf-kit")
        assert err.count("\n") == 1
        assert err.endswith(".\n")
        assert "Traceback" not in out + err
        assert everything() == before
        return err
    return typed


@pytest.mark.parametrize("command", ["sft", "ppo", "reward-model"])
def test_the_commands_work_before_anything_is_wrong_with_them(command, capsys):
    """Else every test below could pass for a reason of its own."""
    assert cli.main([*COMMANDS[command], "--json"]) == 0
    assert Path("out/result.json").is_file()


# Files

JUNK = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
LONG = "x" * 10_000_000
FILES = [
    (None, "bad.csv does not exist; expected one file"), ("", "is empty; expected"), (" \n\n", "is empty"),
    ("text,prompt,label\n", "a header line and no rows"), ("a,b\n1,2\n", "has no column"),
    (JUNK, "neither UTF-8 nor GB18030"), (b"text\n\x00\x01\n", "a NUL character"), (b"PK\1\2\0\0", "NUL"),
    (b"\x1f\x8b\x08broken", "damaged gzip"), (f"text,prompt,label\n{LONG},{LONG},1\n", "more than 131,072 characters"),
    ("text,prompt,label\n,,1\n , ,0\n", "text"), ("text,text,prompt,prompt,label\na,b,c,d,1\n", "2 columns"),
]


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize(("content", "said"), FILES, ids=[said[:24] for _, said in FILES])
def test_a_file_that_cannot_be_used(refused, command, content, said):
    if content is not None:
        Path("bad.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused(*READERS[command], "bad.csv")
    assert "bad.csv" in line
    assert said in line


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize(("name", "said"), [
    (".", "is a folder"), ("", "'' is a folder"), ("texts.csv/x.csv", "does not exist"),
    ("/dev/zero", "is not an ordinary file"), ("~nobody-of-that-name/x.csv", "Write the path in full")])
def test_a_name_that_is_no_files(refused, command, name, said):
    assert said in refused(*READERS[command], name)


@pytest.mark.parametrize("command", ["sft", "ppo"])
@pytest.mark.parametrize(("content", "said"), [("", "is empty"), (" \n", "is empty"), (JUNK, "neither UTF-8"),
                                               (LONG, "line 1: a line of more than 131,072 characters")])
def test_a_text_file_that_cannot_be_used(refused, command, content, said):
    Path("bad.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said in refused(*READERS[command], "bad.txt")


@pytest.mark.parametrize(("words", "option"), [
    ([*TOUR, "--reviews", "texts.csv", "--text-column", "review"], "--text-column"),
    ([*TOUR, "--reviews", "texts.csv", "--label-column", "stars"], "--label-column"),
    ([*LEARN, "--text-column", "review"], "--text-column"),
    ([*LEARN, "--prompt-column", "text", "--response-column", "answer"], "--response-column"),
    ([*LEARN, "--prompt-column", "question", "--response-column", "text"], "--prompt-column"),
    ([*PPO, "--reward", "good.py:reward", "--prompts", "texts.csv", "--prompt-column", "prompt_"], "--prompt-column")])
def test_a_column_that_is_not_there_is_answered_with_those_that_are(refused, words, option):
    line = refused(*words)
    assert "it has 'text', 'label'" in line
    assert f"Name the right one with {option}" in line


@pytest.mark.parametrize(("label", "options", "said"), [
    (lambda i: "1", [], "every review is positive; a judge needs both"),
    (lambda i: str(i % 2), ["--positive", "great"], "--positive great expects two values"),
    (lambda i: f"kind {i % 7}", [], "name the good one with --positive"),
    (lambda i: str(int(i == 0)), [], "only 1 positive reviews")])
def test_labels_that_no_judge_can_learn_from(refused, sentences, label, options, said):
    rows = [f'"{text}",{label(i)}\n' for i, text in enumerate(sentences)]
    Path("labels.csv").write_text("text,label\n" + "".join(rows))
    assert said in refused(*TOUR, "--reviews", "labels.csv", *options)


def test_too_few_reviews(refused):
    Path("few.csv").write_text("text,label\na fine lamp,1\na broken lamp,0\n")
    assert "2 usable reviews in 2 rows; at least 50 are needed" in refused(*TOUR, "--reviews", "few.csv")


# Options

INTEGERS, NUMBERS = ["0", "-1", "1.5", "1e3", "many", ""], ["0", "-1", "nan", "inf", "-inf", "1e400", "much", ""]
SEEDS, SIZES = ["-1", "1.5", "99999999999999999999", "x"], [*INTEGERS, "99999999999999999999"]
PRICES = NUMBERS[1:]                                                  # nothing is a price too
OPTIONS = {
    "tour": {"--steps": INTEGERS, "--kl": PRICES, "--seed": SEEDS},
    "sft": {"--steps": INTEGERS, "--batch-size": SIZES, "--max-length": INTEGERS, "--seed": SEEDS,
            "--learning-rate": [*NUMBERS, "2", "1e300"]},
    "ppo": {"--steps": INTEGERS, "--batch-size": SIZES, "--minibatch-size": [*SIZES, "3", "16"], "--epochs": INTEGERS,
            "--max-new-tokens": SIZES, "--seed": SEEDS, "--kl": PRICES, "--kl-target": NUMBERS,
            "--learning-rate": [*NUMBERS, "2", "1e300"], "--temperature": [*NUMBERS, "1e-300", "1e300"]},
    "reward-model": {"--steps": INTEGERS, "--batch-size": SIZES, "--max-length": INTEGERS, "--held-out": INTEGERS,
                     "--seed": SEEDS, "--learning-rate": [*NUMBERS, "2", "1e300"]},
}


@pytest.mark.parametrize(("command", "option", "value"), [
    (command, option, value) for command, options in OPTIONS.items() for option, values in options.items()
    for value in values])
def test_a_number_that_means_nothing_is_named_with_what_would_do(refused, command, option, value):
    line = refused(*COMMANDS[command], f"{option}={value}")
    assert any(name in line for name in (option, "KL coefficient", "KL target"))
    assert any(hint in line for hint in ("must be", "expected", "such as", "at least", "try"))


def test_a_batch_that_is_no_multiple_is_answered_with_a_minibatch_that_works(refused):
    line = refused(*PLEASE, "--batch-size", "12", "--minibatch-size", "8")
    assert "--batch-size 12 is not a multiple of --minibatch-size 8; try --minibatch-size 4" in line
    assert cli.main([*PLEASE, "--batch-size", "12", "--minibatch-size", "4", "--json"]) == 0


@pytest.mark.parametrize(("words", "said"), [
    ([], "COMMAND"), (["fly"], "choose from"), (["train"], "METHOD"), (["train", "orpo"], "choose from"),
    ([*TOUR, "--speed", "9"], "unknown: --speed 9. See rlhf-kit tour --help"),
    ([*LEARN, "more"], "unknown: more. See rlhf-kit train sft --help"),
    (["train", "sft", "--data", "texts.csv"], "required: --model, --output"), ([*TOUR, "--output"], "--output"),
    ([*RANK, "--loss", "hinge"], "choose from 'log_sigmoid', 'sigmoid'"),
    (["train", "reward-model"], "required: --output"), ([*TOUR, "--lang", "fr"], "'fr'"),
    (["doctor", "--lang", "fr"], "'fr'"), (["models", "all"], "unknown: all")])
def test_a_command_that_is_not_one(refused, words, said):
    assert said in refused(*words)


@pytest.mark.parametrize("words", [LEARN, PLEASE, RANK])
@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", "", "-1"])
def test_a_device_that_is_not_there(refused, words, device):
    line = refused(*words, f"--device={device}")
    assert f"--device is {device!r}" in line
    assert "this machine has cpu" in line


@pytest.mark.parametrize(("words", "missing"), [
    ([*TOUR, "--text-column", "review"], "--reviews"), ([*TOUR, "--label-column", "stars"], "--reviews"),
    ([*TOUR, "--positive", "1"], "--reviews"), ([*SFT, "--prompt-column", "a", "--response-column", "b"], "--data"),
    ([*SFT, "--text-column", "review"], "--data"), ([*LEARN, "--prompt-column", "text"], "--response-column"),
    ([*LEARN, "--response-column", "text"], "--prompt-column"),
    ([*PPO, "--judge", "judge", "--prompt-column", "a"], "--prompts"),
    ([*PLEASE, "--judge-class", "negative"], "--judge"),
    ([*JUDGED, "scorer", "--judge-class", "negative"], "Leave --judge-class out"),
    ([*RANK, "--text-column", "review"], "--pretrain"), ([*COMPARE, "--label-column", "stars"], "--pretrain")])
def test_an_option_that_would_be_ignored_is_answered_with_what_it_needs(refused, words, missing):
    assert missing in refused(*words)


def test_one_thing_to_please_and_not_none_or_two(refused):
    assert "neither --judge nor --reward is given" in refused(*PPO)
    assert "both --judge and --reward are given" in refused(*PLEASE, "--judge", "judge")
    assert "name two columns" in refused(*LEARN, "--prompt-column", "text", "--response-column", "text")


def test_prompts_that_leave_no_room_for_a_response(refused):
    Path("long.txt").write_text("the lamp is\n" + "the lamp is very " * 30 + "\n")
    line = refused(*READERS["ppo"], "long.txt")
    assert "--max-new-tokens is 6, but the model reads 48 at most. Shorten the prompts" in line
    assert "--max-new-tokens is 46" in refused(*PLEASE, "--max-new-tokens", "46")


def test_a_length_at_which_there_is_nothing_to_learn(refused):
    assert "raise max_length" in refused(*LEARN, "--max-length", "1")


# Posts

ROWS = ('<row Id="1" PostTypeId="1" Score="0" Title="How?" Body="a"/><row Id="2" PostTypeId="2" ParentId="1" Score="5" '
        'Body="b"/><row Id="3" PostTypeId="2" ParentId="1" Score="0" Body="c"/>')
READ = ["posts", "read", "Posts.xml", "--output", "out", "--lang", "en"]


@pytest.mark.parametrize(("content", "said"), [
    ("", "is empty"), ("Id,Body\n1,x\n", "is not XML"), ("<users></users>", "another file of the same dump"),
    (f"<posts>{ROWS}", "ends in the middle"), (b"7z\xbc\xaf'\x1c\0", "7z x Posts.xml Posts.xml"), (JUNK, "is not XML"),
    (f'<!DOCTYPE p [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><posts>{ROWS}&b;</posts>', "declares a document type"),
    (f'<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]><posts>{ROWS}&a;</posts>', "declares a document type"),
    ("<posts><row/></posts>", "a post without PostTypeId"), ("<posts></posts>", "has no question")])
def test_a_dump_that_is_none(refused, content, said):
    Path("Posts.xml").write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused(*READ)
    assert "Posts.xml" in line
    assert said in line


@pytest.mark.parametrize(("words", "said"), [
    ([], "does not exist"), (["--site", "the cooking site"], "such as cooking.stackexchange.com"),
    (["--pairs", "0"], "expected at least 1"), (["--limit", "-1"], "expected at least 1"),
    (["--limit", "many"], "no whole number"), (["--format", "csv"], "choose from")])
def test_options_of_a_dump(refused, words, said):
    assert said in refused(*READ, *words)


def test_a_dump_goes_into_no_folder_of_others(refused, capsys):
    Path("Posts.xml").write_text(f"<posts>{ROWS}</posts>")
    assert "no conversion wrote" in refused(*READ, "--output", "lm")
    assert "a file" in refused(*READ, "--output", "texts.csv")
    assert cli.main([*READ, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == {"train": 1, "heldout": 0}
    assert "with other settings" in refused(*READ, "--limit", "1")


def test_a_made_up_dump_of_nothing(refused):
    assert "--questions is 0" in refused("posts", "write", "Posts.xml", "--questions", "0")
    assert "cannot be written" in refused("posts", "write", "texts.csv/Posts.xml", "--questions", "2")


# Models

def break_model(kind: str, model: str) -> None:
    """Make a folder "broken" out of a model, which is none any more."""
    shutil.copytree(model, "broken")
    if kind == "pickle":
        Path("broken/model.safetensors").unlink()
        torch.save({"a": torch.zeros(1)}, "broken/pytorch_model.bin")
    elif kind == "pickle under the right name":
        torch.save({"a": torch.zeros(1)}, "broken/model.safetensors")
    elif kind == "no weights":
        Path("broken/model.safetensors").unlink()
    elif kind == "no tokenizer":
        for name in ("tokenizer.json", "tokenizer_config.json"):
            Path("broken", name).unlink()
    elif kind == "no config":
        Path("broken/config.json").unlink()
    elif kind == "config is no JSON":
        Path("broken/config.json").write_bytes(JUNK)


@pytest.mark.parametrize(("kind", "said"), [
    ("pickle", "in a pickle (pytorch_model.bin), which can run code"),
    ("pickle under the right name", "no sound safetensors file"), ("no weights", "has no weights; expected model.saf"),
    ("no tokenizer", "has no tokenizer; expected tokenizer.json"), ("no config", "it has no config.json"),
    ("config is no JSON", "is not JSON")])
@pytest.mark.parametrize("words", [[*LEARN, "--model"], [*PLEASE, "--model"], JUDGED, [*RANK, "--model"]])
def test_a_folder_that_is_no_model(refused, words, kind, said):
    break_model(kind, "judge" if words == JUDGED else "lm")
    line = refused(*words, "broken")
    assert "broken" in line
    assert said in line
    assert "Offline names: tiny-" in line


@pytest.mark.parametrize("words", [[*LEARN, "--model"], [*PLEASE, "--model"], JUDGED, [*RANK, "--model"]])
@pytest.mark.parametrize(("name", "said"), [
    ("nobody/nothing", "neither a folder here nor in the hub's cache"), ("gpt3", "Check the name and the network"),
    ("./nowhere", "./nowhere does not exist"), ("texts.csv", "is a file; expected a folder"),
    ("no such name", "Check the name"), ("", "no config.json"), ("~nobody-of-that-name/lm", "in full")])
def test_a_model_of_that_name_is_not_here(refused, words, name, said):
    assert said in refused(*words, name)


def test_a_classifier_cannot_write_and_a_language_model_cannot_judge(refused):
    for words in (LEARN, PLEASE):
        assert "judge is no language model" in refused(*words, "--model", "judge")
        assert "'tiny-judge-en' is a classifier; expected a language model" in refused(*words, "--model",
                                                                                      "tiny-judge-en")
    assert "lm is no complete classifier" in refused(*JUDGED, "lm")
    assert "'tiny-lm-en' is a language model; expected a classifier" in refused(*JUDGED, "tiny-lm-en")


def test_a_label_that_the_classifier_does_not_have_is_answered_with_those_it_has(refused):
    assert "no label 'kind'; it has negative, positive. Name one of these with --judge-class" in refused(
        *JUDGED, "judge", "--judge-class", "kind")


# Rankings and pairs

LIST = "a fine lamp\ta lamp\ta broken lamp\n"
LISTS = "".join(f"a fine lamp {i}\ta lamp {i}\ta broken lamp {i}\n" for i in range(200))
PAIR = {"chosen": "a", "rejected": "b"}


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(("name", "content", "said"), [
    ("bad.tsv", None, "bad.tsv does not exist; expected one file"), (".", None, "is a folder"),
    ("", None, "'' is a folder"),
    ("/dev/zero", None, "not an ordinary file"), ("~nobody-of-that-name/x.tsv", None, "Write the path in full"),
    ("bad.tsv", "", "is empty"), ("bad.tsv", JUNK, "neither UTF-8 nor GB18030"), ("bad.jsonl", "", "is empty"),
    ("bad.tsv", b"\x1f\x8b\x08broken", "damaged gzip"), ("bad.tsv", b"PK\x03\x04\0\0", "NUL"),
    ("bad.tsv", f"{LONG}\tx\n", "more than 131,072 characters"), ("bad.tsv", LIST, "holds 1 rankings; at least 4"),
    ("bad.tsv", "one\ntwo\nthree\nfour\n", "line 1: holds one text a line"),
    ("bad.tsv", LISTS + "one tab\ttoo few\n" * 20, "line 201: 2 texts where most lines have 3"),
    ("bad.tsv", LISTS[:900].replace("lamp 7\t", "la\nmp\t"), "line 8: 1 texts where most lines have 3 (a tab or"),
    ("bad.tsv", "a\t\tb\n" + LISTS[:900], "line 1: an empty response"),
    ("bad.tsv", LIST + "The same\tthe  same\tanother\n" * 4, "line 2: the same response twice"),
    ("bad.jsonl", "[1, 2]\n" * 9, "JSON, but not an object"), ("bad.jsonl", "{broken\n" * 9, "line 1: not JSON"),
    ("bad.json", '[{"responses": ["a", "b"]}, {', "line 1: the JSON array is broken"),
    ("bad.jsonl", lines({"responses": "a b"}) * 9, "'responses' is 'a b', not a list of texts"),
    ("bad.jsonl", lines({"responses": ["a"]}) * 9, "line 1: 1 response; a ranking compares at least 2"),
    ("bad.jsonl", lines({"responses": ["a", "b"], "ranks": [1, None]}) * 9, "'ranks' is [1, None]; expected 2 numbers"),
    ("bad.jsonl", lines({"responses": ["a", "b"], "ranks": [1, 1]}) * 9, "holds 0 rankings that are not all ties"),
    ("bad.jsonl", lines({"response": ["a", "b"]}) * 9, "has no columns of preferences; it has 'response'. Expected"),
    ("bad.jsonl", lines({"prompt": "p", "responses": ["a", "b"]}) * 9, "rankings of one prompt stay together")])
def test_rankings_that_cannot_be_used(refused, name, content, said):
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused(*RM, "--rankings", name)
    assert name in line or name[0] == "~"
    assert said in line


@pytest.mark.parametrize(("name", "content", "said"), [
    ("bad.csv", None, "bad.csv does not exist"), (".", None, "is a folder"), ("bad.csv", "", "is empty"),
    ("bad.csv", "chosen,rejected\n", "a header line and no rows"), ("bad.csv", JUNK, "neither UTF-8 nor GB18030"),
    ("bad.csv", "choosen,rejected\na,b\n", "Did you mean 'choosen'? Say so: --columns chosen=choosen"),
    ("bad.csv", "chosen,rejected\na\n", "line 2: 1 cells where the header has 2"),
    ("bad.csv", "chosen,rejected\n,b\n", "line 2: 'chosen': an empty text"),
    ("bad.csv", "chosen,rejected\na,b\n", "holds 1 pairs whose texts differ; at least 4 are needed"),
    ("bad.csv", "chosen,rejected\na,a\n" + "b,b\n" * 20, "holds 0 pairs whose texts differ"),
    ("bad.jsonl", lines({**PAIR, "margin": "much"}) * 9, "line 1: the margin is 'much'; expected a number"),
    ("bad.jsonl", lines({**PAIR, "margin": 10**400}) * 9, "line 1: the margin is 1000"),
    ("bad.jsonl", lines({**PAIR, "chosen": [{"role": "user", "content": "a"}]}) * 9, "differ before there is an"),
    ("bad.jsonl", lines({**PAIR, "chosen": "\ud83d"}) * 9, "line 1: 'chosen': half of a character"),
    ("bad.jsonl", lines({**PAIR, "prompt": "p"}) * 9, "pairs of one prompt stay together")])
def test_pairs_that_cannot_be_used(refused, name, content, said):
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused(*RM, "--pairs", name)
    assert name in line
    assert said in line


def test_one_odd_list_in_two_hundred_is_left_out():
    Path("odd.tsv").write_text(LISTS.replace("lamp 7\t", "lamp 7\twith a tab\t"))
    assert cli.main([*RM, "--rankings", "odd.tsv", "--held-out", "20", "--json"]) == 0
    assert json.loads(Path("out/result.json").read_text())["rankings"] == 179


def test_one_file_to_learn_from_and_not_two(refused):
    assert "both --rankings and --pairs are given" in refused(*RANK, "--pairs", "pairs.jsonl")


@pytest.mark.parametrize(("words", "said"), [
    ([*RANK, "--held-out", "40"], "lists.tsv holds 40 rankings, and with 40 held out none is left to learn from"),
    ([*COMPARE, "--held-out", "99"], "pairs.jsonl holds 40 pairs, and with 99 held out none is left"),
    ([*RANK, "--example", " "], "--example is ' '; expected a text")])
def test_nothing_left_to_learn_from_or_to_score(refused, words, said):
    assert said in refused(*words)


@pytest.mark.parametrize(("name", "content", "options", "said"), [
    ("bad.csv", None, [], "bad.csv does not exist"), ("texts.csv", None, ["--text-column", "review"], "--text-column"),
    ("texts.csv", None, ["--label-column", "stars"], "--label-column"),
    ("bad.csv", "text,label\na lamp,1\nno lamp,0\n", [], "at least 50 are needed"),
    ("bad.csv", "text,label\n" + "".join(f"a lamp number {i},1\n" for i in range(60)), [], "every review is positive"),
    ("bad.csv", "text,label\n" + "".join(f"a lamp number {i},{i % 7 + 6}\n" for i in range(60)), [], "bad.csv"),
    ("prompts.txt", None, [], "prompts.txt has no column 'text'")])
def test_reviews_that_nothing_can_be_pretrained_on(refused, name, content, options, said):
    if content is not None:
        Path(name).write_text(content)
    assert said in refused(*RANK, "--pretrain", name, *options)


def test_the_label_of_a_good_review_to_pretrain_on_can_be_named(refused):
    Path("marks.csv").write_text("text,label\n" + "".join(f"a lamp number {i},{i % 2 + 6}\n" for i in range(60)))
    words = [*RANK, "--pretrain", "marks.csv"]
    assert "name the good one with --positive" in refused(*words)
    assert "--positive 8 expects two values" in refused(*words, "--positive", "8")
    assert "--positive" in refused(*RANK, "--positive", "7")


def test_reviews_of_which_one_side_is_held_out(refused):
    """One bad review, and it is a text that the model will be examined on."""
    from rlhf_kit.datasets.rankings import hold_out, read_rankings, texts_of
    _, out = hold_out(read_rankings("lists.tsv"), 1)
    rows = [f"a fine lamp number {i},1\n" for i in range(60)] + [f'"{text.upper()}",0\n' for text in texts_of(out[0])]
    Path("bad.csv").write_text("text,label\n" + "".join(rows))
    words = [*RANK, "--held-out", "1", "--pretrain", "bad.csv"]
    assert "bad.csv has no bad review besides those held out; pretraining needs both" in refused(*words)


def test_every_kind_of_file_works_that_is_said_to():
    text = Path("lists.tsv").read_text()
    for number, content in enumerate((b"\xef\xbb\xbf" + text.encode(), text.replace("\n", "\r\n").encode(),
                                      gzip.compress(text.encode()), text.encode("utf-16"))):
        Path("dressed.tsv").write_bytes(content)
        words = [*RM, "--rankings", "dressed.tsv", "--output", f"out{number}", "--json"]
        assert cli.main(words) == 0
    weights = {Path(f"out{number}/model/model.safetensors").read_bytes() for number in range(4)}
    assert len(weights) == 1


# Rewards

@pytest.mark.parametrize(("body", "said"), [
    ("return [float('nan')] * len(responses)", "returned nan for response 0; expected finite numbers"),
    ("return [0.0] * (len(responses) - 1) + [float('inf')]", "returned inf for response"),
    ("return [10.0 ** 300] * len(responses)", "returned inf"),
    ("return [1.0]", "returned shape (1,) for"), ("return 1.0", "returned shape () for"),
    ("return [[1.0]] * len(responses)", "expected one number a response"),
    ("return 'good'", "returned str 'good'; expected"), ("return ['good'] * len(responses)", "returned list"),
    ("return None", "returned NoneType None"), ("pass", "returned NoneType None"), ("return {}", "returned dict {}"),
    ("return [1j] * len(responses)", "returned list"),
    ("raise ValueError('two\\nlines')", "failed, bad.py line 2: ValueError: two lines. Mend it"),
    ("raise Exception", "bad.py line 2: Exception. Mend it"), ("return [1 / 0]", "ZeroDivisionError"),
    ("raise OSError(28, 'No space left')", "OSError"), ("raise RuntimeError('boom')", "boom"),
    ("import sys; sys.exit(0)", "SystemExit: 0"), ("raise MemoryError", "MemoryError"),
    ("return reward(prompts, responses)", "RecursionError")])
def test_a_reward_function_that_gives_no_scores(refused, body, said):
    Path("bad.py").write_text(f"def reward(prompts, responses):\n    {body}\n")
    line = refused(*PLEASE, "--reward", "bad.py:reward")
    assert "the reward function reward " in line
    assert said in line


def test_a_reward_that_fails_only_later_takes_the_beginnings_with_it(refused):
    """It has scored the untrained policy, so the output folder was claimed when it fails."""
    Path("bad.py").write_text("calls = []\ndef reward(prompts, responses):\n    calls.append(1)\n"
                              "    return [1.0 if len(calls) < 2 else float('nan')] * len(responses)\n")
    assert "returned nan" in refused(*PLEASE, "--reward", "bad.py:reward")
    assert "returned nan" in refused(*PLEASE, "--reward", "bad.py:reward", "--output", "new/folders/out")


def test_a_reward_may_carry_a_gradient():
    Path("fine.py").write_text("import torch\ndef reward(prompts, responses):\n"
                               "    return 2 * torch.ones(len(responses), requires_grad=True)\n")
    assert cli.main([*PLEASE, "--reward", "fine.py:reward", "--json"]) == 0


@pytest.mark.parametrize(("content", "said"), [
    ("def reward(prompts, responses)\n    return 1\n", "bad.py line 1: SyntaxError: expected ':'. Mend it"),
    ("\nimport no_such_module\n", "bad.py line 2: ModuleNotFoundError: No module named 'no_such_module'"),
    ("x = 1\nx / 0\n", "bad.py line 2: ZeroDivisionError"), ("import sys\nsys.exit(0)\n", "line 2: SystemExit"),
    ("reward = 3\n", "has no function 'reward'; it has none. Write def reward(prompts, responses)"),
    ("def score(p, r):\n    pass\n", "has no function 'reward'; it has score"), ("", "it has none"),
    ("def reward(prompts):\n    pass\n", "TypeError: reward() takes 1 positional argument but 2 were given"),
    (b"a\0b", "SyntaxError"), (JUNK, "SyntaxError")])
def test_a_reward_file_that_cannot_be_used(refused, content, said):
    Path("bad.py").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said in refused(*PLEASE, "--reward", "bad.py:reward")


@pytest.mark.parametrize(("place", "said"), [
    ("nowhere.py:reward", "nowhere.py cannot be read: No such file"), ("lm:reward", "Is a directory"),
    ("good.py", "such as my_reward.py:reward"), ("good.py:", "such as"), (":reward", "such as"), ("", "such as"),
    ("good.py:not a name", "such as")])
def test_a_reward_that_is_not_there(refused, place, said):
    assert said in refused(*PLEASE, "--reward", place)


# Output folders

@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_folder_that_cannot_be_one(refused, monkeypatch, command, fresh):
    for place in ("texts.csv", "texts.csv/out", "/dev/null"):
        assert "is a file. Name another folder with --output" in refused(*COMMANDS[command], *fresh, "--output", place)
    assert "too long" in refused(*COMMANDS[command], *fresh, "--output", "x" * 300)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "out cannot be written" in refused(*COMMANDS[command], *fresh)


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_holds_somebody_elses_files(refused, command, fresh):
    Path("out/policy").mkdir(parents=True)
    Path("out/policy/mine.txt").write_text("keep me")
    assert "holds files that no run of the kit wrote" in refused(*COMMANDS[command], *fresh)
    assert "holds files that no run" in refused(*COMMANDS[command], *fresh, "--output", ".")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_holds_another_run(refused, command):
    line = refused(*COMMANDS[command], "--output", "done", "--seed", "5")
    assert "done holds a run with other settings" in line
    assert "--fresh" in line


@pytest.mark.parametrize("words", [
    [*SFT, "--data", "nowhere.csv"], [*LEARN, "--model", "nowhere/at-all"], [*LEARN, "--batch-size", "0"],
    [*LEARN, "--max-length", "1"], [*PLEASE, "--reward", "nowhere.py:reward"], [*JUDGED, "lm"], [*TOUR, "--kl", "nan"],
    [*PLEASE, "--max-new-tokens", "47"], [*TOUR, "--reviews", "nowhere.csv"], [*RM, "--rankings", "nowhere.tsv"],
    [*RM, "--rankings", "prompts.txt"], [*RANK, "--held-out", "40"], [*RANK, "--pretrain", "prompts.txt"],
    [*RANK, "--model", "nowhere/at-all"], [*RANK, "--example", ""], [*RANK, "--example", "\udcff"]])
def test_fresh_throws_nothing_away_for_a_run_that_cannot_begin(refused, words):
    refused(*words, "--output", "done", "--fresh")


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_at_the_first_file(refused, monkeypatch, command):
    monkeypatch.setattr("rlhf_kit.storage.os.fsync", full_disk)
    line = refused(*COMMANDS[command], "--output", "new/folders/out")
    assert "No space left on device" in line
    assert "free some space" in line


@pytest.mark.parametrize("words", [LEARN, PLEASE, RANK, [*COMPARE, "--pretrain", "texts.csv"]])
@pytest.mark.parametrize("kind", [OSError, SafetensorError])
def test_a_full_disk_at_the_first_checkpoint(refused, monkeypatch, words, kind):
    def fail(*_, **__):
        return full_disk() if kind is OSError else (_ for _ in ()).throw(SafetensorError("No space left on device"))
    monkeypatch.setattr("safetensors.torch.save_file", fail)
    assert "No space left on device" in refused(*words)


@pytest.mark.parametrize("words", [LEARN, PLEASE, RANK])
def test_a_disk_that_fills_up_at_the_end_costs_no_training(capsys, monkeypatch, words):
    """The checkpoint of the last step is there, so the same command only has to write the model."""
    with monkeypatch.context() as patch:
        patch.setattr(loading, "save_model", full_disk)
        assert cli.main([*words, "--json"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(p.name for p in Path("out").iterdir() if p.is_dir()) == ["checkpoints"]
    monkeypatch.setattr(torch.Tensor, "backward", None)              # nobody learns any more
    assert cli.main([*words, "--json"]) == 0


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried "
                                                               "to allocate 9000000000000 bytes")])
def test_full_memory_is_no_traceback_either(refused, monkeypatch, error):
    def fail(*_, **__):
        raise error
    monkeypatch.setattr("rlhf_kit.methods.sft.loss_on", fail)
    assert "memory is full. Try a smaller --batch-size" in refused(*LEARN)


def test_a_model_that_diverges_is_not_handed_out(refused, monkeypatch):
    monkeypatch.setattr("rlhf_kit.methods.sft.language_model", lambda logits, *_: logits.sum() * float("nan"))
    assert "the model has diverged. Start again with a lower --learning-rate" in refused(*LEARN)


# The program itself

@pytest.mark.parametrize(("words", "said"), [
    (["train", "ppo", "--steps", "x"], "argument --steps: 'x' is no whole number, such as 8"),
    ([*TOUR, "--reviews", "nowhere.csv"], "nowhere.csv does not exist")])
def test_as_a_program_too(words, said):
    result = subprocess.run([sys.executable, "-m", "rlhf_kit.cli", *words], capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not Path("out").exists()
