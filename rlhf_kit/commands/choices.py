"""What the training commands take from their options: a device that is there, and the settings that were named."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rlhf_kit.language import LANGS, Lang, say, system_language
from rlhf_kit.runs.trackers import TRACKERS

SHOWN = 3                           # rows of a file, unless a number is named
TWICE = 4 * 2**20                   # bytes; reading so much takes a second, importing torch several
FILES = ".jsonl, .json, .csv, .tsv, .parquet, .arrow or .txt, a folder of them, or a set on the hub"
MODEL = "a tiny model (see rlhf-kit models), a folder, or a name on the Hugging Face hub"
TASK = ("a made-up world: reviews-en, reviews-zh, forum-en, forum-zh, translation, arithmetic, assistant-en, "
        "assistant-zh (or forum, assistant, in the language of --lang), or my_task.py:Weather, one in a Python file of "
        "yours, which is run")


def world_of(options: argparse.Namespace) -> tuple[Lang, str | None]:
    """Language and task of the made-up world that is asked for; None stands for the reviews of that language.

    A task that stands in a file is run and registered now. Without one, the model's language counts if it is a tiny
    one, else --lang. Raises: ValueError, one line.
    """
    from rlhf_kit import tasks
    if options.task is None:
        return tasks.tiny_lang(getattr(options, "model", None)) or options.lang, None
    task = tasks.in_language(options.task, options.lang)
    lang = getattr(tasks.find(task), "lang", options.lang)
    return lang, None if task == f"reviews-{lang}" and task in tasks.OWN else task


class _Old(argparse.Action):
    """An option's name of before: does what the new one does, and is remembered, to be said once."""

    def __call__(self, parser: argparse.ArgumentParser, options: argparse.Namespace, value: Any,
                 option: str | None = None) -> None:
        setattr(options, self.dest, value)
        options.renamed = {**getattr(options, "renamed", {}), option: self.const}


def renamed(parser: argparse.ArgumentParser, old: str, new: str) -> None:
    """Let `old` go on working for a release, as another name of the option `new`."""
    [action] = [action for action in parser._actions if new in action.option_strings]
    parser.add_argument(old, dest=action.dest, type=action.type, action=_Old, const=new, default=argparse.SUPPRESS,
                        help=argparse.SUPPRESS)


def hidden(parser: argparse.ArgumentParser, *names: str) -> None:
    """Leave options out of the help: the method refuses them, and its refusal says what to give instead."""
    for action in parser._actions:
        if set(names) & set(action.option_strings):
            action.help = argparse.SUPPRESS


def say_renamed(options: argparse.Namespace) -> None:
    """Name the new names of old options, on standard error."""
    for old, new in getattr(options, "renamed", {}).items():
        print(say(options.lang, "option_renamed", old=old, new=new), file=sys.stderr)


def of_files(parser: argparse.ArgumentParser) -> None:
    """What the parts of a file are called, and how conversations are written."""
    parser.add_argument("--columns", metavar="PART=COLUMN,...", help="what the parts are called in the file, where "
                                                                     "that is not plain: prompt=question,chosen=better")
    template_option(parser)


def common(parser: argparse.ArgumentParser) -> None:
    """What every method takes."""
    parser.add_argument("--output", metavar="DIR", required=True, help="where results go")
    parser.add_argument("--steps", metavar="N", type=int, help="updates")
    parser.add_argument("--batch-size", metavar="N", type=int, help="texts, rankings or responses per step")
    parser.add_argument("--learning-rate", metavar="RATE", type=float, help="(default: by the model's size)")
    parser.add_argument("--seed", metavar="N", type=int, help="another seed, another run (default: 0)")
    scaled(parser)
    parser.add_argument("--device", default="auto", help="cpu, cuda, ... (default: a GPU if there is one, unless the "
                                                         "model is tiny)")
    parser.add_argument("--lang", choices=LANGS, default=system_language(),
                        help="of what is printed, and of the made-up reviews unless the model is tiny (default: the "
                             "system's, %(default)s)")
    parser.add_argument("--task", metavar="NAME", help=f"{TASK} (default: made-up reviews)")
    tracked(parser)
    parser.add_argument("--show", metavar="N", type=int, nargs="?", const=SHOWN, action=_Shown,
                        help="print what the first N rows of the data become, token by token, and counts of all; "
                             "nothing is trained, and --output may be left out (N: %(const)s)")
    parser.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")


class _Shown(argparse.Action):
    """`--show`: nothing is trained, and so `--output` need not be named."""

    def __call__(self, parser: argparse.ArgumentParser, options: argparse.Namespace, value: Any,
                 option: str | None = None) -> None:
        setattr(options, self.dest, value)
        for action in parser._actions:
            if action.dest == "output":
                action.required = False


def look_at(options: argparse.Namespace, path: str, want: str, **columns: str | None) -> None:
    """Read a file now, for the sake of an error. Raises: FileError."""
    from rlhf_kit.datasets.door import OPTIONS, bring, named
    bring(path, want, named(options.columns, **columns), OPTIONS)


def tracked(parser: argparse.ArgumentParser) -> None:
    """`--track`, of every command that trains."""
    parser.add_argument("--track", choices=TRACKERS, help="follow the run in this program, on this machine: trackio, "
                                                          "tensorboard or wandb (offline, unless WANDB_MODE says "
                                                          "otherwise); pip install it first")


def check_names(*names: str | None) -> None:
    """Refuse a slip in the name of a tiny model, before torch is imported and the hub is asked.

    Raises: ValueError, one line, with the nearest.
    """
    from rlhf_kit import tasks
    for name in names:
        if name is not None and (why := tasks.slip(name)) is not None:
            raise ValueError(why)


def check_models(*names: str | None) -> None:
    """`check_names`, and of a folder that it may hold a model. Raises: ValueError, ModelUnavailable, one line."""
    from rlhf_kit import tasks
    from rlhf_kit.models.places import ModelUnavailable, found
    check_names(*names)
    tiny = tasks.tiny_names()
    for name in names:
        try:
            if name not in (None, "new", *tiny):
                found(name)
        except ModelUnavailable as error:
            raise ModelUnavailable(f"{error} Offline names: {', '.join(sorted(tiny))}.") from error


def asked(parser: argparse.ArgumentParser) -> None:
    """How prompts are found in a file of them, and how conversations are written."""
    parser.add_argument("--prompt-column", dest="column", metavar="COLUMN", default="prompt",
                        help="its column of prompts (default: %(default)s)")
    parser.add_argument("--columns", metavar="PART=COLUMN,...", help="what the parts are called in the file, where "
                                                                     "that is not plain: prompt=question,system=rules")
    template_option(parser)


def look_prompts(options: argparse.Namespace) -> None:
    """A small file of prompts is read before the seconds that torch takes. Raises: FileError, one line."""
    if small(options.prompts):
        from rlhf_kit.datasets.door import OPTIONS, bring, named
        column = None if options.column == "prompt" else options.column
        bring(options.prompts, "prompts", named(options.columns, prompt=column), OPTIONS)


def judged(parser: argparse.ArgumentParser, about: str = " to please", several: bool = False) -> None:
    """What scores a response: a model, or a function; or several of them."""
    parser.add_argument("--judge", metavar="MODEL", help=f"the classifier or reward model{about}")
    parser.add_argument("--judge-class", dest="label", metavar="NAME", default="positive",
                     help="of a classifier: the class whose probability is the score, by name (%(default)s)")
    more = {"action": "append"} if several else {}
    parser.add_argument("--reward", metavar="FILE.py:NAME", **more,
                        help=f"or a function (prompts, responses) -> numbers; the file is run"
                             f"{'; repeatable, also beside a judge' * several}")


def numbers(text: str) -> tuple[float, ...]:
    """ "0.7,0.8" as numbers, for argparse."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} are no numbers; expected some with commas between them, such as "
                                         f"0.7,0.8,0.9") from error


def template_option(parser: argparse.ArgumentParser) -> None:
    """How conversations become text."""
    parser.add_argument("--template", metavar="NAME", help="how conversations are written: own (the model's; the "
                                                           "default), chatml, llama-3, gemma, mistral, zephyr; plain "
                                                           "prompts are then asked as questions")


def labelled_columns(parser: argparse.ArgumentParser) -> None:
    """Which columns of a file of labelled texts are meant, and what its labels mean."""
    parser.add_argument("--text-column", dest="text", metavar="COLUMN", default="text",
                        help="its column of texts (default: %(default)s)")
    parser.add_argument("--label-column", dest="label", metavar="COLUMN", default="label",
                        help="its column of labels (default: %(default)s)")
    for old in ("text", "label"):
        renamed(parser, f"--{old}", f"--{old}-column")
    parser.add_argument("--positive", metavar="VALUE", help="the label of a good one, where its name does not say so")
    parser.add_argument("--positive-from", metavar="N", type=float,
                        help="labels are numbers, such as stars: from N on is good, such as 4, and below is bad "
                             "(default: of 1 to 5, half stars and 1 to 10 the middle is left out)")


def look_labelled(path: str | None, options: argparse.Namespace) -> None:
    """Read the file now, for the sake of an error. Raises: FileError."""
    if small(path):
        from rlhf_kit.datasets.labelled import FileReviews
        FileReviews.read(path, text=options.text, label=options.label, positive=options.positive,
                         positive_from=options.positive_from)


def small(path: str | None) -> bool:
    """True if a file is there to be read twice: once now, before torch is imported, and once by the job.

    One that is not there is read now, too, for the sake of the error.
    """
    if path is None:
        return False
    place = Path(path).expanduser()
    return not place.is_file() or place.stat().st_size <= TWICE


def scaled(parser: argparse.ArgumentParser) -> None:
    """How a training fits its machine, alike for every method."""
    parser.add_argument("--lora", metavar="R", type=int, help="train an adapter of that rank on the model, which stays "
                                                              "as it is; 0: all weights (default: 16 from a billion "
                                                              "parameters on, or with --quantize)")
    parser.add_argument("--top", metavar="SHARE", type=float, help="let only that share of the layers learn, the last "
                                                                   "ones, such as 0.2 (default: all)")
    parser.add_argument("--quantize", choices=("int8", "nf4"), help="hold the model in 8 or 4 bits; an adapter learns")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="of what is multiplied, and of a model that "
                                                                         "stays as it is (default: float32)")
    parser.add_argument("--micro-batch", metavar="N", type=int, help="texts, rankings or responses in memory at once; "
                                                                     "changes no result but by rounding (default: 4 "
                                                                     "from a billion parameters on)")
    parser.add_argument("--activation-checkpointing", action="store_true", default=None,
                        help="keep each block's input only and compute the rest anew: less memory, a third more time "
                             "(default: from a billion parameters on)")
    parser.add_argument("--save-every", metavar="N", type=int, help="keep the model, and a checkpoint, after every N "
                                                                    "updates: snapshots/step-0050")
    parser.add_argument("--more-steps", metavar="N", type=int, help="let the finished run in --output go on for N more "
                                                                    "updates, with the same settings")


def scale_of(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a job that `scaled` names."""
    return {name: getattr(options, name) for name in ("lora", "quantize", "dtype", "micro_batch",
                                                      "activation_checkpointing", "save_every", "top")}


def changes_in(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def device_of(options: argparse.Namespace) -> str:
    """The device asked for. Raises: ValueError if this machine has none of that name."""
    import torch

    from rlhf_kit.zoo import is_tiny
    if options.device == "auto":
        tiny = options.model == "new" or (options.model is not None and is_tiny(options.model))
        return "cuda" if torch.cuda.is_available() and not tiny else "cpu"
    try:
        torch.zeros(1, device=options.device).item()
    except (RuntimeError, AssertionError) as error:
        there = "cpu and cuda" if torch.cuda.is_available() else "cpu only"
        raise ValueError(f"--device is {options.device!r}; this machine has {there}. Leave --device out, and the kit "
                         f"chooses.") from error
    return options.device
