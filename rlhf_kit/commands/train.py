"""`rlhf-kit train METHOD`: any model by name, your texts, your rankings, your prompts, your reward."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import alignment, anthropic, distil, instructgpt, judges, rows, showing, sparrow, stackllama
from rlhf_kit.commands.choices import (
    FILES,
    MODEL,
    changes_in,
    check_models,
    common,
    device_of,
    hidden,
    judged,
    look_at,
    look_prompts,
    numbers,
    of_files,
    renamed,
    scale_of,
    small,
    world_of,
)
from rlhf_kit.commands.explain import tell
from rlhf_kit.language import say, typed
from rlhf_kit.runs import trackers

if TYPE_CHECKING:
    from rich.console import Console

DIAGNOSED = ("ppo", "grpo")         # jobs whose steps `runs.explain` can judge


def add(commands: argparse._SubParsersAction) -> None:
    """The methods, and the options of each."""
    train = commands.add_parser("train", help="train a model of your choice with one method",
                                description="Trains a model in a folder. Run again, it goes on where it stopped.")
    methods = train.add_subparsers(required=True, metavar="METHOD")

    _add_sft(methods)
    judges.add_methods(methods, run)
    _add_ppo(methods)
    _add_rest(methods)
    alignment.add_methods(methods, run)
    distil.add_method(methods, run)
    stackllama.add_method(methods)
    instructgpt.add_method(methods)
    anthropic.add_method(methods)
    sparrow.add_method(methods)


def _add_sft(methods: argparse._SubParsersAction) -> None:
    sft = methods.add_parser("sft", help="supervised fine-tuning: imitate texts, or responses to prompts",
                             description="Supervised fine-tuning: the model imitates texts, or responses to prompts. "
                                         "Run again, it goes on where it stopped.")
    sft.add_argument("--model", required=True, help=MODEL)
    sft.add_argument("--data", metavar="FILE", help=f"{FILES}: texts, prompts with responses, or conversations "
                                                    f"(default: the made-up reviews)")
    sft.add_argument("--text-column", dest="text", metavar="COLUMN", default="text", help="its column of texts "
                                                                                          "or conversations (default: "
                                                                                          "%(default)s)")
    sft.add_argument("--prompt-column", dest="prompt", metavar="COLUMN", help="or its columns of prompts ...")
    sft.add_argument("--response-column", dest="response", metavar="COLUMN", help="... and responses; only these are "
                                                                                  "learned")
    for old in ("text", "prompt", "response"):
        renamed(sft, f"--{old}", f"--{old}-column")
    of_files(sft)
    sft.add_argument("--max-length", metavar="N", type=int, help="tokens of a text; longer ones are cut")
    common(sft)
    sft.set_defaults(run=run, job="sft", settings=_sft, look=_look_sft)


def _add_ppo(methods: argparse._SubParsersAction) -> None:
    ppo = methods.add_parser("ppo", help="proximal policy optimisation towards a classifier, a reward model or a "
                                         "function of yours",
                             description="Proximal policy optimisation: the model learns to be scored well, by a "
                                         "classifier, a reward model or a function of yours. Run again, it goes on "
                                         "where it stopped.")
    ppo.add_argument("--model", required=True, help=MODEL)
    judged(ppo)
    renamed(ppo, "--label", "--judge-class")
    ppo.add_argument("--test-judge", metavar="MODEL", help="a reward model of the other half of the data: reported "
                                                           "beside the score, never pleased")
    ppo.add_argument("--prompts", metavar="FILE", help=f"{FILES}: prompts or conversations (default: openings of the "
                                                       f"made-up reviews)")
    ppo.add_argument("--prompt-column", dest="column", metavar="COLUMN", default="prompt",
                     help="its column of prompts (default: %(default)s)")
    renamed(ppo, "--column", "--prompt-column")
    of_files(ppo)
    ppo.add_argument("--reference", metavar="MODEL", help="where drift is measured from: a language model with the "
                                                          "same tokenizer (default: --model as it is now)")
    ppo.add_argument("--rollouts", metavar="ENGINE", help="what draws the responses: own (the default), continuous "
                                                          "(transformers' continuous batching), or "
                                                          "vllm=http://HOST:PORT, a vLLM server that is sent the "
                                                          "policy's adapter (tested with a stand-in, not with vLLM)")
    ppo.add_argument("--no-checks", dest="checks", action="store_false", default=None,
                     help="skip the checks before the first update, such as that the reward varies")
    ppo.add_argument("--kl", dest="coefficient", metavar="BETA", type=float,
                    help="KL coefficient: what a nat of drift costs")
    ppo.add_argument("--kl-target", dest="target", metavar="NATS", type=float,
                     help="adapt the coefficient to this drift")
    ppo.add_argument("--stop-kl", metavar="NATS", type=float, help="end the run with the first step that measures more "
                                                                   "drift than that, and keep what it learned")
    ppo.add_argument("--minibatch-size", metavar="N", type=int, help="responses per gradient")
    ppo.add_argument("--epochs", metavar="N", type=int, help="passes over each batch")
    ppo.add_argument("--max-new-tokens", metavar="N", type=int, help="length of a response at most")
    ppo.add_argument("--temperature", metavar="T", type=float, help="of sampling")
    common(ppo)
    ppo.set_defaults(run=run, job="ppo", settings=_ppo, look=look_prompts)


def _add_rest(methods: argparse._SubParsersAction) -> None:
    rest = methods.add_parser("rest", help="reinforced self-training: write data, learn from the best part, again",
                              description="ReST: the model writes responses once, learns from those above a rising "
                                          "threshold, and writes the next data set. Run again, it goes on where it "
                                          "stopped.")
    rest.add_argument("--model", required=True, help=f"{MODEL}; begin with one that has imitated the original data")
    judged(rest)
    rest.add_argument("--data", metavar="FILE", help=f"the original data, {FILES}: prompts with responses, or "
                                                     f"conversations (default: those of --task)")
    rest.add_argument("--prompt-column", dest="prompt", metavar="COLUMN", help="its columns of prompts ...")
    rest.add_argument("--response-column", dest="response", metavar="COLUMN", help="... and responses")
    of_files(rest)
    rest.add_argument("--prompts", metavar="FILE", help="other prompts to write to (default: those of --data)")
    rest.add_argument("--grows", metavar="G", type=int, help="data sets, each from the policy as it then is (2)")
    rest.add_argument("--responses", metavar="N", type=int, help="drawn for each prompt in a Grow (4)")
    rest.add_argument("--thresholds", metavar="T,T,...", type=numbers, help="one Improve for each, rising "
                                                                            "(0.7,0.8,0.9, of translation "
                                                                            "0.7,0.75,0.8; where the first "
                                                                            "responses' rewards do not fit them, "
                                                                            "percentiles 50,75,90)")
    rest.add_argument("--threshold-kind", dest="kind", choices=("fixed", "percentile", "interpolated"),
                      help="what thresholds are: rewards from 0 to 1 (default), percent of the responses, or γ "
                           "between the mean and the highest reward")
    rest.add_argument("--loss", choices=("bc", "gold", "bvmpo", "oac"),
                      help="of an Improve: bc imitates; gold imitates most what the policy itself finds likely; bvmpo "
                           "the better half of each batch, judged by a critic; oac is a policy gradient with a critic "
                           "(default: bc)")
    rest.add_argument("--updates", metavar="N", type=int, help="gradients of one Improve (60); there are no --steps")
    rest.add_argument("--original-share", metavar="SHARE", type=float, help="of every batch: original responses, "
                                                                            "whatever their reward (0.25)")
    rest.add_argument("--max-new-tokens", metavar="N", type=int, help="length of a response at most")
    rest.add_argument("--temperature", metavar="T", type=float, help="of sampling")
    common(rest)
    hidden(rest, "--steps", "--more-steps")
    rest.set_defaults(run=run, job="rest", settings=_rest, look=_look_rest)


def run(options: argparse.Namespace) -> int:
    """Train, or show the run that is finished."""
    console, lang = showing.console_for(options.json), options.lang
    if options.show is not None and options.show < 1:
        raise ValueError(f"--show is {options.show}; it is how many rows are shown, at least 1, such as 3.")
    console.print(f"[bold]rlhf-kit train[/] {__version__}")
    if not options.json:
        console.file.flush()
    trackers.check(options.track)
    world, task = world_of(options)
    check_models(*(getattr(options, name, None) for name in ("model", "judge", "reference", "teacher",
                                                                   "test_judge")))
    options.look(options)                                   # slips are told before the seconds that torch takes
    from rlhf_kit.jobs import JOBS, cores
    from rlhf_kit.runs import pipeline
    from rlhf_kit.runs.folder import RunFolder
    job = JOBS[options.job](model=options.model, lang=world, task=task, device=device_of(options),
                            **scale_of(options), **options.settings(options))
    if options.show is not None:
        return rows.show(console, job.rows(options.show), options)
    if not options.fresh and options.more_steps is None and pipeline.finished(job, options.output):
        console.print(say(lang, "train_finished"))
        if account := RunFolder(options.output).result().get("read"):
            from rlhf_kit.datasets.door import Account
            showing.lines(console, Account.of(account).lines(lang))
    else:
        new = job.model == "new" and options.job in judges.JOBS
        console.print(say(lang, "training_new" if new else "training", model=job.model, device=job.device),
                      markup=False, soft_wrap=True)
        console.print(say(lang, "working", folder=options.output), markup=False)
        if (account := job.understood()) is not None:
            showing.lines(console, account.lines(lang))
        threads = None if options.threads_chosen else cores()
        showing.watch(job.run(options.output, options.fresh, threads, track=options.track,
                              more_steps=options.more_steps), lang, console)
    return showing.outcome(console, options, _show)


def _sft(options: argparse.Namespace) -> dict[str, Any]:
    return {"data": options.data, "text": options.text, "prompt": options.prompt, "response": options.response,
            "columns": options.columns, "template": options.template,
            "changes": changes_in(options, "steps", "batch_size", "learning_rate", "max_length", "seed")}


def _ppo(options: argparse.Namespace) -> dict[str, Any]:
    return {"judge": options.judge, "label": options.label, "reward": options.reward, "prompts": options.prompts,
            "column": options.column, "reference": options.reference, "test_judge": options.test_judge,
            "rollouts": None if options.rollouts == "own" else options.rollouts,
            "columns": options.columns, "template": options.template,
            "changes": changes_in(options, "steps", "batch_size", "minibatch_size", "epochs", "learning_rate", "seed",
                                  "coefficient", "target", "max_new_tokens", "temperature", "checks",
                                  "stop_kl")}


def _rest(options: argparse.Namespace) -> dict[str, Any]:
    if options.steps is not None:
        raise ValueError(f"--steps is {options.steps}; ReST takes --updates for each of the Improves of --grows Grows. "
                         f"Leave it out.")
    return {"judge": options.judge, "label": options.label, "reward": options.reward, "data": options.data,
            "prompt": options.prompt, "response": options.response, "columns": options.columns,
            "prompts": options.prompts, "template": options.template,
            "changes": changes_in(options, "grows", "responses", "thresholds", "kind", "loss", "updates",
                                  "original_share", "batch_size", "learning_rate", "seed", "max_new_tokens",
                                  "temperature")}


# What is wrong with a file is found by the same readers that the job will ask.

def _look_sft(options: argparse.Namespace) -> None:
    if small(options.data) and (options.prompt is None) == (options.response is None):
        look_at(options, options.data, "examples", prompt=options.prompt, response=options.response,
              text=None if options.text == "text" else options.text)


def _look_rest(options: argparse.Namespace) -> None:
    if small(options.data) and (options.prompt is None) == (options.response is None):
        look_at(options, options.data, "examples", prompt=options.prompt, response=options.response)


def _show(console: Console, result: dict[str, Any], options: argparse.Namespace) -> None:
    from rlhf_kit.runs import report
    lang = options.lang
    if result["job"] in judges.SHOWN:
        judges.SHOWN[result["job"]](console, result, options)
    elif result["job"] == "sft":
        loss = result["loss"]
        showing.measures(console, [{"name": say(lang, "row_loss"), "before": f"{loss['before']:.3f}",
                                    "after": f"{loss['after']:.3f}"}], lang, after="column_after_sft")
        examined = "sft_examples" if result["held_out"] else "sft_too_few"
        console.print(say(lang, examined, n=result["examples"], held_out=result["held_out"]))
        if result["held_out"]:
            showing.few(console, result["held_out"], lang)
    elif result["job"] == "distil":
        distil.show(console, result, lang)
    else:
        after = "column_after" if result["job"] == "ppo" else "column_after_sft"
        showing.texts(console, result["samples"][:4], lang, score="meter_reward",
                      titles=(say(lang, "column_before"), say(lang, after)))
        showing.measures(console, report.measures(result, lang), lang, after=after)
        if "told" in result:
            console.print(say(lang, "sft_examples", n=result["examples"], held_out=result["held_out"]))
        scores = result["before"]["scores"].values()
        showing.few(console, min([one["n"] for one in scores], default=result.get("held_out", 0)), lang)
        for row in result.get("improves", ()):
            console.print(say(lang, "rest_improve", **row), markup=False, soft_wrap=True)
        if root := result.get("root_kl"):
            console.print(say(lang, "ppo_root_kl", **root), markup=False, soft_wrap=True)
        if gap := result.get("split_half"):
            console.print(say(lang, "ppo_split_half", **gap), markup=False, soft_wrap=True)
        if stopped := result.get("stopped"):
            console.print(say(lang, "ppo_stopped", **stopped), markup=False, soft_wrap=True)
    if result["job"] in DIAGNOSED:
        _say_if_ill(console, options)
    showing.took(console, result, lang)
    folder = os.path.join(options.output, "policy" if "win_rate" in result else "model")
    door = {"reward_model": "load_reward_model", "judge": "load_classifier",
            "rule_model": "load_classifier"}.get(result["job"], "load_policy")
    console.print(say(lang, "load_it", door=door, folder=folder), markup=False, soft_wrap=True)


def _say_if_ill(console: Console, options: argparse.Namespace) -> None:
    """The likely fault of a run that looks ill; nothing about one that looks healthy."""
    from rlhf_kit.runs.explain import Record, findings
    from rlhf_kit.storage import StorageError
    try:
        found = findings(Record.read(options.output))
    except StorageError:                                    # a finished run whose metrics somebody took away
        return
    if found:
        console.print(say(options.lang, "explain_ill", command=typed(["rlhf-kit", "explain", options.output])),
                      markup=False, soft_wrap=True)
        tell(console, found[0], options.lang)
