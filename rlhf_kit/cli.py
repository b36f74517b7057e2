"""The front door: `rlhf-kit COMMAND`. Bad input gets one line and exit code 2; Ctrl-C loses nothing."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from rlhf_kit import __version__
from rlhf_kit.commands import (
    best_of_n,
    compare,
    data,
    doctor,
    explain,
    export,
    frontier,
    gallery,
    grade,
    human_loop,
    labels,
    labs,
    lessons,
    memory,
    models,
    overoptimisation,
    plot,
    posts,
    push,
    stackllama,
    studio,
    tour,
    train,
)
from rlhf_kit.commands.choices import say_renamed
from rlhf_kit.commands.refusals import in_options
from rlhf_kit.language import say

USER_ERRORS = (ValueError, OSError)         # FileError, RewardError, ModelUnavailable, StorageError are among them


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 the input is wrong, 130 stopped by Ctrl-C."""
    options = _parser().parse_args(arguments)
    command = vars(options).pop("parser")
    options.threads_chosen = "OMP_NUM_THREADS" in os.environ
    _be_quiet()
    for stream in (sys.stdout, sys.stderr):                 # a console that cannot show Chinese gets ?, not an error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        say_renamed(options)
        return options.run(options)
    except KeyboardInterrupt:
        print(f"\n{say(options.lang, 'stopped')}", file=sys.stderr)
        return 130
    except USER_ERRORS as error:
        return _refuse(in_options(_plain(error), command), error)
    except (RuntimeError, MemoryError, IndexError) as error:
        return _refuse(in_options(_for_the_user(error), command), error)


class _Parser(argparse.ArgumentParser):
    """argparse, whose complaint about an option is one line too, in words for people."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.register("type", int, _whole_number)
        self.register("type", float, _number)

    def parse_known_args(self, *arguments):
        """Complain about what is left over here, where the command is known whose help to point to; `parser` is it."""
        options, left = super().parse_known_args(*arguments)
        options.parser = getattr(options, "parser", self)
        if left:
            self.error(f"unknown: {' '.join(left)}")
        return options, left

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, such as 8") from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, such as 0.5") from error


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="rlhf-kit", description="Learn RLHF by doing it.",
                     epilog="RLHF_KIT_CACHE: where tiny models are kept. RLHF_KIT_DEBUG=1: show the traceback of an "
                            "error. OMP_NUM_THREADS: threads; unless it says otherwise, 1 for a tiny model and one a "
                            "core for GPT-2 and larger.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (tour, lessons, studio, train, stackllama, best_of_n, plot, explain, gallery, frontier,
                    overoptimisation, labs, compare, push, labels, human_loop, posts, grade, data, models, memory,
                    export, doctor):
        command.add(commands)
    return parser


def _be_quiet() -> None:
    """Nothing but what a newcomer can use: the libraries' own switches, set before they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")           # two threads get in each other's way on tiny models


def _refuse(message: str, error: Exception) -> int:
    if not message or os.environ.get("RLHF_KIT_DEBUG"):
        raise error
    print(f"rlhf-kit: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _plain(error: ValueError | OSError) -> str:
    """Our own errors speak for themselves; one of the system's names its file first, and no number."""
    named = isinstance(error, OSError) and error.strerror and error.filename
    return f"{error.filename}: {error.strerror}. Name another file or folder." if named else str(error)


def _for_the_user(error: RuntimeError | MemoryError | IndexError) -> str:
    """What to tell a person about it, or nothing if it is a bug of ours."""
    from torch import OutOfMemoryError

    from rlhf_kit.loops.sanity_checks import CheckFailed
    if isinstance(error, OutOfMemoryError):
        return ("the GPU's memory is full. Try a smaller --minibatch-size or --batch-size, shorter responses with "
                "--max-new-tokens, or --device cpu.")
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "this machine's memory is full. Try a smaller --batch-size, or a smaller model."
    if isinstance(error, IndexError) and "index out of range in self" in str(error):     # torch's, of an embedding
        return ("the model was given a token that it has no row for: its tokenizer has more tokens than its embedding. "
                "Save it again after model.resize_token_embeddings(len(tokenizer)).")
    if "home directory" in str(error):
        return "a path begins with the ~ of a user whom this machine does not know. Write the path in full."
    return str(error) if isinstance(error, CheckFailed) else ""


if __name__ == "__main__":
    sys.exit(main())
