"""The panel of data, without a browser: what is counted, who sees it, and what is in the files."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

gr = pytest.importorskip("gradio")

from rlhf_kit.labels import BOTH_BAD  # noqa: E402
from rlhf_kit.labels.sheet import HEAD, cell  # noqa: E402
from rlhf_kit.storage import StorageError  # noqa: E402
from rlhf_kit.studio import data as module  # noqa: E402
from rlhf_kit.studio.browse import Browse  # noqa: E402
from rlhf_kit.studio.data import ALL, Data  # noqa: E402
from rlhf_kit.studio.data_tables import disputed, persons  # noqa: E402
from rlhf_kit.studio.guidelines import Guidelines  # noqa: E402
from rlhf_kit.studio.workspace import Workspace  # noqa: E402

ALONE, ANA, TEACHER = (SimpleNamespace(username=name) for name in (None, "ana", "ms li"))
FOUR = [[0], [1], [2], [3]]


@pytest.fixture
def panel(tmp_path):
    """Ana and bo rank two lists: the first alike, the second the other way round. Ana does the first again."""
    workspace = Workspace(tmp_path)
    workspace.teacher = "ms li"
    labels = workspace.labels
    for prompt in ("It", '=cmd("x")'):
        labels.add_task(prompt, [" a", "-b", "+c", "@d"])
    for name, second in (("ana", FOUR), ("bo", FOUR[::-1])):
        labels.save_ranking(labels.show(1, name), FOUR, seconds=4.0, lang="en")
        labels.save_ranking(labels.show(2, name), second, seconds=8.0, lang="en")
    labels.save_ranking(labels.show(1, "ana", repeat=1), FOUR)
    yield Data("en", workspace)
    labels.close()


def tables(panel, request=ALONE, who=ALL, question=ALL, typed="ana"):
    """The tables at the end, by caption, and who can be chosen."""
    first, *_ = shown = list(panel.show(typed, who, question, request))
    return {table["caption"]: table["rows"] for table in shown[-1][1]["tables"]}, [c[1] for c in first[0]["choices"]]


def export(panel, form, request=ALONE, who=ALL, question=ALL):
    """The file's text."""
    button, notice = panel.export("ana", who, question, form, request)
    path = Path(button["value"])
    assert path.parent.stat().st_mode & 0o077 == 0
    assert f"{path.name} has " in notice
    return path.read_text(encoding="utf-8-sig")


def test_people_are_counted(panel):
    shown, choices = tables(panel)
    assert shown["Labels for each person"] == [["ana", "2", "0", "0", "1"], ["bo", "2", "0", "0", "0"]]
    assert choices == [ALL, "ana", "bo"]
    assert tables(panel, who="bo")[0]["Labels for each person"] == [["bo", "2", "0", "0", "0"]]


def test_agreement_by_hand(panel):
    """Six pairs alike and six opposite: one half; ana agrees with herself."""
    shown, _ = tables(panel)
    values = dict(shown["Agreement"])
    assert values["Tasks that two or more people judged"] == "2 / 2"
    assert values["Same verdict on a pair"].startswith("50 % ")
    assert values["Same verdict of one person, asked twice"].startswith("100 % ")
    assert shown["Most disagreement"] == [['=cmd("x")', "overall", "4", "2", "0 %"]]
    assert shown["For the teacher"] == [["ana", "2", "6.0", "50 % (n = 12)", "just now"],
                                          ["bo", "2", "6.0", "50 % (n = 12)", "just now"]]


def test_a_question_is_looked_at_alone(panel):
    labels = panel.workspace.labels
    labels.save_ranking(labels.show(1, "ana", "helpful"), FOUR)
    assert tables(panel, question="helpful")[0]["Labels for each person"] == [["ana", "1", "0", "0", "0"]]
    assert list(panel.show("ana", ALL, "harmless", ALONE))[-1][2].startswith("There are no labels yet")


def test_in_a_class_only_the_teacher_sees_everybody(panel):
    mine, choices = tables(panel, ANA)
    assert "For the teacher" not in mine
    assert [row[0] for row in mine["Labels for each person"]] == choices[1:] == ["ana"]
    everybody, choices = tables(panel, TEACHER)
    assert "For the teacher" in everybody
    assert choices[1:] == ["ana", "bo"]
    del panel.workspace.teacher
    assert "For the teacher" not in tables(panel, TEACHER)[0]
    panel.workspace.teacher = None
    assert "For the teacher" not in tables(panel, ANA)[0]


def test_in_a_class_everybody_else_takes_away_their_own(panel):
    rows = [json.loads(line) for line in export(panel, "rankings", ANA, who="bo").splitlines()]
    assert len(rows) == 2
    assert "bo" not in export(panel, "csv", ANA)
    assert "bo" in export(panel, "csv", TEACHER)


def test_pairs_for_trl(panel):
    rows = [json.loads(line) for line in export(panel, "trl").splitlines()]
    assert len(rows) == 4 * 6                                  # without the repeat
    assert rows[0] == {"prompt": "It", "chosen": " a", "rejected": "-b"}


def test_rankings_with_ranks(panel):
    rows = [json.loads(line) for line in export(panel, "rankings", who="bo").splitlines()]
    assert rows == [{"prompt": "It", "responses": [" a", "-b", "+c", "@d"], "ranks": [1, 2, 3, 4]},
                    {"prompt": '=cmd("x")', "responses": [" a", "-b", "+c", "@d"], "ranks": [4, 3, 2, 1]}]


def test_scores_with_flags(panel):
    labels = panel.workspace.labels
    assert panel.export("ana", ALL, ALL, "scores", ALONE)[1] == "There is nothing to put into that file."
    labels.save_score(labels.show(labels.add_task("It", [" a"]).id, "ana"), 7, flags=["facts"])
    row, = [json.loads(line) for line in export(panel, "scores").splitlines()]
    assert (row["response"], row["score"], row["flags"], row["annotator"]) == (" a", 7.0, ["facts"], "ana")


def test_no_cell_of_the_spreadsheet_is_a_formula(panel):
    head, *rows = csv.reader(export(panel, "csv").splitlines())
    assert tuple(head) == HEAD
    assert len(rows) == 5 * 4
    assert not [c for row in rows for c in row if c.lstrip(" ").startswith(("=", "+", "-", "@"))]
    assert {row[6] for row in rows} == {"It", "'=cmd(\"x\")"}
    assert {row[7] for row in rows} == {" a", "'-b", "'+c", "'@d"}


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", " =1", "\t=1", "\r=1", "＝1"])
def test_what_would_run_as_a_formula_gets_an_apostrophe(text):
    assert cell(text) == f"'{text}"


def test_what_is_harmless_stays_as_it_is():
    assert [cell(value) for value in ("a=b", "", "'", 3, -0.5, None, "1-2")] == ["a=b", "", "'", 3, -0.5, "", "1-2"]


def test_a_disk_that_is_full_is_said(panel, monkeypatch):
    def full(*args):
        raise StorageError("full")
    monkeypatch.setattr(module, "_write", full)
    assert "disk is full" in panel.export("ana", ALL, ALL, "trl", ALONE)[1]


@pytest.mark.parametrize("form", ["../../etc/passwd", None, 7, ["csv"], {}])
def test_an_unknown_format_is_no_path(panel, form):
    assert Path(panel.export("ana", ALL, ALL, form, ALONE)[0]["value"]).name == "pairs.jsonl"


def test_an_empty_file_of_labels(tmp_path):
    empty = Data("zh", Workspace(tmp_path))
    (_, shown, notice), = empty.show("我", ALL, ALL, ALONE)
    assert shown == {"tables": []}
    assert notice.startswith("还没有标注")
    assert persons([]) == []
    assert disputed({}, []) == []
    empty.workspace.labels.close()


# One by one

def browsed(panel, request=ALONE, who=ALL, question=ALL, **sent):
    return Browse("en", panel.workspace).show("ana", who, question, sent, request)


def acted(panel, request=ALONE, **asked):
    return Browse("en", panel.workspace).act("ana", ALL, ALL, {}, gr.EventData(None, asked), request)


def test_labels_are_found_by_a_word_a_person_and_page_by_page(panel):
    everything = browsed(panel)
    assert everything["count"] == "5 labels, the newest first. Page 1 of 1."
    assert {row["order"] for row in everything["rows"]} == {"A > B > C > D", "D > C > B > A"}
    assert len(browsed(panel, word="CMD")["rows"]) == 2
    assert len(browsed(panel, who="bo")["rows"]) == 2
    assert browsed(panel, word="nothing like it")["rows"] == []
    for i in range(20):
        panel.workspace.labels.save_ranking(panel.workspace.labels.show(
            panel.workspace.labels.add_task(f"Many {i}", ["a", "b"]).id, "cy"), [[0], [1]])
    last = browsed(panel, page=99)
    assert (last["page"], last["pages"], len(last["rows"])) == (2, 3, 5)


def test_a_label_is_changed_and_the_older_one_is_kept(panel):
    row = browsed(panel, who="bo", word="cmd")["rows"][0]
    after = acted(panel, act="change", key=row["key"], order=" b > a=C > d ")
    assert after["said"].startswith("Changed.")
    said = next(said for said in panel.workspace.labels.judgements("bo") if said.task_id == 2)
    assert (said.groups, said.seconds) == (((1,), (0, 2), (3,)), 8.0)
    assert panel.workspace.labels.events("bo")[-1]["before"].groups == ((3,), (2,), (1,), (0,))
    again = acted(panel, act="change", key=row["key"], order="A > B > C > D")       # what the page showed is old
    assert again["said"].startswith("That label was changed or taken back meanwhile")
    assert next(said for said in panel.workspace.labels.judgements("bo") if said.task_id == 2).groups == said.groups


@pytest.mark.parametrize("order", ["", "A > B > C", "A > B > C > D > D", "A > B > C > E", "AB > C > D", "0 > 1 > 2 > 3",
                                   None, ["A"], "A >> B > C > D"])
def test_what_is_no_order_changes_nothing(panel, order):
    before = panel.workspace.labels.judgements()
    key = browsed(panel)["rows"][0]["key"]
    assert acted(panel, act="change", key=key, order=order)["said"].startswith("That is no order")
    assert panel.workspace.labels.judgements() == before


def test_a_label_is_taken_back_and_asked_again(panel):
    row = browsed(panel, who="bo", word="cmd")["rows"][0]
    assert acted(panel, act="drop", key=row["key"])["said"].startswith("Taken back.")
    assert len(browsed(panel, who="bo")["rows"]) == 1
    assert panel.workspace.labels.next_task("bo").task.id == 2
    for key in (row["key"], None, [], ["x"], {"a": 1}):
        assert acted(panel, act="drop", key=key)["said"].startswith("That label was changed")


def test_in_a_class_labels_are_changed_by_their_owner_and_the_teacher_only(panel):
    assert {row["who"] for row in browsed(panel, ANA)["rows"]} == {"ana"}
    assert {row["who"] for row in browsed(panel, ANA, who="bo")["rows"]} == set()
    theirs = browsed(panel, who="bo")["rows"][0]
    before = panel.workspace.labels.judgements()
    for act in ("drop", "change"):
        said = acted(panel, ANA, act=act, key=theirs["key"], order="A=B=C=D")["said"]
        assert said.startswith("That label is somebody else's")
    assert panel.workspace.labels.judgements() == before
    assert acted(panel, TEACHER, act="drop", key=theirs["key"])["said"].startswith("Taken back.")


def test_scores_and_both_bad_are_changed_too(panel):
    labels = panel.workspace.labels
    labels.save_score(labels.show(labels.add_task("Score", [" x"]).id, "di"), 3, flags=["facts"])
    labels.save_vote(labels.show(labels.add_task("Vote", [" x", " y"]).id, "di"), None, flags=[BOTH_BAD])
    for word, order in (("score", "6"), ("vote", "B > A")):
        acted(panel, act="change", key=browsed(panel, word=word, who="di")["rows"][0]["key"], order=order)
    score, vote = labels.judgements("di")
    assert (score.score, score.flags, vote.groups, vote.flags) == (6.0, ("facts",), ((1,), (0,)), ())
    bad = acted(panel, act="change", key=browsed(panel, word="score", who="di")["rows"][0]["key"], order="8")
    assert bad["said"].startswith("That is no order")


# The teacher looks on

def test_news_comes_only_where_somebody_has_said_something(panel):
    (seen, people, shown, notice), = panel.news("ana", ALL, ALL, None, TEACHER)
    assert ({choice[1] for choice in people["choices"]}, notice) == ({ALL, "ana", "bo"}, None)
    teacher = shown["tables"][-1]
    assert teacher["head"] == ["Person", "Lists and votes", "Seconds for each (median)", "Agreement with the others",
                               "Last label"]
    assert [row[4] for row in teacher["rows"]] == ["just now"] * 2
    assert list(panel.news("ana", ALL, ALL, seen, TEACHER)) == [(gr.skip(),) * 4]
    panel.workspace.labels.save_ranking(panel.workspace.labels.show(1, "cy"), FOUR)
    (_, _, shown, _), = panel.news("ana", ALL, ALL, seen, TEACHER)
    assert [row[:2] for row in shown["tables"][-1]["rows"]] == [["ana", "2"], ["bo", "2"], ["cy", "1"]]


@pytest.mark.parametrize(("created", "said"), [("", "–"), ("2020-01-02T03:04:05+00:00", "2020-01-02")])
def test_how_long_ago(panel, created, said):
    assert panel._ago(created) == said
    assert panel._ago((datetime.now(UTC) - timedelta(minutes=7, seconds=3)).isoformat()) == "7 min ago"


def test_guidelines_are_changed_by_the_teacher_alone_and_an_empty_text_brings_ours_back(panel):
    guide, chinese = Guidelines("en", panel.workspace), Guidelines("zh", panel.workspace)
    own = guide.read()
    assert guide.save("Look at\n<b>this</b>.", ANA) == "Only the teacher can change the guidelines."
    assert guide.save("x" * 10_001, TEACHER).endswith("Nothing was saved.")
    assert (guide.read(), guide.field(ANA)["interactive"]) == (own, False)
    assert guide.save("Look at\n<b>this</b>.", TEACHER).startswith("Saved.")
    assert (guide.read(), guide.field(ALONE)["value"]) == ("Look at\n<b>this</b>.",) * 2
    assert chinese.read() != guide.read()
    guide.save("  ", ALONE)
    assert guide.read() == own
