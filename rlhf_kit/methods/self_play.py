"""Self-play: a model continues dialogues on both sides, and those turns that are valid and good are played on from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.batches import seed_for
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import prompt_rows
from rlhf_kit.rewards import one_turn
from rlhf_kit.sampling import Sampling, generate

STATEMENTS = 12                     # of a dialogue at most (arXiv:2209.14375)


@spelled
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings; the marks are those by which the model knows who speaks."""

    user: str = "User:"
    assistant: str = "Assistant:"
    between: str = "\n\n"           # turns
    statements: int = STATEMENTS    # of both sides together; a dialogue that has so many is not played on
    keep: int = 256                 # dialogues in the buffer, the latest
    above: float = 0.5              # share of a batch's valid turns that are too bad to be kept
    sampling: Sampling = field(default_factory=Sampling)        # of the user's statements
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.user.strip() or not self.assistant.strip() or self.user == self.assistant or not self.between:
            raise ValueError(f"the marks are {self.user!r}, {self.assistant!r} and {self.between!r}; expected one for "
                             f"each side, and something between turns.")
        if self.statements < 2 or self.keep < 1 or not 0 <= self.above < 1:
            raise ValueError(f"statements is {self.statements}, keep {self.keep} and above {self.above}; expected at "
                             f"least 2, at least 1, and a share below 1.")


class Buffer:
    """Dialogues that end with a good answer of the assistant, to be played on from.

        buffer.offer(rollout.prompts, rollout.responses, scores)        # after a step of reinforcement learning
        prompts = buffer.prompts(policy, 16, number)                    # the user's next statements, for a later step

    What is no valid turn never enters: an empty answer, or one in which somebody else begins to speak. Nor does a
    user's statement that is empty, does not end, or speaks for the assistant.

    Source: Glaese et al. 2022, arXiv:2209.14375, as its digests describe it.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = given(config, Config)
        self._dialogues: list[str] = []

    def __len__(self) -> int:
        return len(self._dialogues)

    def valid(self, response: str) -> bool:
        """True of one turn and nothing else."""
        return one_turn((self.config.user, self.config.assistant))("", response)

    def offer(self, prompts: Sequence[str], responses: Sequence[str], scores: Sequence[float]) -> int:
        """Keep the valid turns that score in the better part of them; returns how many. Raises: ValueError."""
        if not len(prompts) == len(responses) == len(scores):
            raise ValueError(f"there are {len(prompts)} prompts, {len(responses)} responses and {len(scores)} scores; "
                             f"expected as many of each.")
        ranked = sorted(((float(score), prompt + response) for prompt, response, score in zip(
            prompts, responses, scores, strict=True) if self.valid(response)), reverse=True)
        good = [text for _, text in ranked[:len(ranked) - int(self.config.above * len(ranked))]]
        fresh = [text for text in dict.fromkeys(good) if text not in self._dialogues
                 and self._statements(text) < self.config.statements]
        self._dialogues = [*self._dialogues, *fresh][-self.config.keep:]
        return len(fresh)

    def prompts(self, policy: Policy, n: int, number: int) -> list[str]:
        """Up to n dialogues, each with another statement of its user, which the model writes, and the assistant's mark.

        Args: number: of the step, from which the draws follow, with the seed. Returns fewer where there are fewer, or
            where the model writes no statement. Raises: ValueError.
        """
        check_policy(policy)
        config, rng = self.config, random.Random(seed_for(self.config.seed, "self-play", number))
        opened = [f"{text}{config.between}{config.user}" for text in rng.sample(self._dialogues, min(n, len(self)))]
        if policy.context is not None and opened:
            rows, room = prompt_rows(policy.tokenizer, opened), 2 * config.sampling.max_new_tokens      # both sides'
            opened = [text for text, row in zip(opened, rows, strict=True) if len(row) + room <= policy.context]
        if not opened:
            return []
        found = []
        for text, said in zip(opened, generate(policy, opened, config.sampling, seed=seed_for(
                config.seed, "statement", number)), strict=True):
            statement, ended, _ = said.partition(config.between)
            if ended and self.valid(statement):
                found.append(f"{text}{statement}{config.between}{config.assistant}")
        return found

    def state_dict(self) -> dict[str, Any]:
        """What it holds, for a checkpoint."""
        return {"dialogues": list(self._dialogues)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self._dialogues = list(state["dialogues"])

    def _statements(self, text: str) -> int:
        return text.count(self.config.user) + text.count(self.config.assistant)
