"""Tokens a second of rollouts and of `generate`, beside transformers' own `generate`: same random model, one thread.

    make bench ARGS=sampling            ROUNDS=7 changes how often; a minute a round

The model is the workload's GPT-2 at two vocabularies. Its end token is made likely enough that a response ends after
some 16 tokens, at most 48, or it can never come. Prompts have 4 to 12 tokens. Everybody draws from the whole softmax,
at most as many tokens, with a cache and the same end token; only tokens that count are counted, the end included.
transformers gets ids and returns ids; the kit gets texts and returns texts, and with a rollout the log-probability,
value and entropy of every token. One JSON line a case, then the table.
"""

from __future__ import annotations

import gc
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import encode_prompts
from rlhf_kit.sampling import Sampling, generate, sample_rollout
from tests.benchmarks.measured import keep
from tests.benchmarks.workload import architecture

VOCABULARIES, BATCHES, NEW_TOKENS, USUAL_LENGTH = (700, 50_000), (16, 64), 48, 16
ROUNDS = int(os.environ.get("ROUNDS", 7))
PEER, ROLLOUT, TEXTS = "transformers", "rollout", "generate"
HEADER = (f"| vocabulary | batch | responses | {PEER}: tokens a CPU second | {ROLLOUT} | {TEXTS} | {ROLLOUT} to {PEER} "
          f"| {TEXTS} to {PEER} |\n|---|---|---|---|---|---|---|---|")


@dataclass
class Case:
    """One vocabulary, batch size and kind of response, with what each participant took in each round."""

    vocabulary: int
    batch: int
    ends: bool
    took: dict[str, list[tuple[int, float, float]]] = field(      # tokens that count, CPU seconds, wall seconds
        default_factory=lambda: {PEER: [], ROLLOUT: [], TEXTS: []})

    def run(self, rounds: int) -> None:
        """Take turns, in the other order each round; the first round warms up and is not kept."""
        participants = self.participants()
        for number in range(rounds + 1):
            for name in list(participants)[:: 1 if number % 2 else -1]:
                gc.collect()
                cpu, wall = time.process_time(), time.perf_counter()
                said = participants[name](number)
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                if number:
                    self.took[name].append((self.counted(said), cpu, wall))

    def participants(self) -> dict[str, Callable]:
        """What each does, given a seed."""
        policy = Policy(language_model(self.vocabulary, self.ends), tokenizer(self.vocabulary, self.ends)).eval()
        lm, end, padding = policy.lm, policy.tokenizer.eos_token_id, policy.tokenizer.pad_token_id
        prompts, sampling = texts(self.vocabulary, self.batch), Sampling(max_new_tokens=NEW_TOKENS)
        ids, mask = encode_prompts(policy.tokenizer, prompts)

        def peer(seed: int) -> torch.Tensor:
            torch.manual_seed(seed)
            return lm.generate(ids, attention_mask=mask.long(), do_sample=True, top_k=0, top_p=1.0, temperature=1.0,
                               max_new_tokens=NEW_TOKENS, eos_token_id=end, pad_token_id=padding, use_cache=True
                               )[:, ids.shape[1]:]

        return {PEER: peer, ROLLOUT: lambda seed: sample_rollout(policy, prompts, sampling, seed).response_ids,
                TEXTS: lambda seed: generate(policy, prompts, sampling, seed=seed)}

    def counted(self, said: torch.Tensor | list[str]) -> int:
        """Tokens up to the first end, inclusive. Of a text: its words, and an end unless it is as long as may be."""
        if isinstance(said, torch.Tensor):
            ended = (said == self.vocabulary - 1).int() if self.ends else torch.zeros_like(said)
            return int((ended.cumsum(-1) - ended == 0).sum())
        words = [len(text.split()) for text in said]
        return sum(min(n + 1, NEW_TOKENS) for n in words) if self.ends else sum(words)

    def rate(self, name: str) -> dict[str, float]:
        """Tokens a CPU second: the median of the rounds, the best of them, and the CPU seconds themselves."""
        rates, cpu = ([f(*one) for one in self.took[name]] for f in (lambda n, c, _: n / c, lambda n, c, _: c))
        return {"median": statistics.median(rates), "best": max(rates), "slowest": min(rates),
                "tokens": sum(n for n, _, _ in self.took[name]), "cpu_s_min": min(cpu),
                "cpu_s_median": statistics.median(cpu), "wall_s_median": statistics.median(
                    wall for _, _, wall in self.took[name])}

    def ratio(self, name: str) -> float:
        """To the peer, the median over rounds of the two that ran side by side."""
        return statistics.median((n / cpu) / (m / other) for (n, cpu, _), (m, other, _) in zip(
            self.took[name], self.took[PEER], strict=True))

    def numbers(self) -> dict:
        """For machines."""
        return {"vocabulary": self.vocabulary, "batch": self.batch, "ends": self.ends,
                **{name: {what: round(x, 4) for what, x in self.rate(name).items()} for name in self.took},
                **{f"{name}_to_{PEER}": round(self.ratio(name), 3) for name in (ROLLOUT, TEXTS)}}

    def __str__(self) -> str:
        cells = [f"{self.vocabulary:,}", self.batch, "end by themselves" if self.ends else "never end",
                 *(f"{self.rate(name)['median']:,.0f} (best {self.rate(name)['best']:,.0f})" for name in self.took),
                 *(f"{self.ratio(name):.2f}" for name in (ROLLOUT, TEXTS))]
        return f"| {' | '.join(map(str, cells))} |"


def language_model(vocabulary: int, ends: bool) -> GPT2LMHeadModel:
    """Random weights, the same for everybody; with `ends` the last id gets a chance of 1 in 16 or so at every place.

    ln_f's bias b adds w_v · b to the logit of word v, as input and output embedding are the same:
    b = c w_end / |w_end|² adds c to the end's, and to the others' noise of c / √d.
    """
    torch.manual_seed(0)
    config = architecture()
    config.vocab_size = vocabulary
    lm = GPT2LMHeadModel(GPT2Config(**config.to_dict())).eval()
    if ends:
        with torch.no_grad():
            word = lm.lm_head.weight[-1]
            lm.transformer.ln_f.bias.copy_(math.log(vocabulary / (USUAL_LENGTH - 1)) * word / word.square().sum())
    return lm


def tokenizer(vocabulary: int, ends: bool) -> PreTrainedTokenizerFast:
    """One word a token; the end token is the last word of the model, or one that it has no logit for."""
    words = {"<pad>": 0} | {f"t{i}": i for i in range(1, vocabulary - ends)} | {"<eos>": vocabulary - ends}
    backend = Tokenizer(models.WordLevel(words, unk_token="t1"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", pad_token="<pad>", padding_side="left")


def texts(vocabulary: int, n: int) -> list[str]:
    """Prompts of 4 to 12 words."""
    generator = torch.Generator().manual_seed(1234)
    lengths = torch.randint(4, 13, (n,), generator=generator).tolist()
    return [" ".join(f"t{i}" for i in torch.randint(1, vocabulary - 1, (length,), generator=generator).tolist())
            for length in lengths]


def main() -> None:
    """Every case after the other; within one, everybody side by side."""
    torch.set_num_threads(1)
    cases = [Case(vocabulary, batch, ends) for vocabulary in VOCABULARIES for batch in BATCHES
             for ends in (False, True)]
    for case in cases:
        case.run(ROUNDS)
        print(json.dumps(case.numbers()), flush=True)
    print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print(HEADER, *cases, sep="\n")
    keep("sampling", "make bench ARGS=sampling", [*HEADER.splitlines(), *map(str, cases)])
