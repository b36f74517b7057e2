"""`rlhf-kit best-of-n`: every prompt answered n times, the best answer kept, and what n is worth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import zoo
from rlhf_kit.datasets.door import OPTIONS, Account, Brought, bring, columns_in, named
from rlhf_kit.evaluate import FEW, best_of_n_curve
from rlhf_kit.formulas.best_of_n import kl_bound
from rlhf_kit.formulas.records import Chat
from rlhf_kit.jobs import scores, written
from rlhf_kit.jobs.questions import EVALUATED, as_read
from rlhf_kit.jobs.settings import SMALL, check_task, use_threads, with_task_room, world
from rlhf_kit.language import Lang
from rlhf_kit.methods import best_of_n
from rlhf_kit.methods.best_of_n import Draws
from rlhf_kit.models.tiny import parameters
from rlhf_kit.rewards import Reward, gold, of_chats, range_of
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import StorageError, write_json_lines

SHOWN = 10                          # prompts in the result


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which model answers what how often, and who chooses."""

    model: str                              # a tiny model's name, a folder, or a hub id
    n: int = 16                             # answers to each prompt
    judge: str | None = None                # a classifier or a reward model chooses
    label: str = "positive"                 # of a classifier: the output that is the score
    reward: str | None = None               # or a function: my_reward.py:reward
    prompts: str | None = None              # a file, a folder of them, or a set on the hub; None = a made-up world's
    column: str = "prompt"
    columns: str | None = None
    template: str | None = None             # that conversations are written by; None = the model's own
    task: str | None = None                 # a made-up world by name
    lang: Lang = "en"
    limit: int | None = None                # prompts at most
    max_new_tokens: int | None = None       # None = by the model's size
    temperature: float = 1.0
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        scores.check_one(self.judge, self.reward, self.label)
        if self.limit is not None and self.limit < 2:
            raise ValueError(f"--limit is {self.limit}; at least 2 prompts are needed for an interval.")
        if self.prompts is None and (self.column != "prompt" or self.columns is not None):
            raise ValueError("--prompt-column is one of a file of prompts, and there is none. Name it with --prompts.")
        columns_in(self.columns)
        check_task(self.task, self.prompts, "--prompts")
        self.config(Sampling())

    def config(self, usual: Sampling) -> best_of_n.Config:
        """Raises: ValueError for what means nothing."""
        length = {} if self.max_new_tokens is None else {"max_new_tokens": self.max_new_tokens}
        sampling = replace(usual, temperature=self.temperature, **length)
        return best_of_n.Config(n=self.n, seed=self.seed, sampling=sampling)

    @cached_property
    def brought(self) -> Brought | None:
        """What the file holds, read once. Raises: datasets.reading.FileError."""
        column = None if self.column == "prompt" else self.column
        return None if self.prompts is None else bring(self.prompts, "prompts", named(self.columns, prompt=column),
                                                       OPTIONS)

    def understood(self) -> Account | None:
        """What was understood of the file of prompts."""
        return None if self.brought is None else self.brought.account

    def run(self, output: str | Path | None = None, threads: int | None = None) -> Iterator[tuple[int, int] | dict]:
        """Yield (prompts answered, of how many) as they are, and at the end the result as plain JSON values.

        Args:
            output: a .jsonl for every draw, a row a prompt; what it holds already of this same choice is not drawn
                again. None keeps nothing.

        Raises: ValueError, OSError, one line, before the first answer; StorageError if `output` is of another choice.
        """
        score = scores.asked(self.judge, self.reward, self.label, device=self.device,
                             rows=() if self.brought is None else self.brought.rows)
        policy = zoo.load_policy(self.model, value_head=False, device=self.device)
        use_threads(threads, policy)
        usual = (zoo.TINY_PPO if parameters(policy) < SMALL else zoo.GPT2_PPO).sampling
        if self.brought is None:
            usual = with_task_room(usual, world(self.task, self.lang))
        config = self.config(usual)
        asked, chats, watch = self._asked(policy.tokenizer)
        if chats:
            score = scores.on_chats(score, chats, self.judge)
        past = [] if output is None else _past(output, self._told(config), [as_read(prompt, chats) for prompt in asked])
        past = past[:len(past) // config.batch_size * config.batch_size] if len(past) < len(asked) else past
        found = [Draws(prompt, tuple(row["responses"]), tuple(row["scores"]), row["best"], row["logprob"],
                       {name: tuple(x) for name, x in row["others"].items()}, tuple(row["ended"]))
                 for prompt, row in zip(asked, past, strict=False)]
        yield len(found), len(asked)
        if len(found) < len(asked):
            for one in best_of_n.draws(policy, asked, score, config, evaluation_rewards=watch, begin=len(found)):
                found.append(one)
                if len(found) % config.batch_size == 0 or len(found) == len(asked):
                    if output is not None:
                        write_json_lines(output, [self._row(one, config, chats) for one in found])
                    yield len(found), len(asked)
        yield self._result(found, config, chats, {"score": score, **watch})

    def _asked(self, tokenizer: Any) -> tuple[list[str], Mapping[str, Chat], dict[str, Reward]]:
        """Prompts as the model reads them, which of them were conversations, and what is known of the truth."""
        if self.brought is None:
            known = world(self.task, self.lang)
            found = written.prompts(known.prompts("heldout", self.limit or EVALUATED), tokenizer, self.template,
                                    self.model)
            truth = gold(known)
            return found.items, found.chats, {"gold": of_chats(truth, found.chats) if found.chats else truth}
        found = written.prompts(self.brought.items, tokenizer, self.template, self.model)
        asked = found.items[:self.limit]
        if len(asked) < 2:
            raise ValueError(f"{self.prompts} has {len(asked)} prompt that can be asked; at least 2 are needed for an "
                             f"interval. Give more.")
        return asked, found.chats, {}

    def _told(self, config: best_of_n.Config) -> dict[str, Any]:
        """What a row says of how it came about."""
        label = {} if self.label == "positive" else {"label": self.label}
        return {"model": self.model, "chosen_by": self.judge or self.reward, **label, "n": self.n, "seed": self.seed,
                "sampling": asdict(config.sampling)}

    def _row(self, one: Draws, config: best_of_n.Config, chats: Mapping[str, Chat]) -> dict[str, Any]:
        return {"prompt": as_read(one.prompt, chats), "response": one.response, "best": one.best,
                "score": one.scores[one.best], "responses": one.responses, "scores": one.scores,
                "ended": one.ended, "logprob": one.logprob, "others": dict(one.others), **self._told(config)}

    def _result(self, found: Sequence[Draws], config: best_of_n.Config, chats: Mapping[str, Chat],
                rewards: Mapping[str, Reward]) -> dict[str, Any]:
        chosen_by = torch.tensor([one.scores for one in found])
        curves = {}
        for name, reward in rewards.items():
            value = chosen_by if name == "score" else torch.tensor([one.others[name] for one in found])
            curve = best_of_n_curve(chosen_by, value, range_of(reward))
            curves[name] = [{"best_of": n, **asdict(curve[n - 1])} for n in _shown(self.n)]
        return {"job": "best_of_n", **self._told(config), "prompts": len(found), "curves": curves,
                "kl": {"bound": kl_bound(self.n).item(),
                       "estimate": sum(one.kl_estimate for one in found) / len(found)},
                "reward_calls": self.n * len(found), "few": len(found) < FEW,
                "eos_rate": sum(map(sum, (one.ended for one in found))) / (self.n * len(found)),
                "samples": [{**self._row(one, config, chats), "response": one.response} for one in found[:SHOWN]]}


def _shown(n: int) -> list[int]:
    """1, 2, 4, 8 ... and n."""
    return sorted({n, *(2**k for k in range(n.bit_length()) if 2**k <= n)})


def _past(output: str | Path, told: Mapping[str, Any], asked: Sequence[str]) -> list[dict[str, Any]]:
    """The rows that a stopped run of the same choice left. Raises: StorageError for anything else."""
    path = Path(output)
    if not path.exists() or path.stat().st_size == 0:
        return []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        same = len(rows) <= len(asked) and all({name: row[name] for name in told} == json.loads(json.dumps(told))
                                              for row in rows)
        same = same and all(row["prompt"] == prompt and row.get("label") == told.get("label")
                            for row, prompt in zip(rows, asked, strict=False))
        same = same and all(len(row["responses"]) == len(row["ended"]) == told["n"] for row in rows)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        same = False
    if not same:
        raise StorageError(f"{output} is there, and is no part of this choice: another model, judge, n, seed or other "
                           f"prompts. Name another file with --output.")
    return rows
