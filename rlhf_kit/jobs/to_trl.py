"""A job of the kit as TRL would do it: `train sft` as SFT, `train reward-model` as DPO, `train ppo` as GRPO.

    GRPO's step = one generation of `batch_size` responses, learnt from `epochs` times in pieces of `minibatch_size`

The methods differ (DPO has no reward model, GRPO no critic, and its KL is in the loss), so the numbers of such a run
are not the kit's. What TRL has no setting for is said, a sentence each.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from rlhf_kit import zoo
from rlhf_kit.datasets.door import as_rankings
from rlhf_kit.datasets.python_file import object_in
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.jobs import scores, train_ppo, train_sft, written
from rlhf_kit.jobs.scaling import LARGE, RANK, Chosen, ScaledJob, Size
from rlhf_kit.jobs.settings import SMALL, world
from rlhf_kit.jobs.train_ppo import PpoJob
from rlhf_kit.jobs.train_reward_model import MADE_UP, RewardModelJob
from rlhf_kit.jobs.train_sft import REAL_SFT, TINY_SFT, SftJob
from rlhf_kit.methods import ppo
from rlhf_kit.rewards import RewardError, for_trl, takes_completions
from rlhf_kit.runs.pipeline import Job
from rlhf_kit.scale.trl import OWN_REWARD, REWARD, Engine, Export, Method, adapter, vllm, words
from rlhf_kit.tasks.rankings import rankings_of

JOBS: dict[Method, type[Job]] = {"sft": SftJob, "dpo": RewardModelJob, "grpo": PpoJob}
COMMANDS = {"sft": "train sft", "rewardmodel": "train reward-model", "ppo": "train ppo"}
GENERATIONS = 8                     # responses to one prompt, GRPO's group, at most (TRL's default)

# What a job's fields say elsewhere in an export, or what is no matter of training. Any other that is set is said.
SAID = {"model", "data", "text", "prompt", "response", "columns", "task", "lang", "judge", "label", "reward", "prompts",
        "column", "rankings", "pairs", "positive", "positive_from", "held_out", "examples", "device", "changes",
        "rollouts"}
FIT = {"lora", "quantize", "dtype", "micro_batch", "activation_checkpointing", "save_every"}     # how it fits a machine
SFT = {"steps", "batch_size", "learning_rate", "warmup", "min_lr_ratio", "weight_decay", "max_length", "max_grad_norm",
       "response_only", "seed", "micro_batch", "activation_checkpointing", "autocast"}
CRITIC = {"gamma", "lam", "value_clip", "value_coef", "critic_warmup"}
GRPO = {"steps", "batch_size", "minibatch_size", "epochs", "learning_rate", "sampling", "kl", "clip", "max_grad_norm",
        "seed", "min_lr_ratio", "optimizer", "adam_epsilon", "activation_checkpointing", "autocast", "checks", *CRITIC}
DPO = {"steps", "batch_size", "learning_rate", "max_length", "seed"}


def of_run(method: Method, folder: str | Path) -> Job:
    """The job whose run lies in a folder. Raises: ValueError, one line, for no run, or one of another command."""
    place = Path(folder).expanduser() / "settings.json"
    try:
        settings = json.loads(place.read_text(encoding="utf-8"))
        name = settings["job"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds no run of `rlhf-kit train` (no settings.json that can be read). Name its "
                         f"--output folder.") from error
    kind = JOBS[method]
    if name != kind.name:
        raise ValueError(f"{folder} holds a run of {COMMANDS.get(name, name)!r}, and export trl {method} takes one of "
                         f"{COMMANDS[kind.name]!r}.")
    known = {one.name for one in fields(kind)} - {"rollouts"}           # where a server stood is not in it
    return kind(**{key: tuple(value) if isinstance(value, list) else value
                   for key, value in settings.items() if key in known})


def export(method: Method, job: Job, *, model: str | None = None, rank: int | None = None, quantize: str | None = None,
           engine: Engine = "colocate", beta: float | None = None, generations: int | None = None) -> Export:
    """A job as TRL's command would do it.

    Args:
        job: of the kind that belongs to the method, see `JOBS`.
        model: what is trained, in place of the job's own; DPO has to be told, since a reward model does not write.
        rank: of a LoRA adapter; 0 = all weights, None = the job's, else of a base in 8 or 4 bits 16.
        quantize: "int8" or "nf4", of an adapter's base; None = the job's.
        engine: where GRPO's responses are drawn.
        beta: DPO's β, or GRPO's in place of the KL coefficient.
        generations: responses to one prompt.

    Raises: ValueError, FileError, ModelUnavailable, one line each.
    """
    name = model or (None if method == "dpo" else job.model)
    if name is None:
        raise ValueError("export trl dpo trains a language model, and a run of train reward-model has none. Name it "
                         "with --model.")
    ours = method != "dpo"                              # what a reward model was fitted by is not the policy's
    bits = quantize or (job.quantize if ours else None)
    lora = (job.lora if ours else None) if rank is None else rank
    chosen = Chosen(_size(name), 0, (RANK if bits else 0) if lora is None else lora, guessed=lora is None)
    fit = {**(_fit(job, chosen) if ours else {}), **adapter(chosen.lora, bits)}
    made = {"sft": _sft, "dpo": _dpo, "grpo": _grpo}[method](job, chosen, beta, generations)
    config = {**made.pop("config"), **fit, "report_to": "none", **(vllm(engine) if method == "grpo" else {})}
    left = [*made.pop("left_out"), *_others(job, SAID | (FIT if ours else set()))]
    return Export(method=method, model=_place(name), config=config, left_out=left, **made)


def _fit(job: ScaledJob, chosen: Chosen) -> dict[str, Any]:
    """How a job fits its machine, where somebody said so, but for the adapter and the parts of a batch."""
    anew, every = job.activation_checkpointing, job.save_every
    return {**({} if anew is None else {"gradient_checkpointing": anew}),
            **({"dtype": "bfloat16"} if chosen.lora and job.dtype == "bfloat16" else {}),
            **({} if every is None else {"save_strategy": "steps", "save_steps": every})}


def _parts(batch: int, at_once: int | None) -> dict[str, int]:
    """A batch as TRL counts it: texts at once, and how often they are added up."""
    part = batch if at_once is None else math.gcd(batch, at_once)
    return {"per_device_train_batch_size": part, "gradient_accumulation_steps": batch // part}


def _others(job: Job, said: set[str]) -> list[str]:
    """Fields that somebody set and nothing here reads."""
    why = {"template": "TRL writes conversations by the chat template that the model has",
           "reference": "TRL measures drift from the model as it is before"}
    plain = {one.name: one.default for one in fields(job)}
    return [f"{name}={value}: {why.get(name, 'TRL has no such setting')}." for name, value in vars(job).items()
            if name in plain and name not in said and value != plain[name]]


def _unsaid(config: Any, said: set[str], method: str) -> list[str]:
    """Settings that differ from the kit's defaults and have no name in TRL."""
    plain = type(config)()
    return [f"{one.name}={getattr(config, one.name)}: {method} in TRL has no such setting." for one in fields(config)
            if one.name not in said and getattr(config, one.name) != getattr(plain, one.name)]


def _place(name: str) -> str:
    """A tiny model is made now if it is not there yet; a folder is named in full, since TRL is started elsewhere."""
    found = Path(zoo.cached(name) if zoo.is_tiny(name) else name).expanduser()
    return str(found.resolve()) if found.is_dir() else name


def _size(name: str) -> Size:
    """By which the kit's jobs choose settings; a model that does not lie here is taken for one like GPT-2."""
    if zoo.is_tiny(name):
        return "tiny"
    numbers = 0
    for file in sorted(Path(name).expanduser().glob("model*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            numbers += sum(math.prod(opened.get_slice(key).get_shape()) for key in opened.keys())      # noqa: SIM118
    return "tiny" if 0 < numbers < SMALL else "large" if numbers >= LARGE else "small"


def _common(config: Any) -> dict[str, Any]:
    return {"learning_rate": config.learning_rate, "seed": config.seed, "max_grad_norm": config.max_grad_norm}


def _sft(job: SftJob, chosen: Chosen, beta: None, generations: None) -> dict[str, Any]:
    config = job.config_for(chosen, TINY_SFT if chosen.size == "tiny" else REAL_SFT, train_sft.RATES, job.changes)
    if job.brought is None:
        learn, held_out = world(job.task, job.lang).corpus(6000), []
    else:
        learn, held_out = hold_out(job.brought.items)
        held_out = [] if held_out == learn else held_out
    kind = "text" if isinstance(learn[0], str) else "pair" if isinstance(learn[0][0], str) else "chat"
    shape = {"text": lambda one: {"text": one}, "pair": lambda one: {"prompt": one[0], "completion": one[1]},
             "chat": lambda one: {"messages": words(one)}}[kind]
    counted = {"text": {}, "pair": {"completion_only_loss": config.response_only},
               "chat": {"assistant_only_loss": config.response_only}}[kind]
    left = _unsaid(config, SFT, "SFT")
    left += ["Of conversations the loss counts what the assistant says only where the chat template marks it; TRL does "
            "so for the models that it knows."] if kind == "chat" and config.response_only else []
    return {"rows": list(map(shape, learn)), "held_out": list(map(shape, held_out)), "left_out": left, "config": {
        **_common(config), "max_steps": config.steps, **_parts(config.batch_size, config.micro_batch),
        "max_length": config.max_length, "weight_decay": config.weight_decay, "warmup_steps": config.warmup,
        "lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": config.min_lr_ratio},
        **counted}}


def _dpo(job: RewardModelJob, chosen: Chosen, beta: float | None, generations: None) -> dict[str, Any]:
    """The pairs of a reward model's rankings; of its settings only the seed, since it is another model that learns."""
    if job.brought is None:
        recipe = zoo.TinyRewardModel()
        found = rankings_of(world(job.task, job.lang), MADE_UP, recipe.k, recipe.noise)
    else:
        found = as_rankings(job.brought)
    pairs = [pair for one in found for pair in ([one] if isinstance(one, Comparison) else one.pairs())]
    rows = [{"prompt": words(one.prompt), "chosen": words(one.chosen), "rejected": words(one.rejected)}
            for one in pairs]
    if bare := sum(not row["prompt"] for row in rows):
        raise ValueError(f"{bare} of {len(rows)} pairs have no prompt, and DPO asks how much likelier an answer to one "
                         f"became. Name the column of prompts with --columns prompt=NAME.")
    own = {name: value for name, value in job.changes.items() if name in DPO}
    left = [f"{name}={value}: of a reward model, which DPO has none of." for name, value in job.changes.items()
            if name not in DPO]
    if any(one.margin is not None for one in pairs):
        left.append("The margins of the pairs: TRL's DPO knows only which answer is better.")
    return {"rows": rows, "left_out": left, "config": {
        "learning_rate": own.get("learning_rate", 1e-5 if chosen.lora else 1e-6), "seed": own.get("seed", 0),
        "per_device_train_batch_size": own.get("batch_size", 32), "max_length": own.get("max_length", 1024),
        **({"max_steps": own["steps"]} if "steps" in own else {"num_train_epochs": 1}),
        "beta": 0.1 if beta is None else beta, "loss_type": ["sigmoid"]}}


def _grpo(job: PpoJob, chosen: Chosen, beta: float | None, generations: int | None) -> dict[str, Any]:
    own = zoo.TINY_PPO if chosen.size == "tiny" else zoo.GPT2_PPO
    config = job.config_for(chosen, own, train_ppo.RATES, job.changes)
    if job.brought is None:
        rows, held_out = [{"prompt": one} for one in world(job.task, job.lang).prompts("train")], []
    else:
        columns = {id(one): row for one, row in zip(job.brought.items, job.brought.rows, strict=False)}
        learn, held = hold_out(job.brought.items)
        rows, held_out = ([{**_plain(columns.get(id(one), {})), "prompt": words(one)} for one in part]
                          for part in (learn, [] if held == learn else held))
    piece = config.minibatch_size or config.batch_size
    group = generations or max(n for n in range(1, GENERATIONS + 1) if config.batch_size % n == 0)
    if group < 2 or config.batch_size % group:
        raise ValueError(f"--batch-size is {config.batch_size} and --generations {group}; GRPO compares at least 2 "
                         f"responses to a prompt, and a batch is a multiple of that. Try --batch-size 64.")
    pieces, parts = config.batch_size // piece, _parts(piece, job.micro_batch)
    straight = {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {
        "lr_end": config.learning_rate * config.min_lr_ratio, "power": 1.0}} if config.min_lr_ratio < 1 else {
            "lr_scheduler_type": "constant"}
    return {"rows": rows, "held_out": held_out, "left_out": _not_in_grpo(config), "files": _reward(job), "config": {
        **_common(config), "max_steps": config.steps * config.epochs * pieces, **parts,
        "steps_per_generation": pieces * parts["gradient_accumulation_steps"],
        "num_iterations": config.epochs, "num_generations": group,
        "max_completion_length": config.sampling.max_new_tokens, "temperature": config.sampling.temperature,
        "top_p": 1.0, "top_k": 0, "beta": config.kl.coefficient if beta is None else beta,
        **({} if math.isinf(config.clip) else {"epsilon": config.clip}), "loss_type": "grpo", "disable_dropout": True,
        "optim": "adamw_torch" if config.optimizer == "adam" else "rmsprop", "adam_epsilon": config.adam_epsilon,
        **straight, "reward_funcs": ["reward.score"]}}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The other columns of a prompt; what JSON has not, such as a date, as text."""
    return json.loads(json.dumps(dict(row), default=str))


def _not_in_grpo(config: ppo.Config) -> list[str]:
    """What differs from the kit's defaults and has no name there."""
    plain = ppo.Config()
    found = [f"{', '.join(sorted(CRITIC))}: GRPO has no critic; the mean of a prompt's responses stands for it.",
             *_unsaid(config, GRPO, "GRPO")]
    kl = {name: value for name, value in asdict(config.kl).items()
          if name != "coefficient" and value != asdict(plain.kl)[name]}
    if math.isinf(config.clip):
        found.append("clip=inf: TRL's ratio is always clipped, at 0.2.")
    return [*found, f"kl: the penalty is a term of the loss there, k3 a token, at a fixed β{_without(kl)}."]


def _without(kl: dict[str, Any]) -> str:
    return f"; {', '.join(f'{name}={value}' for name, value in kl.items())} {'are' if len(kl) > 1 else 'is'} left out" \
        if kl else ""


def _reward(job: PpoJob) -> dict[str, str]:
    """The file whose `score` TRL calls: of the judge, or of the person's own function, which is copied beside it."""
    if job.reward is None:
        made = f"score = judged({job.judge!r}, {job.label!r})"
        return {REWARD: f'"""What {job.judge} says, as TRL calls it."""\n\nfrom rlhf_kit.jobs.to_trl import judged\n\n'
                        f"{made}\n"}
    function, source = object_in(job.reward, "reward", "function", "my_reward.py:reward",
                                 "def {name}(prompts, responses)", RewardError)      # what is wrong is said now
    path, _, name = job.reward.rpartition(":")
    if takes_completions(function):
        made = f"from my_reward import {name} as score\n\n__all__ = [\"score\"]\n"
    else:
        made = f"from my_reward import {name}\n\nfrom rlhf_kit.rewards import for_trl\n\nscore = for_trl({name})\n"
    return {REWARD: f'"""{name} of {Path(path).name}, as TRL calls it."""\n\n{made}',
            OWN_REWARD: source.decode("utf-8")}


def judged(judge: str, label: str = "positive") -> Callable[..., list[float]]:
    """What a judge says, in TRL's signature; conversations are written as `train ppo` writes them for it.

    On the GPU of this process if there is one.
    """
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    reader = zoo.load_reward_model(judge).tokenizer if zoo.is_reward_model(judge) else None
    return for_trl(scores.asked(judge, None, label, device=device), written.read_by(reader))
