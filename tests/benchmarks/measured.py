"""Tables that benches print: kept in `measured.json` or in a bench's own file, and from there in the pages.

    make bench ARGS="measured"              write every table into its pages again, in both languages

A bench calls `keep` with its lines when it is done; `OWN` are those that keep numbers and make lines of them.
`CHINESE` has the words of heads and of first columns of the others.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhf_kit.language import LANGS, Lang
from rlhf_kit.storage import write_text
from tests.benchmarks.differences import about

FILE = Path(__file__).with_name("measured.json")
DOCS = {"en": Path(__file__).parents[2] / "docs", "zh": Path(__file__).parents[2] / "docs" / "zh"}
PAGES = {"stack-table": "stackllama", "rest-table": "best-of-n-and-rest", "rest-differences": "best-of-n-and-rest",
         "base-table": "assistant", "assistant_world-table": "assistant"}       # others: measured.md or the bench's own
# Marks of a table -> the bench, and which of its functions makes the lines of what it has stored.
OWN = {**{f"{bench}-table": (bench, "table") for bench in (
          "anthropic", "assistant_world", "base", "frontier", "instructgpt", "labs", "overoptimisation", "rest",
          "sparrow")},
       "anthropic-stages": ("anthropic", "stages"), "rest-differences": ("rest", "differences")}

# What is said in a head or in a row's first cell; a pattern may hold a number.
CHINESE: tuple[tuple[str, str], ...] = (
    ("language, seed", "语言、种子"), ("score before", "得分：训练前"), ("gold before", "真值：训练前"),
    ("end by themselves", "自己收尾"), ("responses that end by themselves", "自己收尾的比例"),
    ("different responses", "互不相同的比例"), ("different", "互不相同"), ("judge right", "评判正确率"),
    ("pairs right, of the truth's", "成对正确率（真值的）"), ("CPU s", "CPU 秒"), ("CPU seconds", "CPU 秒"),
    ("before", "训练前"), ("after", "训练后"), ("measure", "指标"),
    (r"score: P\(positive\), by the judge", "得分：评判给出的好评概率"),
    ("score by the second judge", "第二评判的打分"), ("KL, nats per response", "KL（奈特/条）"),
    ("tokens per response", "每条的词元数"), ("judge: right on held-out reviews", "评判在留出评论上的正确率"),
    ("second judge: right on held-out reviews", "第二评判在留出评论上的正确率"), ("what", "模型"),
    ("pairs right", "成对正确"), ("whole lists right", "整个排序正确"), ("calibration error", "校准误差"),
    (r"rlhf-kit, a tiny encoder from nothing, seed (\d+)", r"rlhf-kit，从零开始的小编码器，种子 \1"),
    (r"the same, seed (\d+)", r"同上，种子 \1"),
    (r"rlhf-kit, pretrained on ([\d,]+) labelled reviews", r"rlhf-kit，先用 \1 条带标签的评论预训练"),
    ("pairwise linear model, characters and bigrams", "成对线性模型，单字和二元"),
    ("pairwise linear model, tf-idf up to trigrams", "成对线性模型，tf-idf 到三元"),
    ("sentiment classifier that saw no ranking", "没见过排序的情感分类器"),
    ("CPU s a step", "每步 CPU 秒"), ("fastest step", "最快的一步"), ("fastest steps", "最快的一步"),
    (r"to (TRL [\d.]+|TRL)", r"与 \1 之比"), ("wall s", "实际秒数"), ("peak MiB", "峰值 MiB"),
    ("no library", "不用库"), (r"(TRL [\d.]+), sampling 4 at once", r"\1，每次采样 4 条"),
    ("rlhf-kit, CPU s a step", "rlhf-kit，每步 CPU 秒"), ("each round", "各轮"), ("vocabulary", "词表"),
    ("batch", "批次"), ("responses", "回答"), ("never end", "都不结束"),
    ("transformers: tokens a CPU second", "transformers：每 CPU 秒的词元数"),
    ("rollout to transformers", "rollout 与它之比"),
    ("generate to transformers", "generate 与它之比"), ("learning rate", "学习率"),
    (r"CPU s to ([\d.]+)", r"到 \1 的 CPU 秒"), ("each seed", "每个种子"), ("steps", "步数"),
    ("last ten: reward", "最后十步：奖励"), (r"(.+), lam (\d+)", r"\1，λ = \2"),
    ("forum, seed, base in", "论坛、种子、底座精度"),
    ("by length alone", "只看长度"), ("gold: base", "真值：底座"), ("after SFT", "SFT 之后"), ("after PPO", "PPO 之后"),
    (r"gold after PPO \(before\)", "PPO 之后的真值（之前）"), ("score", "得分"),
    ("reviews, en", "评论，英文"), ("reviews, zh", "评论，中文"), ("forum", "论坛"),
)
IN_ROWS = {"sampling"}                                      # tables with words in other cells than the first


def keep(name: str, command: str, lines: Sequence[str]) -> None:
    """Store a table's lines, head first, beside the others, with how and where it was measured."""
    stored = read()
    stored[name] = {**about(name), "command": command, "lines": list(lines)}
    write_text(FILE, json.dumps(dict(sorted(stored.items())), indent=1, ensure_ascii=False) + "\n")


def read() -> dict[str, dict[str, Any]]:
    """Every table: how it was measured, and its lines."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def marks() -> list[str]:
    """Every table, as the pages call it."""
    return [*(f"{name}-table" for name in read()), *OWN]


def lines_of(mark: str, lang: Lang) -> list[str]:
    """The lines that a page has between those marks."""
    if mark not in OWN:
        return table(mark.removesuffix("-table"), lang)
    bench, lines = OWN[mark]
    made = importlib.import_module(f"tests.benchmarks.{bench}")
    return list(getattr(made, lines)(json.loads(made.FILE.read_text(encoding="utf-8")), lang))


def table(name: str, lang: Lang = "en") -> list[str]:
    """The lines of a table of `measured.json`."""
    lines = read()[name]["lines"]
    if lang == "en":
        return lines
    head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    rows = [[_chinese(cell) if i == 0 or name in IN_ROWS else cell for i, cell in enumerate(row)] for row in rows]
    shown = [[_chinese(cell) for cell in head], *rows]
    written = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in shown]
    return [written[0], lines[1], *written[1:]]


def _chinese(cell: str) -> str:
    for english, chinese in CHINESE:
        if re.fullmatch(english, cell):
            return re.sub(english, chinese, cell)
    return cell


def between(mark: str, text: str) -> tuple[str, str, str]:
    """A page's text before, in and behind the marks of a table."""
    first, last = f"<!-- {mark}:start -->\n", f"<!-- {mark}:end -->"
    before, _, rest = text.partition(first)
    shown, _, behind = rest.partition(last)
    return before + first, shown, last + behind


def page_of(mark: str, lang: Lang) -> Path:
    """Where that table stands."""
    return DOCS[lang] / f"{PAGES.get(mark, OWN[mark][0] if mark in OWN else 'measured')}.md"


def main() -> None:
    """Every table, between its marks."""
    for mark in marks():
        for lang in LANGS:
            page = page_of(mark, lang)
            before, _, behind = between(mark, page.read_text(encoding="utf-8"))
            write_text(page, before + "\n".join(lines_of(mark, lang)) + "\n" + behind)


if __name__ == "__main__":
    main()
