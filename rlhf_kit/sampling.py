"""Responses and their log-probabilities; the only file where a rollout is shifted, padded or cut at its end.

Four promises, each with a test:
1. the mask ends with the first EOS, *inclusive*: stopping is an action and is reinforced like one (EOS is any of
   `policy.ends`: a chat model also stops at the end of its turn);
2. rollouts for training use a temperature, but no top-k or top-p: what is learnt from is what was drawn from;
3. log-probabilities use that same temperature;
4. the log-probability at t is that of response token t, predicted one position earlier: nobody else shifts.

Another engine may draw the tokens of a rollout (`Sampler`). It hands back ids and nothing else is believed: where a
response ends, its mask, its log-probabilities, values and entropy are computed here, as for the kit's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from rlhf_kit.engine import read
from rlhf_kit.formulas.distributions import draw, sample
from rlhf_kit.formulas.masked import masked_mean
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.formulas.spelling import spelled
from rlhf_kit.models.cache import forgets_rows, roomy
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import (
    check_texts,
    decode,
    encode_prompts,
    pad_id,
    pad_left,
    pad_right,
    prompt_rows,
    response_rows,
)

# From logits, [B, V], and a random number a row, [B]: the token, and behind it log-probability and entropy, or nothing.
Choice = Callable[[Tensor, Tensor], tuple[Tensor, ...]]

DROPPED_AT_ONCE = 8         # rows that have ended are computed on until they are one in so many
GAP = 0.1                   # nats a token by which an engine's log-probabilities may differ from the kit's, on average


@spelled
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a response is drawn."""

    max_new_tokens: int = 48        # tokens at most, EOS included
    temperature: float = 1.0        # logits are divided by it; 1 = the model as it is

    def __post_init__(self) -> None:
        if not 1 <= self.max_new_tokens <= 1_000_000:
            raise ValueError(f"max_new_tokens is {self.max_new_tokens}; a response has at least 1 token and, here, at "
                             f"most 1,000,000.")
        if not 1e-3 <= self.temperature <= 1e3:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0, from 0.001 to 1000. Try 1, the "
                             f"model as it is (in Python, generate with greedy=True writes the likeliest text).")


@dataclass(frozen=True, eq=False)
class Drawn:
    """What another engine drew: for each of B prompts the ids of a response."""

    ids: Sequence[Sequence[int]]                        # EOS included; what follows the first one is cut off
    logprob: Sequence[Sequence[float]] | None = None    # of each of these ids, nats at the temperature, as it says


def _nothing(*_: object) -> None:
    """A sampler that need not be checked, or closed."""


@dataclass(frozen=True)
class Sampler:
    """Another engine than the kit's own, which draws the tokens of rollouts; see `loops.samplers`.

    Args:
        name: what a run is known by.
        draw: (policy, ids of B prompts, sampling, seed) -> `Drawn`, from softmax(logits / temperature) of the policy as
            it is at that moment, nothing cut off.
        check: (policy, prompts, sampling); raises ValueError or OSError, one line, before anything is learnt.
        close: called when no more is drawn.
        limit: mean |log π there - log π here| in nats a token above which a rollout is refused.
        several: whether each of several processes may draw from it.
    """

    name: str
    draw: Callable[[Policy, list[list[int]], Sampling, int], Drawn]
    check: Callable[[Policy, Sequence[str], Sampling], None] = _nothing
    close: Callable[[], None] = _nothing
    limit: float = GAP
    several: bool = True

    def __post_init__(self) -> None:
        if not self.limit > 0:
            raise ValueError(f"limit is {self.limit}; it must be above 0, such as {GAP}, or math.inf to check nothing.")

    def check_processes(self, size: int) -> None:
        """Raises: ValueError if so many processes cannot draw from it."""
        if size > 1 and not self.several:
            raise ValueError(f"{self.name} draws for one process, and there are {size}. Start one, or leave the "
                             f"sampler out.")


class SamplerError(ValueError):
    """What another engine drew cannot be learnt from; the message says why and what to do."""


def sample_rollout(policy: Policy, prompts: Sequence[str], sampling: Sampling | None = None,
                   seed: int = 0, sampler: Sampler | None = None) -> Rollout:
    """Answer each prompt once by sampling, keeping what the policy believed at the time.

    Args:
        policy: samples from softmax(logits / temperature), nothing cut off.
        prompts: B texts; they may differ in length.
        seed: the same seed, policy and prompts give the same responses.
        sampler: another engine that draws the tokens; None = the loop of this file.

    Returns: a `Rollout` of B rows; T is the longest response drawn.
    Raises: ValueError if a prompt and its response could exceed the model's context; SamplerError if another engine's
        responses or log-probabilities are not the policy's.
    """
    if sampler is not None:
        return _drawn_elsewhere(policy, prompts, sampling or Sampling(), seed, sampler)
    return _settled(policy, _respond(policy, prompts, sampling or Sampling(), seed, sample).rollout())


def stream_rollout(policy: Policy, prompts: Sequence[str], sampling: Sampling | None = None,
                   seed: int = 0) -> Iterator[Rollout]:
    """The rollout while it grows, to be watched: first one token a response, then two, and so on.

    The last is what `sample_rollout` returns for the same arguments, bit for bit. Closing the iterator stops the
    model. Raises: as `sample_rollout`, at the first token.
    """
    for grown in _grow(policy, prompts, sampling or Sampling(), seed, sample):
        yield _settled(policy, grown.rollout()) if grown.last else grown.rollout()


def generate(policy: Policy, prompts: Sequence[str], sampling: Sampling | None = None, *, seed: int = 0,
             greedy: bool = False, top_k: int = 0, top_p: float = 1.0) -> list[str]:
    """Responses to look at, as text: greedy, or sampled with the usual cuts. Not for training (promise 2).

    Args:
        top_k: draw among the k likeliest tokens only; 0 = all.
        top_p: draw among the likeliest tokens that together reach probability p; 1 = all.
    """
    if top_k < 0 or not 0 < top_p <= 1:
        raise ValueError(f"top_k is {top_k} and top_p {top_p}; expected top_k >= 0 and 0 < top_p <= 1.")

    def choose(logits: Tensor, uniform: Tensor) -> tuple[Tensor]:
        return (logits.argmax(-1) if greedy else draw(_cut(logits, top_k, top_p).softmax(-1), uniform),)

    return _respond(policy, prompts, sampling or Sampling(), seed, choose, need_logprob=False).texts()


def given_rollout(policy: Policy, prompts: Sequence[str], responses: Sequence[str]) -> Rollout:
    """Responses that somebody else wrote, as a rollout: what the policy thinks of them, at temperature 1.

    Each is closed by the end token, as the policy would close it. Raises: ValueError if there is none.
    """
    rollout = unread_rollout(policy, prompts, responses)
    with torch.no_grad():
        return replace(rollout, logprob=response_logprob(policy, rollout))


def unread_rollout(policy: Policy, prompts: Sequence[str], responses: Sequence[str]) -> Rollout:
    """The same for those who read it themselves: tokens and masks; every log-probability is 0."""
    if len(prompts) == 0 or len(prompts) != len(responses):
        raise ValueError(f"there are {len(prompts)} prompts and {len(responses)} responses; give as many of both, "
                         f"at least one.")
    return rollout_of_rows(policy, prompt_rows(policy.tokenizer, prompts),
                           response_rows(policy.tokenizer, responses, prompts), prompts, responses)


def rollout_of_rows(policy: Policy, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]],
                    prompt_texts: Sequence[str] = (), texts: Sequence[str] = ()) -> Rollout:
    """The same of token ids, as they are; the texts are for those who want to read them."""
    padding = pad_id(policy.tokenizer)
    prompt_ids, prompt_mask = (x.to(policy.device) for x in pad_left(prompts, padding))
    ids, mask = (x.to(policy.device) for x in pad_right(responses, padding))
    nothing = torch.zeros(mask.shape, device=policy.device)
    return Rollout(prompts=list(prompt_texts) or [""] * len(prompts), responses=list(texts) or [""] * len(responses),
                   prompt_ids=prompt_ids, prompt_mask=prompt_mask, response_ids=ids, mask=mask, logprob=nothing,
                   value=None, ended=mask.any(-1), temperature=1.0)


def joined(parts: Sequence[Rollout], padding: int) -> Rollout:
    """Rollouts of one policy at one temperature as one, padded anew to the widest with the id `padding`."""
    widest = {side: max(getattr(part, name).shape[1] for part in parts)
              for side, name in (("prompt", "prompt_mask"), ("response", "mask"))}

    def column(name: str) -> Tensor | list[str] | None:
        values = [getattr(part, name) for part in parts]
        if values[0] is None or isinstance(values[0], list):
            return values[0] and [text for value in values for text in value]
        if values[0].dim() == 2:
            left, filler = name.startswith("prompt"), padding if name.endswith("ids") else 0
            missing = [widest["prompt" if left else "response"] - value.shape[1] for value in values]
            values = [torch.nn.functional.pad(value, (n, 0) if left else (0, n), value=filler)
                      for value, n in zip(values, missing, strict=True)]
        return torch.cat(values)

    return replace(parts[0], **{f.name: column(f.name) for f in fields(Rollout) if f.name != "temperature"})


def response_logprob(policy: Policy, rollout: Rollout, *, tokens_per_pass: int | None = None) -> Tensor:
    """Log-probability of each response token under `policy`, [B, T] nats at the rollout's temperature, 0 on padding.

    `engine.read` says what `tokens_per_pass` is and asks for more.
    """
    return read(policy, rollout, tokens_per_pass=tokens_per_pass).logprob


def response_logprob_and_value(policy: Policy, rollout: Rollout, *,
                               tokens_per_pass: int | None = None) -> tuple[Tensor, Tensor]:
    """The same with the critic's guess before each token: two [B, T], 0 on padding."""
    reading = read(policy, rollout, value=True, tokens_per_pass=tokens_per_pass)
    return reading.logprob, reading.value


def response_logits(policy: Policy, rollout: Rollout) -> Tensor:
    """Logits from which each response token was drawn, divided by the temperature, [B, T, V]: all of them at once."""
    ids = torch.cat([rollout.prompt_ids, rollout.response_ids[:, :-1]], dim=1)      # the last token predicts nothing
    mask = torch.cat([rollout.prompt_mask, rollout.mask[:, :-1]], dim=1)
    return policy(ids, mask, keep=rollout.response_ids.shape[1], need_value=False).logits / rollout.temperature


@dataclass
class _Growing:
    """Responses to B prompts with as many tokens as there are columns."""

    policy: Policy
    prompts: Sequence[str]
    temperature: float
    prompt_ids: Tensor                  # [B, P]
    prompt_mask: Tensor                 # [B, P]
    alive: Tensor                       # [B] True until EOS has been said
    last: bool = False                  # no token follows
    columns: list[tuple[Tensor, ...]] = field(default_factory=list)     # token, alive; logprob, entropy, value: [B]

    def texts(self) -> list[str]:
        """What has been said."""
        token, marked = (torch.stack(column, dim=1) for column in list(zip(*self.columns, strict=True))[:2])
        return decode(self.policy.tokenizer, token, marked, self.policy.ends)

    def rollout(self) -> Rollout:
        """As it is now."""
        columns = zip(*self.columns, strict=True)
        token, marked, logprob, spread, value = (torch.stack(column, dim=1) for column in columns)
        texts = decode(self.policy.tokenizer, token, marked, self.policy.ends)
        return Rollout(prompts=list(self.prompts), responses=texts,
                       prompt_ids=self.prompt_ids, prompt_mask=self.prompt_mask, response_ids=token, mask=marked,
                       logprob=torch.where(marked, logprob, 0.0),
                       value=None if self.policy.value_head is None else torch.where(marked, value, 0.0),
                       ended=~self.alive, temperature=self.temperature, entropy=torch.where(marked, spread, 0.0))


def _respond(policy: Policy, prompts: Sequence[str], sampling: Sampling, seed: int, choose: Choice,
             need_logprob: bool = True) -> _Growing:
    check_policy(policy)
    with policy.in_use():
        *_, grown = _grow(policy, prompts, sampling, seed, choose, need_logprob)
    return grown


@torch.no_grad()
def _grow(policy: Policy, prompts: Sequence[str], sampling: Sampling, seed: int, choose: Choice,
          need_logprob: bool = True) -> Iterator[_Growing]:
    """The only loop over tokens: yields the same record after each, one column wider.

    Every step has one random number for each of the B rows, whether it is still computed or not: so a response does
    not depend on when other rows end and are dropped, nor on the device.
    """
    prompt_ids, prompt_mask = _encoded(policy, prompts, sampling)
    padding, (size, width), device = pad_id(policy.tokenizer), prompt_ids.shape, prompt_ids.device
    ends = torch.tensor(policy.ends, device=device)
    generator = torch.Generator().manual_seed(seed)
    grown = _Growing(policy, prompts, sampling.temperature, prompt_ids, prompt_mask, prompt_mask.new_ones(size))
    # Of the n rows that are still computed: which they are, what has been read, whether they go on, what to read next.
    rows, cache, alive, ids = torch.arange(size, device=device), None, grown.alive, prompt_ids
    mask = torch.cat([prompt_mask, prompt_mask.new_ones(size, sampling.max_new_tokens)], dim=1)
    for t in range(sampling.max_new_tokens):
        predicted = policy(ids, mask[:, :width + t], keep=1, cache=cache, use_cache=True, need_value=need_logprob)
        cache = roomy(predicted.cache, mask.shape[1]) if cache is None else predicted.cache
        logits = predicted.logits[:, -1].float()
        uniform = torch.rand(size, generator=generator, dtype=torch.float64).to(device)[rows]
        token, *said = choose(logits if sampling.temperature == 1 else logits / sampling.temperature, uniform)
        token = torch.where(alive, token, padding)      # [n]
        if need_logprob:
            said.append(logits.new_zeros(len(rows)) if predicted.value is None else predicted.value[:, -1].float())
        grown.columns.append((_of_all(token, rows, size, padding), _of_all(alive, rows, size),
                              *(_of_all(column, rows, size) for column in said)))
        if len(ends):
            alive = alive & ~torch.isin(token, ends)
        grown.alive, left = _of_all(alive, rows, size), int(alive.sum())
        grown.last = t + 1 == sampling.max_new_tokens or left == 0
        yield grown
        if grown.last:
            return
        if DROPPED_AT_ONCE * (len(rows) - left) >= len(rows) and forgets_rows(cache):
            cache.batch_select_indices(alive.nonzero()[:, 0])
            rows, mask, token, alive = rows[alive], mask[alive], token[alive], alive[alive]
        ids = token[:, None]


@torch.no_grad()
def _drawn_elsewhere(policy: Policy, prompts: Sequence[str], sampling: Sampling, seed: int,
                     sampler: Sampler) -> Rollout:
    """A rollout whose tokens another engine drew: all that is said of them is computed here."""
    prompt_ids, prompt_mask = _encoded(policy, prompts, sampling)
    rows = [ids[kept].tolist() for ids, kept in zip(prompt_ids.cpu(), prompt_mask.cpu(), strict=True)]
    drawn = sampler.draw(policy, rows, sampling, seed)
    kept = _kept(policy, drawn, sampling, len(rows), sampler.name)
    ids, mask = (x.to(policy.device) for x in pad_right(kept, pad_id(policy.tokenizer)))
    empty = torch.zeros(mask.shape, device=policy.device)
    ended = torch.tensor([row[-1] in policy.ends for row in kept], device=policy.device)
    rollout = Rollout(prompts=list(prompts), responses=decode(policy.tokenizer, ids, mask, policy.ends),
                      prompt_ids=prompt_ids, prompt_mask=prompt_mask, response_ids=ids, mask=mask, logprob=empty,
                      value=None, ended=ended, temperature=sampling.temperature)
    reading = read(policy, rollout, value=policy.value_head is not None, entropy=True)
    rollout = replace(rollout, logprob=reading.logprob, value=reading.value, entropy=reading.entropy)
    if drawn.logprob is None:
        return rollout
    said = [numbers[:len(row)] for numbers, row in zip(drawn.logprob, kept, strict=True)]
    if any(len(numbers) != len(row) for numbers, row in zip(said, kept, strict=True)):
        raise SamplerError(f"{sampler.name} gives fewer log-probabilities than tokens; expected one of each token.")
    there = empty.masked_scatter(mask, torch.tensor([x for numbers in said for x in numbers], device=empty.device))
    rollout = replace(rollout, sampler_logprob=there)
    _check_gap(policy, rollout, sampler)
    return rollout


def _kept(policy: Policy, drawn: Drawn, sampling: Sampling, size: int, name: str) -> list[list[int]]:
    """Each response up to its first EOS, inclusive. Raises: SamplerError for what the policy cannot have said."""
    if len(drawn.ids) != size:
        raise SamplerError(f"{name} gives {len(drawn.ids)} responses to {size} prompts; expected one to each.")
    ends, known = set(policy.ends), policy.lm.config.get_text_config().vocab_size
    kept = []
    for number, row in enumerate(drawn.ids):
        end = next((t for t, token in enumerate(row) if token in ends), None)
        row = [int(token) for token in (row if end is None else row[:end + 1])]
        if not row or len(row) > sampling.max_new_tokens or (end is None and len(row) < sampling.max_new_tokens):
            raise SamplerError(f"{name} gives {len(row)} tokens to prompt {number + 1}; a response closes with one of "
                               f"{sorted(ends)}, or has max_new_tokens {sampling.max_new_tokens} and no end. Its model "
                               f"ends responses otherwise than the policy, or has less room.")
        if not all(0 <= token < known for token in row):
            raise SamplerError(f"{name} gives token {max(row)}, and the policy knows {known}. It serves another model "
                               f"than the policy.")
        kept.append(row)
    return kept


def sampler_gap(rollout: Rollout) -> Tensor:
    """Mean |log π_there - log π_here| over the response tokens, nats: 0 but for rounding if both hold one model."""
    return masked_mean((rollout.sampler_logprob - rollout.logprob).abs(), rollout.mask)


def _check_gap(policy: Policy, rollout: Rollout, sampler: Sampler) -> None:
    """Raises SamplerError, naming the likely cause, if the engine drew from something else than the policy."""
    gap = sampler_gap(rollout).item()
    if gap <= sampler.limit:
        return
    cause = ("It answers with other weights (another model, or those of an earlier step), or in much coarser numbers.")
    if rollout.temperature != 1:
        plain = replace(rollout, temperature=1.0)
        if sampler_gap(replace(plain, logprob=response_logprob(policy, plain))).item() <= sampler.limit:
            cause = ("It tells them before the temperature is applied, so they cannot be compared: start vLLM with "
                     "--logprobs-mode processed_logprobs, or sample at temperature 1.")
    raise SamplerError(f"the log-probabilities of {sampler.name} differ from the policy's by {gap:.3g} nats a token on "
                       f"average; at most {sampler.limit:g} may be rounding. {cause}")


def _of_all(column: Tensor, rows: Tensor, size: int, filler: int = 0) -> Tensor:
    """A number of each of these rows as one of every row, [n] to [B], with `filler` for those that are dropped."""
    return column if len(rows) == size else column.new_full((size,), filler).index_copy_(0, rows, column)


def _settled(policy: Policy, rollout: Rollout) -> Rollout:
    """A finished rollout with the numbers that learning will see."""
    coarse = torch.is_autocast_enabled(policy.device.type) or not policy.repeats_itself
    if policy.value_trunk is not None or coarse:
        return _recomputed(policy, rollout)
    return rollout


@torch.no_grad()
def _recomputed(policy: Policy, rollout: Rollout) -> Rollout:
    """Log-probabilities and values from one whole pass: where arithmetic is coarse, sampling's own differ slightly."""
    reading = read(policy, rollout, value=policy.value_head is not None)
    return replace(rollout, logprob=reading.logprob, value=reading.value)


def _encoded(policy: Policy, prompts: Sequence[str], sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Ids and mask of prompts that are to be answered, on the policy's device; refuses none, and those without room."""
    check_policy(policy)
    if len(check_texts(prompts, "prompts")) == 0:
        raise ValueError("there are no prompts; give a list with at least one text.")
    prompt_ids, prompt_mask = (x.to(policy.device) for x in encode_prompts(policy.tokenizer, prompts))
    _check_room(policy, prompts, prompt_mask, sampling)
    return prompt_ids, prompt_mask


def check_room(policy: Policy, prompts: Sequence[str], sampling: Sampling) -> None:
    """Raises ValueError, naming the prompt, if the longest one and its response exceed the model's context."""
    _check_room(policy, prompts, encode_prompts(policy.tokenizer, prompts)[1], sampling)


def _check_room(policy: Policy, prompts: Sequence[str], prompt_mask: Tensor, sampling: Sampling) -> None:
    lengths = prompt_mask.sum(-1)
    longest = int(lengths.argmax())
    if policy.context is not None and lengths[longest] + sampling.max_new_tokens > policy.context:
        raise ValueError(f"the longest prompt ({prompts[longest][:40]!r} ...) has {int(lengths[longest])} tokens and "
                         f"max_new_tokens is {sampling.max_new_tokens}, but the model reads {policy.context} at most. "
                         f"Shorten the prompts or lower max_new_tokens.")


def _cut(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    if top_k:
        smallest = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < smallest, -math.inf)
    if top_p < 1:
        ordered, where = logits.sort(-1, descending=True)
        before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)      # probability of all likelier tokens
        cut = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, where, before >= top_p)
        logits = logits.masked_fill(cut, -math.inf)
    return logits
