"""LLaMA-7B with random weights on one 80 GB GPU, in bf16, int8 and nf4: bytes, seconds, tokens a second, PPO.

    python -m tests.benchmarks.gpu                 ten minutes at most, 14 GB of disk for the weights; 80 GB of GPU
    python -m tests.benchmarks.gpu --tiny          the same code on a CPU, in a minute: it runs, its numbers say nothing

One JSON line for each measurement, and at the end the README's tables. A section that fails, for want of memory say,
is a line too, and the next one begins. Random weights have no outlier columns, so int8 is a little faster here than on
a trained model; they end no text by themselves, so every response has its full length.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from rlhf_kit.methods import ppo
from rlhf_kit.models import quantization
from rlhf_kit.models.adapters import CONFIG, WEIGHTS, LoRA
from rlhf_kit.models.loading import load_language_model, save_model
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.rewards import learned
from rlhf_kit.sampling import Sampling, sample_rollout
from rlhf_kit.scale import memory

KINDS = ("int8", "bf16", "nf4")         # the first is the one that is promised something
LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured: full, or tiny enough for a CPU."""

    shape: memory.Shape
    rollouts: int                       # responses sampled at once, and in a PPO step
    prompt: int                         # tokens of each prompt
    response: int                       # and of each response
    minibatch: int                      # responses in a gradient of PPO
    seq: int                            # tokens of a text in fine-tuning
    tuning: tuple[tuple[int, bool], ...]    # (texts in a gradient, checkpointing)
    device: str
    dtype: torch.dtype


FULL = Sizes(shape=memory.LLAMA[0], rollouts=64, prompt=128, response=128, minibatch=8, seq=1024,
             tuning=((4, False), (4, True), (16, True)), device="cuda", dtype=torch.bfloat16)
TINY = Sizes(shape=memory.Shape(name="tiny Llama", width=64, inner=128, layers=2, heads=2, kv_heads=2, head_width=32,
                                vocabulary=256),
             rollouts=4, prompt=8, response=8, minibatch=2, seq=32, tuning=((2, False), (2, True)), device="cpu",
             dtype=torch.float32)


class Bench:
    """Says every measurement as it is made, and keeps it for the tables."""

    def __init__(self, sizes: Sizes, budget: float) -> None:
        self.sizes, self.ends, self.rows = sizes, time.monotonic() + budget, []

    def say(self, what: str, kind: str = "", **numbers: Any) -> None:
        """One JSON line."""
        row = {"what": what, "kind": kind, **{k: round(v, 4) if isinstance(v, float) else v
                                              for k, v in numbers.items()}}
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def section(self, what: str, kind: str, measure: Callable[..., Any], *arguments: Any) -> Any:
        """Call `measure`. What goes wrong is said, and so is a section for which no time is left; then None returns."""
        _forget(self.sizes.device)
        if time.monotonic() > self.ends:
            self.say(f"failed: {what}", kind, error="no time is left in the budget")
            return None
        try:
            return measure(self, *arguments, kind)
        except Exception as error:                  # whatever it is, the other sections may still be measured
            self.say(f"failed: {what}", kind, error=f"{type(error).__name__}: {str(error)[:200]}")
            return None

    def took(self, do: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds that something takes, the GPU waited for, and what it returns."""
        self._wait()
        began = time.perf_counter()
        result = do()
        self._wait()
        return time.perf_counter() - began, result

    def _wait(self) -> None:
        if self.sizes.device == "cuda":
            torch.cuda.synchronize()

    def peak(self) -> float | None:
        """GB at the worst moment since the section began; None on a CPU."""
        return torch.cuda.max_memory_allocated() / 1e9 if self.sizes.device == "cuda" else None

    def held(self) -> float | None:
        """GB held now."""
        return torch.cuda.memory_allocated() / 1e9 if self.sizes.device == "cuda" else None


def _forget(device: str) -> None:
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


# --- a model out of nothing -------------------------------------------------------------------------------------------

def make(folder: Path, sizes: Sizes) -> None:
    """Random weights, a tokenizer of numbered words and the adapter of a reward model, as files."""
    shape = sizes.shape
    config = LlamaConfig(vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.inner,
                         num_hidden_layers=shape.layers, num_attention_heads=shape.heads, bos_token_id=None,
                         eos_token_id=0, pad_token_id=1, max_position_embeddings=4096)
    words = {"<end>": 0, "<pad>": 1, **{f"w{i}": i for i in range(2, shape.vocabulary)}}
    core = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>", pad_token="<pad>")
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(sizes.device):
            torch.manual_seed(0)
            lm = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(usual)
    save_model(lm, tokenizer, folder / "base")
    _reward_adapter(lm, folder / "reward")


def _reward_adapter(lm: PreTrainedModel, folder: Path) -> None:
    """Files as the reward stage leaves them, with an adapter that changes nothing and a random head."""
    lora, generator = LoRA(rank=8), torch.Generator().manual_seed(1)
    lora.settings("SEQ_CLS").save_pretrained(folder)
    weights = {"base_model.model.score.weight": torch.randn(1, lm.config.hidden_size, generator=generator)}
    for name, layer in lm.model.named_modules():
        if isinstance(layer, torch.nn.Linear):
            place = f"base_model.model.model.{name}"
            weights[f"{place}.lora_A.weight"] = torch.zeros(lora.rank, layer.in_features)
            weights[f"{place}.lora_B.weight"] = torch.zeros(layer.out_features, lora.rank)
    save_file(weights, folder / WEIGHTS)
    settings = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**settings, "target_modules": sorted(
        {name.split(".")[-3] for name in weights if ".lora_A." in name})}))


def prompts(sizes: Sizes, n: int) -> list[str]:
    """Texts of numbered words, each of the same length."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(2, sizes.shape.vocabulary, (n, sizes.prompt), generator=generator)
    return [" ".join(f"w{i}" for i in row) for row in ids.tolist()]


# --- what is measured -------------------------------------------------------------------------------------------------

def load(bench: Bench, folder: Path, kind: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """From the disk, quantised on the way."""
    sizes = bench.sizes
    seconds, (lm, tokenizer) = bench.took(lambda: load_language_model(
        folder / "base", quantize=None if kind == "bf16" else kind, dtype=sizes.dtype, device=sizes.device))
    held = quantization.about(lm)
    planned = memory.weights(sizes.shape, kind, other=sizes.dtype.itemsize)
    bench.say("load", kind, seconds=seconds, parameters=held["parameters"], weights_gb=held["bytes"] / 1e9,
              planned_gb=planned / 1e9, bytes_per_parameter=held["bytes"] / held["parameters"], held_gb=bench.held())
    return lm, tokenizer


@torch.no_grad()
def bare_generate(bench: Bench, lm: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, kind: str) -> None:
    """transformers' own sampling, without adapters: what a rollout is compared with."""
    sizes = bench.sizes
    ids = tokenizer(prompts(sizes, sizes.rollouts), return_tensors="pt").input_ids.to(sizes.device)
    lm.eval()

    def run(new: int) -> torch.Tensor:
        return lm.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, min_new_tokens=new,
                           do_sample=True, top_k=0, pad_token_id=1)
    run(2)                                          # kernels are chosen and compiled
    seconds, _ = bench.took(lambda: run(sizes.response))
    bench.say("bare generate", kind, tokens_per_second=sizes.rollouts * sizes.response / seconds, peak_gb=bench.peak())


def rollouts(bench: Bench, shared: SharedBase, kind: str, name: str = "rollouts") -> None:
    """The kit's sampling, which also keeps log-probabilities, values and entropies."""
    sizes, texts = bench.sizes, prompts(bench.sizes, bench.sizes.rollouts)
    sample_rollout(shared.policy, texts, Sampling(max_new_tokens=2))
    seconds, drawn = bench.took(lambda: sample_rollout(shared.policy, texts, Sampling(max_new_tokens=sizes.response)))
    bench.say(name, kind, tokens_per_second=int(drawn.mask.sum()) / seconds, peak_gb=bench.peak())


def merged_rollouts(bench: Bench, shared: SharedBase, kind: str) -> None:
    """With the adapter added into the weights for the while; only bf16 gives them back unharmed enough."""
    layers = [layer for layer in shared.policy.lm.modules() if hasattr(layer, "lora_A") and hasattr(layer, "merge")]
    for layer in layers:
        layer.merge(adapter_names=["policy"])
    try:
        rollouts(bench, shared, kind, "rollouts, merged")
    finally:
        for layer in layers:
            layer.unmerge()


def ppo_steps(bench: Bench, shared: SharedBase, kind: str) -> None:
    """Policy, reference, critic and reward model on the one base; the second step is timed."""
    sizes = bench.sizes
    config = ppo.Config(steps=2, batch_size=sizes.rollouts, minibatch_size=sizes.minibatch, epochs=1, checks=False,
                        sampling=Sampling(max_new_tokens=sizes.response), learning_rate=1e-5,
                        autocast="bfloat16" if sizes.device == "cuda" else None)
    work = memory.Work(batch=sizes.minibatch, prompt=sizes.prompt, response=sizes.response, rollouts=sizes.rollouts)
    plan = next(plan for plan in memory.ppo(sizes.shape, work) if plan.name == kind)
    run = ppo.steps(shared.policy, shared.reference, prompts(sizes, sizes.rollouts), learned(shared.reward_model),
                    config)
    for step in run:
        if step.number == 1:
            bench.say("ppo step", kind, seconds=step.metrics["seconds"], responses=sizes.rollouts, peak_gb=bench.peak(),
                      planned_gb=plan.peak() / 1e9, standing_gb=bench.held(), planned_standing_gb=plan.standing / 1e9)


def tuning(bench: Bench, shared: SharedBase, batch: int, checkpointing: bool, kind: str) -> None:
    """Fine-tuning of the adapter: the mean of three steps after two."""
    sizes, lm = bench.sizes, shared.policy.lm
    if checkpointing:
        lm.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    lm.train()
    ids = torch.randint(2, sizes.shape.vocabulary, (batch, sizes.seq), device=sizes.device)
    trained = [p for p in lm.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=True)

    def steps(n: int) -> None:
        for _ in range(n):
            with torch.autocast(sizes.device, dtype=torch.bfloat16, enabled=sizes.device == "cuda"):
                loss = lm(input_ids=ids, labels=ids, use_cache=False).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    try:
        steps(2)
        seconds, _ = bench.took(lambda: steps(3))
        plan = next(plan for plan in memory.fine_tuning(sizes.shape, memory.Work(batch=batch, seq=sizes.seq))
                    if plan.name == kind)
        bench.say("sft", kind, batch=batch, seq=sizes.seq, checkpointing=checkpointing, peak_gb=bench.peak(),
                  tokens_per_second=3 * ids.numel() / seconds, planned_gb=plan.peak(checkpointing) / 1e9)
    finally:
        lm.eval()
        if checkpointing:
            lm.gradient_checkpointing_disable()


def separate_copies(bench: Bench, lm: PreTrainedModel, kind: str) -> None:
    """Copies of the bf16 model until there are four, or no room: weights alone, before anything is trained."""
    each, copies = quantization.about(lm)["bytes"], [lm]
    try:
        while len(copies) < 4:
            copies.append(copy.deepcopy(lm))
    except torch.OutOfMemoryError:
        pass                                        # as many as fit; the rest is computed
    apart = memory.ppo(bench.sizes.shape, memory.Work())[0]
    bench.say("separate copies", kind, loaded=len(copies), held_gb=bench.held(), four_gb=4 * each / 1e9,
              trained_gb=apart.standing / 1e9)


def one_kind(bench: Bench, folder: Path, kind: str) -> None:
    """All sections of one kind of weights."""
    loaded = bench.section("load", kind, load, folder)
    if loaded is None:
        return
    lm, tokenizer = loaded
    bench.section("bare generate", kind, bare_generate, lm, tokenizer)
    if kind == "bf16":
        bench.section("separate copies", kind, separate_copies, lm)
    shared = SharedBase(lm, tokenizer, lora=LoRA(rank=16))
    shared.add_reward(folder / "reward")
    bench.section("rollouts", kind, rollouts, shared)
    if kind == "bf16":
        bench.section("rollouts, merged", kind, merged_rollouts, shared)
    bench.section("ppo step", kind, ppo_steps, shared)
    for batch, checkpointing in bench.sizes.tuning:
        bench.section("sft", kind, tuning, shared, batch, checkpointing)


# --- the tables -------------------------------------------------------------------------------------------------------

def tables(rows: list[Row]) -> str:
    """Markdown for the README: where and when, what each kind of weights takes and gives, and what was promised."""
    about = next(row for row in rows if row["what"] == "about")
    lines = [f"{about['date']}, {about['device']}, {about['model']}, {about['versions']}: `{about['command']}`", "",
             "| | bytes a parameter | load, s | SFT, tokens/s | SFT peak, GB (planned) | rollouts, tokens/s "
             "(bare `generate`; merged) | PPO step, s | PPO peak, GB (planned) |", "|---|---|---|---|---|---|---|---|"]
    for kind in ("bf16", "int8", "nf4"):
        loaded, bare, drawn, merged, step = (_first(rows, what, kind) for what in (
            "load", "bare generate", "rollouts", "rollouts, merged", "ppo step"))
        best = max((row for row in rows if row["what"] == "sft" and row["kind"] == kind),
                   key=lambda row: row["tokens_per_second"], default={})
        lines.append("| " + " | ".join([
            kind, _cell(loaded, "bytes_per_parameter", 3), _cell(loaded, "seconds", 1),
            _cell(best, "tokens_per_second", 0) + _how(best),
            f"{_cell(best, 'peak_gb', 1)} ({_cell(best, 'planned_gb', 1)})",
            f"{_cell(drawn, 'tokens_per_second', 0)} ({_cell(bare, 'tokens_per_second', 0)}; "
            f"{_cell(merged, 'tokens_per_second', 0)})",
            _cell(step, "seconds", 1), f"{_cell(step, 'peak_gb', 1)} ({_cell(step, 'planned_gb', 1)})"]) + " |")
    return "\n".join([*lines, "", *_promises(rows), *_failures(rows)])


def _promises(rows: list[Row]) -> list[str]:
    loaded, step, drawn, bare = (_first(rows, what, "int8") for what in ("load", "ppo step", "rollouts",
                                                                         "bare generate"))
    apart = _first(rows, "separate copies", "bf16")
    said = []
    if step.get("standing_gb") and loaded:
        said.append(f"- int8, policy, reference, critic and reward model together: "
                    f"{step['standing_gb'] / loaded['parameters'] * 1e9:.2f} GB a billion parameters before "
                    f"activations and KV cache (promised: 1.4 at most).")
    if apart and loaded:
        said.append(f"- Weights of four separate bf16 models: {apart['four_gb']:.1f} GB ({apart['loaded']} of them "
                    f"loaded at once); of the one int8 base {loaded['weights_gb']:.1f} GB, "
                    f"{loaded['weights_gb'] / apart['four_gb']:.2f} of that (promised: a quarter at most).")
    if drawn and bare:
        said.append(f"- int8 rollouts: {drawn['tokens_per_second'] / bare['tokens_per_second']:.2f} of bare "
                    f"`generate` on the same base (promised: half at least).")
    return said


def _failures(rows: list[Row]) -> list[str]:
    return [f"- {row['kind']}: {row['what']} ({row['error']})" for row in rows if row["what"].startswith("failed")]


def _first(rows: list[Row], what: str, kind: str) -> Row:
    return next((row for row in rows if (row["what"], row["kind"]) == (what, kind)), {})


def _cell(row: Row, name: str, digits: int) -> str:
    return f"{row[name]:,.{digits}f}" if row.get(name) is not None else "–"


def _how(row: Row) -> str:
    return f" ({row['batch']} × {row['seq']}{', checkpointed' if row['checkpointing'] else ''})" if row else ""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; exit code 2 where there is no GPU for it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="a tiny model on the CPU: only to see that this runs")
    parser.add_argument("--budget", type=float, default=540, help="seconds after which no section begins (%(default)g)")
    parser.add_argument("--folder", help="where the weights lie for the while, 14 GB (default: the system's)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args(arguments)
    if not options.tiny and not torch.cuda.is_available():
        print("no GPU that torch can use; --tiny runs the same code on the CPU.", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")
    sizes = TINY if options.tiny else FULL
    bench = Bench(sizes, options.budget)
    device = torch.cuda.get_device_name() if sizes.device == "cuda" else "CPU (says nothing)"
    bench.say("about", date=datetime.now(UTC).date().isoformat(), device=device, model=sizes.shape.name,
              versions=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
              command="python -m tests.benchmarks.gpu" + " --tiny" * options.tiny)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        seconds, _ = bench.took(lambda: make(Path(folder), sizes))
        bench.say("random weights written", seconds=seconds)
        for kind in options.kinds:
            one_kind(bench, Path(folder), kind)
    print(f"\n{tables(bench.rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
