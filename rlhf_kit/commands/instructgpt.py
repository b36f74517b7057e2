"""`rlhf-kit train instructgpt`: the recipe whole, or a stage of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import changes_in, check_models, device_of, tracked
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.runs import trackers

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.jobs.train_instructgpt import InstructGptJob

MEASURES = ("gold", "helpful", "honest", "harmless", "invented", "score", "kl", "length", "eos_rate", "distinct")


def add_method(methods: argparse._SubParsersAction) -> None:
    """`train instructgpt` and its options."""
    method = methods.add_parser("instructgpt", help="demonstrations, rankings of 4 to 9 and PPO with a memory make an "
                                                    "assistant",
                                description="InstructGPT: SFT, labels, reward model, PPO-ptx; with --rounds 2 labels, "
                                            "reward model and PPO again, from the policy's own responses. Run again, "
                                            "it goes on where it stopped.")
    method.add_argument("--preset", default="tiny", help="tiny: offline, on a CPU; colab: half a billion parameters, a "
                                                         "free GPU; 7b: one GPU of 80 GB (default: %(default)s)")
    method.add_argument("--output", metavar="DIR", required=True, help="where results go")
    method.add_argument("--stage", metavar="STAGE", help="only this one: sft, start, labels, reward, select, ppo or "
                                                         "evaluate, in later rounds labels-2, reward-2, ppo-2 "
                                                         "(default: all, one after the other)")
    method.add_argument("--rounds", metavar="N", type=int, default=1, help="of labels, reward model and PPO (default: "
                                                                           "%(default)s)")
    method.add_argument("--data", metavar="FOLDER", help="with demonstrations, rankings and prompts in it, such as "
                                                         "demonstrations.jsonl; columns user and split say who asked "
                                                         "(default: the made-up assistant's world)")
    method.add_argument("--template", metavar="NAME", help="how conversations of --data are written: own (the model's; "
                                                           "the default), chatml, llama-3, gemma, mistral, zephyr")
    method.add_argument("--model", help="another base: a folder, or a name on the Hugging Face hub")
    method.add_argument("--kl", dest="coefficient", metavar="BETA", type=float,
                        help="PPO: KL coefficient, what a nat of drift costs")
    method.add_argument("--ptx", dest="ptx_coef", metavar="GAMMA", type=float,
                        help="PPO: weight of the pretraining loss; 0: plain PPO")
    method.add_argument("--ema", dest="weight_ema", metavar="DECAY", type=float,
                        help="PPO: decay of averaged weights; 0: the last ones")
    method.add_argument("--critic", choices=("judge", "head"), default="preset",
                        help="PPO: the critic begins as the reward model, on a trunk of its own, or is a head on the "
                             "policy (default: the preset's)")
    method.add_argument("--steps", metavar="N", type=int, help="PPO: updates")
    method.add_argument("--batch-size", metavar="N", type=int, help="PPO: responses per step")
    method.add_argument("--minibatch-size", metavar="N", type=int, help="PPO: responses per gradient")
    method.add_argument("--learning-rate", metavar="RATE", type=float, help="PPO: of policy and critic")
    method.add_argument("--max-new-tokens", metavar="N", type=int, help="length of a response at most")
    method.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, another run (default: 0)")
    method.add_argument("--device", default="auto", help="cpu, cuda, ... (default: a GPU if there is one, unless the "
                                                         "model is tiny)")
    method.add_argument("--lang", choices=LANGS, default=system_language(),
                        help="of what is printed, and of the made-up world (default: the system's, %(default)s)")
    tracked(method)
    method.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    method.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    method.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the recipe, or show the run that is finished."""
    check_models(options.model)
    trackers.check(options.track)
    if options.data is not None:                        # a slip is told before the seconds that torch takes
        from rlhf_kit.datasets.instructions import read
        read(options.data)
    from rlhf_kit.jobs import cores
    from rlhf_kit.runs import pipeline
    console, lang = showing.console_for(options.json), options.lang
    job = _job(options)
    console.print(f"[bold]rlhf-kit train instructgpt[/] {__version__}")
    if not options.fresh and pipeline.finished(job, options.output):
        console.print(say(lang, "train_finished"))
    else:
        console.print(say(lang, "instructgpt_begins", base=job.settings().base, device=job.device), markup=False,
                      soft_wrap=True)
        console.print(say(lang, "working", folder=options.output), markup=False)
        threads = None if options.threads_chosen else cores()
        showing.watch(job.run(options.output, options.fresh, threads, stage=options.stage, track=options.track), lang,
                      console, n=job.settings().held_out)
    return showing.outcome(console, options, _show)


def _job(options: argparse.Namespace) -> InstructGptJob:
    from rlhf_kit.jobs import JOBS
    if options.preset == "tiny" and options.device == "auto":
        options.device = "cpu"
    return JOBS["instructgpt"](
        preset=options.preset, model=options.model, data=options.data, template=options.template,
        critic=options.critic, rounds=options.rounds, lang=options.lang, seed=options.seed, device=device_of(options),
        changes=changes_in(options, "coefficient", "ptx_coef", "weight_ema", "steps", "batch_size", "minibatch_size",
                           "learning_rate", "max_new_tokens"))


def _show(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang, chosen = options.lang, result["selection"]["chosen"]
    showing.texts(console, result["samples"][:4], lang, score="meter_reward",
                  titles=(say(lang, "policy_sft"), say(lang, "policy_policy")))
    _policies(console, result["policies"], lang)
    console.print(say(lang, "instructgpt_chosen", epoch=chosen, of=result["selection"]["epochs"][-1]["epoch"],
                      lowest=min(result["selection"]["epochs"], key=lambda row: row["loss"])["epoch"]), soft_wrap=True)
    rows = [(say(lang, "instructgpt_judge", n=number), str(Estimate(**one["pair_accuracy"])))
            for number, one in enumerate(result["reward_models"].values(), start=1)]
    showing.values(console, rows, lang, "column_value_pairs")
    showing.few(console, next(iter(result["policies"].values()))["scores"]["score"]["n"], lang)
    showing.took(console, result, lang)
    console.print(say(lang, "instructgpt_report", file=f"{options.output}/report.html"), markup=False, soft_wrap=True)
    console.print(say(lang, "load_it", door="load_policy", folder=f"{options.output}/policy"), markup=False,
                  soft_wrap=True)


def _policies(console: Console, policies: dict[str, Any], lang: str) -> None:
    """A column for each policy, a row for each measure."""
    from rich.table import Table

    from rlhf_kit.runs.stages_report import called, cell
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"))
    for name in policies:
        table.add_column(called(name, lang), justify="right", no_wrap=True)
    for measure in MEASURES:
        seen = [one["scores"].get(measure, one.get(measure)) for one in policies.values()]
        if seen[0] is not None:
            cells = [cell(x, short=len(policies) > 3) for x in seen]
            table.add_row(say(lang, f"measure_{measure}"), *cells)
    console.print(table)
