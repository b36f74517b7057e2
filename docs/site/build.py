"""The documentation site, from the pages of this repository: `make docs` writes dist/docs, and a warning is an error.

    README.md, docs/*.md, docs/zh/*.md      as they are
    notebooks/*.ipynb, zh/, solutions/      the lessons with their stored outputs
    docs/reference/                         made here, from docstrings and `--help`

The pages lie for Sphinx as they lie in the repository, so that every link that works there works here.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from reference import pages as reference_pages
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CITATION.cff", "LICENSE",
          "constraints.txt", "docs/glossary.md", "docs/teaching.md", "docs/zh/teaching.md")
# What the margin shows: a heading in either language, and the pages below it; "*" stands for the lessons.
MARGIN = {
    ("Begin", "开始"): ("start", "help"),
    ("Lessons", "课程"): ("lessons", "*", "teaching"),
    ("How to", "怎么做"): ("studio", "python", "command-line", "runs", "gpu"),
    ("Systems", "系统"): ("instructgpt", "anthropic", "sparrow", "stackllama", "best-of-n-and-rest", "after-ppo",
                          "frontier", "overoptimisation", "labs", "assistant"),
    ("Explained", "说明"): ("measured", "formulas", "house"),
}
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\([^)]*\)(?: · )?")       # its picture would be fetched


def lay_out(folder: Path) -> None:
    """Copy what the site is made of into a folder, and add the list of pages."""
    for place in ("docs", "docs/zh"):
        for file in (ROOT / place).iterdir():
            if file.suffix in (".md", ".png", ".svg"):
                _copy(f"{place}/{file.name}", folder)
    for name in BESIDE:
        _copy(name, folder)
    for place in ("notebooks", "notebooks/zh", "notebooks/solutions"):
        for file in sorted((ROOT / place).glob("*.ipynb")):
            _lesson(file, folder / place / file.name)
    for name, text in reference_pages().items():
        (folder / "docs" / "reference").mkdir(exist_ok=True)
        (folder / "docs" / "reference" / name).write_text(_with_tree(name, text), encoding="utf-8")
    shutil.copytree(HERE / "static", folder / "docs" / "site" / "static")
    shutil.copy(HERE / "conf.py", folder)
    _first_page("README.md", "docs", "notebooks", 0, folder)
    _first_page("README.zh-CN.md", "docs/zh", "notebooks/zh", 1, folder)


def _copy(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, folder / name)


def _lesson(source: Path, target: Path) -> None:
    """A lesson without the badge of Colab, the words around it kept."""
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = BADGE.sub("", cell.source)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


def _first_page(readme: str, place: str, lessons: str, side: int, folder: Path) -> None:
    """A README, and below it, unseen, the order of the pages in the margin."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    for titles, names in MARGIN.items():
        found = [one for name in names
                 for one in (_stems(lessons) if name == "*" else [f"{place}/{name}"])]
        text += _tree(titles[side], found)
    if not side:
        text += _tree("Reference", ["docs/reference/index", "docs/glossary", *_stems("notebooks/solutions"),
                                    "CONTRIBUTING", "CHANGELOG", "SECURITY", "CODE_OF_CONDUCT"])
        text += _tree("中文", ["README.zh-CN"])
    (folder / readme).write_text(text, encoding="utf-8")


def _stems(place: str) -> list[str]:
    return [f"{place}/{file.stem}" for file in sorted((ROOT / place).glob("*.ipynb"))]


def _tree(title: str, names: list[str]) -> str:
    listed = "\n".join(names)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n:titlesonly:\n\n{listed}\n```\n"


def _with_tree(name: str, text: str) -> str:
    if name != "index.md":
        return text
    return text + _tree("Reference", re.findall(r"\]\(([^)]+)\.md\)", text))


def for_keys(page: str) -> str:
    """What scrolls can be reached with keys, and a heading of the margin says of which level it is."""
    page = re.sub(r"<(pre|table)\b(?![^>]*tabindex)", r'<\1 tabindex="0"', page)
    page = page.replace('<div class="math">', '<div class="math" tabindex="0">')
    return page.replace('class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"')


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("output", nargs="?", default=str(ROOT / "dist" / "docs"), help="where the pages go")
    output = Path(parser.parse_args().output)
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder))
        failed = build_main(["-q", "-W", "--keep-going", "-E", "-d", f"{folder}/.doctrees",
                             folder, str(output)])
    if not failed:
        for page in output.rglob("*.html"):
            page.write_text(for_keys(page.read_text(encoding="utf-8")), encoding="utf-8")
        shutil.copy(output / "README.html", output / "index.html")
        print(f"Open {output / 'index.html'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
