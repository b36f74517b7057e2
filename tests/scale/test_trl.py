"""What TRL is given: configs that its own parsers take whole, rows that it reads, a reward that it can call."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from rlhf_kit import cli
from rlhf_kit.jobs import to_trl
from rlhf_kit.jobs.train_ppo import PpoJob
from rlhf_kit.jobs.train_reward_model import RewardModelJob
from rlhf_kit.jobs.train_sft import RATES, SftJob
from rlhf_kit.scale import trl

# TRL's own default, by a name that transformers has another one for.
pytestmark = pytest.mark.filterwarnings("ignore:.gradient_checkpointing. is deprecated:FutureWarning")
CHAT = [{"role": "user", "content": "How are you?"}, {"role": "assistant", "content": "Fine."}]
DATA = {
    "sft": [{"prompt": f"the {noun} is", "response": f" {word} cheap."} for noun in ("lamp", "bag", "pen", "chair")
            for word in ("very", "not")],
    "dpo": [{"prompt": "the lamp is", "chosen": f" {word} sturdy.", "rejected": " not cheap."} for word in (
        "very", "quite")] * 4,
    "grpo": [{"prompt": f"the {noun}", "words": n} for n, noun in enumerate(("lamp", "bag", "pen", "chair", "kettle"))],
}
MINE = "def reward(prompts, responses):\n    return [float(len(r)) for r in responses]\n"


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """A file for each method, and a reward; the tests stand beside them."""
    monkeypatch.chdir(tmp_path)
    for method, rows in DATA.items():
        (tmp_path / f"{method}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def export(method, *options, model="gpt2"):
    if method == "grpo" and "--judge" not in options and "--run" not in options:
        options = ("--reward", "mine.py:reward", *options)
    source = () if "--run" in options or "--task" in options else ("--data", f"{method}.jsonl")
    assert cli.main(["export", "trl", method, *source, "--model", model, "--output", "out", "--lang", "en", *options,
                     "--json"]) == 0
    return Path("out")


def parsed(folder, method, *words):
    """The config as TRL's own command reads it, with nothing passed over. Raises: ValueError for an unknown name."""
    parser = import_module(f"trl.scripts.{method}").make_parser()
    return parser.parse_args_and_config(["--config", str(folder / f"{method}.yaml"), "--use_cpu", "true", "--bf16",
                                         "false", *words])


def rows(folder, name="train.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


EVERY = {"sft": ("--max-length", "64"), "dpo": ("--max-length", "64", "--beta", "0.3"),
         "grpo": ("--minibatch-size", "8", "--epochs", "2", "--max-new-tokens", "9", "--temperature", "0.7", "--beta",
                  "0.02", "--generations", "4", "--vllm", "server")}
ALIKE = ("--steps", "5", "--batch-size", "16", "--learning-rate", "1e-5", "--seed", "3", "--lora", "8", "--quantize",
         "nf4")


def test_the_release_is_the_one_that_is_installed():
    import trl as theirs
    assert theirs.__version__ == trl.RELEASE


@pytest.mark.parametrize("method", trl.METHODS)
def test_trl_knows_every_name_and_reads_every_value(brought, capsys, method):
    """By TRL's own parser, as it stands and with every option; a name too many, and it refuses."""
    folder = export(method)
    parsed(folder, method)
    export(method, *ALIKE, *EVERY[method])
    script, training, model, mixture = parsed(folder, method)
    assert (training.learning_rate, training.seed, training.report_to) == (1e-5, 3, [])
    assert (model.use_peft, model.lora_r, model.lora_alpha, model.load_in_4bit, model.dtype) == (
        True, 8, 16, True, "bfloat16")
    assert [(one.path, one.data_files) for one in mixture.datasets] == [("json", "train.jsonl")]
    if method == "grpo":
        assert (training.max_steps, training.per_device_train_batch_size, training.steps_per_generation) == (20, 8, 2)
        assert (training.num_iterations, training.num_generations, training.generation_batch_size) == (2, 4, 16)
        job = replace(PpoJob(model="gpt2", reward="mine.py:reward", prompts="grpo.jsonl", micro_batch=4),
                      changes={"steps": 5, "batch_size": 16, "minibatch_size": 8, "epochs": 2})
        parts = to_trl.export("grpo", job).config                       # the same batches, in halves
        assert [parts[name] for name in ("per_device_train_batch_size", "gradient_accumulation_steps",
                                         "steps_per_generation", "max_steps")] == [4, 2, 4, 20]
        assert (training.max_completion_length, training.temperature, training.beta) == (9, 0.7, 0.02)
        assert (training.use_vllm, training.vllm_mode, script.reward_funcs) == (True, "server", ["reward.score"])
    else:
        assert (training.max_steps, training.per_device_train_batch_size, training.max_length) == (5, 16, 64)
    if method == "sft":
        assert training.completion_only_loss is True
        assert training.lr_scheduler_kwargs == {"min_lr_rate": 0.1}
    place = folder / f"{method}.yaml"
    place.write_text(place.read_text() + "max_step: 1\n")
    with pytest.raises(ValueError, match="max_step"):
        parsed(folder, method)


def test_a_small_number_is_a_number_for_yaml(brought, capsys):
    """PyYAML takes 1e-05 for a word."""
    config = yaml.safe_load((export("sft", "--learning-rate", "0.00001") / "sft.yaml").read_text())
    assert config["learning_rate"] == 1e-5


def test_the_rows_are_those_of_the_kits_own_run_and_what_it_holds_out_is_held_out(brought, capsys):
    sft = export("sft")
    learn, held = rows(sft), rows(sft, "heldout.jsonl")
    assert {"prompt": "the bag is", "completion": " very cheap."} in learn + held
    assert len(learn) + len(held) == 8
    assert not {row["prompt"] for row in learn} & {row["prompt"] for row in held}
    [first, second] = rows(export("dpo"))[:2]
    assert (first, second["chosen"]) == (DATA["dpo"][0], " quite sturdy.")
    grpo = export("grpo")
    both = rows(grpo) + (rows(grpo, "heldout.jsonl") if (grpo / "heldout.jsonl").exists() else [])
    assert {row["prompt"]: row["words"] for row in both} == {row["prompt"]: row["words"] for row in DATA["grpo"]}


def test_conversations_and_rankings_are_written_as_trl_reads_them(brought, capsys):
    (brought / "sft.jsonl").write_text(json.dumps({"messages": CHAT}) + "\n")
    assert rows(export("sft")) == [{"messages": CHAT}]
    assert yaml.safe_load(Path("out/sft.yaml").read_text())["assistant_only_loss"] is True
    ranked = {"prompt": "a", "responses": [" x", " y", " z"], "ranks": [2, 1, 2]}
    (brought / "dpo.jsonl").write_text(json.dumps(ranked) + "\n")
    assert rows(export("dpo")) == [{"prompt": "a", "chosen": " y", "rejected": other} for other in (" x", " z")]


@pytest.mark.parametrize(("source", "expected"), [
    (MINE, [2.0, 6.0]),
    ("def reward(completions, words, **kwargs):\n    return [float(w) for w in words]\n", [7.0, 8.0])])
def test_trl_can_call_the_reward_as_it_imports_it(brought, capsys, monkeypatch, source, expected):
    """From the folder that it is started in, by name, with the columns of the rows by keyword."""
    (brought / "mine.py").write_text(source)
    folder = export("grpo")
    monkeypatch.syspath_prepend(folder)
    for name in ("reward", "my_reward"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    score = import_module("reward").score
    assert score(prompts=["a", "b"], completions=["hi", "hello!"], words=[7, 8], trainer_state=None) == expected


def test_a_judge_is_asked_by_trl_as_train_ppo_asks_it(brought, capsys):
    from rlhf_kit import rewards, zoo
    from rlhf_kit.models import text, tiny
    tokenizer = text.train_tokenizer(["the lamp is very cheap.", "the bag is not sturdy."] * 9, 60)
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16, context=48), brought / "judge")
    assert "judged('judge', 'positive')" in (export("grpo", "--judge", "judge") / "reward.py").read_text()
    prompts, answers = ["the lamp", "the bag"], [" is very cheap.", " is not sturdy."]
    ours = rewards.learned(zoo.load_reward_model("judge"), output="probability")(prompts, answers)
    assert to_trl.judged("judge")(prompts=prompts, completions=answers, words=[1, 2]) == pytest.approx(ours.tolist())


def test_what_trl_has_no_setting_for_is_said(brought, capsys):
    job = PpoJob(model="gpt2", reward="mine.py:reward", prompts="grpo.jsonl", template="zephyr", reference="gpt2",
                 changes={"ptx_coef": 1.5, "target_kl": 0.1, "target": 3.0})
    left = to_trl.export("grpo", job).left_out
    for said in ("no critic", "ptx_coef=1.5", "target_kl=0.1", "target=3.0 is left out", "template=zephyr",
                 "reference=gpt2"):
        assert any(said in sentence for sentence in left), said
    assert cli.main(["export", "trl", "grpo", "--data", "grpo.jsonl", "--model", "gpt2", "--reward", "mine.py:reward",
                     "--output", "out", "--lang", "en"]) == 0
    printed, page = capsys.readouterr().out, Path("out/README.md").read_text()
    assert "GRPO has no critic" in printed
    assert "GRPO has no critic" in page
    assert "**with vLLM it was not run**" in page


def test_a_run_is_exported_with_its_settings_and_options_change_them(brought, capsys):
    job = SftJob(model="gpt2", data=str(brought / "sft.jsonl"), changes={"steps": 7, "batch_size": 4})
    (brought / "run").mkdir()
    (brought / "run" / "settings.json").write_text(json.dumps(job.claim()))
    _, training, _, _ = parsed(export("sft", "--run", "run", "--batch-size", "2"), "sft")
    assert (training.max_steps, training.per_device_train_batch_size) == (7, 2)
    (brought / "run" / "settings.json").write_text(json.dumps(replace(job, lora=4, quantize="int8").claim()))
    _, training, model, _ = parsed(export("sft", "--run", "run"), "sft")
    assert (model.lora_r, model.load_in_8bit, training.learning_rate) == (4, True, 2e-4)
    assert RATES["small"].adapter == 2e-4
    fit = to_trl.export("sft", replace(job, micro_batch=3, activation_checkpointing=False, save_every=5)).config
    assert [fit[name] for name in ("per_device_train_batch_size", "gradient_accumulation_steps", "save_steps",
                                   "gradient_checkpointing")] == [1, 4, 5, False]
    pairs = RewardModelJob(pairs=str(brought / "dpo.jsonl"), changes={"batch_size": 4, "centring": 0.1})
    (brought / "run" / "settings.json").write_text(json.dumps(pairs.claim()))
    capsys.readouterr()
    folder = export("dpo", "--run", "run")
    assert rows(folder) == DATA["dpo"]
    assert parsed(folder, "dpo")[1].per_device_train_batch_size == 4
    assert "centring=0.1" in json.loads(capsys.readouterr().out)["left_out"][0]
    ppo = replace(PpoJob(model="gpt2", reward=f"{brought}/mine.py:reward", prompts=str(brought / "grpo.jsonl")),
                  rollouts="vllm=http://127.0.0.1:1")
    (brought / "run" / "settings.json").write_text(json.dumps(ppo.claim()))
    assert (export("grpo", "--run", "run") / "my_reward.py").read_text() == MINE
    for method, said in (("dpo", "holds a run of 'train ppo', and export trl dpo takes one of 'train reward-model'"),
                         ("grpo", "--reward is given with --run")):
        assert cli.main(["export", "trl", method, "--run", "run", "--output", "out",
                         *(["--reward", "mine.py:reward"] if method == "grpo" else [])]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(("method", "options", "said"), [
    ("sft", ["--data", "sft.jsonl"], "--model is missing"),
    ("sft", ["--data", "nowhere.jsonl", "--model", "gpt2"], "nowhere.jsonl"),
    ("sft", ["--data", "sft.jsonl", "--model", "gpt2", "--temperature", "1"], "--temperature is no setting of"),
    ("sft", ["--data", "sft.jsonl", "--model", "gpt2", "--quantize", "int8", "--lora", "0"], "Leave one of"),
    ("sft", ["--run", "nowhere"], "holds no run"),
    ("dpo", ["--data", "dpo.jsonl", "--model", "gpt2", "--lora", "-1"], "--lora is -1"),
    ("grpo", ["--data", "grpo.jsonl", "--model", "gpt2"], "neither --judge nor --reward"),
    ("grpo", ["--data", "grpo.jsonl", "--model", "gpt2", "--reward", "mine.py:reword"], "has no function 'reword'"),
    ("grpo", ["--data", "grpo.jsonl", "--model", "gpt2", "--reward", "mine.py:reward", "--batch-size", "7",
              "--minibatch-size", "7", "--generations", "2"], "a multiple"),
])
def test_bad_options_are_one_line_and_nothing_is_written(brought, capsys, method, options, said):
    assert cli.main(["export", "trl", method, *options, "--output", "out"]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    assert not Path("out").exists()


def test_the_server_is_started_as_trl_starts_it(brought, capsys):
    """Of what its own deprecated command imposes, everything is in the script; and the script is bash."""
    from trl.scripts.vllm_serve import ScriptArguments, build_command
    folder = export("grpo", "--vllm", "server")
    (folder / "vllm").write_text('#!/bin/bash\nprintf "%s\\n" "$VLLM_SERVER_DEV_MODE" "$@"\n')
    (folder / "vllm").chmod(0o755)
    done = subprocess.run(["bash", folder / "train.sh", "serve"], capture_output=True, text=True, check=True,
                          env={"PATH": f"{folder.resolve()}:/usr/bin:/bin"})
    mode, verb, model, *flags = done.stdout.splitlines()
    assert (mode, verb, model) == ("1", "serve", "gpt2")
    assert flags[-6:] == build_command(ScriptArguments(model="gpt2"))[-6:]
    assert flags[:2] == ["--port", "8000"]
    assert yaml.safe_load((folder / "grpo.yaml").read_text())["vllm_server_base_url"].endswith(":8000")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("method", trl.METHODS)
def test_trl_trains_a_step_on_what_was_written(brought, saved_llama, capsys, method):
    """The script itself, on a CPU; GRPO without vLLM."""
    sizes = ("--batch-size", "8", "--minibatch-size", "4", "--max-new-tokens", "6") if method == "grpo" else (
        "--batch-size", "2")
    folder = export(method, *sizes, *(("--vllm", "none") if method == "grpo" else ()), model=str(saved_llama))
    done = subprocess.run(
        ["bash", folder / "train.sh", "--max_steps", "1", "--use_cpu", "true", "--bf16", "false",
         "--gradient_checkpointing", "false", "--logging_steps", "1"], capture_output=True, text=True,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
             "PYTHONPATH": str(Path(trl.__file__).parents[2]), "HF_DATASETS_CACHE": str(brought / "cache")})
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'train_loss'" in done.stdout + done.stderr
    assert (folder / "model" / "model.safetensors").is_file()
