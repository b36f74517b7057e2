"""Context distillation: a model learns to behave without a prompt as it does behind one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Adam

from rlhf_kit.engine import TOKENS, precision, read_bins, read_likeliest
from rlhf_kit.formulas.distillation import KEPT, certain, context_distillation
from rlhf_kit.formulas.masked import masked_mean
from rlhf_kit.formulas.records import Rollout, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.as_read import AsRead, Example, whole
from rlhf_kit.loops.batches import check_settings, draw_by_length
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.duration import Longer
from rlhf_kit.loops.fitting import Fit
from rlhf_kit.loops.identity import identity
from rlhf_kit.loops.metrics import MinibatchMeans
from rlhf_kit.loops.parts import check_parts, in_parts
from rlhf_kit.loops.process_group import Accelerator, ProcessGroup
from rlhf_kit.loops.sanity_checks import check_learns
from rlhf_kit.loops.schedules import linear, stretched
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import check_texts, prompt_rows, response_rows
from rlhf_kit.sampling import rollout_of_rows

Examples = Sequence[str] | Sequence[tuple[str, str]]        # whole texts, or (prompt, response) pairs
Preamble = str | Callable[[str], str]


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Longer):
    """Settings of one run."""

    steps: int = 300                 # optimizer updates
    batch_size: int = 32             # texts per update (arXiv:2112.00861)
    learning_rate: float = 1e-3      # peak, falls linearly to 0; for GPT-2 and larger 1e-6 to 1e-4 (0.05 of
                                     # pretraining's in arXiv:2112.00861)
    warmup: int = 10                 # updates until the peak, linear
    kept: int = KEPT                 # likeliest tokens of the teacher that are compared one by one; the rest as one bin
    max_length: int = 1024           # tokens that the teacher reads, its prompt included; longer responses are cut
    closed: bool = field(default=False, repr=False)     # EOS behind a response is certain, whatever the teacher expects
    max_grad_norm: float = 1.0       # global; math.inf = off
    seed: int = 0
    micro_batch: int | None = None   # texts in memory at once; None = the whole batch
    activation_checkpointing: bool = False              # keep each block's input: less memory, slower
    autocast: Literal["bfloat16"] | None = None         # matrices multiplied in 16 bits
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those

    def __post_init__(self) -> None:
        for name in ("steps", "max_length", "kept"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate, warmup=self.warmup,
                       max_grad_norm=self.max_grad_norm)
        check_parts(self.micro_batch, self.more_steps, self.autocast)


def steps(policy: Policy, teacher: Policy, examples: Examples, preamble: Preamble, config: Config | None = None, *,
          checkpoint: Path | str | None = None, checkpoint_every: int = 50,
          accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Yield one `Step` per update; nothing runs until you iterate, and `break` stops.

        L = mean over tokens of  KL( p_teacher(· | C, x, y_<t)  ‖  p_student(· | x, y_<t) )  in 51 bins

    of the response's tokens y; see `formulas.distillation`. What the text is only decides where the two are compared:
    the prompt C may be forgotten where people write other things than it asks for, as the paper's do. With
    `closed` the end of a response is learnt as it stands: see `formulas.distillation.certain`.

    Args:
        policy: the student, trained in place; a value head is left alone.
        teacher: reads C and never learns; usually `policy.reference()` taken before training, which of an adapter
            takes no memory.
        examples: (prompt, response) pairs, or whole texts, which are responses to nothing.
        preamble: C, put before every prompt of the teacher; or a function from a prompt to what the teacher reads, as
            a chat template would write it.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.
        accelerator: an `accelerate.Accelerator` where several processes train together, each on its shard of a batch.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: ValueError if there is nothing to learn from; sanity_checks.CheckFailed before an update that would do harm.
    Source: Askell et al. 2021, arXiv:2112.00861; as a first stage: Bai et al. 2022, arXiv:2204.05862.
    """
    config, group = given(config, Config), ProcessGroup(accelerator)
    _check_arguments(policy, teacher, preamble)
    rows, fits = _rows(policy, teacher, examples, preamble, config)
    group.divided("batch_size", config.batch_size)
    group.broadcast(policy)
    policy.eval()                                  # no dropout: teacher and student differ by the prompt alone
    optimizer = Adam([p for p in policy.lm.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    saved = Checkpoint(checkpoint, identity("distil", config, group, examples=examples, teacher=teacher,
                                            asked=[row.asked for row in rows]), checkpoint_every, writes=group.is_main)
    past, _ = saved.resume(policy.lm, optimizer)
    group.check_resumed(len(past), policy.device)
    yield from past

    for number in range(len(past), config.total):
        began = time.perf_counter()

        # 1. Take texts; the student reads them as they are.
        batch = [rows[i] for i in group.shard(draw_by_length(fits.lengths, config.batch_size, config.seed, number))]
        told = _told(policy, batch)

        # 2. Ask the teacher, who reads them behind its prompt, what may come next.
        with precision(teacher, config.autocast):
            ids, bins = _teacher(teacher, batch, config, TOKENS)

        # 3. Learn to say the same.
        means, rate = MinibatchMeans(*MEANS), linear(config.learning_rate, number, stretched(
            number, config.steps, config.total), config.warmup)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        shard = group.weight(told.mask.sum())                                       # of the tokens of all processes
        for part, weight in in_parts(range(len(batch)), config.micro_batch, told.length.tolist()):
            part = torch.tensor(list(part), device=policy.device)
            with precision(policy, config.autocast):
                now = read_bins(policy, told[part], ids[part], checkpointing=config.activation_checkpointing)
            loss = context_distillation(now, bins[part], told[part].mask)
            (shard * weight * loss).backward()
            means.add(shard * weight, loss=loss, **_seen(now, bins[part], told[part].mask))
        group.all_reduce_gradients(policy.lm)
        update(policy.lm, optimizer, config.max_grad_norm, number, cause=diverged(config.learning_rate))
        means.count()

        # 4. Report.
        found = means.means(group, policy.device)
        step = Step(number, {**{name: found[name] for name in MEANS}, "learning_rate": rate,
                             "seconds": time.perf_counter() - began})
        saved.record(step, config.total - 1, policy.lm, optimizer)
        yield step


def train(policy: Policy, teacher: Policy, examples: Examples, preamble: Preamble, config: Config | None = None, *,
          checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, teacher, examples, preamble, config, checkpoint=checkpoint))


MEANS = ("loss", "agreement", "kept_mass")
METRICS = {
    "loss": "KL in bins of the batch, nats per token, before the update",
    "agreement": "share of tokens where the teacher's likeliest is the student's, too, among those that are compared",
    "kept_mass": "probability that the teacher gives to the tokens that are compared one by one",
    "learning_rate": "of this update",
    "seconds": "wall time of the step",
}


@torch.no_grad()
def loss_on(policy: Policy, teacher: Policy, examples: Examples, preamble: Preamble,
            config: Config | None = None) -> dict[str, float]:
    """The loss, and the other means of `METRICS`, of texts that nothing was learned from, each token weighing alike."""
    config = given(config, Config)
    policy.eval()                                                      # no dropout
    rows, _ = _rows(policy, teacher, examples, preamble, config)
    size, sums, tokens = config.micro_batch or config.batch_size, dict.fromkeys(MEANS, 0.0), 0
    rows = sorted(rows, key=lambda row: len(row.response))
    for start in range(0, len(rows), size):
        batch = rows[start:start + size]
        told = _told(policy, batch)
        with precision(teacher, config.autocast):
            ids, bins = _teacher(teacher, batch, config)
        with precision(policy, config.autocast):
            now = read_bins(policy, told, ids)
        n = int(told.mask.sum())
        tokens += n
        for name, x in {"loss": context_distillation(now, bins, told.mask), **_seen(now, bins, told.mask)}.items():
            sums[name] += x.item() * n
    return {name: total / tokens for name, total in sums.items()}


def fit(policy: Policy, teacher: Policy, examples: Examples, preamble: Preamble, config: Config | None = None) -> Fit:
    """What `steps` will leave out and cut, to be said before it does."""
    return _rows(policy, teacher, examples, preamble, given(config, Config))[1]


@dataclass(frozen=True)
class _Row:
    """Token ids of one text."""

    asked: list[int]                    # what the teacher reads first: its prompt and the text's
    told: list[int]                     # what the student does
    response: list[int]

    def shortened(self, limit: int) -> _Row | None:
        """With as much of the response as there is room for; None if nothing of it is left."""
        room = limit - max(len(self.asked), len(self.told))
        return replace(self, response=self.response[:room]) if room > 0 and self.response else None


def _rows(policy: Policy, teacher: Policy, examples: Examples, preamble: Preamble,
          config: Config) -> tuple[list[_Row], Fit]:
    """The rows to learn from, and what became of the others. Raises: ValueError if the teacher has room for none."""
    found, limit = _found(policy, teacher, examples, preamble, config)
    places = [i for i, row in enumerate(found) if row.shortened(limit) is not None]
    if not places:
        raise ValueError(f"the teacher reads {limit} tokens, and its prompt with the shortest text's has "
                         f"{min(len(row.asked) for row in found)}; nothing of a response is left. Shorten the prompt, "
                         f"or raise max_length as far as the model reads.")
    rows = [found[i] for i in places]
    kept = [row.shortened(limit) for row in rows]
    cut = sum(len(short.response) < len(row.response) for short, row in zip(kept, rows, strict=True))
    return kept, Fit(places, [len(row.asked) + len(row.response) for row in kept], len(found) - len(kept), limit, cut)


def as_read(policy: Policy, teacher: Policy, examples: Examples, preamble: Preamble,
            config: Config | None = None) -> Iterator[Example]:
    """Every text as the student reads it, which learns the response, and as the teacher does, behind its prompt."""
    rows, limit = _found(policy, teacher, examples, preamble, given(config, Config))
    for row in rows:
        kept = row.shortened(limit)
        response = row.response if kept is None else kept.response
        texts = []
        for part, before in (("student", row.told), ("teacher", row.asked)):
            ids, n = [*before, *row.response], len(before) + len(response)
            learned = [kept is not None and part == "student" and len(before) <= at < n for at in range(len(ids))]
            texts.append(AsRead(part, ids, [at < n for at in range(len(ids))], learned, len(before)))
        yield Example(tuple(texts), left_out=kept is None)


def prompts_as_read(teacher: Policy, prompts: Sequence[str], preamble: Callable[[str], str],
                    max_new_tokens: int) -> Iterator[Example]:
    """Prompts that the teacher will answer behind its own; left out are those that leave it no room for an answer."""
    told, asked = (prompt_rows(teacher.tokenizer, some) for some in (prompts, list(map(preamble, prompts))))
    for mine, theirs in zip(told, asked, strict=True):
        none = teacher.context is not None and len(theirs) + max_new_tokens > teacher.context
        yield Example((whole("student", mine, len(mine)), whole("teacher", theirs, len(theirs))), left_out=none)


def _found(policy: Policy, teacher: Policy, examples: Examples, preamble: Preamble,
           config: Config) -> tuple[list[_Row], int]:
    """Every text whole, and how many tokens there is room for."""
    prompts, responses = _pairs(examples)
    write = preamble if callable(preamble) else (lambda prompt: preamble + prompt)
    asked = prompt_rows(policy.tokenizer, [write(prompt) for prompt in prompts])
    limit = min(config.max_length, policy.context or config.max_length, teacher.context or config.max_length)
    return [_Row(*ids) for ids in zip(asked, prompt_rows(policy.tokenizer, prompts), response_rows(
        policy.tokenizer, responses, prompts), strict=True)], limit


def _pairs(examples: Examples) -> tuple[list[str], list[str]]:
    if len(examples) == 0:
        raise ValueError("there are no examples to learn from; give at least one text.")
    if isinstance(examples, str):
        check_texts(examples, "examples")
    pairs = [("", one) if isinstance(one, str) else one for one in examples]
    for one in pairs:
        if not isinstance(one, Sequence) or len(one) != 2 or not all(isinstance(text, str) for text in one):
            raise ValueError(f"the examples hold {' '.join(repr(one).split())[:60]}; expected texts, or (prompt, "
                             f"response) pairs of texts.")
    return [prompt for prompt, _ in pairs], [response for _, response in pairs]


def _asked(teacher: Policy, batch: Sequence[_Row]) -> Rollout:
    return rollout_of_rows(teacher, [row.asked for row in batch], [row.response for row in batch])


def _teacher(teacher: Policy, batch: Sequence[_Row], config: Config,
             tokens_per_pass: int | None = None) -> tuple[Tensor, Tensor]:
    """What may come next: ids [B, T, k] and bins [B, T, k + 1]; behind a closed response nothing but its EOS."""
    asked = _asked(teacher, batch)
    ids, bins = read_likeliest(teacher, asked, config.kept, tokens_per_pass=tokens_per_pass)
    if config.closed:
        ends = torch.isin(asked.response_ids, torch.tensor(teacher.ends, device=ids.device)) & asked.mask
        bins, ids = certain(bins, ids, asked.response_ids, ends)
    return ids, bins


def _told(policy: Policy, batch: Sequence[_Row]) -> Rollout:
    return rollout_of_rows(policy, [row.told for row in batch], [row.response for row in batch])


@torch.no_grad()
def _seen(student: Tensor, teacher: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """What is reported beside the loss, of bins [B, T, k + 1]; of the teacher's the first is the likeliest."""
    return {"agreement": masked_mean((student[..., :-1].argmax(-1) == 0).float(), mask),
            "kept_mass": masked_mean(teacher[..., :-1].exp().sum(-1), mask)}


def _check_arguments(policy: Policy, teacher: Policy, preamble: Preamble) -> None:
    check_policy(policy)
    check_policy(teacher)
    check_learns(policy.lm)
    if not callable(preamble) and not (isinstance(preamble, str) and preamble.strip()):
        raise ValueError(f"the preamble is {preamble!r}; expected the text that the teacher reads first. Without one "
                         f"there is nothing to distil.")
    if teacher.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
        raise ValueError("teacher and student read other tokens, so their predictions cannot be compared; give a "
                         "teacher with the same tokenizer, such as policy.reference().")
    learning = {id(p) for p in policy.lm.parameters() if p.requires_grad}
    if learning & {id(p) for p in teacher.parameters()}:
        raise ValueError("teacher and student share weights that learn, so the teacher would move with the student; "
                         "make it with policy.reference().")
