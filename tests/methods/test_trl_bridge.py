"""TRL's trainers in the kit's manner: the ids that PPO samples from, packed texts apart, and nothing else changed."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
import weakref
from dataclasses import replace
from itertools import pairwise as neighbours
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rlhf_kit.formulas.losses import pairwise
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.loops.schedules import cosine
from rlhf_kit.methods import sft as kits_sft
from rlhf_kit.methods.trl_bridge import CannotTrain, RewardConfig, SftConfig, reward_steps, sft_steps, train_reward
from rlhf_kit.methods.trl_bridge import packed_sft as sft_stage
from rlhf_kit.methods.trl_bridge import paired_reward as reward_stage
from rlhf_kit.methods.trl_bridge import running as running_stage
from rlhf_kit.models.adapters import AdapterError, LoRA, check_base, merge
from rlhf_kit.models.judging import reward_scores
from rlhf_kit.models.loading import ModelUnavailable, load_language_model, load_policy, load_reward_model, save_model
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.models.text import prompt_rows, response_rows
from rlhf_kit.storage import StorageError, is_complete

SMALL = LoRA(rank=4, alpha=8)
SFT = SftConfig(steps=3, batch_size=2, max_length=32, warmup=2, learning_rate=1e-2, quantize=None, lora=SMALL)
RM = RewardConfig(steps=3, epochs=None, batch_size=2, warmup=2, learning_rate=1e-2, lora=SMALL)
LEFT = ["adapter_config.json", "adapter_model.safetensors", "base.json", "manifest.json", "tokenizer.json",
        "tokenizer_config.json"]


@pytest.fixture(scope="session")
def base(saved_llama) -> Path:
    return saved_llama


@pytest.fixture(scope="module")
def examples(sentences) -> list[tuple[str, str]]:
    """Prompts of three or five words, each with the rest of its sentence; the space belongs to the response."""
    cut = [(sentence.split(), 3 + 2 * (number % 2)) for number, sentence in enumerate(sentences)]
    return [(" ".join(words[:place]), " " + " ".join(words[place:])) for words, place in cut]


@pytest.fixture(scope="module")
def comparisons() -> list[Comparison]:
    pairs = [(" very pretty, and it works.", " not pretty."), (" loud.", " very cheap, and it broke.")]
    return [Comparison(f"the {noun} is", *pair) for noun in ("lamp", "pen", "bag") for pair in pairs]


@pytest.fixture(scope="module")
def trainer(base, examples, tmp_path_factory):
    """TRL's trainer as `sft_steps` builds it, its adapter as large as after training."""
    with running_stage.Turn()():
        made, _ = sft_stage._trainer(base, examples, SFT, str(tmp_path_factory.mktemp("scratch")), "cpu")
        with torch.no_grad():
            for name, parameter in made.model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(0, 0.2, generator=torch.Generator().manual_seed(3))
    made.model.eval()
    return made


def test_the_labels_are_exactly_the_response_and_its_end(tokenizer, examples):
    rows = sft_stage.encoded(tokenizer, examples, 32)
    for (prompt, response), row in zip(examples, rows, strict=True):
        [before], [after] = prompt_rows(tokenizer, [prompt]), response_rows(tokenizer, [response])
        assert row["input_ids"] == before + after == tokenizer(prompt + response).input_ids   # as if written in one go
        assert [label for label in row["labels"] if label != -100] == after
        assert row["labels"][:len(before)] == [-100] * len(before)
        assert after[-1] == tokenizer.eos_token_id not in before


def test_the_labels_are_the_same_where_the_trainer_meets_them(trainer, tokenizer, examples):
    """In a packed batch: what is learnt is each response once, in whatever row."""
    wanted = {tuple(after) for after in response_rows(tokenizer, [response for _, response in examples])}
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(2)])
    starts = batch["cu_seq_lens_q"].tolist()
    for start, end in neighbours(starts):
        assert tuple(label for label in batch["labels"][0, start:end].tolist() if label != -100) in wanted


def test_a_text_without_room_for_its_response_is_left_out(tokenizer, examples):
    prompts = prompt_rows(tokenizer, [prompt for prompt, _ in examples])
    shortest = min(map(len, prompts))
    rows = sft_stage.encoded(tokenizer, examples, shortest + 1)
    assert len(rows) == sum(len(prompt) == shortest for prompt in prompts)
    assert all(len(row["input_ids"]) == shortest + 1 for row in rows)


@pytest.mark.parametrize("packing", ["bfd", "bfd_split", "wrapped", None])
def test_packing_loses_no_token_and_fills_rows(tokenizer, examples, packing, monkeypatch):
    rows = sft_stage.encoded(tokenizer, examples, 32)
    monkeypatch.setattr(sft_stage, "AT_ONCE", 50)
    data = sft_stage.packed(tokenizer, examples, 32, replace(SFT, packing=packing))
    tokens = sorted(token for row in rows for token in row["input_ids"])
    assert sorted(token for row in data["input_ids"] for token in row) == tokens
    assert len(data) == len(rows) if packing is None else len(tokens) / 32 <= len(data) <= len(rows) / 2
    assert ("seq_lengths" in data.column_names) == (packing in ("bfd", "bfd_split"))


@torch.no_grad()
def of_each_text(trainer, batch: dict, **changes) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a packed batch as the trainer asks for them, and those of each of its texts alone."""
    starts = batch["cu_seq_lens_q"].tolist()
    together = trainer.model(**{**batch, "use_cache": False, **changes}).logits[0]
    alone = [trainer.model(batch["input_ids"][:, a:b], use_cache=False).logits[0]
             for a, b in neighbours(starts)]
    return together, torch.cat(alone)


@pytest.fixture(scope="module")
def batch(trainer) -> dict:
    made = trainer.data_collator([trainer.train_dataset[i] for i in range(2)])
    assert len(made["cu_seq_lens_q"]) > 4 and "attention_mask" not in made             # noqa: PT018
    return {name: value for name, value in made.items() if name != "labels"}


def test_packed_equals_alone(trainer, batch):
    together, alone = of_each_text(trainer, batch)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert alone.std() > 0.5                                            # a model with opinions, or nothing was shown


@pytest.mark.parametrize("changes", [{"use_cache": True}, {"attention_mask": "ones"}])
def test_a_cache_or_a_mask_of_ones_takes_the_protection_away(trainer, batch, changes):
    """In silence: only the numbers tell. This is why the trainer's model is checked before it starts."""
    changes = {name: torch.ones_like(batch["input_ids"]) if value == "ones" else value
               for name, value in changes.items()}
    together, alone = of_each_text(trainer, batch, **changes)
    assert (together - alone).abs().max() > 0.1


def test_a_model_whose_texts_see_each_other_is_refused(trainer, monkeypatch):
    sft_stage.check_apart(trainer)
    careless = trainer.data_collator
    monkeypatch.setattr(trainer, "data_collator", lambda rows: {
        **(made := careless(rows)), "attention_mask": torch.ones_like(made["input_ids"])})
    with pytest.raises(CannotTrain, match="packed texts see each other in this model: another neighbour moves"):
        sft_stage.check_apart(trainer)
    monkeypatch.undo()
    monkeypatch.setattr(trainer.model.config, "use_cache", True)
    with pytest.raises(CannotTrain, match="use_cache=True"):
        sft_stage.check_apart(trainer)


def test_the_first_loss_is_the_kits_own(base, examples, tmp_path):
    """All texts in one batch, packed: the mean over the tokens of all responses, as the kit's own loop counts it."""
    few = examples[:12]
    policy = load_policy(base, value_head=False)
    rows = len(sft_stage.packed(policy.tokenizer, few, 32, SFT))
    [step] = sft_steps(base, few, tmp_path / "out", replace(SFT, steps=1, batch_size=rows))
    wanted = kits_sft.loss_on(policy, few, kits_sft.Config(max_length=32))
    assert step.metrics["loss"] == pytest.approx(wanted, rel=1e-5)
    assert rows < 12


def test_sft_learns_and_leaves_an_adapter_when_it_is_whole(base, examples, tmp_path, capfd):
    config = replace(SFT, steps=12, min_lr_ratio=0.1)
    history = []
    for step in sft_steps(base, examples, tmp_path / "out", config):
        history.append(step)
        assert is_complete(tmp_path / "out") == (len(history) == 12)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == LEFT
    assert os.listdir(tmp_path) == ["out"]
    assert capfd.readouterr() == ("", "")
    assert [step.number for step in history] == list(range(12))
    assert history[-1].metrics["loss"] < 0.8 * history[0].metrics["loss"]
    assert [step.metrics["learning_rate"] for step in history] == pytest.approx(
        [cosine(1e-2, number, 12, 2, 0.1) for number in range(12)])
    assert history[0].metrics.keys() == {"loss", "entropy", "token_accuracy", "learning_rate", "grad_norm",
                                         "tokens_per_second", "seconds"}


def test_nothing_runs_until_asked_and_nothing_is_left_when_stopped(base, examples, tmp_path):
    steps = sft_steps(base, examples, tmp_path / "out", replace(SFT, steps=1000))
    threads = threading.active_count()
    next(steps), next(steps)
    assert threading.active_count() == threads + 1
    steps.close()
    assert threading.active_count() == threads
    assert os.listdir(tmp_path) == []


def test_what_goes_wrong_in_the_thread_comes_out_of_the_generator(base, examples, tmp_path):
    steps = sft_steps(base, examples, tmp_path / "out", replace(SFT, steps=50, learning_rate=1.0, weight_decay=1e30))
    threads = threading.active_count()
    with pytest.raises(ValueError, match=r"the loss of step .* is .*: the model has diverged"):
        list(steps)
    assert threading.active_count() == threads
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_the_callers_random_numbers_and_warnings_stay_as_they_were(base, examples, tmp_path):
    def drawn():
        return random.random(), np.random.rand(), torch.rand(()).item()                # noqa: NPY002
    random.seed(5), np.random.seed(5), torch.manual_seed(5)                            # noqa: NPY002
    wanted = [drawn() for _ in range(4)]
    random.seed(5), np.random.seed(5), torch.manual_seed(5)                            # noqa: NPY002
    config = replace(SFT, lora=replace(SMALL, dropout=0.3))
    filters, found, losses = list(warnings.filters), [drawn()], []
    for step in sft_steps(base, examples, tmp_path / "out", config):
        found.append(drawn())
        losses.append(step.metrics["loss"])
        assert list(warnings.filters) == filters
    assert found == wanted
    again = [step.metrics["loss"] for step in sft_steps(base, examples, tmp_path / "out", config)]
    assert again == losses                                              # nor do the caller's draws change the run


@pytest.mark.slow
def test_the_model_is_gone_when_the_steps_are(base, examples, tmp_path, monkeypatch):
    """Trainer and model refer to each other; the next stage needs their place on the GPU."""
    models, load = [], sft_stage.load_language_model
    monkeypatch.setattr(sft_stage, "load_language_model", lambda *args, **more: (
        loaded := load(*args, **more), models.append(weakref.ref(loaded[0])))[0])
    for _ in sft_steps(base, examples, tmp_path / "out", replace(SFT, steps=2)):
        assert models[0]() is not None
    assert models[0]() is None


def test_nothing_is_told_to_the_hub(base, comparisons, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("trl.trainer.base_trainer.send_telemetry", lambda *args, **more: told.append(more))
    train_reward(base, comparisons, tmp_path / "out", replace(RM, steps=1))
    assert told == []


# The reward model.

@pytest.mark.parametrize(("margin", "centring"), [(None, 0.0), (0.7, 0.05)])
def test_the_loss_is_the_kits_formula_on_the_kits_scores(base, comparisons, tmp_path, margin, centring):
    comparisons = [replace(comparison, margin=margin) for comparison in comparisons]
    model = load_reward_model(base, new_head=True, seed=0)
    chosen, rejected = (reward_scores(model, [c.prompt + getattr(c, side) for c in comparisons], max_length=512)
                        for side in ("chosen", "rejected"))
    config = replace(RM, steps=1, batch_size=len(comparisons), centring=centring)
    [step] = reward_steps(base, comparisons, tmp_path / "out", config)
    assert step.metrics["loss"] == pytest.approx(pairwise(chosen, rejected, margin, centring).item(), rel=1e-5)
    assert step.metrics["margin"] == pytest.approx((chosen - rejected).mean().item(), rel=1e-4)
    assert step.metrics["pair_accuracy"] == pytest.approx((chosen > rejected).float().mean().item())
    assert step.metrics["comparisons"] == len(comparisons)


def test_the_reward_adapter_holds_its_head_once_and_scores_as_it_was_trained(base, comparisons, tmp_path):
    """Put on the shared base, as PPO will ask it; the base's own pairs are told apart as at the end of training."""
    history = train_reward(base, comparisons, tmp_path / "out", replace(RM, steps=12))
    assert history[-1].metrics["loss"] < 0.2 < history[0].metrics["loss"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == LEFT
    weights = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert [name for name in weights if "lora" not in name] == ["base_model.model.score.weight"]
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    check_base(tmp_path / "out", base)
    model = SharedBase(*load_language_model(base)).add_reward(tmp_path / "out")
    chosen, rejected = (reward_scores(model, [c.prompt + getattr(c, side) for c in comparisons], max_length=512)
                        for side in ("chosen", "rejected"))
    assert pairwise(chosen, rejected).item() < 0.2


@pytest.mark.slow
def test_the_sft_adapter_merges_into_its_base(base, examples, tmp_path):
    history = list(sft_steps(base, examples[:8], tmp_path / "out", replace(SFT, steps=15)))
    check_base(tmp_path / "out", base)
    policy = load_policy(base, value_head=False)
    policy.lm = merge(policy.lm, tmp_path / "out")
    assert kits_sft.loss_on(policy, examples[:8]) < history[-1].metrics["loss"] + 0.1 < history[0].metrics["loss"]


def test_of_a_long_text_the_end_is_read(tokenizer):
    comparison = Comparison("the lamp is very " * 9, "sturdy, and it works.", "cheap.", margin=2.0)
    [row] = reward_stage.encoded(tokenizer, [comparison, replace(comparison, margin=None)], 8)[:1]
    assert row["chosen_ids"] == tokenizer(comparison.prompt + comparison.chosen).input_ids[-8:]
    assert row["rejected_ids"] == tokenizer(comparison.prompt + comparison.rejected).input_ids[-8:]
    assert row["margin"] == 2.0


def test_padding_is_never_what_ends_a_text(base, comparisons, tokenizer, tmp_path):
    """Where padding is EOS, transformers would read the score one token early; here it reads the end token itself."""
    model = load_reward_model(base, new_head=True, seed=0)
    scores = [reward_scores(model, [c.prompt + getattr(c, side) for c in comparisons], max_length=512)
              for side in ("chosen", "rejected")]
    model.tokenizer.pad_token = tokenizer.eos_token                     # as GPT-2's and Qwen's are used
    language_model = load_policy(base, value_head=False).lm
    save_model(language_model, model.tokenizer, tmp_path / "base")
    [step] = reward_steps(tmp_path / "base", comparisons, tmp_path / "out", replace(RM, steps=1, batch_size=6))
    assert step.metrics["loss"] == pytest.approx(pairwise(*scores).item(), rel=1e-5)


# What cannot be done.

@pytest.mark.parametrize(("changes", "said"), [
    ({"steps": None}, "give one of the two"), ({"epochs": 1.0}, "give one of the two"),
    ({"steps": 0}, "steps is 0"), ({"gradient_accumulation": 0}, "gradient_accumulation is 0"),
    ({"batch_size": 0}, "batch_size is 0"), ({"learning_rate": 2.0}, "learning_rate is 2.0"),
    ({"warmup": -1}, "warmup is -1"), ({"quantize": "int4"}, "quantize is 'int4'; expected 'int8' or 'nf4'"),
    ({"packing": "tight"}, "packing is 'tight'; expected 'bfd', 'bfd_split', 'wrapped', or None")])
def test_settings_that_mean_nothing(changes, said):
    with pytest.raises(ValueError, match=said):
        replace(SFT, **changes)


def test_a_target_that_is_not_there(base, examples, comparisons, tmp_path):
    lora = LoRA(targets=("q_proj", "query"))
    with pytest.raises(AdapterError, match="no linear layer named 'query'; it has down_proj, gate_proj, k_proj, "):
        next(sft_steps(base, examples, tmp_path / "out", replace(SFT, lora=lora)))
    with pytest.raises(AdapterError, match="no linear layer named 'query'"):
        next(reward_steps(base, comparisons, tmp_path / "out", replace(RM, lora=lora)))
    with pytest.raises(ValueError, match="adapter to `lm_head` is not supported"):
        next(sft_steps(base, examples, tmp_path / "out", replace(SFT, lora=LoRA(targets=("lm_head",)))))


def test_a_missing_library_is_named(base, examples, comparisons, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("trl", "datasets") else name)
    for steps in (sft_steps(base, examples, tmp_path / "out"), reward_steps(base, comparisons, tmp_path / "out")):
        with pytest.raises(CannotTrain, match=r'trl and datasets are not installed; .* "rlhf-kit\[scale\]"'):
            next(steps)


def test_nothing_to_learn_from_and_no_base(base, examples, tmp_path):
    with pytest.raises(ValueError, match="there are no examples"):
        next(sft_steps(base, [], tmp_path / "out", SFT))
    with pytest.raises(ValueError, match="there are no comparisons"):
        next(reward_steps(base, [], tmp_path / "out", RM))
    with pytest.raises(ValueError, match="no example has a token to predict within 2 tokens"):
        next(sft_steps(base, examples, tmp_path / "out", replace(SFT, max_length=2)))
    with pytest.raises(ModelUnavailable, match="does not exist"):
        next(sft_steps(tmp_path / "nowhere", examples, tmp_path / "out", SFT))


def test_a_place_where_nothing_can_be_left_is_refused_before_the_training(base, examples, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotTrain, match="is a file; expected the name of a folder"):
        next(sft_steps(base, examples, tmp_path / "file", SFT))
    with pytest.raises((CannotTrain, StorageError), match=r"takes no new folders|is a file"):
        next(sft_steps(base, examples, tmp_path / "file" / "deeper" / "out", SFT))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.md").write_text("mine")
    with pytest.raises(StorageError, match="holds files that the kit did not write"):
        next(sft_steps(base, examples, tmp_path / "mine", SFT))


# Slow: every combination, and two processes.

@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("quantize", [None, "int8", "nf4"])
def test_every_base_trains_in_both_stages(base, examples, comparisons, tmp_path, quantize, bf16, checkpointing):
    """The reward head on an 8-bit base in 32 bits among them, on which TRL alone stops with a RuntimeError."""
    changes = {"steps": 2, "quantize": quantize, "bf16": bf16, "checkpointing": checkpointing}
    for steps in (sft_steps(base, examples, tmp_path / "sft", replace(SFT, **changes)),
                  reward_steps(base, comparisons, tmp_path / "rm", replace(RM, centring=0.01, **changes))):
        assert all(math.isfinite(value) for step in steps for value in step.metrics.values())
    for name in ("sft", "rm"):
        weights = load_file(tmp_path / name / "adapter_model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
        assert all(tensor.any() for tensor in weights.values())         # B, too, has moved away from zero


@pytest.mark.slow
@pytest.mark.parametrize("packing", ["bfd", "bfd_split", "wrapped", None])
def test_every_packing_trains(base, examples, tmp_path, packing):
    history = list(sft_steps(base, examples, tmp_path / "out", replace(SFT, steps=12, packing=packing)))
    assert history[-1].metrics["loss"] < history[0].metrics["loss"]


@pytest.mark.slow
def test_a_killed_stage_leaves_nothing_and_starts_again(base, examples, tmp_path):
    """No half adapter, and none of the trainer's own checkpoints, which hold pickles."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent("""
        import json, sys
        from rlhf_kit.methods.trl_bridge import SftConfig, sft_steps
        base, out, examples = sys.argv[1:]
        config = SftConfig(steps=100_000, batch_size=2, max_length=32, quantize=None)
        for step in sft_steps(base, json.loads(examples), out, config):
            print(step.number, flush=True)
        """), encoding="utf-8")
    (tmp_path / "runs").mkdir()
    child = subprocess.Popen([sys.executable, script, base, tmp_path / "runs" / "out", json.dumps(examples)], text=True,
                             stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1",
                                                          "PYTHONPATH": str(Path(__file__).parents[2])})
    assert [child.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
    child.kill()
    child.communicate()
    assert os.listdir(tmp_path / "runs") == []
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [script]


SCRIPT = """
    import json, os, sys
    import torch
    from safetensors.torch import save_file
    from rlhf_kit.formulas.records import Comparison
    from rlhf_kit.methods.trl_bridge import RewardConfig, SftConfig, reward_steps, sft_steps
    from rlhf_kit.methods.trl_bridge import running
    from rlhf_kit.models.adapters import AdapterError, LoRA, check_base, merge
    from rlhf_kit.models.shared import SharedBase

    torch.set_num_threads(1)
    base, out, batch_size, quantize, examples, comparisons = sys.argv[1:]
    rank, save = os.environ.get("RANK", "0"), running._save
    config = {"batch_size": int(batch_size), "gradient_accumulation": 2, "steps": 4, "warmup": 2,
              "learning_rate": 1e-2, "quantize": quantize or None, "lora": LoRA(rank=4, alpha=8)}

    def save_each(trainer, tokenizer, base, folder):
        weights = {name: p.detach().contiguous() for name, p in trainer.model.named_parameters() if p.requires_grad}
        save_file(weights, f"{folder}-{rank}.safetensors")
        save(trainer, tokenizer, base, folder)

    running._save = save_each
    comparisons = [Comparison(*row) for row in json.loads(comparisons)]
    for stage, steps in {
            "sft": sft_steps(base, json.loads(examples), f"{out}/sft", SftConfig(max_length=32, **config)),
            "reward": reward_steps(base, comparisons, f"{out}/reward",
                                   RewardConfig(epochs=None, centring=0.01, **config))}.items():
        with open(f"{out}/{stage}-{rank}.json", "w") as file:
            json.dump([step.metrics["loss"] for step in steps], file)
"""
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
ACCELERATE = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]


def ran(launch: list[str], script: Path, base: Path, out: Path, *arguments: str) -> None:
    """Both stages, one after the other in the same processes; all that was started is gone afterwards."""
    out.mkdir()
    child = subprocess.Popen([sys.executable, *launch, script, base, out, *arguments], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                             env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
                                  "PYTHONPATH": str(Path(__file__).parents[2]), "HF_HUB_OFFLINE": "1"})
    try:
        said, _ = child.communicate(timeout=250)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    assert child.returncode == 0, said[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize(("launch", "quantize"), [(TORCHRUN, ""), (ACCELERATE, "int8")], ids=["torchrun", "accelerate"])
def test_two_processes_learn_what_one_does(base, examples, comparisons, tmp_path, launch, quantize):
    """The same examples in each update, every token (and every pair) counted alike; one of them writes the adapter."""
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    data = json.dumps(examples), json.dumps([(c.prompt, c.chosen, c.rejected) for c in comparisons])
    ran([], script, base, tmp_path / "one", "4", quantize, *data)
    ran(launch, script, base, tmp_path / "two", "2", quantize, *data)
    for stage in ("sft", "reward"):
        alone, first, second = (json.loads((tmp_path / place / f"{stage}-{rank}.json").read_text())
                                for place, rank in (("one", 0), ("two", 0), ("two", 1)))
        assert alone == pytest.approx(first, abs=1e-4)
        assert first == second
        assert len(alone) == 4
        learnt, one, other = (load_file(tmp_path / place / f"{stage}-{rank}.safetensors")
                              for place, rank in (("one", 0), ("two", 0), ("two", 1)))
        for name, tensor in learnt.items():
            assert torch.equal(one[name], other[name])
            torch.testing.assert_close(one[name], tensor, atol=1e-4, rtol=1e-3)
        assert sorted(file.name for file in (tmp_path / "two" / stage).iterdir()) == LEFT
