"""The committed notebooks are what their sources say, in both languages, and GitHub and Colab can show them."""

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

import rlhf_kit
from rlhf_kit import __version__
from rlhf_kit.classroom.exercises import session
from rlhf_kit.classroom.exercises.checking import EXERCISES, lesson_of
from rlhf_kit.language import lesson_sentences

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("notebooks_build", ROOT / "notebooks" / "build.py")
build = sys.modules[SPEC.name] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)

LESSONS = build.lessons()
PRODUCTS = [(source, lang, solved) for source in LESSONS for lang, solved in (("en", False), ("zh", False),
                                                                              ("en", True))]


def place(source: Path, lang: str, solved: bool) -> Path:
    return ROOT / "notebooks" / ("solutions" if solved else "zh" if lang == "zh" else "") / f"{source.stem}.ipynb"


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


products = pytest.mark.parametrize(("source", "lang", "solved"), PRODUCTS,
                                   ids=[f"{s.stem}-{lang}-{'solution' if solved else 'student'}"
                                        for s, lang, solved in PRODUCTS])


@products
def test_a_product_is_what_its_source_says(source, lang, solved):
    """All but the outputs; `make notebooks` writes them anew."""
    committed = nbformat.read(place(source, lang, solved), as_version=4)
    fresh = build.notebook(source, lang, solved=solved)
    bare = lambda book: [(c.id, c.cell_type, c.source, dict(c.metadata)) for c in book.cells]       # noqa: E731
    assert bare(committed) == bare(fresh)
    assert json.loads(json.dumps(committed.metadata)) == build.METADATA


@products
def test_a_product_is_valid_small_and_without_widgets_or_errors(source, lang, solved):
    path = place(source, lang, solved)
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert path.stat().st_size < 300_000
    assert "widget" not in path.read_text(encoding="utf-8")
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not solved or [output for output in outputs if "image/png" in output.get("data", {})]


@products
def test_outputs_name_no_place_on_anybodys_machine(source, lang, solved):
    cells = code_cells(place(source, lang, solved))
    text = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert not re.search(r"(?:^|\s)/(?:home|root|tmp|Users|work)/|0x[0-9a-f]{8}|https?://", text)


@products
def test_students_find_exercises_empty_and_nothing_told_that_was_to_be_guessed(source, lang, solved):
    told = build.told(build.read(source))
    for cell in code_cells(place(source, lang, solved)):
        if cell.id.startswith("ex-"):
            assert ("raise NotImplementedError" in cell.source) == (not solved)
        if cell.id.startswith("check-"):
            assert bool(cell.outputs) == solved
        assert solved or cell.id in told or not cell.outputs, cell.id


def test_outputs_end_at_the_first_guess_or_exercise_but_for_marked_ones(tmp_path):
    source = tmp_path / "09_x.py"
    source.write_text('# %%\n1\n# %% shown="yes"\n2\n# %% guess="1"\nmine = None\n# %%\n3\n# %% shown="yes"\n4\n'
                      '# %% exercise="9.1"\n# solution:\n5\n# end\n# %%\n6\n')
    cells = build.read(source)
    assert [cell.kind for cell in cells] == ["code", "code", "guess", "code", "code", "exercise", "code"]
    assert build.told(cells) == {"setup", "c001", "c002", "c005"}


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_no_output_that_is_shown_uses_an_exercise_or_holds_a_guess(source):
    """A marked cell below an exercise calls none of them and compares no guess."""
    mine = [EXERCISES[n].name for n in EXERCISES if lesson_of(n) == build.lesson(source.stem)]
    for cell in build.read(source):
        if cell.shown:
            assert cell.kind == "code"
            assert not [name for name in [*mine, "kit.guessed"] if f"{name}(" in cell.code], cell.code


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_the_checks_of_an_untouched_lesson_wait_in_its_language(source, lang, capsys):
    """Of a committed notebook its exercises and checks alone, without what is trained in between."""
    session.setup(build.lesson(source.stem), lang=lang)
    try:
        names, waits = {"kit": rlhf_kit}, 0
        for cell in code_cells(place(source, lang, solved=False)):
            if cell.id.startswith(("ex-", "check-")):
                capsys.readouterr()
                exec(cell.source, names)
                said = capsys.readouterr().out
            if cell.id.startswith("check-"):
                waits += 1
                assert said.startswith("⏳"), said
                assert len(said.splitlines()) == 2
                assert any("\u4e00" <= character <= "\u9fff" for character in said) == (lang == "zh")
        assert waits == len([1 for number in EXERCISES if lesson_of(number) == build.lesson(source.stem)])
    finally:
        session.setup("00", lang="en")


@products
def test_the_first_line_leads_to_the_other_language_and_the_solutions(source, lang, solved):
    first = nbformat.read(place(source, lang, solved), as_version=4).cells[0].source
    here = place(source, lang, solved).parent
    links = re.findall(r"\]\(((?!https)[^)]+\.ipynb)\)", first)
    assert len(links) == 2
    assert not [link for link in links if not (here / link).is_file()]


@products
@pytest.mark.parametrize("address", ["https://github.com/ana/kit-of-hers", "https://git.example.org/ana/rlhf-kit",
                                     "https://github.com/OWNER/rlhf-kit"])
def test_the_badge_opens_this_very_file_where_colab_can(monkeypatch, source, lang, solved, address):
    """On GitHub, once the address is set: a button that leads nowhere is none."""
    for module in ("notebooks_build", "rlhf_kit.scale.spaces"):
        monkeypatch.setattr(sys.modules[module], "REPOSITORY", address)
    path = place(source, lang, solved).relative_to(ROOT).as_posix()
    colab = re.findall(r"https://colab[^)]*\.ipynb", build.badge(source.stem, lang, solved))
    wanted = f"https://colab.research.google.com/github/ana/kit-of-hers/blob/main/{path}"
    assert colab == [wanted] * ("ana/kit" in address)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("stem", ["01_sentiment_ppo", "03a_votes_and_packing"])
def test_without_an_address_the_first_cell_says_what_to_do(monkeypatch, stem, lang):
    """As Python runs it where the kit, or a library that the lesson needs, is not installed."""
    monkeypatch.setattr(sys.modules["rlhf_kit.scale.spaces"], "REPOSITORY", "https://github.com/OWNER/rlhf-kit")
    monkeypatch.setitem(sys.modules, "trl" if stem.startswith("03") else "rlhf_kit", None)
    cell = build.setup(stem, lang)
    assert "OWNER" not in cell
    with pytest.raises(RuntimeError) as said:
        exec(cell, {})
    assert said.value.__suppress_context__
    assert "\n" not in str(said.value)
    assert {"`make lab`", "`python -m build --wheel`", "%pip install rlhf_kit-*.whl"} <= set(
        re.findall(r"`[^`]+`|%pip install \S+\.whl", str(said.value)))
    assert ('%pip install "rlhf-kit[scale]"' in str(said.value)) == stem.startswith("03")


@products
def test_a_release_changes_no_notebook(source, lang, solved):
    """What a reader finds of the first cell names the libraries it ran with, and not the kit's version."""
    (first,) = [cell for cell in code_cells(place(source, lang, solved)) if cell.id == "setup"]
    said = "".join(output.text for output in first.outputs)
    assert "torch" in said
    assert not re.search(r"rlhf-kit \d", said)


def test_the_build_takes_the_version_out_of_the_first_cell_alone():
    from nbformat.v4 import new_code_cell, new_notebook, new_output
    said = f"Lesson 01 · rlhf-kit {__version__} · torch 2.13.0+cpu\n"
    cells = [new_code_cell("", id=name, outputs=[new_output("stream", text=said)]) for name in ("setup", "c001")]
    book = new_notebook(cells=cells)
    build._tidy(book)
    assert [cell.outputs[0].text for cell in book.cells] == ["Lesson 01 · rlhf-kit · torch 2.13.0+cpu\n", said]


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_a_lesson_keeps_to_its_measure(source):
    cells = build.read(source)
    words = sum(len(re.findall(r"[A-Za-z']+", re.sub(r"`[^`]*`|\$[^$]*\$", "", c.text["en"]))) for c in cells if c.text)
    assert 700 <= words <= 2500
    assert 20 <= len(cells) <= 85
    assert max(len(build.shown(c.code).splitlines()) for c in cells if c.code) <= 25


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_a_guess_is_entered_as_a_value_and_held_against_a_result_further_down(source):
    """A guess cell sets one name, to None or to a dictionary of Nones, and a later cell compares it."""
    cells = build.read(source)
    for at, cell in enumerate(cells):
        if cell.kind == "guess":
            (set_,) = ast.parse(cell.code).body
            value = ast.literal_eval(set_.value)
            assert value is None or set(value.values()) == {None}
            name = set_.targets[0].id
            assert [c for c in cells[at + 1:] if "kit.guessed(" in c.code and name in c.code], name


def told_keys(node: ast.expr) -> set[str]:
    """The keys that the first argument of `kit.tell` can be, as far as they stand there."""
    if isinstance(node, ast.IfExp):
        return told_keys(node.body) | told_keys(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) else set()


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_what_a_lesson_tells_stands_in_its_table_and_what_stands_there_is_told(source):
    sentences, code = lesson_sentences(build.lesson(source.stem))["en"], build.shown("\n".join(
        cell.code for cell in build.read(source) if cell.code))
    tree, asked = ast.parse(code), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("kit.tell", "kit.words"):
            asked |= told_keys(node.args[0])
    assert asked <= sentences.keys()
    literals = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert [key for key in sentences if key not in literals and not key.startswith(tuple(
        start for start in literals if start.endswith("_")))] == []


SYMBOLS = {"log", "sigma", "tau", "beta", "int", "old"}           # in a formula, the same in both languages


def labels_of(call):
    """What a picture or table writes: axes, title, and the names of its lines, bars or columns."""
    yield from (k.value for k in call.keywords if k.arg in ("across", "unit", "title"))
    for argument in (*call.args, *(k.value for k in call.keywords)):
        yield from (key for node in ast.walk(argument) if isinstance(node, ast.Dict) for key in node.keys)


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_every_label_of_a_picture_or_table_has_its_chinese(source):
    labels = lesson_sentences(build.lesson(source.stem))["labels"]
    code = build.shown("\n".join(cell.code for cell in build.read(source) if cell.code))
    said = {label.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)
            and ast.unparse(node.func).startswith(("kit.plots.", "kit.table")) for label in labels_of(node)
            if isinstance(label, ast.Constant)}
    assert [text for text in said if text not in labels and set(re.findall("[a-z]{2,}", text)) - SYMBOLS] == []


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_every_exercise_has_its_five_parts(source):
    """Text with its points, the stub, hints in both languages, a check, and a cell that uses the answer."""
    cells = build.read(source)
    numbers = [c.number for c in cells if c.kind == "exercise"]
    assert numbers == [n for n in EXERCISES if lesson_of(n) == build.lesson(source.stem)]
    for at, cell in enumerate(cells):
        if cell.kind != "exercise":
            continue
        exercise, heading = EXERCISES[cell.number], cells[at - 1].text
        assert f"Exercise {cell.number}" in heading["en"]
        assert f"练习 {cell.number}" in heading["zh"]
        assert f"{exercise.points} point" in heading["en"]
        assert re.search(r"Difficulty [●○]{4} · Importance [●○]{4} · \d+(-\d+)? min", heading["en"])
        assert f"# EXERCISE {cell.number}" in cell.code
        hints, check = cells[at + 1:at + 3]
        assert hints.number == cell.number
        assert all(text.count("<details>") == 2 for text in hints.text.values())
        assert (check.kind, check.number) == ("check", cell.number)
        later = "".join(c.code for c in cells[at + 3:])
        assert f"{exercise.name}(" in later or f"{exercise.name}," in later


def test_a_text_without_its_partner_is_refused(tmp_path):
    (tmp_path / "09_x.py").write_text('# %% [markdown] lang="en"\n# hello\n# %%\nprint(1)\n')
    with pytest.raises(build.SourceError, match="without its partner"):
        build.read(tmp_path / "09_x.py")


def test_a_translation_of_an_older_text_is_noticed_until_it_is_stamped(tmp_path):
    source = tmp_path / "09_x.py"
    source.write_text('# %% [markdown] lang="en"\n# hello\n# %% [markdown] lang="zh" of="0000"\n# 你好\n', "utf-8")
    assert build.read(source)[0].stale
    build.stamp(source)
    assert not build.read(source)[0].stale
    source.write_text(source.read_text(encoding="utf-8").replace("hello", "hello, you"), encoding="utf-8")
    assert build.read(source)[0].stale


def test_a_handout_gives_no_solution_away(tmp_path):
    assert build.main(["--handout", str(tmp_path)]) == 0
    for path in tmp_path.rglob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert "raise NotImplementedError" in text
        assert "```python" not in text
        assert "solutions/" not in text
    assert len(list(tmp_path.rglob("*.ipynb"))) == 2 * len(LESSONS)


def test_no_link_of_a_handout_leads_to_a_notebook_with_folded_solutions(tmp_path):
    assert build.main(["--handout", str(tmp_path), "00"]) == 0
    for path in tmp_path.rglob("*.ipynb"):
        assert "colab.research" not in path.read_text(encoding="utf-8")
    folder = "https://github.com/me/course/tree/main/handout/"
    assert build.main(["--handout", str(tmp_path), "00", "--colab", folder]) == 0
    opens = "https://colab.research.google.com/github/me/course/blob/main/handout"
    for path in tmp_path.rglob("*.ipynb"):
        first = nbformat.read(path, as_version=4).cells[0].source
        assert first.endswith(f"]({opens}/{path.relative_to(tmp_path).as_posix()})")


@pytest.mark.parametrize(("what", "line"), [
    ("git+https://git.example/kit", '"rlhf-kit[scale] @ git+https://git.example/kit"'),
    ("https://example.org/kit.whl", '"rlhf-kit[scale] @ https://example.org/kit.whl"'),
    ("rlhf_kit-1-py3-none-any.whl", '"rlhf_kit-1-py3-none-any.whl[scale]"')])
def test_the_first_cell_of_a_handout_installs_what_the_teacher_names(tmp_path, what, line):
    assert build.main(["--handout", str(tmp_path), "03b", "--install", what]) == 0
    for path in tmp_path.rglob("*.ipynb"):
        assert f"%pip install -q {line}\n" in next(
            cell.source for cell in nbformat.read(path, as_version=4).cells if cell.id == "setup")


@pytest.mark.parametrize(("words", "complaint"), [
    (["5b"], "there is no lesson '5b'; there are 00, 01"),
    (["00", "--colab", "me/course"], "expected a folder on GitHub")])
def test_a_handout_of_what_is_not_there_is_one_line(tmp_path, capsys, words, complaint):
    with pytest.raises(SystemExit) as stop:
        build.main(["--handout", str(tmp_path), *words])
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_handout_says_what_else_lies_there(tmp_path, capsys):
    assert build.main(["--handout", str(tmp_path), "00"]) == 0
    assert build.main(["--handout", str(tmp_path), "01"]) == 0
    said = capsys.readouterr().out
    assert "has 2 notebooks without solutions: 01_sentiment_ppo; the same in Chinese" in said
    assert "From before there are 2 more, such as 00_map.ipynb" in said


def test_a_handout_replaces_no_notebook_that_somebody_worked_in(tmp_path, capsys):
    assert build.main(["--handout", str(tmp_path), "00"]) == 0
    page = next(tmp_path.glob("00*.ipynb"))
    page.write_text("my answers")
    with pytest.raises(SystemExit) as stop:
        build.main(["--handout", str(tmp_path), "00"])
    assert stop.value.code == 2
    assert page.read_text() == "my answers"
