"""`rlhf-kit gallery [NAME]`: faults of PPO, each made in one line, run, and shown beside a healthy run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rlhf_kit.commands import explain, showing
from rlhf_kit.language import LANGS, fault_words, say, system_language


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    gallery = commands.add_parser("gallery", help="faults of PPO, each made in one line and shown beside a healthy run",
                                  description="Without a name: lists the faults. With one: trains a tiny model with "
                                              "that fault and without it, half a minute, and writes a page, a picture "
                                              "and the numbers.")
    gallery.add_argument("name", metavar="NAME", nargs="?", help="a fault, such as no-kl (default: list them all)")
    gallery.add_argument("--output", metavar="DIR", default="gallery", help="where NAME.html, NAME.png and NAME.json "
                                                                            "go (default: %(default)s)")
    gallery.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, another run (default: 0)")
    gallery.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed, and of the "
                                                                                  "reviews (default: the system's, "
                                                                                  "%(default)s)")
    gallery.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    gallery.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List, or run one and say where it is."""
    words = fault_words(options.lang)
    if options.name is None:
        return _list(options)
    if options.seed < 0:
        raise ValueError(f"--seed is {options.seed}; it must not be negative.")
    console = showing.console_for(options.json)
    from rlhf_kit.runs.explain import Finding
    from rlhf_kit.studies import gallery
    gallery.check_folder(options.output, options.name)
    console.print(say(options.lang, "gallery_running", name=options.name), soft_wrap=True)
    shown = gallery.show(options.name, options.output, options.lang, options.seed)
    if options.json:
        print(json.dumps(shown, ensure_ascii=False))
        return 0
    own = words[options.name]
    console.print(f"[bold]{own['title']}[/]", soft_wrap=True)
    caught = [f"{say(options.lang, 'gallery_check')} {shown['check']}"] if shown["check"] else []
    for text in (shown["line"], own["symptom"], own["mend"], *caught):
        console.print(text, markup=False, soft_wrap=True)
    console.print(say(options.lang, "gallery_explained" if shown["findings"] else "gallery_unseen"), soft_wrap=True)
    for one in shown["findings"]:
        explain.tell(console, Finding(**one), options.lang)
    console.print(say(options.lang, "gallery_written", file=Path(options.output) / f"{options.name}.html"),
                  markup=False, soft_wrap=True)
    return 0


def _list(options: argparse.Namespace) -> int:
    from rlhf_kit.studies.gallery import FAULTS
    words = fault_words(options.lang)
    if options.json:
        print(json.dumps([{"fault": name, "line": fault.line, **words[name]} for name, fault in FAULTS.items()],
                         ensure_ascii=False))
        return 0
    console = showing.console_for(json=False)
    for name, fault in FAULTS.items():
        console.print(f"[bold]{name}[/]  {words[name]['title']}", soft_wrap=True)
        console.print(f"    {fault.line}", markup=False, soft_wrap=True)
    console.print(say(options.lang, "gallery_how"), markup=False, soft_wrap=True)
    return 0
