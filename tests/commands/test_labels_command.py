"""`rlhf-kit labels`: in, out and how far people agree; whatever cannot be done is one line and changes nothing."""

import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rlhf_kit import cli
from rlhf_kit.datasets.ranking_files import write_rankings
from rlhf_kit.datasets.rankings import as_ranking, read_comparisons, read_rankings
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.labels import Labels, Response, database
from rlhf_kit.language import LANGS, say

RANKINGS = [Ranking(f"prompt {i}", (f"a {i}", f"b {i}", f"c {i}"), (1, 2, 2 + i % 2)) for i in range(6)]
AGREE = ["labels", "agreement", "--database", "labels.db"]
EXPORT = ["labels", "export", "--database", "labels.db", "--output", "out.txt", "--format"]
IMPORT = ["labels", "import", "rankings.jsonl", "--database", "labels.db", "--annotator", "cleo"]


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """A database of two annotators, and a file of the rankings above."""
    monkeypatch.chdir(tmp_path)
    write_rankings("rankings.jsonl", RANKINGS)
    with Labels("labels.db") as labels:
        labels.add_rankings(RANKINGS, "ana")
        labels.add_rankings(RANKINGS[:4], "ben")
    return tmp_path


def everything() -> dict[str, bytes]:
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in sorted(Path().rglob("*"))}


@pytest.fixture
def refused(capsys):
    def typed(*words: str) -> str:
        before = everything()
        capsys.readouterr()
        try:
            code = cli.main(list(words))
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert err.startswith("rlhf-kit")
        assert err.endswith(".\n")
        assert err.count("\n") == 1
        assert everything() == before
        return err
    return typed


def shown(capsys, *words: str) -> str:
    capsys.readouterr()
    assert cli.main(list(words)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


# Import

def test_import_adds_once_and_says_how_much(capsys):
    done = json.loads(shown(capsys, *IMPORT, "--json"))
    assert done.pop("read")["kind"] == "rankings"
    assert done == {"tasks": 0, "judgements": 6, "replaced": 0, "unchanged": 0,
                    "left_out": {"malformed": 0, "undecided": 0}}
    assert json.loads(shown(capsys, *IMPORT, "--json"))["unchanged"] == 6
    assert "0 new rankings and 0 new tasks are in labels.db. 6 were there" in shown(capsys, *IMPORT, "--lang", "en")
    with Labels("labels.db", read_only=True) as labels:
        assert labels.rankings("cleo") == RANKINGS


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_import_says_what_it_left_out(capsys, lang):
    rows = [{"prompt": f"p{i}", "responses": ["a", "b"], "ranks": [1, 1] if i == 7 else [1, 2]} for i in range(120)]
    Path("some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "no JSON\n")
    out = shown(capsys, "labels", "import", "some.jsonl", "--database", "new.db", "--annotator", "ana", "--lang", lang)
    assert say(lang, "read_out_malformed", n=1) in out
    assert say(lang, "read_out_undecided", n=1) in out


def test_what_steers_a_terminal_is_shown_as_such(capsys, refused):
    from rlhf_kit.labels import Response
    with Labels("odd.db") as labels:
        labels.add_task("p", [Response("x", "\x1b[31mred"), Response("y", "blue")])
        labels.save_vote(labels.next_task("ana"), 0)
        with labels._file.writing() as db:                                # as somebody else's program might
            db.execute("UPDATE judgement SET annotator = ?", ("\x1b]0;title\x07",))
    assert "\x1b[31m" not in shown(capsys, "labels", "agreement", "--database", "odd.db", "--lang", "en")
    assert "\x1b]" not in refused("labels", "agreement", "--database", "odd.db", "--question", "none")


def test_import_without_a_name_takes_the_texts_only(capsys):
    words = ["labels", "import", "rankings.jsonl", "--database", "new.db", "--lang", "en"]
    assert "6 new tasks" in shown(capsys, *words)
    with Labels("new.db", read_only=True) as labels:
        assert (len(labels.tasks()), labels.judgements()) == (6, [])


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_name_that_is_none_makes_no_database(refused, name):
    assert "the annotator's name is" in refused("labels", "import", "rankings.jsonl", "--database", "new.db",
                                                "--annotator", name)


@pytest.mark.parametrize(("name", "content"), [
    ("lists.tsv", "good\tfair\tbad\none\ttwo\tthree\n4\t5\t6\n7\t8\t9\n"),
    ("lists.txt.gz", gzip.compress("好\t一般\t差\n一\t二\t三\n四\t五\t六\n七\t八\t九\n".encode("gb18030"), mtime=0)),
    ("pairs.csv", "prompt,chosen,rejected\np,good,bad\nq,better,worse\nr,on,off\ns,yes,no\n"),
    ("pairs.jsonl", "".join(json.dumps({"chosen": f"{i}\n", "rejected": "a\tb"}) + "\n" for i in range(4)))])
def test_a_file_of_lists_or_of_pairs_comes_back_as_it_was(capsys, name, content):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    words = ["labels", "import", name, "--database", "new.db", "--annotator", "ana", "--json"]
    done = json.loads(shown(capsys, *words))
    assert done.pop("read")["items"] == 4
    assert done == {"tasks": 4, "judgements": 4, "replaced": 0, "unchanged": 0,
                    "left_out": {"malformed": 0, "undecided": 0}}
    with Labels("new.db", read_only=True) as labels:
        found = labels.rankings("ana")
    read = [as_ranking(pair) for pair in read_comparisons(name)] if "pairs" in name else read_rankings(name)
    assert sorted(found, key=repr) == sorted(read, key=repr)
    assert {one.ranks for one in found} == ({(1, 2)} if "pairs" in name else {(1, 2, 3)})


def test_what_one_command_wrote_the_next_one_reads(capsys):
    for form, name in (("rankings", "out.jsonl"), ("trl", "out.jsonl"), ("tsv", "out.tsv")):
        shown(capsys, "labels", "export", "--format", form, "--database", "labels.db", "--output", name)
        words = ["labels", "import", name, "--database", f"{form}.db", "--annotator", "ana", "--json"]
        assert json.loads(shown(capsys, *words))["tasks"] >= 3


@pytest.mark.parametrize(("name", "content", "said"), [
    ("none.tsv", None, "does not exist"), ("empty.jsonl", "", "is empty"),
    ("one.tsv", "a\tb\n", "holds 1 rankings; at least 4"), ("ragged.tsv", "a\tb\nc\td\te\nf\tg\nh\ti\n", "line 2"),
    ("twice.tsv", "a\tb\nc\tC \nf\tg\nh\ti\n", "line 2: the same response twice"),
    ("hole.tsv", "a\tb\tc\nd\t \tf\ng\th\ti\n", "line 2: an empty response"),
    ("strange.tsv", b"a\tb\n\xff\xff\xff\t\x81\x20\n" * 9, "neither UTF-8 nor GB18030"),
    ("odd.jsonl", '{"responses": ["a", "b"], "rank": 1}\n' * 3 + '{"response": 1}\n', "line 4"),
    ("names.jsonl", '{"prompt": "", "response": ["a", "b"]}\n' * 5, "Did you mean 'response'? Say so: --columns ")])
@pytest.mark.parametrize("database", ["labels.db", "new.db"])
def test_a_file_that_cannot_be_imported_makes_and_changes_nothing(refused, name, content, said, database):
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refused("labels", "import", name, "--database", database, "--annotator", "ana")
    assert name in line
    assert said in line


# Export

def test_export_writes_each_format_and_says_what_it_leaves_out(capsys):
    assert json.loads(shown(capsys, *EXPORT, "tsv", "--json")) == {"rows": 5, "left_out": 5}
    assert Path("out.txt").read_text().splitlines()[0] == "prompt 1a 1\tprompt 1b 1\tprompt 1c 1"
    assert "Left out: 5 rankings with ties" in shown(capsys, *EXPORT, "tsv", "--lang", "en")
    assert "Left out: 5 pairs that tie" in shown(capsys, *EXPORT, "trl", "--lang", "en")
    assert set(json.loads(Path("out.txt").read_text().splitlines()[0])) == {"prompt", "chosen", "rejected"}
    assert "Left out" not in shown(capsys, *EXPORT, "rankings", "--lang", "en")
    assert [Ranking(**json.loads(line)) for line in Path("out.txt").read_text().splitlines()][::2][:4] == RANKINGS[:4]
    assert json.loads(shown(capsys, *EXPORT, "rankings", "--annotator", "ben", "--json"))["rows"] == 4


def test_of_a_class_in_two_languages_each_can_be_exported_alone(capsys, refused):
    with Labels("two.db") as labels:
        labels.add_rankings([Ranking("", ("很好。", "不好。"), (1, 2)), Ranking("Hello", ("Good.", "Bad."), (1, 2)),
                             Ranking("Well", ("Good.", "Bad."), (1, 2))], "ana")
    command = ["labels", "export", "--database", "two.db", "--output", "out.txt", "--format", "trl", "--lang", "en"]
    assert "1 of what was said is about Chinese texts, 2 about others" in shown(capsys, *command)
    for lang, chosen in (("zh", ["很好。"]), ("en", ["Good.", "Good."])):
        assert "about others" not in shown(capsys, *command, "--texts", lang)
        rows = [json.loads(line) for line in Path("out.txt").read_text(encoding="utf-8").splitlines()]
        assert [row["chosen"] for row in rows] == chosen
    assert "about texts in 'zh'" in refused(*EXPORT, "trl", "--texts", "zh")


def test_the_formats_of_the_command_are_those_of_the_writers():
    from rlhf_kit.commands.labels import FORMATS
    from rlhf_kit.datasets import ranking_files
    assert (*ranking_files.FORMATS, "rules") == FORMATS


def test_what_is_not_there_is_answered_with_what_is(refused):
    assert "no rankings or votes by 'bob'. It has judgements by ana, ben" in refused(*EXPORT, "trl", "--annotator",
                                                                                    "bob")
    assert "on the question 'harmless'" in refused(*AGREE, "--question", "harmless")
    Labels("new.db").close()
    assert "It has none at all" in refused("labels", "agreement", "--database", "new.db")


def test_a_text_that_a_tsv_cannot_hold_is_named(refused):
    with Labels("labels.db") as labels:
        labels.add_rankings([Ranking("", ("one\ntwo", "three"), (1, 2))], "ana")
    assert r"the text 'one\ntwo' has a tab or a line break" in refused(*EXPORT, "tsv")


@pytest.mark.parametrize("output", ["labels.db", "./labels.db"])
def test_the_database_is_not_written_over(refused, output):
    words = [output if word == "out.txt" else word for word in EXPORT]
    assert "the database itself" in refused(*words, "trl")


# Agreement

def test_agreement_for_machines_and_for_people_in_both_languages(capsys):
    numbers = json.loads(shown(capsys, *AGREE, "--json"))
    assert (numbers["tasks"], numbers["judgements"], numbers["annotators"], numbers["shared"]) == (6, 10, 2, 4)
    assert numbers["alpha"] == numbers["pairwise"]["mean"] == 1
    for lang in LANGS:
        out = shown(capsys, *AGREE, "--lang", lang)
        assert "100.0%" in out
        assert say(lang, "labels_shared") in out
        assert say(lang, "labels_few", n=12, enough=30) in out.replace("\n", " " if lang == "en" else "")


def test_one_annotator_is_told_that_it_takes_two(capsys):
    with Labels("one.db") as labels:
        labels.add_rankings(RANKINGS, "ana")
    assert say("en", "labels_alone") in shown(capsys, "labels", "agreement", "--database", "one.db", "--lang", "en")


def test_models_are_rated_by_name_and_what_looks_like_markup_is_text(capsys):
    with Labels("models.db") as labels:
        for i in range(10):
            task = labels.add_task(f"p {i}", [Response("x", "[bold]new"), Response("y", "old")])
            labels.save_vote(labels.show(task.id, "ana"), 0)
    out = shown(capsys, "labels", "agreement", "--database", "models.db", "--lang", "en")
    assert "[bold]new" in out
    assert "+1.52" in out
    assert "Only 10 comparisons of models" in out


# What cannot be used

DATABASES = {"import": [*IMPORT], "export": [*EXPORT, "trl"], "agreement": [*AGREE]}


@pytest.mark.parametrize("command", DATABASES)
def test_a_database_from_a_newer_version_is_left_as_it_is(refused, command):
    with closing(sqlite3.connect("labels.db")) as db:
        db.execute("PRAGMA user_version = 9")
    assert "labels.db has version 9, from a newer rlhf-kit" in refused(*DATABASES[command])


@pytest.mark.parametrize("command", DATABASES)
@pytest.mark.parametrize("content", [b"prompt\tchosen\n" * 99, b"\x89PNG" * 200, b"x"])
def test_a_file_that_is_no_database_is_left_as_it_is(refused, command, content):
    Path("labels.db").write_bytes(content)
    assert "is no database of labels" in refused(*DATABASES[command])


@pytest.mark.parametrize("command", DATABASES)
@pytest.mark.parametrize(("name", "said"), [("nowhere/labels.db", "there is no folder nowhere"), (".", "is a folder"),
                                            ("labels.db/x", "there is no folder"), ("", "is a folder"),
                                            ("~nobody-of-that-name/x.db", "Write the path in full")])
def test_a_name_that_is_no_database_s(refused, command, name, said):
    words = [name if word == "labels.db" else word for word in DATABASES[command]]
    assert said in refused(*words)


@pytest.mark.parametrize("command", ["export", "agreement"])
def test_a_database_that_is_not_there_is_not_made(refused, command):
    Path("labels.db").unlink()
    assert "labels.db does not exist" in refused(*DATABASES[command])


def test_a_locked_database(refused, capsys, monkeypatch):
    monkeypatch.setattr(database, "TIMEOUT", 0.1)
    with closing(sqlite3.connect("labels.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        line = refused(*IMPORT)
        assert "labels.db is locked: another program" in line
        assert "Nothing of what was there is lost" in line
        assert json.loads(shown(capsys, *AGREE, "--json"))["judgements"] == 10      # who reads does not wait


def test_a_read_only_database(refused, capsys, monkeypatch):
    monkeypatch.setattr(database, "_may", lambda path, what: what == database.os.R_OK)
    assert "labels.db cannot be written: the file or its folder is read-only" in refused(*IMPORT)
    assert json.loads(shown(capsys, *AGREE, "--json"))["judgements"] == 10


def test_a_full_disk(refused, monkeypatch):
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def fail(*_):
        raise error
    monkeypatch.setattr("rlhf_kit.labels.store.put", fail)
    assert "the disk is full. What was there before is unchanged" in refused(*IMPORT)


def test_a_damaged_database(capsys):
    raw = Path("labels.db").read_bytes()
    Path("labels.db").write_bytes(raw[:1000] + b"\xff" * (len(raw) - 1000))
    assert cli.main(AGREE) == 2
    assert "labels.db is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "said"), [
    (["labels"], "ACTION"), (["labels", "burn"], "choose from"), (["labels", "import"], "required: FILE, --database"),
    ([*EXPORT, "csv"], "'csv'"), ([*AGREE, "--format", "tsv"], "unknown: --format tsv"),
    ([*AGREE, "--lang", "fr"], "'fr'")])
def test_a_command_that_is_not_one(refused, words, said):
    assert said in refused(*words)


def test_reading_leaves_the_database_byte_for_byte(capsys):
    shutil.copy("labels.db", "copy.db")
    shown(capsys, *AGREE, "--json")
    shown(capsys, *EXPORT, "rankings", "--json")
    assert Path("labels.db").read_bytes() == Path("copy.db").read_bytes()
    assert sorted(p.name for p in Path().iterdir()) == ["copy.db", "labels.db", "out.txt", "rankings.jsonl"]
