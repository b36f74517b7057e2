"""What travels between the rooms of the kit: frozen records, a shape beside each field.

B is responses, P prompt tokens, T response tokens. Masks are True on the tokens that count.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:                       # what reads people's files names these records, and torch takes seconds
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Rollout:
    """One batch of answers, with what the policy believed while it wrote them."""

    prompts: list[str]              # B texts
    responses: list[str]            # B texts
    prompt_ids: Tensor              # [B, P] left-padded
    prompt_mask: Tensor             # [B, P] bool, True on prompt tokens
    response_ids: Tensor            # [B, T] right-padded
    mask: Tensor                    # [B, T] bool, True on response tokens, the closing EOS included
    logprob: Tensor                 # [B, T] nats, when sampled, at `temperature`; 0 where masked out
    value: Tensor | None            # [B, T] the critic's guess before each token; None without a value head
    ended: Tensor                   # [B] bool, True where the response closed with EOS
    temperature: float              # of sampling; log-probabilities use the same
    entropy: Tensor | None = None   # [B, T] nats of the whole next-token distribution, when sampled
    sampler_logprob: Tensor | None = None       # [B, T] nats, as another engine said that drew the tokens; else None

    @property
    def length(self) -> Tensor:
        """[B] tokens per response, the closing EOS included."""
        return self.mask.sum(-1)

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, rows: Tensor | list[int] | slice | int) -> Rollout:
        """The same record for some rows: an index or boolean tensor, a list, a slice, or one number."""
        import torch
        if isinstance(rows, torch.Tensor):
            rows = rows.cpu()
        index = torch.arange(len(self))[rows].reshape(-1)       # one row keeps its batch dimension
        chosen = index.tolist()
        new = {}
        for field in fields(self):
            old = getattr(self, field.name)
            if isinstance(old, torch.Tensor):
                new[field.name] = old[index.to(old.device)]
            elif isinstance(old, list):
                new[field.name] = [old[row] for row in chosen]
        return replace(self, **new)

    def to(self, device: torch.device | str) -> Rollout:
        """The same record with every tensor on `device`."""
        import torch
        tensors = {f.name: getattr(self, f.name) for f in fields(self)
                   if isinstance(getattr(self, f.name), torch.Tensor)}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})

    def texts(self, n: int) -> tuple[str, ...]:
        """The first `n` answers, each after its prompt, for people to read."""
        return tuple(p + r for p, r in zip(self.prompts[:n], self.responses[:n], strict=True))


@dataclass(frozen=True)
class Turn:
    """What one side said in a conversation."""

    role: str                       # "system", "user", "assistant" or "tool"
    text: str


Chat = tuple[Turn, ...]             # a conversation, from its first turn on


@dataclass(frozen=True)
class Comparison:
    """Of two answers to one prompt, the one that was preferred and the one that was not."""

    prompt: str
    chosen: str
    rejected: str
    margin: float | None = None     # how much better, in the labeler's units; None if nobody said


@dataclass(frozen=True)
class Labelled:
    """One answer that was called good or bad."""

    prompt: str
    response: str
    good: bool


@dataclass(frozen=True)
class Ranking:
    """K answers to one prompt, each with its rank; equal ranks are a tie."""

    prompt: str
    responses: tuple[str, ...]      # K texts
    ranks: tuple[int, ...]          # K numbers, 1 = best

    def __post_init__(self):
        object.__setattr__(self, "responses", tuple(self.responses))    # JSON hands us lists
        object.__setattr__(self, "ranks", tuple(self.ranks))
        if len(self.responses) != len(self.ranks):
            raise ValueError(f"a ranking has {len(self.responses)} responses but {len(self.ranks)} ranks; "
                             f"give each response one rank, 1 for the best.")

    def pairs(self) -> list[Comparison]:
        """Every pair with a winner, at most K(K-1)/2 of them; ties say nothing and are dropped."""
        ranked = list(zip(self.ranks, self.responses, strict=True))
        found = []
        for (rank_a, a), (rank_b, b) in combinations(ranked, 2):
            if rank_a < rank_b:
                found.append(Comparison(self.prompt, chosen=a, rejected=b))
            elif rank_b < rank_a:
                found.append(Comparison(self.prompt, chosen=b, rejected=a))
        return found


@dataclass(frozen=True)
class RuleLabel:
    """Whether an answer breaks a rule, as somebody saw it."""

    prompt: str
    response: str
    rule: str                       # its text
    level: str                      # one of `rule_reward.LEVELS`, from "definitely broken" to "definitely followed"


@dataclass(frozen=True)
class Step:
    """What one update of any method reports; numbers and texts, no tensors: a long history costs nothing."""

    number: int                     # from 0; shown to people from 1
    metrics: dict[str, float]
    samples: tuple[str, ...] = ()

    def __post_init__(self):
        numbers = {name: float(value.detach() if hasattr(value, "detach") else value)
                   for name, value in self.metrics.items()}
        object.__setattr__(self, "metrics", numbers)
        object.__setattr__(self, "samples", tuple(self.samples))
