"""`rlhf-kit studio`: the panels in a browser, on this machine, or for a class behind a class code."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import TASK, check_models, check_names
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.studio import PANELS

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.runs.folder import Event
    from rlhf_kit.studio.worlds import World


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    studio = commands.add_parser("studio", help="compare, rank, probe, vote and train in a browser",
                                 description="Serves the panels to a browser on this machine, English at / and Chinese "
                                             "at /zh, until Ctrl-C. Labels and runs are in a folder and stay there.")
    studio.add_argument("--panel", dest="panels", action="append", choices=PANELS,
                        help="only this one; repeatable (default: all)")
    studio.add_argument("--data", metavar="DIR", default="runs/studio",
                        help="where labels and runs are kept (default: %(default)s)")
    studio.add_argument("--model", dest="models", metavar="MODEL", action="append", default=[],
                        help="also offer this one: a run's folder, such as runs/tour, a model's folder, or a name on "
                             "the hub; repeatable")
    studio.add_argument("--task", metavar="NAME", help=f"{TASK}; with assistant each page has its own language "
                                                       f"(default: made-up reviews)")
    studio.add_argument("--overlap", metavar="N", type=int, default=3,
                        help="how many people are asked about each list and each pair before others are begun; "
                             "agreement is measured where two or more were (default: %(default)s)")
    studio.add_argument("--port", metavar="N", type=int, help="(default: the first free one from 7860 on)")
    studio.add_argument("--host", metavar="ADDRESS", default="127.0.0.1",
                        help="0.0.0.0 lets others on your network in, and needs --class-code (default: %(default)s)")
    studio.add_argument("--class-code", dest="code", metavar="WORDS",
                        help="what everybody has to type to get in, beside a name")
    studio.add_argument("--teacher", metavar="NAME", type=str.strip,
                        help="with a class code: who sees the labels of all")
    studio.add_argument("--teacher-code", metavar="WORDS", help="what that name has to type; needed with --teacher")
    studio.add_argument("--lang", choices=LANGS, default=system_language(),
                        help="of what is printed, and of the page that is named (%(default)s)")
    studio.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C; meanwhile make the tiny models that are missing."""
    if importlib.util.find_spec("gradio") is None:
        raise ValueError("the studio needs Gradio, which is not installed. pip install \"rlhf-kit[ui]\", or make "
                         "studio.")
    from rlhf_kit.studio.serving import LOCAL, check_door, prepare, seen_from_outside
    if bool(options.teacher) != bool(options.teacher_code):
        raise ValueError("--teacher and --teacher-code belong together: the name of who sees the labels of all, and "
                         "words that nobody else knows. Give both or neither.")
    if options.teacher and not options.code:
        raise ValueError(f"--teacher {options.teacher} is for a class; that needs --class-code too. Leave it out on a "
                         f"machine of your own: there everybody sees the labels of all.")
    if options.overlap < 1:
        raise ValueError(f"--overlap is {options.overlap}; expected a number of people from 1 on, such as 3.")
    _check_offered(options.models)
    check_door(options.host, options.port, options.code,
               (options.teacher, options.teacher_code) if options.teacher else None)
    console = showing.console_for(json=False)
    console.print(say(options.lang, "studio_begins"), markup=False, soft_wrap=True)
    prepare()
    import torch
    torch.set_num_threads(1)
    from rlhf_kit.studio import opening, shelf
    from rlhf_kit.studio import pages as studio
    from rlhf_kit.studio.workspace import Workspace
    from rlhf_kit.studio.worlds import world_of
    begins = opening.read(options.data)
    world = world_of(options.task or begins.task)
    models = {**begins.models, **shelf.called(options.models)}
    workspace = Workspace(options.data, models, teacher=options.teacher, world=world, overlap=options.overlap,
                          prompts=begins.prompts if options.task in (None, begins.task) else ())
    pages, address = studio.serve(workspace, options.panels or PANELS, host=options.host, port=options.port,
                                  code=options.code, teacher_code=options.teacher_code)
    try:
        console.print(say(options.lang, "studio_open", address=address + ("zh" if options.lang == "zh" else ""),
                          folder=options.data), markup=False, soft_wrap=True)
        if options.host not in LOCAL:
            console.print(say(options.lang, "studio_class", address=seen_from_outside(options.host, address)),
                          markup=False, soft_wrap=True)
        console.file.flush()
        try:
            _build_missing(options.lang, console, world)
        except OSError as error:                        # people can rank and vote without; a panel that asks says it
            print(f"rlhf-kit: {error}", file=sys.stderr)
        pages.block_thread()
    finally:
        pages.close(verbose=False)
        workspace.close()
    return 0


def _check_offered(names: list[str]) -> None:
    """Refuse a place that holds nothing to be offered: a page would leave it out, or say so once it is asked for.

    A run's folder may still be without a model: it is offered from its first snapshot on.

    Raises: ValueError, ModelUnavailable, one line.
    """
    check_names(*names)
    from rlhf_kit.studio.entries import RUNS, of_folder
    for name in names:
        folder = Path(name).expanduser()
        if not (folder / "settings.json").is_file() and not of_folder(folder, name):
            check_models(name)
            if folder.parts[:1] == (RUNS,):            # a run that is still to be made
                check_models(f"./{name}")


def _build_missing(lang: str, console: Console, world: World) -> None:
    """The language model and the reward model that panels ask for first, with progress, while people look around."""
    from rlhf_kit import zoo
    from rlhf_kit.runs.folder import Event
    def events(name: str, stage: str) -> Iterator[Event]:
        total = zoo.planned(name)
        for step in zoo.build(name):
            yield Event(stage, step.number + 1, total, step.metrics)

    for name, stage in ((world.model("lm", lang), "language_model"), (world.model("rm", lang), "reward_model")):
        showing.watch(events(name, stage), lang, console, n=0)
