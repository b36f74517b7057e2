"""`rlhf-kit export`: what others read: configs for accelerate, data and scripts for OpenRLHF and TRL, a Space."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import TASK, changes_in, world_of
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.studio import PANELS

METHODS = ("sft", "dpo", "grpo")


def add(commands: argparse._SubParsersAction) -> None:
    """Both actions, and the options of each."""
    export = commands.add_parser("export", help="configs and data for other programs",
                                 description="Writes what accelerate, OpenRLHF or TRL read; nothing is started.")
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
    source.add_argument("--made-up", type=int, metavar="N", help="N answers, pairs and prompts from the made-up forum, "
                                                                 "in the language of --lang")
    openrlhf.add_argument("--model", metavar="NAME", help="what is trained: a name on the hub, or a folder that the "
                                                          "machines will see (default Qwen/Qwen2.5-7B)")
    _common(openrlhf)
    openrlhf.set_defaults(run=run_openrlhf)

    _add_trl(actions)

    space = actions.add_parser("space", help="a panel of the studio as a Hugging Face Space",
                               description="Writes README.md, requirements.txt and app.py of a Hugging Face Space; "
                                           "nothing is uploaded.")
    space.add_argument("panel", choices=("studio", *PANELS), help="which; studio has all")
    space.add_argument("--model", dest="models", metavar="MODEL", action="append", default=[],
                       help="also offer this one: a name on the hub, or a folder that lies in FOLDER; repeatable")
    _common(space)
    space.set_defaults(run=run_space)


def _add_trl(actions: argparse._SubParsersAction) -> None:
    trl = actions.add_parser("trl", help="a config, data and a script for TRL's command line",
                             description="Writes a config, data and a script for TRL's own commands: `train sft` as "
                                         "SFT, `train reward-model` as DPO, `train ppo` as GRPO, whose responses vLLM "
                                         "draws. Every name in the config is one that the release knows which is "
                                         "named; with vLLM it was not run.")
    trl.add_argument("method", choices=METHODS, help="what TRL is to do")
    source = trl.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", dest="folder", metavar="FOLDER", help="as this run of train sft (sft), train "
                                                                       "reward-model (dpo) or train ppo (grpo)")
    source.add_argument("--data", metavar="FILE", help="or with texts, pairs or prompts of yours, as these commands "
                                                       "take them")
    source.add_argument("--task", metavar="NAME", help=f"or with {TASK}")
    trl.add_argument("--columns", metavar="PART=COLUMN,...", help="what the parts are called in the file, where that "
                                                                  "is not plain")
    trl.add_argument("--model", metavar="NAME", help="what is trained: a name on the hub, a folder or a tiny model "
                                                     "(default: the run's)")
    trl.add_argument("--judge", metavar="MODEL", help="grpo: the classifier or reward model to please")
    trl.add_argument("--judge-class", dest="label", metavar="NAME", default="positive",
                     help="grpo: of a classifier, the class whose probability is the score (%(default)s)")
    trl.add_argument("--reward", metavar="FILE.py:NAME", help="grpo: or a function; the file is run, and copied")
    trl.add_argument("--steps", metavar="N", type=int, help="updates; grpo: batches, each learnt from --epochs times")
    trl.add_argument("--batch-size", metavar="N", type=int, help="texts or pairs an update, responses a batch")
    trl.add_argument("--learning-rate", metavar="RATE", type=float)
    trl.add_argument("--seed", metavar="N", type=int)
    trl.add_argument("--max-length", metavar="N", type=int, help="sft, dpo: tokens of a text")
    trl.add_argument("--minibatch-size", metavar="N", type=int, help="grpo: responses an update")
    trl.add_argument("--epochs", metavar="N", type=int, help="grpo: passes over each batch")
    trl.add_argument("--max-new-tokens", metavar="N", type=int, help="grpo: length of a response at most")
    trl.add_argument("--temperature", metavar="T", type=float, help="grpo: of sampling")
    trl.add_argument("--generations", metavar="N", type=int, help="grpo: responses to one prompt (8, or what divides "
                                                                  "the batch)")
    trl.add_argument("--beta", metavar="BETA", type=float, help="dpo, grpo: β (dpo: 0.1; grpo: the KL coefficient)")
    trl.add_argument("--lora", metavar="R", type=int, help="train an adapter of that rank; 0: all weights (default: as "
                                                               "the run, else all, or 16 with --quantize)")
    trl.add_argument("--quantize", choices=("int8", "nf4"), help="hold the model in 8 or 4 bits; an adapter learns")
    trl.add_argument("--vllm", choices=("colocate", "server", "none"), default="colocate",
                     help="grpo: vLLM on the GPUs that train, on others, or not (%(default)s)")
    _common(trl)
    trl.set_defaults(run=run_trl)


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
    rows = openrlhf.read(options.data) if options.data is not None else openrlhf.made_up(
        *[options.made_up] * 3, lang=options.lang)
    written = openrlhf.write(rows, options.output, options.model if options.model is not None else openrlhf.MODEL)
    if options.json:
        print(json.dumps({"rows": written.rows, "script": str(written.script), "release": openrlhf.RELEASE}))
        return 0
    said = ", ".join(f"{name} ({n})" for name, n in written.rows.items())
    showing.console_for(json=False).print(say(options.lang, "export_openrlhf", files=said, script=written.script,
                                              release=openrlhf.RELEASE, date=openrlhf.DATED), markup=False,
                                          soft_wrap=True)
    return 0


def run_trl(options: argparse.Namespace) -> int:
    """Read everything, then write."""
    from rlhf_kit.jobs import to_trl
    from rlhf_kit.scale import trl
    changes, job = _changes(options), None
    if options.folder is not None:
        if given := [name for name in ("columns", "judge", "reward") if getattr(options, name) is not None]:
            raise ValueError(f"--{given[0]} is given with --run, which has its own. Leave it out, or name --data.")
        job = to_trl.of_run(options.method, options.folder)
        job = replace(job, changes={**job.changes, **changes})
    else:
        job = to_trl.JOBS[options.method](**_settings(options), changes=changes)
    export = to_trl.export(options.method, job, model=options.model, rank=options.lora, quantize=options.quantize,
                           engine=options.vllm, beta=options.beta, generations=options.generations)
    written = trl.write(export, options.output)
    if options.json:
        print(json.dumps({"files": list(written.files), "rows": written.rows, "release": trl.RELEASE,
                          "config": export.config, "left_out": list(export.left_out)}))
        return 0
    console = showing.console_for(json=False)
    if (account := job.understood()) is not None:
        for line in account.lines(options.lang):
            console.print(showing.plain(line), markup=False, soft_wrap=True)
    for sentence in export.left_out:
        console.print(say(options.lang, "export_trl_left_out", what=sentence), markup=False, soft_wrap=True)
    console.print(say(options.lang, "export_trl", files=", ".join(written.files), folder=written.folder,
                      rows=written.rows, release=trl.RELEASE, script=trl.SCRIPT), markup=False, soft_wrap=True)
    return 0


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that were named. Raises: ValueError for one that the method has not."""
    own = {"steps", "batch_size", "learning_rate", "seed",
           *(("max_length",) if options.method != "grpo" else
             ("minibatch_size", "epochs", "max_new_tokens", "temperature"))}
    every = ("steps", "batch_size", "learning_rate", "seed", "max_length", "minibatch_size", "epochs", "max_new_tokens",
             "temperature")
    others = {"generations": ("grpo",), "beta": ("dpo", "grpo"), "judge": ("grpo",), "reward": ("grpo",)}
    for name in (*every, *others):
        fits = options.method in others[name] if name in others else name in own
        if getattr(options, name) is not None and not fits:
            raise ValueError(f"--{name.replace('_', '-')} is no setting of export trl {options.method}. Leave it out.")
    return changes_in(options, *every)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of the method's job, without a run."""
    if options.model is None:
        raise ValueError("--model is missing; name what is trained: a name on the hub, a folder, or a tiny model.")
    lang, task = world_of(options)
    shared = {"columns": options.columns, "lang": lang, "task": task}
    if options.method == "sft":
        return {**shared, "model": options.model, "data": options.data}
    if options.method == "dpo":
        return {**shared, "pairs": options.data}
    return {**shared, "model": options.model, "prompts": options.data, "judge": options.judge, "label": options.label,
            "reward": options.reward}


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
