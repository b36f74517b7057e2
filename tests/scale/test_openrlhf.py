"""What OpenRLHF is given: columns that its readers ask for, flags that its release takes, and nothing half written."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from rlhf_kit import cli
from rlhf_kit.scale import openrlhf

TAKEN = json.loads((Path(__file__).parents[1] / "data" / "openrlhf_0112.json").read_text())
PARSERS = {"int": int, "float": float, "str": str}
ROWS = {"answers.jsonl": [{"prompt": "Question: a\n\nAnswer:", "response": " b", "votes": 3}],
        "pairs.jsonl": [{"prompt": "Question: a\n\nAnswer:", "chosen": " ``x``", "rejected": " 中"}],
        "prompts.jsonl": [{"prompt": "Question: a\n\nAnswer:"}] * 2}


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, rows in ROWS.items():
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def called(tmp_path_factory):
    """Module -> the words it is called with, by a deepspeed and a ray that only print what bash hands them."""
    folder = tmp_path_factory.mktemp("it is here")
    openrlhf.write(ROWS, folder, "a'b c")
    for name in ("deepspeed", "ray"):
        (folder / name).write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
        (folder / name).chmod(0o755)
    found = {}
    for stage in ("sft", "reward", "ppo"):
        done = subprocess.run(["bash", folder / "train.sh", stage], capture_output=True, text=True, check=True,
                              env={"PATH": f"{folder}:/usr/bin:/bin", "NODES": "2", "MODELS": "m"})
        words = done.stdout.split("\n")[:-1]
        module = next(word for word in words if word.startswith("openrlhf.cli."))
        found[module] = [word.replace(str(folder), "HERE") for word in words[words.index(module) + 1:]]
    return found


def value(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_the_release_is_the_one_whose_flags_were_recorded(called):
    assert [TAKEN[name] for name in ("version", "date")] == [openrlhf.RELEASE, openrlhf.DATED]
    assert f"OpenRLHF {openrlhf.RELEASE} " in (Path(openrlhf.__file__).parent / "data" / "openrlhf.sh").read_text()
    assert called.keys() == TAKEN["commands"].keys()


@pytest.mark.parametrize("module", TAKEN["commands"])
def test_every_flag_of_the_script_is_one_that_the_release_takes_with_such_a_value(called, module):
    words, taken, used = called[module], TAKEN["commands"][module], []
    while words:
        flag, *words = words
        assert flag in taken, flag
        used.append(flag)
        if taken[flag] == "switch":
            assert not words or words[0].startswith("--"), flag
        elif isinstance(taken[flag], list):
            assert words[0] in taken[flag], flag
            words = words[1:]
        else:
            PARSERS[taken[flag]](words[0])
            words = words[1:]
    assert len(set(used)) == len(used) > 15


def test_the_columns_of_the_data_are_those_that_the_flags_name(called):
    for module, file, keys in (("train_sft", "answers.jsonl", ("input_key", "output_key")),
                               ("train_rm", "pairs.jsonl", ("prompt_key", "chosen_key", "rejected_key")),
                               ("train_ppo_ray", "prompts.jsonl", ("input_key",))):
        words = called[f"openrlhf.cli.{module}"]
        assert f"HERE/{file}" in words
        assert tuple(value(words, f"--data.{key}") for key in keys) == openrlhf.COLUMNS[file]
    assert value(called["openrlhf.cli.train_sft"], "--data.input_template") == ""      # its default adds "User: "


def test_a_stage_starts_from_the_one_before(called):
    sft, reward, ppo = called.values()
    assert value(sft, "--model.model_name_or_path") == "a'b c"
    assert value(sft, "--ckpt.output_dir") == value(reward, "--model.model_name_or_path") == "m/sft"
    assert value(ppo, "--actor.model_name_or_path") == "m/sft"
    assert value(ppo, "--reward.model_name_or_path") == value(reward, "--ckpt.output_dir") == "m/reward"


def test_what_openrlhf_asserts_of_its_gpus_holds(called):
    """One engine a GPU where everything shares the GPUs; every role on the same ones; a batch for each."""
    ppo = called["openrlhf.cli.train_ppo_ray"]
    assert int(value(ppo, "--vllm.num_engines")) * int(value(ppo, "--vllm.tensor_parallel_size")) == 2 * 8
    for role in ("actor", "ref", "critic", "reward"):
        assert (value(ppo, f"--{role}.num_nodes"), value(ppo, f"--{role}.num_gpus_per_node")) == ("2", "8")
    assert int(value(ppo, "--rollout.batch_size")) // int(value(ppo, "--rollout.micro_batch_size")) >= 16


def test_the_export_copies_the_rows_and_names_the_model(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["export", "openrlhf", "--data", str(data), "--output", str(out), "--model", "my model",
                     "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == {"answers.jsonl": 1, "pairs.jsonl": 1, "prompts.jsonl": 2}
    for name, rows in ROWS.items():
        assert [json.loads(line) for line in (out / name).read_text().splitlines()] == rows      # votes come along
    assert "MODEL=${MODEL:-'my model'}" in (out / "train.sh").read_text()


def test_a_folder_made_from_a_dump_is_taken_with_its_licences(data, tmp_path):
    (tmp_path / "dump").mkdir()
    data.rename(tmp_path / "dump" / "train")
    pair = {"qid": 7, "question": "a", "response_j": "b", "response_k": "c", "licence": "CC BY-SA 4.0"}
    (tmp_path / "dump" / "train" / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    assert openrlhf.read(tmp_path / "dump")["pairs.jsonl"] == [
        {"prompt": "Question: a\n\nAnswer:", "chosen": " b", "rejected": " c", "qid": 7, "licence": "CC BY-SA 4.0"}]


ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a"}]
SAID, WORSE = ([{"role": "assistant", "content": text}] for text in "bc")


@pytest.mark.parametrize("rows", [
    {"answers.jsonl": {"messages": ASK + SAID, "votes": 3},
     "pairs.jsonl": {"chosen": ASK + SAID, "rejected": ASK + WORSE},
     "prompts.jsonl": {"conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "a"}]}},
    {"answers.jsonl": {"prompt": ASK, "response": SAID, "votes": 3},
     "pairs.jsonl": {"prompt": ASK, "chosen": "b", "rejected": "c"}, "prompts.jsonl": {"prompt": ASK}}])
def test_conversations_stay_messages_and_the_script_asks_for_the_template(data, tmp_path, rows):
    for name, row in rows.items():
        (data / name).write_text(json.dumps(row) + "\n")
    out = tmp_path / "out"
    assert cli.main(["export", "openrlhf", "--data", str(data), "--output", str(out)]) == 0
    assert [json.loads((out / name).read_text()) for name in openrlhf.COLUMNS] == [
        {"prompt": ASK, "response": SAID, "votes": 3}, {"prompt": ASK, "chosen": SAID, "rejected": WORSE},
        {"prompt": ASK}]
    script = (out / "train.sh").read_text()
    assert script.count("--data.apply_chat_template \\\n") == len(TAKEN["commands"]) == 3
    assert all("--data.apply_chat_template" in taken for taken in TAKEN["commands"].values())
    assert "without a chat template" not in script
    assert subprocess.run(["bash", "-n", out / "train.sh"]).returncode == 0


def test_conversations_beside_plain_texts_are_refused(data, tmp_path, capsys):
    (data / "prompts.jsonl").write_text(json.dumps({"prompt": ASK}) + "\n")
    assert cli.main(["export", "openrlhf", "--data", str(data), "--output", str(tmp_path / "out")]) == 2
    assert "prompts.jsonl line 1" in capsys.readouterr().err
    (data / "answers.jsonl").write_text(json.dumps({"messages": ASK}) + "\n")
    assert cli.main(["export", "openrlhf", "--data", str(data), "--output", str(tmp_path / "out")]) == 2
    assert "answers.jsonl line 1: a conversation that ends with a question" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_script_is_bash_and_says_that_it_was_not_run(data, tmp_path, capsys):
    assert cli.main(["export", "openrlhf", "--data", str(data), "--output", str(tmp_path), "--lang", "en"]) == 0
    assert "was not run here" in capsys.readouterr().out
    script = tmp_path / "train.sh"
    assert "IT WAS NOT RUN" in script.read_text()
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    asked = subprocess.run(["bash", script, "everything"], capture_output=True, text=True)
    assert (asked.returncode, asked.stderr) == (2, "usage: bash train.sh sft|reward|ppo\n")


@pytest.mark.parametrize(("file", "content", "message"), [
    ("pairs.jsonl", None, r"pairs.jsonl does not exist"), ("answers.jsonl", "", r"answers.jsonl is empty"),
    ("pairs.jsonl", '{"prompt": "a", "chosen": "b"}\n', r"pairs.jsonl line 1: 'rejected' is None"),
    ("prompts.jsonl", '{"prompt": "a"}\n{"prompt": 3}\n', r"prompts.jsonl line 2: 'prompt' is 3"),
    ("prompts.jsonl", "[1]\n", r"prompts.jsonl line 1: '\[1\]' is no object"),
    ("answers.jsonl", "{\n", r"answers.jsonl line 1: is not JSON")])
def test_a_bad_file_is_one_line_and_nothing_is_written(data, tmp_path, capsys, file, content, message):
    (data / file).unlink() if content is None else (data / file).write_text(content)
    assert cli.main(["export", "openrlhf", "--data", str(data), "--output", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err
    assert re.search(message, line)
    assert line.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (["--data", "nowhere"], "nowhere is no folder"), (["--made-up", "0"], "--made-up is 0")])
def test_bad_options_are_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", "openrlhf", *arguments, "--output", "out"]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_configs_are_written_by_a_command(tmp_path, capsys):
    assert cli.main(["export", "accelerate", "--output", str(tmp_path / "c"), "--lang", "en"]) == 0
    assert "two_cpu_processes.yaml" in capsys.readouterr().out
    assert len(list((tmp_path / "c").glob("*.yaml"))) == 4


def test_the_made_up_forum_gives_all_three(tmp_path, capsys):
    assert cli.main(["export", "openrlhf", "--made-up", "3", "--output", str(tmp_path), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["rows"].values()) == {3}
    for name in openrlhf.COLUMNS:
        assert all(row["prompt"].startswith("Question: ") for row in
                   map(json.loads, (tmp_path / name).read_text().splitlines()))
