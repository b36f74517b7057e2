"""The documents say what is there: every file, every function, every default; and both languages say the same."""

import argparse
import ast
import dataclasses
import importlib
import inspect
import io
import json
import re
import runpy
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import rlhf_kit
from rlhf_kit import cli, zoo
from tests.benchmarks import measured

ROOT = Path(__file__).parents[1]
# What the READMEs lead to, in the order in which it is read: each in docs/ and, in Chinese, in docs/zh/.
GUIDE = ("start", "lessons", "teaching", "measured", "python", "command-line", "best-of-n-and-rest", "after-ppo",
         "frontier", "overoptimisation", "labs", "runs", "studio", "stackllama", "instructgpt", "anthropic", "sparrow",
         "assistant", "gpu", "house", "formulas", "help")
ENGLISH = ("README.md", *(f"docs/{name}.md" for name in GUIDE))
CHINESE = ("README.zh-CN.md", *(f"docs/zh/{name}.md" for name in GUIDE))
TRANSLATED = list(zip(ENGLISH, CHINESE, strict=True))
LANGS = ("English", "Chinese")                              # all pages of a language one after another, as one text
PAGES = (*ENGLISH, *CHINESE, "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/glossary.md")
TEXT = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
TEXT |= {lang: "\n".join(TEXT[page] for page in pages)
         for lang, pages in zip(LANGS, (ENGLISH, CHINESE), strict=True)}


# --- reading a page ---------------------------------------------------------------------------------------------------

def blocks(page: str) -> list[tuple[str, str]]:
    """(language, code) of every fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", TEXT[page], re.M | re.S)


def python(page: str) -> list[str]:
    return [code for language, code in blocks(page) if language == "python"]


def table(page: str, mark: str) -> list[list[str]]:
    """Cells of the rows below a `<!-- mark -->`, without the header."""
    lines = TEXT[page].split(f"<!-- {mark} -->\n")[1].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def tree(page: str) -> list[str]:
    """Every path that the tree draws, folders with a slash at the end."""
    block = TEXT[page].split("<!-- tree -->\n")[1].split("```")[1]
    paths, above = [], []
    for line in block.splitlines()[1:]:
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        above = above[:depth]
        paths.append("".join(above) + name)
        if name.endswith("/"):
            above.append(name)
    return paths


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def resolve(name: str) -> object:
    """What a dotted name inside rlhf_kit is: a module, function, class or config field; `f(x=)` has a parameter x."""
    dotted, _, parameter = name.removesuffix(")").partition("(")
    found: object = rlhf_kit
    for part in dotted.split("."):
        fields = {f.name: f for f in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else {}
        if part in fields:
            found = fields[part]
        elif inspect.ismodule(found) and not hasattr(found, part):
            found = importlib.import_module(f"{found.__name__}.{part}")
        else:
            found = getattr(found, part)
    if parameter:
        assert parameter.removesuffix("=") in inspect.signature(found).parameters, name
    return found


def test_the_reader_of_pages_finds_what_is_there_and_nothing_else():
    known = {"rlhf_kit/formulas/masked.py", "rlhf_kit/tasks/reviews/data/products.tsv", "Makefile"}
    assert known <= set(tree("docs/house.md"))
    assert resolve("ppo.Config.sampling").name == "sampling"
    assert resolve("formulas.losses.pairwise").__name__ == "pairwise"
    with pytest.raises((AttributeError, ImportError)):
        resolve("formulas.losses.pearwise")
    with pytest.raises(AssertionError):
        resolve("ppo.steps(pretrainings=)")


# --- the tree, the map, the details -----------------------------------------------------------------------------------

@pytest.mark.parametrize("page", LANGS)
def test_the_tree_has_every_module_and_no_file_that_is_missing(page):
    shown = tree(page)
    modules = {str(p.relative_to(ROOT)) for p in (ROOT / "rlhf_kit").rglob("*.py") if p.name != "__init__.py"}
    assert modules <= set(shown)
    assert not [path for path in shown if not (ROOT / path).exists()]
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize("page", LANGS)
def test_every_function_of_the_map_exists(page):
    for _, function, _ in table(page, "formulas"):
        assert [callable(resolve(name)) for name in names(function)].count(True) == len(names(function)) > 0


@pytest.mark.parametrize("page", LANGS)
def test_the_details_are_28_and_each_says_where(page):
    rows = table(page, "details")
    assert [row[0] for row in rows] == [str(number) for number in range(1, 29)]
    for *_, where in rows:
        assert [resolve(name) for name in names(where)]


@pytest.mark.parametrize("page", LANGS)
def test_the_defaults_in_the_details_are_those_of_the_code(page):
    """A `field=value` in a row is the default of the field of that name in its last column."""
    compared = 0
    for number, _, what, where in table(page, "details"):
        fields = {f.name: f for f in map(resolve, names(where)) if isinstance(f, dataclasses.Field)}
        said = dict(name.split("=") for name in names(what) if re.fullmatch(r"\w+=\S+", name))
        assert said.keys() >= fields.keys(), f"detail {number} lacks a default of {', '.join(fields)}"
        for name, field in fields.items():
            assert ast.literal_eval(said[name]) == field.default, f"detail {number}: {name}"
            compared += 1
    assert compared > 20


# --- code -------------------------------------------------------------------------------------------------------------

def test_every_python_block_compiles_and_uses_names_that_exist():
    for page in PAGES:
        for code in python(page):
            parsed = ast.parse(code)
            for node in ast.walk(parsed):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("rlhf_kit"):
                    module = importlib.import_module(node.module)
                    assert not [alias.name for alias in node.names if not hasattr(module, alias.name)], page
                elif isinstance(node, ast.Attribute) and re.fullmatch(r"kit(\.\w+)+", ast.unparse(node)):
                    assert resolve(ast.unparse(node).removeprefix("kit.")) is not None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("page", "number"), [(page, i) for page in LANGS for i, code in enumerate(python(page))
                                              if not re.search(r'load_\w+\("runs/', code)])    # of a run of one's own
def test_a_block_of_the_readme_runs_as_it_stands(page, number, tmp_path):
    shown = run(python(page)[number], tmp_path)
    assert shown.strip()


@pytest.mark.slow
def test_the_blocks_of_contributing_run_one_after_another(tmp_path):
    program = f"for block in {python('CONTRIBUTING.md')!r}: exec(compile(block, 'page', 'exec'))"
    assert "->" in run(program, tmp_path)


def run(program: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


# --- the two languages ------------------------------------------------------------------------------------------------

def without_words(language: str, code: str) -> str:
    """A block without what is translated: comments, texts, and the words of the tree."""
    if language == "python":
        parsed = ast.parse(code)
        for node in ast.walk(parsed):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = "..."
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "kit.rewards.length":
                node.args = []                                  # characters: Chinese needs fewer
        return ast.dump(parsed)
    if language == "text":
        return "\n".join(line.split()[0] for line in code.splitlines())
    return re.sub(r"\s+#.*", "", re.sub(r"\b(tiny-\w+)-(?:en|zh)\b", r"\1", code))


@pytest.mark.parametrize("pages", TRANSLATED)
def test_both_languages_have_the_same_blocks_in_the_same_order(pages):
    english, chinese = ([(name, without_words(name, code)) for name, code in blocks(page)] for page in pages)
    assert english == chinese


@pytest.mark.parametrize("pages", TRANSLATED)
def test_both_languages_have_the_same_headings_and_tables(pages):
    def shape(page):
        prose = re.sub(r"^```.*?^```$", "", TEXT[page], flags=re.M | re.S)
        headings = [mark.count("#") for mark in re.findall(r"^#+ ", prose, re.M)]
        rows = [len(part.splitlines()) for part in re.findall(r"(?:^\|.*\n)+", prose, re.M)]
        return headings, rows, re.findall(r"<!-- [\w:-]+ -->", prose)
    assert shape(pages[0]) == shape(pages[1])


def test_both_languages_name_the_same_functions_and_defaults():
    for mark, columns in (("formulas", (1,)), ("details", (0, 3))):
        english, chinese = ([[names(row[c]) or row[c] for c in columns] for row in table(page, mark)]
                            for page in LANGS)
        assert english == chinese


def test_the_glossary_has_a_chinese_word_and_a_meaning_for_each():
    rows = [line.split("|")[1:-1] for line in TEXT["docs/glossary.md"].splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 35
    assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


@pytest.mark.parametrize("page", ["docs/lessons.md", "docs/zh/lessons.md"])
def test_the_minutes_and_exercises_of_a_lesson_are_those_that_it_names(page):
    lines = [line for line in TEXT[page].splitlines() if "/notebooks/solutions/" in line]
    said = {re.search(r"notebooks/(\w+)\.ipynb", line)[1]: tuple(map(int, re.findall(r"\| (\d+) (?=\|)", line)[-2:]))
            for line in lines}
    sources = {path.stem: path.read_text(encoding="utf-8") for path in ROOT.glob("notebooks/source/[0-9]*.py")}
    assert said == {name: (int(re.search(r"about (\d+) minutes", text)[1]), text.count('exercise="'))
                    for name, text in sources.items()}


def test_the_table_of_the_tour_is_the_one_that_make_bench_prints():
    bench = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "tour.py"))
    assert f"<!-- tour-table:start -->\n{bench['HEADER']}\n" in TEXT["English"]
    for page in LANGS:
        rows = TEXT[page].split("<!-- tour-table:start -->\n")[1].split("<!-- tour-table:end -->")[0].splitlines()[2:]
        expected = [f"{lang}, {seed}" for lang in bench["LANGS"] for seed in bench["SEEDS"]]
        assert [row.split("|")[1].strip() for row in rows] == expected


def test_the_table_of_the_pipeline_is_the_one_that_make_bench_prints():
    bench = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "stackllama.py"))
    assert f"<!-- stack-table:start -->\n{bench['HEADER']}\n" in TEXT["English"]
    for page in LANGS:
        rows = TEXT[page].split("<!-- stack-table:start -->\n")[1].split("<!-- stack-table:end -->")[0].splitlines()[2:]
        expected = [f"{lang}, {seed}, {'fp32' if quantize == 'none' else quantize}"
                    for lang, seed, quantize in bench["RUNS"]]
        assert [row.split("|")[1].strip() for row in rows] == expected


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("mark", measured.marks())
def test_a_table_is_that_of_the_file_of_measured_numbers(mark, lang):
    _, shown, _ = measured.between(mark, measured.page_of(mark, lang).read_text(encoding="utf-8"))
    assert shown.splitlines() == measured.lines_of(mark, lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", measured.read())
def test_beside_a_table_stands_its_command_and_in_chinese_every_word_of_it_is(name, lang):
    """But for names."""
    assert measured.read()[name]["command"] in measured.page_of(f"{name}-table", lang).read_text(encoding="utf-8")
    if lang == "zh":
        words = {cell.strip() for line in measured.table(name, lang)[:1] for cell in line.split("|")}
        assert {cell for cell in words if re.search("[a-z]{4}", cell)} <= {"rollout", "generate", "fp32"} | {
            cell for cell in words if re.search(r"[\u4e00-\u9fff]", cell)}


def test_every_table_of_numbers_is_kept_in_a_file():
    """A page's table between marks comes from `measured.json`, a bench's own file, or a command that a test runs."""
    marked = {name for page in PAGES for name in re.findall(r"<!-- ([\w-]+-table):start -->", TEXT[page])}
    assert marked - {"memory-table"} == {mark for mark in measured.marks() if mark.endswith("-table")}


@pytest.mark.parametrize("page", LANGS)
def test_the_page_of_rest_says_when_and_on_how_much_it_was_measured(page):
    stored = json.loads(importlib.import_module("tests.benchmarks.rest").FILE.read_text(encoding="utf-8"))
    for said in (f"`SEEDS={len(stored['seeds'])}`", stored["date"], f"{stored['sources']:,}"):
        assert said in TEXT[page]


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_first_page_is_one_screen_and_leads_everywhere(page):
    """Whoever follows its links comes to every page of the guide, in one step or two."""
    assert len(TEXT[page].splitlines()) < 180
    leads = lambda at: {str((ROOT / at).parent.joinpath(link.split("#")[0]).resolve().relative_to(ROOT))      # noqa: E731
                        for link in re.findall(r"\]\(([^)\s]+)\)", TEXT[at]) if "://" not in link}
    near = leads(page)
    further = near.union(*(leads(one) for one in near if one in PAGES))
    assert set(ENGLISH if page in ENGLISH else CHINESE) <= {page, *further}


def test_every_page_of_the_guide_stands_in_the_margin_of_the_site():
    """Sphinx warns of one that does not, and a warning is an error; this says it in a moment."""
    margin = re.search(r"^MARGIN = \{.*?^\}", (ROOT / "docs/site/build.py").read_text(encoding="utf-8"), re.M | re.S)[0]
    assert set(GUIDE) <= set(re.findall(r'"([a-z0-9-]+)"', margin))


# --- links, commands, places ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", TEXT[page])
    missing = [link for link in links if "://" not in link and not link.startswith("#")
               and not (ROOT / page).parent.joinpath(link.split("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize(("pages", "lang"), [(ENGLISH, "en"), (CHINESE, "zh")], ids=["en", "zh"])
def test_a_picture_speaks_the_language_of_its_page(pages, lang):
    pictures = [link for page in pages for link in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", TEXT[page])]
    assert pictures
    assert [link for link in pictures if "://" not in link and not link.endswith(f".{lang}.png")] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_anchor_is_a_heading_of_its_page(page):
    """As GitHub names them: small letters, hyphens for spaces, no marks."""
    def anchors(path):
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")
                for head in re.findall(r"^#+ (.*)$", text, re.M)}
    for link in re.findall(r"\]\(([^)\s]+#[^)\s]+)\)", TEXT[page]):
        to, _, anchor = link.partition("#")
        assert "://" in to or anchor in anchors((ROOT / page).parent / to if to else ROOT / page), link


def options_of(*commands: str) -> set[str]:
    """Every option that `--help` of the commands shows."""
    shown = io.StringIO()
    for command in commands:
        with redirect_stdout(shown), pytest.raises(SystemExit) as ended:
            cli.main([*command.split(), "--help"])
        assert not ended.value.code
    return set(re.findall(r"--[a-z][a-z-]*", shown.getvalue())) - {"--help"}


def typed(page: str) -> list[list[str]]:
    """The arguments of every `rlhf-kit ...` that a page's shell blocks show."""
    code = "".join(code for language, code in blocks(page) if language == "bash").replace("\\\n", " ")
    return [shlex.split(line, comments=True)[1:] for line in code.splitlines() if line.startswith("rlhf-kit ")]


@pytest.mark.parametrize("page", LANGS)
@pytest.mark.parametrize(("mark", "commands"), [("options:tour", ("tour",)),
                                                ("options:train", ("train sft", "train reward-model", "train judge",
                                                                    "train ppo")),
                                                ("options:rest", ("train rest", "best-of-n")),
                                                ("options:alignment", ("train grpo", "train dpo", "train kto")),
                                                ("options:share", ("plot", "explain", "gallery", "compare", "push")),
                                                ("options:frontier", ("frontier",)),
                                                ("options:labs", ("labs",)),
                                                ("options:overoptimisation", ("overoptimisation",)),
                                                ("options:studio", ("studio",)),
                                                ("options:people", ("human-loop", "labels import", "labels export",
                                                                    "labels agreement")),
                                                ("options:stackllama", ("train stackllama", "merge")),
                                                ("options:instructgpt", ("train instructgpt",)),
                                                ("options:anthropic", ("train anthropic",)),
                                                ("options:sparrow", ("train sparrow",)),
                                                ("options:posts", ("posts read", "posts write")),
                                                ("options:data", ("data",)),
                                                ("options:scale", ("memory", "export accelerate", "export openrlhf")),
                                                ("options:trl", ("export trl",))])
def test_every_option_is_explained(page, mark, commands):
    explained = {option.split()[0] for row in table(page, mark) for option in names(row[0])}
    assert explained == options_of(*commands)
    choices: dict[str, set[str]] = {}
    for command in commands:
        parser = cli._parser()
        for word in command.split():
            parser = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices[word]
        for action in parser._actions:
            for option in action.option_strings if action.choices else ():
                choices.setdefault(option, set()).update(map(str, action.choices))
    for option, _, said in (option.replace("\\|", "|").partition(" ") for row in table(page, mark)
                            for option in names(row[0])):
        assert "|" not in said or option not in choices or set(said.split("|")) == choices[option], option


@pytest.mark.parametrize("page", LANGS)
def test_every_make_target_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXT[page], re.M)) <= targets


@pytest.mark.parametrize("page", LANGS)
def test_every_command_can_be_typed(page):
    """argparse takes it; and the models it names are the hub's that the kit knows, or tiny ones."""
    parser, named = cli._parser(), set()
    for arguments in typed(page):
        options = parser.parse_args(arguments)
        named |= {name for name in (getattr(options, "model", None), getattr(options, "judge", None))
                  if name and name not in ("new", "classifier", "ranked") and not name.startswith("runs/")}
    assert len(typed(page)) >= 7
    assert named <= {*zoo.TINY, *zoo.HUB}
    assert len(named & {*zoo.HUB}) == 4


# What a clone alone has not.
ELSEWHERE = {*zoo.HUB, "questions.txt", "hh_harmless_1800.jsonl.gz", "colab", "7b", "mine",
             "submissions.zip", "runs/class/labels.db", "ranks-en.jsonl", "runs/class-rm/model"}       # a class's own


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", LANGS)
def test_the_commands_run_on_the_files_of_the_page(page, tmp_path):
    """In order, except for the tour, the studio, long studies, what is elsewhere; `train` with fewer steps."""
    reward, = [code for code in python(page) if code.startswith("# my_reward.py")]
    (tmp_path / "my_reward.py").write_text(reward, encoding="utf-8")
    for file in ("mine.txt", "ranks.jsonl"):
        run(next(code for code in python(page) if file in code), tmp_path)
    for arguments in typed(page):
        if arguments[0] in ("tour", "studio", "frontier", "labs", "overoptimisation") or {*arguments} & ELSEWHERE:
            continue
        few = [] if arguments[0] != "train" else ["--updates" if arguments[1] == "rest" else "--steps", "2"]
        done = subprocess.run([sys.executable, "-m", "rlhf_kit.cli", *arguments, *few], cwd=tmp_path,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr[-2000:]
    assert {path.name for path in (tmp_path / "runs" / "ppo").iterdir() if path.name[0] != "."} == {
        "policy", "result.json", "metrics.jsonl", "settings.json", "times.json", "snapshots"}
    assert (tmp_path / "runs" / "sft" / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_place_on_somebodys_machine(page):
    assert not re.findall(r"(?:^|[\s`(\"'])/(?:home|root|tmp|work|Users|mnt|data)/", TEXT[page], re.M)
