"""A trainer whose `train()` is a single call, step by step: it runs in a thread, which waits after each."""

import queue
import threading
from collections.abc import Iterator

from transformers import TrainerCallback


def paused(trainer: object) -> Iterator[int]:
    """The number of each step, once it is taken; the next begins when it is asked for."""
    done, go = queue.Queue(), threading.Semaphore(0)

    class Pause(TrainerCallback):
        def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
            done.put(state.global_step)
            go.acquire()

    trainer.add_callback(Pause())

    def train() -> None:
        try:
            trainer.train()
        except BaseException as error:
            done.put(error)
    threading.Thread(target=train, daemon=True).start()
    while True:
        step = done.get(timeout=300)
        if isinstance(step, BaseException):
            raise step
        yield step
        go.release()
