"""Several processes that train one model together, each on its shard of the batch; their sums are as if one had all.

    gradient of the whole batch = Σ over processes  (its tokens / all tokens) · gradient of the mean over its tokens

Nothing is wrapped: every process holds the whole model, and after each backward pass the gradients of what learns are
added up. With an adapter that is little, however large the base.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from rlhf_kit.storage import StorageError

Item = TypeVar("Item")
PATIENCE = timedelta(days=30)       # of processes that wait for one that works alone


class Accelerator(Protocol):
    """What is asked of an `accelerate.Accelerator`."""

    num_processes: int
    process_index: int

    def reduce(self, tensor: Tensor, reduction: str = "sum") -> Tensor: ...

    def gather(self, tensor: Tensor) -> Tensor: ...

    def pad_across_processes(self, tensor: Tensor, dim: int = 0, pad_index: int = 0) -> Tensor: ...


class ProcessGroup:
    """The processes of a run; without an accelerator there is one, and everything here is the identity."""

    def __init__(self, accelerator: Accelerator | None = None) -> None:
        self._accelerator = accelerator
        self.size: int = 1 if accelerator is None else accelerator.num_processes
        self.rank: int = 0 if accelerator is None else accelerator.process_index

    @property
    def is_main(self) -> bool:
        """True in the one process that writes files."""
        return self.rank == 0

    @property
    def identity(self) -> dict[str, Any]:
        """What a run's identity says of its processes: nothing if there is one, since draws depend on their number."""
        return {} if self.size == 1 else {"processes": self.size}

    def seed_parts(self, *parts: int | str) -> tuple[int | str, ...]:
        """`parts` of a seed, and the rank where there are several processes, so that each draws differently."""
        return parts if self.size == 1 else (*parts, self.rank)

    def divided(self, name: str, number: int | None) -> int | None:
        """This process's part of a number of responses. Raises: ValueError if it cannot be divided."""
        return divided(name, number, self.size)

    def shard(self, items: Sequence[Item]) -> list[Item]:
        """Every size-th item, beginning with this process's own."""
        return list(items[self.rank::self.size])

    def sum(self, x: Tensor) -> Tensor:
        """Σ of a tensor over the processes, the same in all of them."""
        return x if self.size == 1 else self._accelerator.reduce(x.detach().clone(), "sum")

    def weight(self, tokens: Tensor) -> Tensor:
        """Which part of all tokens are this process's, a scalar in [0, 1]."""
        if self.size == 1:
            return torch.ones((), device=tokens.device)
        return tokens / self.sum(tokens.float()).clamp(min=1)

    def totals(self, numbers: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """The sum of each number over the processes."""
        if self.size == 1:
            return dict(numbers)
        summed = self.sum(torch.tensor(list(numbers.values()), dtype=torch.float64, device=device))
        return dict(zip(numbers, summed.tolist(), strict=True))

    def means(self, numbers: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """The mean of each number over the processes, which hold shards of one size."""
        return self.totals({name: number / self.size for name, number in numbers.items()}, device)

    def gathered(self, formula: Callable[[Tensor, Tensor], Tensor], x: Tensor, mask: Tensor) -> Tensor:
        """This process's rows of formula(x, mask), the formula being of the whole batch: [B, T]."""
        if self.size == 1:
            return formula(x, mask)
        wide, wide_mask = (self._accelerator.gather(self._accelerator.pad_across_processes(t, dim=1))
                           for t in (x, mask.long()))
        rows = slice(self.rank * len(x), (self.rank + 1) * len(x))
        return formula(wide, wide_mask.bool())[rows, :x.shape[1]]

    def check_resumed(self, behind: int, device: torch.device) -> None:
        """Whether every process goes on from the same step, before anything is trained.

        Raises: StorageError in all of them, one line, where they found different checkpoints.
        """
        if self.size == 1:
            return
        mine = torch.zeros(self.size, dtype=torch.float64, device=device)
        mine[self.rank] = behind
        steps = [int(number) for number in self.sum(mine).tolist()]
        if len(set(steps)) > 1:
            found = ", ".join(f"{number} in process {rank}" for rank, number in enumerate(steps[:8]))
            raise StorageError(f"the processes find different numbers of steps in the checkpoint ({found}): its folder "
                               f"is not on a disk that all machines share. Name one that is, or copy the folder of "
                               f"process 0 to every machine.")

    def all_reduce_gradients(self, model: nn.Module) -> None:
        """Replace the gradient of everything that learns by its sum over the processes, in one message."""
        if self.size == 1:
            return
        learning = [p for p in model.parameters() if p.requires_grad]
        for p in learning:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        summed = self.sum(torch.cat([p.grad.flatten().float() for p in learning]))
        for p, gradient in zip(learning, summed.split([p.numel() for p in learning]), strict=True):
            p.grad.copy_(gradient.view_as(p))

    def broadcast(self, model: nn.Module) -> None:
        """Give every process the main one's numbers of everything that learns."""
        if self.size == 1:
            return
        for p in (p for p in model.parameters() if p.requires_grad):
            mine = p.detach() if self.is_main else torch.zeros_like(p)
            p.data.copy_(self.sum(mine))


def divided(name: str, number: int | None, processes: int) -> int | None:
    """One process's part of a number of responses. Raises: ValueError if it cannot be divided."""
    if number is not None and number % processes:
        raise ValueError(f"{name} is {number} and there are {processes} processes; it counts the responses of all "
                         f"of them together and must be a multiple of {processes}.")
    return number if number is None else number // processes


def here() -> tuple[int, int]:
    """(rank, number of processes) of this run, as torchrun and `accelerate launch` tell each of them."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def joined(device: str = "cpu") -> Accelerator | None:
    """What ties this run's processes together; None if it has one."""
    if here()[1] == 1:
        return None
    from accelerate import Accelerator as Real
    return Real(cpu=device == "cpu")


def wait(device: str = "cpu") -> None:
    """Go on when every process has come here, however long the last one takes.

    While one process merges or evaluates, the others do nothing for hours, and NCCL's collectives give up after ten
    minutes. So they meet in a group of their own, gloo's, whose patience is longer. Where one dies, the others fail at
    once.
    """
    if here()[1] > 1:
        from accelerate import PartialState
        state = PartialState(cpu=device == "cpu")
        if torch.distributed.is_initialized():
            torch.distributed.barrier(group=_waiting_room())
        else:
            state.wait_for_everyone()


@cache
def _waiting_room() -> Any:
    """Made once; all processes come here for the first time together."""
    return torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
