"""`rlhf-kit posts`: a Stack Exchange dump into pairs to learn from; a made-up dump to try it on."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.datasets.stack_exchange.conversion import Converted

FORMATS = ("jsonl", "parquet")                  # tasks.conversion.FORMATS, which help must not import


def add(commands: argparse._SubParsersAction) -> None:
    """The two commands, and the options of each."""
    posts = commands.add_parser("posts", help="a Stack Exchange dump into pairs of answers",
                                description="Turns the dump of a Stack Exchange site into pairs of a better and a "
                                            "worse answer, or writes a made-up one.")
    actions = posts.add_subparsers(required=True, metavar="ACTION")

    read = actions.add_parser("read", help="Posts.xml into a folder of pairs, answers and prompts",
                              description="Reads the Posts.xml of a dump and writes pairs, answers and prompts, split "
                                          "by question. Run again, it goes on where it stopped. Posts are under CC "
                                          "BY-SA: name their authors and share alike if you hand them on.")
    read.add_argument("file", metavar="FILE", help="the unpacked Posts.xml (7z x site.7z Posts.xml)")
    read.add_argument("--output", metavar="DIR", required=True, help="where the files go")
    read.add_argument("--site", metavar="NAME", help="of the dump, such as cooking.stackexchange.com; for links to "
                                                     "posts and authors")
    read.add_argument("--pairs", metavar="N", type=int, default=10, help="of one question at most (default: "
                                                                         "%(default)s)")
    read.add_argument("--limit", metavar="N", type=int, help="questions at most (default: all)")
    read.add_argument("--format", choices=FORMATS, default="jsonl", help="of the files (default: %(default)s)")
    _common(read)
    read.set_defaults(run=run_read)

    write = actions.add_parser("write", help="a made-up Posts.xml",
                               description="Writes a made-up forum in the format of a dump: questions, answers and "
                                           "votes that nobody wrote.")
    write.add_argument("file", metavar="FILE", help="where it goes; the name of a new file")
    write.add_argument("--questions", metavar="N", type=int, default=1000, help="how many (default: %(default)s)")
    write.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, other posts (default: "
                                                                        "%(default)s)")
    _common(write)
    write.set_defaults(run=run_write)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", choices=LANGS, default=system_language(),
                        help="of what is printed, and of a made-up forum (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")


def run_read(options: argparse.Namespace) -> int:
    """Convert the dump behind a progress bar, and say what came of it."""
    from rlhf_kit.datasets.stack_exchange.conversion import ABOUT, Config, convert, steps
    from rlhf_kit.runs.folder import Event
    config = Config(site=options.site, most_pairs=options.pairs, limit=options.limit, format=options.format)
    console, lang = showing.console_for(options.json), options.lang
    kept = (Path(options.output).expanduser() / ABOUT).is_file()
    showing.watch((Event(*progress) for progress in steps(options.file, options.output, config)), lang, console)
    done = convert(options.file, options.output, config)
    if options.json:
        print(json.dumps(asdict(done)))
        return 0
    if kept:
        console.print(say(lang, "posts_finished"), soft_wrap=True)
    _show(console, done, options)
    return 0


def run_write(options: argparse.Namespace) -> int:
    """Write the made-up dump."""
    from rlhf_kit.datasets.stack_exchange.dump import write_posts
    from rlhf_kit.tasks.forum import Forum
    if options.questions < 1:
        raise ValueError(f"--questions is {options.questions}; expected at least 1.")
    place = Path(options.file).expanduser()
    if place.exists():
        raise ValueError(f"{options.file} is there already, and might be a real dump. Move it away, or name a new "
                         f"file.")
    posts = write_posts(place, Forum(options.lang).threads(options.questions, options.seed))
    if options.json:
        print(json.dumps({"file": options.file, "questions": options.questions, "posts": posts}))
        return 0
    showing.console_for(json=False).print(
        say(options.lang, "posts_written", posts=posts, questions=options.questions, file=options.file),
        markup=False, soft_wrap=True)
    return 0


def _show(console: Console, done: Converted, options: argparse.Namespace) -> None:
    lang = options.lang
    lines = [say(lang, "posts_done", questions=sum(done.questions.values()), pairs=sum(done.pairs.values()),
                 folder=options.output, heldout=done.questions["heldout"], answers=sum(done.answers.values())),
             say(lang, "posts_licences", licences=say(lang, "posts_between").join(
                 f"{showing.plain(name)} {count}" for name, count in done.licences.items()))]
    if done.left_out:
        what = say(lang, "posts_between").join(say(lang, f"posts_left_{key}", n=n) for key, n in done.left_out.items())
        lines.append(say(lang, "posts_left", what=what))
    for line in (*lines, say(lang, "posts_licence"), say(lang, "posts_load", folder=options.output)):
        console.print(line, markup=False, soft_wrap=True)
