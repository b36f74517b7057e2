"""A trainer of TRL's as a generator: it works in a thread while the caller waits, and leaves an adapter in a folder."""

from __future__ import annotations

import copy
import gc
import importlib.util
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import SequentialSampler
from transformers import PreTrainedTokenizerBase, PrinterCallback

from rlhf_kit.formulas.records import Step
from rlhf_kit.loops.batches import check_settings, draw_by_length, seed_for
from rlhf_kit.loops.schedules import cosine
from rlhf_kit.methods.trl_bridge.quiet import quiet
from rlhf_kit.models.adapters import sign
from rlhf_kit.models.quantization import KINDS
from rlhf_kit.storage import check_new_folder, new_folder

NEEDED = ("trl", "datasets", "peft", "accelerate")
NOT_OURS = ("training_args.bin", "README.md")           # a pickle, and a card full of blanks: TRL writes both
LONGEST = 1_000_000_000                                 # rows in one run; nobody means more


class CannotTrain(ValueError):
    """A stage cannot run with this model, these settings or on this machine; the message is one line for the user."""


def check(config: Any) -> None:
    """What the configs of both stages have in common. Raises: ValueError, one line."""
    if (config.steps is None) == (config.epochs is None):
        raise ValueError(f"steps is {config.steps} and epochs {config.epochs}; give one of the two and leave the other "
                         f"None.")
    for name in ("steps", "gradient_accumulation", "max_length"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    if config.epochs is not None and not 0 < config.epochs < math.inf:
        raise ValueError(f"epochs is {config.epochs}; it must be above 0, such as 1.")
    check_settings(config.batch_size, config.seed, config.learning_rate, warmup=config.warmup,
                   min_lr_ratio=config.min_lr_ratio, max_grad_norm=config.max_grad_norm)
    if config.quantize not in (None, *KINDS):
        raise ValueError(f"quantize is {config.quantize!r}; expected {' or '.join(map(repr, KINDS))}, or None.")


def check_installed() -> None:
    """Raises CannotTrain if a library is missing that TRL's trainers need."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise CannotTrain(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed; TRL's "
                          f"trainers need {'it' if len(missing) == 1 else 'them'}. pip install \"rlhf-kit[scale]\".")


def check_place(folder: Path | str) -> None:
    """Raises CannotTrain, before hours of training and not after them, if that folder cannot be made; StorageError if
    somebody's own files are in it."""
    folder = Path(folder).absolute()
    above = next(path for path in folder.parents if path.exists())
    if folder.exists() and not folder.is_dir():
        raise CannotTrain(f"{folder} is a file; expected the name of a folder for the adapter.")
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise CannotTrain(f"{folder} cannot be made: {above} takes no new folders. Choose another place.")
    check_new_folder(folder)


def arguments(config: Any, scratch: str, device: str | torch.device | None) -> dict[str, Any]:
    """What TRL's two configs are given alike; `device` None is a GPU if there is one, the launcher's of several."""
    forced = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    cuda = torch.cuda.is_available() and not forced if device is None else torch.device(device).type == "cuda"
    return {
        "output_dir": scratch, "save_strategy": "no", "report_to": "none", "push_to_hub": False, "disable_tqdm": True,
        "logging_steps": 1, "logging_nan_inf_filter": False, "use_cpu": not cuda, "dataloader_pin_memory": cuda,
        "per_device_train_batch_size": config.batch_size, "gradient_accumulation_steps": config.gradient_accumulation,
        "learning_rate": config.learning_rate, "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm, "bf16": config.bf16, "gradient_checkpointing": config.checkpointing,
        "seed": seed_for(config.seed, "trl") % 2**32, "ddp_find_unused_parameters": False}


def in_order(rows: Any, lengths: Sequence[int], config: Any, args: Any) -> Any:
    """The rows as every update of the whole run will see them, one after the other; sets the number of updates.

    An update sees the same rows however many processes share them, and every update sees as many.
    """
    together = config.batch_size * config.gradient_accumulation * args.world_size
    args.max_steps = config.steps or math.ceil(config.epochs * len(rows) / together)
    if args.max_steps * together > LONGEST:
        raise ValueError(f"{args.max_steps} updates of {together} rows are more than {LONGEST:,}; take fewer.")
    return rows.select([i for number in range(args.max_steps)
                        for i in draw_by_length(lengths, together, config.seed, number)])


def padded_with(tokenizer: PreTrainedTokenizerBase, padding: int) -> PreTrainedTokenizerBase:
    """A copy that pads with that id, for TRL to change as it likes; the kit's own is saved."""
    theirs = copy.deepcopy(tokenizer)
    theirs.pad_token = tokenizer.convert_ids_to_tokens(padding)
    return theirs


def bridged(kind: type, config: Any) -> type:
    """TRL's trainer with the kit's order of examples and learning rate, reporting to a `Worker`; nothing is sent."""

    class Bridged(kind):
        worker: Worker

        def _send_telemetry(self) -> None:
            """Which models are trained on this machine, TRL would tell the hub."""

        def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
            return SequentialSampler(self.train_dataset if train_dataset is None else train_dataset)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
            def share(number: int) -> float:
                return cosine(1.0, number, num_training_steps, config.warmup, config.min_lr_ratio)
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, share)
            self._created_lr_scheduler = True
            return self.lr_scheduler

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            super().log(logs, start_time)
            if "loss" not in logs:                              # the summary at the end
                return
            if not math.isfinite(logs["loss"]):
                raise ValueError(f"the loss of step {self.state.global_step} is {logs['loss']}: the model has "
                                 f"diverged. Start again with a lower learning_rate than {config.learning_rate}.")
            if not self.worker.hand_over(logs):
                self.control.should_training_stop = True

    return Bridged


def ready(trainer: Any) -> None:
    """What is trained counts in 32 bits.

    TRL casts everything that is trained on a quantised base to 16: the reward head then does not fit its inputs
    (RuntimeError in the first step), and updates of a hundred-thousandth would be rounded away.
    """
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def updates(build: Callable[[str], tuple[Any, PreTrainedTokenizerBase]], base: Path | str, folder: Path | str,
            metrics: Callable[[dict[str, float], int], dict[str, float]]) -> Iterator[Step]:
    """Yield a `Step` for each update of the trainer that `build(scratch folder)` makes, and leave its adapter.

    `metrics` makes of what the trainer logged, and of the number of rows seen so far, what a step reports. The trainer
    runs in a thread of its own, and only while the caller waits for the next step; in between, whatever it changed for
    the whole process is as the caller had it.
    """
    check_place(folder)
    turn, trainer, worker, tokens = Turn(), None, None, 0
    with tempfile.TemporaryDirectory(prefix="rlhf-kit-", ignore_cleanup_errors=True) as scratch:
        try:
            with turn():
                trainer, tokenizer = build(scratch)
                trainer.remove_callback(PrinterCallback)
                rows = len(trainer.train_dataset) // trainer.args.max_steps
                worker = trainer.worker = Worker(trainer.train, trainer.args.device)
            for number in range(trainer.args.max_steps):
                began = time.perf_counter()
                with turn():
                    logs = worker.ask()
                    seconds = time.perf_counter() - began
                    if number == trainer.args.max_steps - 1:
                        worker.ask()                            # to its end
                        _save(trainer, tokenizer, base, folder)
                seen, tokens = logs["num_tokens"] - tokens, logs["num_tokens"]
                yield Step(number, {"loss": logs["loss"], **metrics(logs, (number + 1) * rows),
                                    "learning_rate": logs["learning_rate"], "grad_norm": logs["grad_norm"],
                                    "tokens_per_second": seen / seconds, "seconds": seconds})
        finally:
            with turn():
                if worker is not None:
                    worker.stop()
                _forget()
                if trainer is not None:
                    trainer = worker = None                     # they refer to each other: only a sweep frees them
                    gc.collect()
                    torch.cuda.empty_cache()                    # does nothing where there is no GPU


class Worker:
    """One thread that does one update whenever it is asked to."""

    def __init__(self, train: Callable[[], Any], device: torch.device) -> None:
        self._train, self._device = train, device
        self._questions, self._answers = SimpleQueue(), SimpleQueue()
        self._thread = Thread(target=self._work, name="trl", daemon=True)

    def ask(self) -> dict[str, float] | None:
        """What the next update logged; None when the training has ended. Raises: what the training raised."""
        if self._thread.ident is None:                          # not begun yet
            self._thread.start()
        self._questions.put(True)
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def stop(self) -> None:
        """End the training after the update that it is at, and wait for that."""
        self._questions.put(False)
        if self._thread.is_alive():
            self._thread.join()

    def hand_over(self, logs: dict[str, float]) -> bool:
        """Called in the thread after an update; waits for the next question and returns True if it is one."""
        self._answers.put(dict(logs))
        return self._questions.get()

    def _work(self) -> None:
        answer = None
        try:
            if self._questions.get():
                if self._device.type == "cuda":
                    torch.cuda.set_device(self._device)
                self._train()
        except BaseException as error:                          # raised again by `ask`, in the caller's thread
            answer = error
        self._answers.put(answer)


class Turn:
    """Inside `turn()`, the trainer's random numbers and silence; outside, the caller's numbers and settings."""

    def __init__(self) -> None:
        self._numbers: tuple | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        callers = _numbers()
        if self._numbers is not None:
            _go_on_from(self._numbers)
        try:
            with quiet():
                yield
        finally:
            self._numbers = _numbers()
            _go_on_from(callers)


def _numbers() -> tuple:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda     # noqa: NPY002 (TRL seeds it)


def _go_on_from(numbers: tuple) -> None:
    random.setstate(numbers[0])
    np.random.set_state(numbers[1])                                                  # noqa: NPY002
    torch.set_rng_state(numbers[2])
    if numbers[3] is not None:
        torch.cuda.set_rng_state_all(numbers[3])


def _save(trainer: Any, tokenizer: PreTrainedTokenizerBase, base: Path | str, folder: Path | str) -> None:
    """Adapter, signed for its base, and tokenizer in `folder`; one process writes, and all go on when it has."""
    first = trainer.is_world_process_zero()
    with new_folder(folder) if first else nullcontext(Path(folder)) as place:
        trainer.save_model(str(place))                          # all take part where the weights are shared out
        if first:
            for name in NOT_OURS:
                (place / name).unlink(missing_ok=True)
            tokenizer.save_pretrained(place)
            sign(place, base)
    trainer.accelerator.wait_for_everyone()


def _forget() -> None:
    """Else the next `Accelerator` in this process would quietly take this run's precision."""
    from accelerate.state import AcceleratorState, GradientState
    AcceleratorState._reset_state()
    GradientState._reset_state()
