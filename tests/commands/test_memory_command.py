"""`rlhf-kit memory`: the table, the picture, the JSON, and one line for what cannot be planned."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import GPT2Config, LlamaConfig

from rlhf_kit import cli, plots
from rlhf_kit.commands.memory import amount
from rlhf_kit.scale import memory

SEVEN = ["memory", "--params", "7e9", "--quantize", "int8", "--lora", "16", "--batch", "4", "--seq", "1024"]


def test_the_table_has_the_known_numbers_and_marks_what_was_asked_for(capsys):
    assert cli.main([*SEVEN, "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "6.738 billion parameters, 6.476 billion of them" in out
    assert "▸ LoRA on int8" in out
    for number in ("13.48", "7.01", "4.17", "53.91", "39.98 million", "67.4 GB"):
        assert number in out
    assert max(map(len, out.split("Fine-tuning")[1].split("The peak")[0].splitlines())) <= 80


@pytest.mark.parametrize(("arguments", "chosen"), [
    ([], "full"), (["--lora", "8"], "bf16"), (["--quantize", "nf4"], "nf4"), (["--quantize", "int8"], "int8")])
def test_json_has_every_number_in_bytes_and_says_which_was_chosen(capsys, arguments, chosen):
    assert cli.main(["memory", "--params", "7e9", *arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["chosen"] == chosen
    assert said["fine_tuning"]["int8"]["weights"] == memory.weights(memory.LLAMA[0], "int8")
    assert said["ppo"]["apart"]["weights"] == 8 * 6_738_415_616
    assert said["fine_tuning"]["full"]["fits"] == "no"


def test_prompt_response_and_rollouts_make_the_cache_and_a_small_gpu_says_no(capsys):
    assert cli.main(["memory", "--params", "7e9", "--prompt", "128", "--response", "128", "--rollouts", "64", "--gpu",
                     "16", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ppo"]["int8"]["cache"] == 8 * 2 ** 30
    assert (said["ppo"]["bf16"]["fits"], said["ppo"]["nf4"]["fits"]) == ("no", "yes")


@pytest.mark.parametrize(("n", "en", "zh"), [
    (6_738_415_616, "6.738 billion", "67.38 亿"), (124_439_808, "124.4 million", "1.244 亿"),
    (212_736, "212.7 thousand", "21.27 万"), (999, "999", "999 "), (0, "0", "0 "),
    (1_234_567_890_123, "1,235 billion", "12,346 亿")])
def test_a_count_is_said_in_the_unit_that_fits(n, en, zh):
    assert (amount(n, "en"), amount(n, "zh")) == (en, zh)


def test_passes_take_less_than_a_whole_gradient(capsys):
    found = []
    for more in ([], ["--tokens-per-pass", "1024"]):
        assert cli.main([*SEVEN, *more, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["ppo"]["int8"])
    assert found[1]["activations"] * 4 == found[0]["activations"]
    assert found[0]["reading"] == found[1]["reading"] > 0
    assert [plan["logits"] for plan in found] == [12 * 32_000 * tokens for tokens in (524, 512)]      # a piece; a row's


def test_a_folder_needs_its_config_and_no_weights(capsys, tmp_path):
    config = LlamaConfig(hidden_size=256, intermediate_size=704, num_hidden_layers=3, num_attention_heads=4)
    config.save_pretrained(tmp_path / "small")
    assert cli.main(["memory", "--model", str(tmp_path / "small"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == memory.shape(config, "small").parameters


def test_only_a_model_needs_torch():
    code = (f"import sys; from rlhf_kit import cli; cli.main({SEVEN!r});"
            "sys.exit(sum(name in sys.modules for name in ('torch', 'transformers', 'matplotlib')))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize("page", ["docs/gpu.md", "docs/zh/gpu.md"])
def test_the_table_of_the_page_is_what_the_command_adds_up(capsys, page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    shown = text.split("<!-- memory-table:start -->\n")[1].split("<!-- memory-table:end -->")[0].splitlines()[2:]
    assert f"rlhf-kit {' '.join(SEVEN)} --plot" in text
    assert cli.main([*SEVEN, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    for line, plan in zip(shown, [*said["fine_tuning"].values(), *said["ppo"].values()], strict=True):
        trained = sum(plan[part] for part in ("adapters", "gradients", "optimiser", "heads"))
        numbers = [plan["weights"], trained, plan["activations"], plan["checkpointed"], plan["logits"], plan["cache"],
                   plan["peak"], plan["peak_checkpointed"]]
        assert re.findall(r"\d+\.\d\d", line) == [f"{number / 1e9:.2f}" for number in numbers]


@pytest.mark.parametrize("name", ["bars.png", "bars.svg"])
def test_the_bars_are_drawn_into_a_file(tmp_path, capsys, name):
    assert cli.main([*SEVEN, "--plot", str(tmp_path / name), "--lang", "en"]) == 0
    assert f"Drawn: {tmp_path / name}" in capsys.readouterr().out
    assert (tmp_path / name).read_bytes()[:4] in (b"\x89PNG", b"<svg")


def test_a_bar_is_as_high_as_the_peak_and_the_frame_as_the_cache():
    plans = {plan.name: plan for plan in memory.fine_tuning(memory.LLAMA[0], memory.Work())}
    axes = plots.memory_bars(plans, gpu=80).axes[0]
    tops = {round(bar.get_x() + bar.get_width() / 2): bar.get_y() + bar.get_height()
            for stack in axes.containers[:-1] for bar in stack}
    assert list(tops.values()) == pytest.approx([plan.peak() / 1e9 for plan in plans.values()])
    for bar, plan in zip(axes.containers[-1], plans.values(), strict=True):
        assert (bar.get_y(), bar.get_height()) == pytest.approx((plan.standing / 1e9, plan.cache / 1e9))
    assert [list(line.get_ydata()) for line in axes.lines] == [[80, 80]]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--params", "0"], "params is 0; expected a number of parameters"),
    (["--params", "7e9", "--targets", "query"], "'query' is no linear layer of LLaMA-7B"),
    (["--params", "7e9", "--lora", "0"], "--lora is 0"), (["--params", "7e9", "--batch", "-1"], "--batch is -1"),
    (["--params", "7e9", "--tokens-per-pass", "0"], "--tokens-per-pass is 0"),
    (["--params", "7e9", "--gpu", "0"], "--gpu is 0"), (["--params", "7e9", "--plot", "bars.pdf"], "'bars.pdf'"),
    (["--model", "./nowhere"], "nowhere does not exist"), (["--model", "gpt2-folder"], "gpt2-folder is a gpt2")])
def test_bad_input_is_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    GPT2Config().save_pretrained("gpt2-folder")
    assert cli.main(["memory", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["gpt2-folder"]
