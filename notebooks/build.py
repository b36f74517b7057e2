"""From one source to three products: `python notebooks/build.py` writes all lessons, or those that are named.

    source/01_sentiment_ppo.py      the only file that people edit (jupytext py:percent)
    01_sentiment_ppo.ipynb          for students, exercises to be filled in
    zh/01_sentiment_ppo.ipynb       its Chinese twin
    solutions/01_sentiment_ppo.ipynb

Marks in the source, behind `# %%`:

    [markdown] lang="en"            text, followed by its partner:
    [markdown] lang="zh" of="3f2a"  the first four characters of the hash of the English text it translates
    guess="1"                       where a guess is entered
    shown="yes"                     its output stands in a student's notebook although a guess or an exercise is above
    exercise="1.2"                  a function; what stands between `# solution:` and `# end` is taken out for students
    check="1.2"                     the cell that checks it
    [markdown] lang="en" hints="1.2"    its hints; the solution is added below them, folded

A student's notebook has the outputs above its first guess or exercise, and of the cells below that are marked `shown`:
what was to be found out is not told beforehand.

Options: --handout DIR writes the notebooks of a class instead, without solutions: --install says what their first cell
installs, --colab where they will lie on GitHub. --no-run leaves outputs away; --renew writes only badges and first
cells anew, and leaves outputs as they are; --stamp accepts every Chinese text as up to date.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import os
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rlhf_kit import REPOSITORY
from rlhf_kit.scale.spaces import has_address
from rlhf_kit.storage import StorageError, write_files

HERE = Path(__file__).parent
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}, "colab": {"toc_visible": True}}
LONGEST_CELL = 20                       # seconds
WORDS = {"en": {"other": "中文", "solution": "Solutions", "exercise": "Exercises", "shown": "Solution"},
         "zh": {"other": "English", "solution": "答案", "exercise": "练习", "shown": "参考答案"}}
EXTRAS = {"03": ("scale", "trl")}         # level -> (extra that it needs, one of the libraries in it)
KIT = f"git+{REPOSITORY}"
COLAB, OPENS = ("![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)",
                "https://colab.research.google.com/github")
SETUP = '''try:
    import {needed}rlhf_kit as kit
except ImportError:
    {otherwise}
LANG = kit.setup(lesson="{lesson}", seed=0{lang})'''
INSTALL = """%pip install -q "{requirement}"
    import rlhf_kit as kit"""
THEN = {"en": ", then", "zh": "，再运行"}
NO_ADDRESS = {"en": """raise RuntimeError(
        "rlhf-kit{extra} is not installed here, and this notebook does not know yet where to get it from. "
        "In a clone, `make lab` opens the lessons with the kit. Elsewhere, such as in Colab, upload the wheel that "
        "`python -m build --wheel` writes into dist/, and in a cell above this one run "
        "%pip install rlhf_kit-*.whl{then}.") from None""",
              "zh": """raise RuntimeError(
        "这里没有装 rlhf-kit{extra}，而这本笔记本还不知道该从哪里下载。"
        "在克隆下来的仓库里运行 `make lab`，课程和工具包会一起打开。在别处（例如 Colab），先上传 "
        "`python -m build --wheel` 生成的 wheel（在 dist/ 里），再在这个单元格上面新建一个，运行 "
        "%pip install rlhf_kit-*.whl{then}。") from None"""}


class SourceError(ValueError):
    """A source that cannot become a notebook; the message says where and why."""


@dataclass(frozen=True)
class Cell:
    """A place in the lesson: code that all products share, or a text in both languages."""

    name: str                           # its id in every product
    kind: str                           # "code", "guess", "exercise", "check" or "text"
    code: str = ""
    text: dict[str, str] = field(default_factory=dict)
    number: str = ""                    # of the exercise
    shown: bool = False                 # students see its output although it stands below a guess or an exercise
    stale: bool = False                 # the English text has changed since it was translated


# Reading

def lessons() -> list[Path]:
    """Every source, in order."""
    return sorted((HERE / "source").glob("[0-9]*.py"))


def read(source: Path) -> list[Cell]:
    """The cells of a source. Raises: SourceError."""
    raw = [cell for cell in jupytext.read(source, fmt="py:percent").cells if cell.source.strip()]
    cells, place = [], 0
    while place < len(raw):
        cell, name = raw[place], f"c{len(cells) + 1:03d}"
        marks = cell.metadata
        if cell.cell_type == "code":
            number = marks.get("exercise") or marks.get("check") or ""
            kind = next((k for k in ("exercise", "check", "guess") if k in marks), "code")
            if number:
                name = f"{'ex' if kind == 'exercise' else 'check'}-{number.replace('.', '-')}"
            cells.append(Cell(name, kind, cell.source, number=number, shown="shown" in marks))
            place += 1
            continue
        partner = raw[place + 1] if place + 1 < len(raw) else None
        if marks.get("lang") != "en" or partner is None or partner.metadata.get("lang") != "zh":
            raise SourceError(f"{source.name}: a text without its partner: {cell.source[:60]!r}. Every English cell is "
                              f"followed by its Chinese one.")
        cells.append(Cell(name, "text", text={"en": cell.source, "zh": partner.source}, number=marks.get("hints", ""),
                          stale=partner.metadata.get("of") != mark_of(cell.source)))
        place += 2
    return cells


def mark_of(text: str) -> str:
    """Four characters that stand for an English text."""
    return hashlib.sha256(text.encode()).hexdigest()[:4]


def stamp(source: Path) -> None:
    """Write into every Chinese cell which English text it translates."""
    english = [cell.text["en"] for cell in read(source) if cell.kind == "text"]
    marks = iter(map(mark_of, english))

    def marked(match: re.Match) -> str:
        return f'# %% [markdown] lang="zh" of="{next(marks)}"'
    text = re.sub(r'^# %% \[markdown\] lang="zh"(?: of="\w*")?', marked, source.read_text(encoding="utf-8"), flags=re.M)
    source.write_text(text, encoding="utf-8")


# Writing

def notebook(source: Path, lang: str, solved: bool, handout: bool = False, *, install: str = KIT,
             colab: str = "") -> NotebookNode:
    """One product, without outputs.

    Args:
        handout: without any solution, and without links to where there are some.
        install: what the first cell installs if the kit is not there: an address as pip knows them, or a wheel's name.
        colab: the address of the folder on GitHub in which a handout will lie; then it has a link into Colab.
    """
    cells = read(source)
    answers = {cell.number: cell.code for cell in cells if cell.kind == "exercise"}
    made = []
    for cell in cells:
        if cell.kind == "text":
            hidden = f"\n\n{folded(answers[cell.number], lang)}" if cell.number and not handout else ""
            made.append(_text(cell.name, cell.text[lang] + hidden))
        else:
            made.append(_code(cell.name, cell.code if cell.kind != "exercise" else
                              shown(cell.code) if solved else emptied(cell.code)))
    opening = min(2, next((i for i, cell in enumerate(cells) if cell.kind != "text"), len(cells)))
    links = badge(source.stem, lang, solved) if not handout else handed_out(source.stem, lang, colab)
    whole = [*([_text("badge", links)] if links else []), *made[:opening],
             _code("setup", setup(source.stem, lang, install)), *made[opening:]]
    return new_notebook(cells=whole, metadata=copy.deepcopy(METADATA), nbformat_minor=5)


def handed_out(stem: str, lang: str, colab: str) -> str:
    """The first line of a handout: open this very file in Colab. The kit's own would open one with folded solutions."""
    folder = colab.rstrip("/").replace("https://github.com/", "").replace("/tree/", "/blob/", 1)
    return colab and f"[{COLAB}]({OPENS}/{folder}/{'zh/' if lang == 'zh' else ''}{stem}.ipynb)"


def badge(stem: str, lang: str, solved: bool = False) -> str:
    """The first line: open in Colab, the other language, the solutions; of these, the exercises."""
    path = f"notebooks/{'solutions/' if solved else 'zh/' if lang == 'zh' else ''}{stem}.ipynb"
    up = "../" if lang == "zh" or solved else ""
    other = f"{up}{stem}.ipynb" if lang == "zh" else f"{up}zh/{stem}.ipynb"
    colab = f"{REPOSITORY.replace('https://github.com', OPENS)}/blob/main/{path}"
    twin, said = (f"{up}{stem}", "exercise") if solved else (f"{up}solutions/{stem}", "solution")
    return " · ".join([*[f"[{COLAB}]({colab})"] * in_colab(), f"[{WORDS[lang]['other']}]({other})",
                       f"[{WORDS[lang][said]}]({twin}.ipynb)"])


def in_colab() -> bool:
    """Whether Colab can open what lies at the address: it is set, and on GitHub."""
    return has_address() and REPOSITORY.startswith("https://github.com/")


def setup(stem: str, lang: str, install: str = KIT) -> str:
    """The first code cell: find or install the kit, or say how to, then one line about what is here."""
    extra, library = EXTRAS.get(stem[:2], ("", ""))
    extra = extra and f"[{extra}]"
    otherwise = (NO_ADDRESS[lang] if install == KIT and not has_address() else INSTALL).format(
        extra=extra, then=extra and f'{THEN[lang]} %pip install \\"rlhf-kit{extra}\\"',
        requirement=f"rlhf-kit{extra} @ {install}" if "://" in install else f"{install}{extra}")
    return SETUP.format(otherwise=otherwise, lesson=lesson(stem), needed=library and f"{library}, ",
                        lang='' if lang == "en" else f', lang="{lang}"')


SOLUTION = re.compile(r"^( *)# solution:\n(.*?)^ *# end\n?", flags=re.M | re.S)


def emptied(code: str) -> str:
    """The exercise as a student finds it."""
    if not SOLUTION.search(code):
        raise SourceError(f"an exercise without `# solution:` and `# end`: {code[:60]!r}")
    return SOLUTION.sub(r"\1# YOUR CODE HERE\n\1raise NotImplementedError\n", code + "\n").rstrip()


def shown(code: str) -> str:
    """The exercise with its solution in it."""
    return SOLUTION.sub(r"\2", code + "\n").rstrip()


def folded(code: str, lang: str) -> str:
    """The solution as a text that opens on a click."""
    body = textwrap.dedent(shown(code))
    return f"<details><summary>{WORDS[lang]['shown']}</summary>\n\n```python\n{body}\n```\n\n</details>"


def _text(name: str, text: str) -> NotebookNode:
    return new_markdown_cell(text, id=name)


def _code(name: str, code: str) -> NotebookNode:
    return new_code_cell(code, id=name)


def lesson(stem: str) -> str:
    """The lesson's number: "01" of "01_sentiment_ppo", "03a" of "03a_votes_and_packing"."""
    return stem.partition("_")[0]


# Running

def run(book: NotebookNode, *, strict: bool, timeout: int = 300, kernel: str = "python3") -> dict[str, float]:
    """Execute in place, in an empty folder and without the hub; returns the seconds that each cell took."""
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    environment = {**os.environ, "RLHF_KIT_STRICT": "1" if strict else "0", "HF_HUB_OFFLINE": "1",
                   "RLHF_KIT_PANELS": "off",
                   "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(book, timeout=timeout, kernel_name=kernel, resources={"metadata": {"path": folder}},
                                record_timing=True)
        client.execute(env=environment)
    for cell in book.cells:
        timing = cell.metadata.pop("execution", {})
        began[cell.id], ended = timing.get("iopub.execute_input", ""), timing.get("shell.execute_reply", "")
        if began[cell.id] and ended:
            took[cell.id] = _seconds(began[cell.id], ended)
    book.metadata = nbformat.from_dict(copy.deepcopy(METADATA))
    _tidy(book)
    return took


def _seconds(began: str, ended: str) -> float:
    from datetime import datetime
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def _tidy(book: NotebookNode) -> None:
    """Join what was printed in pieces, and count the cells from 1."""
    for count, cell in enumerate((c for c in book.cells if c.cell_type == "code"), 1):
        cell.execution_count = count
        joined: list[NotebookNode] = []
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if joined and output.output_type == "stream" and joined[-1].get("name") == output.name:
                joined[-1].text += output.text
            else:
                joined.append(output)
        cell.outputs = [output for output in joined if output.get("name") != "stderr"]
    _without_version(book)


def _without_version(book: NotebookNode) -> None:
    """What is stored of the first cell does not name the kit's version, so that a release changes no notebook."""
    for output in (output for cell in book.cells if cell.id == "setup" for output in cell.outputs):
        if "text" in output:
            output.text = re.sub(r"(rlhf-kit) \d[\w.]*", r"\1", output.text)


def lend_outputs(solved: NotebookNode, book: NotebookNode, told: set[str]) -> None:
    """Give a student's notebook what the solution printed and drew, in the cells whose names are in `told`."""
    outputs = {cell.id: cell.outputs for cell in solved.cells if cell.cell_type == "code"}
    for cell in book.cells:
        if cell.cell_type == "code" and cell.id in told:
            cell.outputs = outputs[cell.id]


def told(cells: Iterable[Cell]) -> set[str]:
    """The names of the cells that students find with outputs, the setup among them: see the top of this file."""
    names, asked = {"setup"}, False
    for cell in cells:
        asked = asked or cell.kind in ("guess", "exercise", "check")
        if cell.shown or (cell.kind == "code" and not asked):
            names.add(cell.name)
    return names


def save(book: NotebookNode, path: Path) -> None:
    """One of the three products into this folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(book), encoding="utf-8")


def written(book: NotebookNode) -> str:
    """Validated, and with one line end at the end."""
    nbformat.validate(book)
    return nbformat.writes(book).rstrip("\n") + "\n"


# The command

def build(source: Path, execute: bool = True) -> Iterator[str]:
    """Write the products of one lesson; yields a line about each."""
    for cell in read(source):
        if cell.stale:
            yield f"{source.name}: the Chinese text is older than the English one: {cell.text['en'][:50]!r}"
    names = told(read(source))
    for lang in ("en", "zh"):
        solved, student = notebook(source, lang, solved=True), notebook(source, lang, solved=False)
        if execute:
            if lang == "zh":                             # nobody keeps its solution: run what students are shown
                last = max(i for i, cell in enumerate(solved.cells) if cell.id in names)
                solved.cells = solved.cells[:last + 1]
            took = run(solved, strict=True)
            slow = [f"{name} {seconds:.0f} s" for name, seconds in took.items() if seconds > LONGEST_CELL]
            yield f"{source.stem} ({lang}): {sum(took.values()):.0f} s{'; too slow: ' * bool(slow)}{', '.join(slow)}"
            lend_outputs(solved, student, names)
        save(student, HERE / ("zh" if lang == "zh" else "") / f"{source.stem}.ipynb")
        if lang == "en":
            save(solved, HERE / "solutions" / f"{source.stem}.ipynb")


def renew(source: Path) -> Iterator[str]:
    """Badge and first cell of the lesson's products anew, as after another address; yields what has changed."""
    for lang, solved in (("en", False), ("zh", False), ("en", True)):
        path = HERE / ("solutions" if solved else "zh" if lang == "zh" else "") / f"{source.stem}.ipynb"
        book = nbformat.read(path, as_version=4)
        fresh = {"badge": badge(source.stem, lang, solved), "setup": setup(source.stem, lang)}
        for cell in book.cells:
            cell.source = fresh.get(cell.id, cell.source)
        _without_version(book)
        if written(book) != path.read_text(encoding="utf-8"):
            save(book, path)
            yield f"{path.relative_to(HERE)}: first cells renewed"


def told_of(folder: Path, handout: Iterable[str], install: str) -> Iterator[str]:
    """What a teacher wants to know of a handout that was just written."""
    names = sorted(handout)
    yield (f"{folder} has {len(names)} notebooks without solutions: "
           f"{', '.join(name[:-6] for name in names if '/' not in name)}; the same in Chinese in zh/.")
    others = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.ipynb")
                    if path.relative_to(folder).as_posix() not in names)
    if others:
        yield f"From before there are {len(others)} more, such as {others[0]}. Delete the folder to have these only."
    if install == KIT and not has_address():
        yield ("Their first cell knows no address to install the kit from. Hand out a wheel with them, "
               "which python -m build makes: --install rlhf_kit-VERSION-py3-none-any.whl; or let the class install it "
               "before.")


def main(arguments: list[str] | None = None) -> int:
    """Build what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="such as 01; all if none is given")
    parser.add_argument("--handout", metavar="DIR", type=Path, help="write notebooks without solutions there")
    parser.add_argument("--install", metavar="WHAT", default=KIT,
                        help="what the first cell of a handout installs: git+https://..., the https address of a "
                             "wheel, or the name of one that is handed out beside it (default: %(default)s)")
    parser.add_argument("--colab", metavar="URL", default="",
                        help="the folder on GitHub in which the handout will lie, such as "
                             "https://github.com/me/course/blob/main/handout: its notebooks then open in Colab")
    parser.add_argument("--no-run", action="store_true", help="leave outputs away")
    parser.add_argument("--renew", action="store_true", help="write only badges and first cells anew, without running")
    parser.add_argument("--stamp", action="store_true", help="accept every Chinese text as up to date")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if not any(source.name.startswith(name) for source in lessons())]
    if unknown:
        known = ", ".join(lesson(source.stem) for source in lessons())
        parser.error(f"there is no lesson {unknown[0]!r}; there are {known}.")
    if options.colab and not re.match(r"https://github\.com/[^/]+/[^/]+/(?:blob|tree)/[^/]+", options.colab):
        parser.error(f"--colab is {options.colab!r}; expected a folder on GitHub with its branch, such as "
                     f"https://github.com/me/course/blob/main/handout.")
    handout: dict[str, str] = {}
    for source in lessons():
        if options.names and not source.name.startswith(tuple(options.names)):
            continue
        if options.stamp:
            stamp(source)
        elif options.handout:
            for lang in ("en", "zh"):
                book = notebook(source, lang, solved=False, handout=True, install=options.install,
                                colab=options.colab)
                handout[f"{'zh/' * (lang == 'zh')}{source.stem}.ipynb"] = written(book)
        else:
            for line in renew(source) if options.renew else build(source, execute=not options.no_run):
                print(line, flush=True)
    try:
        if handout:
            write_files(options.handout, handout)               # nothing that a teacher changed is written over
            for line in told_of(options.handout, handout, options.install):
                print(line)
    except StorageError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
