"""What the commands of studies share: seeds and a folder, a run that is watched, and where its page and picture lie."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.runs.pipeline import Job


def add_options(study: argparse.ArgumentParser, name: str, texts: str,
                run: Callable[[argparse.Namespace], int]) -> None:
    """How many seeds, where to, in which language.

    Args: texts: what besides the page is in that language, such as "made-up reviews".
    """
    study.add_argument("--seeds", metavar="N", type=int, default=1, help="how many: 0, 1, … (default: 1)")
    study.add_argument("--output", metavar="DIR", default=f"runs/{name}", help="where results go (default: "
                                                                               "%(default)s)")
    study.add_argument("--lang", choices=LANGS, default=system_language(), help=f"of the page, and of the {texts} "
                                                                                "(default: the system's, %(default)s)")
    study.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    study.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    study.set_defaults(run=run)


def begun(options: argparse.Namespace, name: str) -> Console:
    """Say what begins, before the seconds that torch takes."""
    console = showing.console_for(options.json)
    console.print(f"[bold]rlhf-kit {name}[/] {__version__}")
    return console


def follow(console: Console, options: argparse.Namespace, job: Job, page: ModuleType, working: str,
           show: Callable[[dict[str, Any]], None], **values: Any) -> int:
    """Make what is not there yet, then say what came of it and where it lies.

    Args:
        page: of the study, which has `headline` and `PICTURE`.
        working: the sentence before it begins.
        show: the result's rows.
        values: of the stages' sentences.
    """
    from rlhf_kit.runs.folder import RunFolder
    lang = options.lang
    console.print(working, markup=False, soft_wrap=True)
    showing.watch(job.run(options.output, options.fresh), lang, console, **values)
    result = RunFolder(options.output).result()
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    show(result)
    for sentence in page.headline(result, lang):
        console.print(sentence, markup=False, soft_wrap=True)
    showing.took(console, result, lang)
    written = {"page": "report.html", "picture": page.PICTURE, "numbers": "result.json"}
    console.print(say(lang, "study_written", **{what: Path(options.output, name) for what, name in written.items()}),
                  markup=False, soft_wrap=True)
    return 0
