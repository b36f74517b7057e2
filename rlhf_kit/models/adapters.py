"""LoRA adapters, the only door to peft: small matrices beside frozen weights, switched on, off, or merged.

    W x + (α/r) · B A x,      A [r, in] drawn at random, B [out, r] zero: a fresh adapter changes nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class LoRA:
    """The shape of an adapter. Source: Hu et al. 2021, arXiv:2106.09685."""

    rank: int = 16                      # r; adds r·(in + out) numbers to each matrix
    alpha: int = 32                     # the update counts α/r times
    dropout: float = 0.0                # of the adapter's input; 0 for PPO, or the first ratio is not 1
    targets: str | tuple[str, ...] = "all-linear"       # names of modules; all-linear leaves the head out

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1:
            raise ValueError(f"rank is {self.rank} and alpha {self.alpha}; both must be at least 1, such as 16 and 32.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it is a share, at least 0 and below 1.")

    def settings(self, task: Literal["CAUSAL_LM", "SEQ_CLS"] = "CAUSAL_LM") -> Any:
        """The same as peft's `LoraConfig`; for "SEQ_CLS" the new head is trained and saved along."""
        from peft import LoraConfig
        targets = self.targets if isinstance(self.targets, str) else list(self.targets)
        return LoraConfig(r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=targets,
                          task_type=task)
