"""`rlhf-kit memory`: what fits on which GPU, before anything is loaded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import check_names
from rlhf_kit.language import LANGS, Lang, say, system_language
from rlhf_kit.scale import memory
from rlhf_kit.tasks import tiny_names

if TYPE_CHECKING:
    from rich.console import Console

PARTS = ("weights", "adapters", "gradients", "optimiser", "heads", "activations", "checkpointed", "logits", "reading",
         "cache")


SCALES: dict[Lang, tuple[tuple[float, str], ...]] = {                        # what a reader counts large numbers in
    "en": ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")), "zh": ((1e8, "亿"), (1e4, "万"))}


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    parser = commands.add_parser("memory", help="what fits on which GPU, before anything is loaded",
                                 description="Adds up what training a model takes, four ways side by side: full, and "
                                             "LoRA on bf16, int8 and nf4; for fine-tuning and for PPO. Nothing is "
                                             "loaded.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--params", type=float, metavar="N", help="number of parameters, such as 7e9: the nearest LLaMA")
    what.add_argument("--model", metavar="NAME", help="a folder with config.json, or a name on the Hugging Face hub")
    parser.add_argument("--quantize", choices=("int8", "nf4"), help="marks LoRA on such a base (default: bf16)")
    parser.add_argument("--lora", type=int, metavar="R", help="LoRA's rank (default 16); without it and --quantize "
                                                              "full fine-tuning is marked")
    parser.add_argument("--targets", default="all-linear", metavar="NAMES",
                        help="where adapters are put: %(default)s, or names such as q_proj,v_proj")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="texts in one gradient (%(default)s)")
    parser.add_argument("--seq", type=int, default=1024, metavar="N", help="tokens of each (%(default)s)")
    parser.add_argument("--prompt", type=int, metavar="N", help="tokens of a prompt in PPO (default: half of --seq)")
    parser.add_argument("--response", type=int, metavar="N", help="tokens of a response in PPO (default: the other "
                                                                  "half)")
    parser.add_argument("--rollouts", type=int, metavar="N", help="responses sampled at once (default: --batch)")
    parser.add_argument("--tokens-per-pass", type=int, metavar="N", help="tokens that PPO reads at once while it "
                                                                         "learns (default: all of a gradient)")
    parser.add_argument("--gpu", type=float, default=80, metavar="GB", help="memory of the GPU (%(default)g)")
    parser.add_argument("--plot", metavar="FILE", help="draw fine-tuning as bars, into a .png or .svg")
    parser.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print bytes as JSON and nothing else")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print both tables; draw if asked to."""
    if not options.gpu > 0:
        raise ValueError(f"--gpu is {options.gpu:g}; expected its memory in GB, such as 80.")
    shape = _shape(options)
    work = memory.Work(batch=options.batch, seq=options.seq, prompt=options.prompt, response=options.response,
                       rollouts=options.rollouts, tokens_per_pass=options.tokens_per_pass, targets=options.targets,
                       rank=16 if options.lora is None else options.lora)
    tuning, ppo = memory.fine_tuning(shape, work), memory.ppo(shape, work)
    chosen = options.quantize or ("full" if options.lora is None else "bf16")
    lang, console = options.lang, showing.console_for(options.json)
    if options.plot:
        _draw(options, tuning, chosen, shape.name)
    if options.json:
        print(json.dumps({"model": shape.name, "parameters": shape.parameters, "linear": shape.linear,
                          "adapter": shape.adapter(work.rank, work.targets), "work": asdict(work), "chosen": chosen,
                          "fine_tuning": _numbers(tuning, options.gpu), "ppo": _numbers(ppo, options.gpu)}))
        return 0
    console.print(say(lang, "memory_model", name=showing.plain(shape.name), parameters=amount(shape.parameters, lang),
                      linear=amount(shape.linear, lang), rank=work.rank, targets=work.targets,
                      adapter=amount(shape.adapter(work.rank, work.targets), lang)), markup=False, soft_wrap=True)
    for key, plans in (("fine_tuning", tuning), ("ppo", ppo)):
        console.print()
        console.print(say(lang, f"memory_{key}", **{k: v for k, v in asdict(work).items() if k not in
                                                    ("rank", "targets")}), markup=False, soft_wrap=True)
        _table(console, plans, _names(plans, lang, apart=key == "ppo"), chosen, options.gpu, lang)
    console.print()
    for note in ("peak", "full", "ppo"):
        console.print(say(lang, f"memory_note_{note}", **({"blog": memory.BLOG * shape.parameters / 1e9}
                                                          if note == "full" else {})), soft_wrap=True)
    if options.plot:
        console.print(say(lang, "memory_plotted", file=options.plot), markup=False, soft_wrap=True)
    return 0


def _shape(options: argparse.Namespace) -> memory.Shape:
    if options.model is None:
        return memory.nearest(options.params)
    check_names(options.model)
    if options.model in tiny_names():
        raise ValueError(f"--model {options.model} is a tiny model: some ten megabytes, which fit anywhere. Expected "
                         f"a folder or a name on the hub, or --params.")
    from rlhf_kit.models.loading import config_of
    return memory.shape(config_of(options.model), options.model)


def _names(plans: Sequence[memory.Plan], lang: Lang, apart: bool) -> list[str]:
    if not apart:
        return [say(lang, f"memory_{plan.name}") for plan in plans]
    return [say(lang, "memory_apart") if plan.name == "apart" else say(lang, "memory_shared", kind=plan.name)
            for plan in plans]


def _table(console: Console, plans: Sequence[memory.Plan], names: Sequence[str], chosen: str, gpu: float,
           lang: Lang) -> None:
    from rich.table import Table
    table = Table(show_edge=False)
    table.add_column(say(lang, "memory_column"))
    for plan, name in zip(plans, names, strict=True):
        marked = plan.name == chosen
        table.add_column(f"▸ {name}" if marked else name, justify="right", style="bold" if marked else "")
    for part in PARTS:
        if any(getattr(plan, part) for plan in plans):
            table.add_row(say(lang, f"memory_{part}"), *(_gigabytes(getattr(plan, part)) for plan in plans))
    table.add_section()
    table.add_row(say(lang, "memory_peak"), *(_gigabytes(plan.peak()) for plan in plans))
    table.add_row(say(lang, "memory_peak_checkpointed"), *(_gigabytes(plan.peak(checkpointing=True))
                                                           for plan in plans))
    table.add_row(say(lang, "memory_gpu", gpu=gpu), *(say(lang, f"memory_{plan.fits(gpu)}") for plan in plans))
    console.print(table)


def amount(n: int, lang: Lang) -> str:
    """A count in the largest unit that leaves something before the point, four digits of it: "6.738 billion"."""
    size, word = next(((size, word) for size, word in SCALES[lang] if n >= size), (1, ""))
    number = n / size
    said = f"{number:,.0f}" if number >= 1000 or size == 1 else f"{number:.4g}"
    return f"{said} {word}".rstrip() + " " * (lang == "zh" and size == 1)


def _gigabytes(bytes_: int) -> str:
    return "–" if not bytes_ else f"{bytes_ / 1e9:.2f}" if bytes_ >= 5e6 else "< 0.01"


def _numbers(plans: Sequence[memory.Plan], gpu: float) -> dict[str, dict[str, int | str]]:
    return {plan.name: {**{part: getattr(plan, part) for part in PARTS}, "standing": plan.standing,
                        "peak": plan.peak(), "peak_checkpointed": plan.peak(checkpointing=True),
                        "fits": plan.fits(gpu)} for plan in plans}


def _draw(options: argparse.Namespace, plans: Sequence[memory.Plan], chosen: str, name: str) -> None:
    from rlhf_kit import plots
    with plots.spoken(options.lang) as drawn:
        bars = {("▸ " if plan.name == chosen else "") + say(drawn, f"memory_{plan.name}").replace(" on ", "\non "): plan
                for plan in plans}
        figure = plots.memory_bars(bars, gpu=options.gpu, title=say(drawn, "memory_drawn", name=name,
                                                                    batch=options.batch, seq=options.seq))
        plots.save(figure, options.plot)
