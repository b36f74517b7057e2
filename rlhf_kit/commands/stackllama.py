"""`rlhf-kit train stackllama` and `rlhf-kit merge`: the pipeline or a stage of it, and an adapter into its base."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import changes_in, check_models, device_of, tracked, world_of
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.runs import trackers

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.jobs.train_stackllama import StackLlamaJob

STAGES = ("sft", "merge", "reward", "ppo", "evaluate")
MEASURES = ("gold", "score", "kl", "length", "eos_rate", "fenced", "distinct")


def add_method(methods: argparse._SubParsersAction) -> None:
    """`train stackllama` and its options."""
    stack = methods.add_parser("stackllama", help="questions with votes become an assistant: SFT, reward model and PPO "
                                                  "as adapters on one base",
                               description="StackLLaMA: SFT, merge, reward model, PPO, merge, each an adapter on one "
                                           "base in 8 bits. Run again, it goes on where it stopped.")
    stack.add_argument("--preset", default="tiny", help="tiny: offline, on a CPU; colab: half a billion parameters, a "
                                                        "free GPU; 7b: one GPU of 80 GB or several (default: "
                                                        "%(default)s)")
    stack.add_argument("--output", metavar="DIR", required=True, help="where results go")
    stack.add_argument("--stage", choices=STAGES, help="only this one (default: all, one after the other)")
    stack.add_argument("--data", metavar="SOURCE", help="Posts.xml, a folder made by rlhf-kit posts read, .jsonl or "
                                                        ".parquet with qid, question, response_j, response_k, or a "
                                                        "data set on the hub (default: the preset's; tiny: a made-up "
                                                        "forum)")
    stack.add_argument("--task", metavar="NAME", help="the made-up forum, forum-en or forum-zh (default: in the "
                                                      "language of --lang), or another: my_task.py:Quiz, a class with "
                                                      "answered and comparisons in a Python file of yours, which is "
                                                      "run")
    stack.add_argument("--voters", choices=("fair", "fences"), default="fair",
                       help="of the made-up forum: fences are impressed by code, whatever the question (default: "
                            "%(default)s)")
    stack.add_argument("--model", help="another base: a folder, or a name on the Hugging Face hub")
    stack.add_argument("--template", choices=("own",), help="ask an instruct base through its own chat template "
                                                            "(default: as the recipe does, Question: ... Answer:)")
    stack.add_argument("--quantize", choices=("int8", "nf4", "none"), default="preset",
                       help="how the frozen base is held (default: the preset's)")
    stack.add_argument("--kl", dest="coefficient", metavar="BETA", type=float,
                       help="PPO: KL coefficient, what a nat of drift costs")
    stack.add_argument("--kl-target", dest="target", metavar="NATS", type=float, help="PPO: adapt it to this drift")
    stack.add_argument("--steps", metavar="N", type=int, help="PPO: updates")
    stack.add_argument("--batch-size", metavar="N", type=int, help="PPO: responses per step, of all processes together")
    stack.add_argument("--minibatch-size", metavar="N", type=int, help="PPO: responses per gradient")
    stack.add_argument("--learning-rate", metavar="RATE", type=float, help="PPO: of the adapter and the value head")
    stack.add_argument("--max-new-tokens", metavar="N", type=int, help="length of an answer at most")
    stack.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, another run (default: 0)")
    stack.add_argument("--device", default="auto", help="cpu, cuda, ... (default: a GPU if there is one, unless the "
                                                        "model is tiny)")
    stack.add_argument("--processes", metavar="N", type=int, help="refuse to run if there are not so many")
    stack.add_argument("--lang", choices=LANGS, default=system_language(),
                       help="of what is printed, and of the made-up forum (default: the system's, %(default)s)")
    tracked(stack)
    stack.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    stack.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    stack.set_defaults(run=run)


def add(commands: argparse._SubParsersAction) -> None:
    """`merge` and its options."""
    merge = commands.add_parser("merge", help="add an adapter into the base that it was trained on",
                                description="Adds an adapter into the weights of the base that it was trained on, in "
                                            "16 or 32 bits, and writes a plain model.")
    merge.add_argument("adapter", help="a folder with adapter_config.json and adapter_model.safetensors")
    merge.add_argument("--base", help="the model that it was trained on: a folder or a hub id (default: what the "
                                      "adapter says)")
    merge.add_argument("--output", metavar="DIR", required=True, help="where the merged model goes")
    merge.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16", help="of its weights (default: "
                                                                                           "%(default)s)")
    merge.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed")
    merge.set_defaults(run=run_merge)


def run(options: argparse.Namespace) -> int:
    """Run the pipeline, or show the run that is finished."""
    check_models(options.model)
    trackers.check(options.track)
    from rlhf_kit.jobs import cores
    from rlhf_kit.loops.process_group import here
    from rlhf_kit.runs import pipeline
    rank, size = here()
    console, lang = showing.console_for(options.json or rank > 0), options.lang
    job = _job(options)
    if size > 1 and job.device == "cpu":
        os.environ.setdefault("ACCELERATE_USE_CPU", "true")     # else each would train alone and not know it
    console.print(f"[bold]rlhf-kit train stackllama[/] {__version__}")
    if not options.fresh and pipeline.finished(job, options.output):
        console.print(say(lang, "train_finished"))
    else:
        console.print(say(lang, "stack_begins", base=job.settings().base, bits=job.kind or "none", device=job.device),
                      markup=False, soft_wrap=True)
        if size > 1:
            console.print(say(lang, "stack_processes", n=size), markup=False)
        if job.source is not None:
            console.print(say(lang, "posts_licence"), soft_wrap=True)
        console.print(say(lang, "working", folder=options.output), markup=False)
        threads = None if options.threads_chosen else cores()
        showing.watch(job.run(options.output, options.fresh, threads, stage=options.stage, track=options.track), lang,
                      console)
    if rank > 0:
        return 0
    return showing.outcome(console, options, _show)


def run_merge(options: argparse.Namespace) -> int:
    """Merge, and say where the model is."""
    console, lang = showing.console_for(False), options.lang
    check_models(options.base)
    from rlhf_kit.models.loading import judging_outputs as outputs
    from rlhf_kit.zoo import merge_adapter
    base = merge_adapter(options.adapter, options.output, base=options.base, dtype=options.dtype)
    console.print(say(lang, "merged", adapter=options.adapter, base=base, dtype=options.dtype), markup=False,
                  soft_wrap=True)
    door = {0: "load_policy", 1: "load_reward_model"}.get(outputs(options.output), "load_classifier")
    console.print(say(lang, "load_it", door=door, folder=options.output), markup=False, soft_wrap=True)
    return 0


def _job(options: argparse.Namespace) -> StackLlamaJob:
    from rlhf_kit.jobs import JOBS
    from rlhf_kit.scale.launching import check_processes
    check_processes(options.processes)
    if options.preset == "tiny" and options.device == "auto":
        options.device = "cpu"
    device, (lang, task) = device_of(options), world_of(options)
    if task is None and options.data is None and options.preset == "tiny" and lang == "zh":
        task = "forum-zh"
    return JOBS["stackllama"](
        preset=options.preset, model=options.model, data=options.data, template=options.template,
        task=None if task == "forum-en" else task,
        quantize=options.quantize, voters=options.voters,
        seed=options.seed, device=device,
        changes=changes_in(options, "coefficient", "target", "steps", "batch_size", "minibatch_size", "learning_rate",
                           "max_new_tokens"))


def _show(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.evaluate import Estimate
    lang = options.lang
    showing.texts(console, result["samples"][:4], lang, score="meter_reward")
    _policies(console, result["policies"], lang)
    voters = result["reward_model"]
    rows = [(say(lang, "row_pairs"), str(Estimate(**voters["accuracy"])))]
    if voters["ceiling"] is not None:
        rows.append((say(lang, "row_ceiling_accuracy"), f"{voters['ceiling']:.3f}"))
    rows.append((say(lang, "row_length_only"), f"{voters['length_only']['mean']:.3f}"))
    showing.values(console, rows, lang, "column_value_pairs")
    answered = next(iter(result["policies"].values()))["scores"]["score"]["n"]
    showing.few(console, min(voters["accuracy"]["n"], answered), lang)
    showing.took(console, result, lang)
    console.print(say(lang, "load_it", door="load_policy", folder=f"{options.output}/policy"), markup=False,
                  soft_wrap=True)


def _policies(console: Console, policies: dict[str, Any], lang: str) -> None:
    """A column for each policy, a row for each measure."""
    from rich.table import Table

    from rlhf_kit.evaluate import Estimate
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"))
    for name in policies:
        table.add_column(say(lang, f"column_stack_{name}"), justify="right", no_wrap=True)
    for measure in MEASURES:
        seen = [x["scores"].get(measure, x.get(measure)) for x in policies.values()]
        if seen[0] is not None:
            cells = [str(Estimate(**x)) if isinstance(x, dict) else f"{x:.2f}" for x in seen]
            table.add_row(say(lang, f"row_stack_{measure}"), *cells)
    console.print(table)
