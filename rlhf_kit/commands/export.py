"""`rlhf-kit export`: what others read: configs for accelerate, data and a script for OpenRLHF, files of a Space."""

from __future__ import annotations

import argparse
import json
import sys

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.studio import PANELS


def add(commands: argparse._SubParsersAction) -> None:
    """Both actions, and the options of each."""
    export = commands.add_parser("export", help="configs and data for other programs",
                                 description="Writes what accelerate or OpenRLHF read; nothing is started.")
    actions = export.add_subparsers(required=True, metavar="ACTION")

    configs = actions.add_parser("accelerate", help="configs for accelerate launch",
                                 description="Writes configs for accelerate launch: two processes on a "
                                             "CPU, eight GPUs, eight GPUs that share one nf4 base, two machines.")
    _common(configs)
    configs.set_defaults(run=run_accelerate)

    openrlhf = actions.add_parser("openrlhf", help="data and a launch script for OpenRLHF (Ray)",
                                  description="Writes data and a script that fine-tunes, trains a reward model and "
                                              "runs PPO with OpenRLHF on many GPUs. The script was not run here; its "
                                              "flags are those of the release that it names.")
    source = openrlhf.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="FOLDER", help="with answers.jsonl (prompt, response), pairs.jsonl (prompt, "
                                                         "chosen, rejected) and prompts.jsonl (prompt); or one made "
                                                         "from a dump")
    source.add_argument("--made-up", type=int, metavar="N", help="N answers, pairs and prompts from the made-up forum")
    openrlhf.add_argument("--model", metavar="NAME", help="what is trained: a name on the hub, or a folder that the "
                                                          "machines will see (default Qwen/Qwen2.5-7B)")
    _common(openrlhf)
    openrlhf.set_defaults(run=run_openrlhf)

    space = actions.add_parser("space", help="a panel of the studio as a Hugging Face Space",
                               description="Writes README.md, requirements.txt and app.py of a Hugging Face Space; "
                                           "nothing is uploaded.")
    space.add_argument("panel", choices=("studio", *PANELS), help="which; studio has all")
    space.add_argument("--model", dest="models", metavar="MODEL", action="append", default=[],
                       help="also offer this one: a name on the hub, or a folder that lies in FOLDER; repeatable")
    _common(space)
    space.set_defaults(run=run_space)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FOLDER", required=True, help="where they go; what the kit wrote there "
                                                                          "before is replaced, and nothing else")
    parser.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")


def run_accelerate(options: argparse.Namespace) -> int:
    """Write the configs."""
    from rlhf_kit.scale.launching import write_configs
    written = write_configs(options.output)
    if options.json:
        print(json.dumps([str(path) for path in written]))
        return 0
    console = showing.console_for(json=False)
    console.print(say(options.lang, "export_accelerate", files=", ".join(path.name for path in written),
                      folder=options.output), markup=False, soft_wrap=True)
    return 0


def run_openrlhf(options: argparse.Namespace) -> int:
    """Read everything, then write: a bad row leaves nothing behind."""
    from rlhf_kit.scale import openrlhf
    if options.made_up is not None and options.made_up < 1:
        raise ValueError(f"--made-up is {options.made_up}; expected a number of texts, such as 1000.")
    rows = openrlhf.read(options.data) if options.data is not None else openrlhf.made_up(*[options.made_up] * 3)
    written = openrlhf.write(rows, options.output, options.model if options.model is not None else openrlhf.MODEL)
    if options.json:
        print(json.dumps({"rows": written.rows, "script": str(written.script), "release": openrlhf.RELEASE}))
        return 0
    said = ", ".join(f"{name} ({n})" for name, n in written.rows.items())
    showing.console_for(json=False).print(say(options.lang, "export_openrlhf", files=said, script=written.script,
                                              release=openrlhf.RELEASE, date=openrlhf.DATED), markup=False,
                                          soft_wrap=True)
    return 0


def run_space(options: argparse.Namespace) -> int:
    """Write the three files."""
    from rlhf_kit import REPOSITORY
    from rlhf_kit.commands.choices import check_names
    from rlhf_kit.scale.spaces import CODE, has_address, write_space
    check_names(*options.models)
    written = write_space(options.panel, options.output, options.models)
    if not has_address():
        print(f"rlhf-kit: {say(options.lang, 'export_space_address', address=REPOSITORY)}", file=sys.stderr)
    if options.json:
        print(json.dumps([str(path) for path in written]))
        return 0
    console = showing.console_for(json=False)
    console.print(say(options.lang, "export_space", files=", ".join(path.name for path in written),
                      folder=options.output, code=CODE), markup=False, soft_wrap=True)
    return 0
