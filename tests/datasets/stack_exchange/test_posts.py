"""A dump of Stack Exchange: hand-computed pairs, everything that can be wrong with the file, memory, kills."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from html import escape
from pathlib import Path

import pytest
from children import DEADLINE, started

from rlhf_kit import cli
from rlhf_kit.datasets.reading import FileError
from rlhf_kit.datasets.stack_exchange import conversion, posts
from rlhf_kit.datasets.stack_exchange import dump as rows_of
from rlhf_kit.datasets.stack_exchange.conversion import Config, convert
from rlhf_kit.datasets.stack_exchange.dump import read_rows, write_posts
from rlhf_kit.datasets.stack_exchange.posts import licence_of, read_posts, site_name, tags_of
from rlhf_kit.datasets.stack_exchange.threads import Answer, Thread, prompt_of, response_of
from rlhf_kit.language import LANGS, say
from rlhf_kit.storage import UNFINISHED, StorageError

CODE = '<p>Say "hi" &amp; go:</p>\n<pre class="lang-py"><code>if a_b &lt; 1:\n    go()\n</code></pre>'


def row(**attributes) -> str:
    """A row as a dump has it."""
    shown = (f'{name}="{escape(str(value)).replace(chr(10), "&#xA;")}"' for name, value in attributes.items())
    return f"  <row {' '.join(shown)} />\n"


def question(number: int, title: str = "How?", body: str = "<p>Tell.</p>", score: int = 0, **more) -> str:
    return row(Id=number, PostTypeId=1, Score=score, Title=title, Body=body, **more)


def answer(number: int, parent: int, votes: int, body: str | None = None, **more) -> str:
    return row(Id=number, PostTypeId=2, ParentId=parent, Score=votes, Body=body or f"<p>Text {number}.</p>", **more)


def dump(path: Path, *rows: str, head: str = '\ufeff<?xml version="1.0" encoding="utf-8"?>\n') -> Path:
    path.write_text(f"{head}<posts>\n{''.join(rows)}</posts>\n", encoding="utf-8")
    return path


@pytest.fixture
def site(tmp_path) -> Path:
    """200 posts, among them everything that a real dump holds."""
    rows = [
        question(1, 'The "best" way?', CODE, 12, AcceptedAnswerId=4, Tags="|python|loops|", OwnerUserId=7,
                 CreationDate="2010-07-19T19:12:12.510", ContentLicense="CC BY-SA 2.5"),
        answer(2, 1, 10, CODE, OwnerUserId=8, CreationDate="2012-01-01T00:00:00.000"),  # round(log2 11) = 3
        answer(3, 1, -2),                                                       # -1, account deleted
        answer(4, 1, 3, CreationDate="2019-01-01T00:00:00.000"),                # 2 + accepted = 3: a tie
        answer(5, 1, 0, "<p>no idea</p>"),                                      # 0
        row(Id=6, PostTypeId=5, Score=0, Body=""), row(Id=7, PostTypeId=4, Score=0, Body=""),   # a tag's wiki
        answer(8, 9, 1),                                                        # before its question
        question(9, "Unaccepted", Tags="<old><form>"),
        answer(10, 9, 2),
        question(11, "Nobody knows"),
        question(12, "A tie"), answer(13, 12, 3), answer(14, 12, 4),            # round(log2 4) = round(log2 5) = 2
        answer(15, 9999, 8),                                                    # its question is gone
    ]
    rng = random.Random(0)
    for number in range(16, 201):
        rows.append(question(number, f"Question {number}") if number % 5 == 1
                    else answer(number, number - (number - 1) % 5, rng.choice((-1, 0, 0, 1, 2, 5, 9))))
    return dump(tmp_path / "Posts.xml", *rows)


# Pairs

def test_the_pairs_of_a_question_by_hand(site):
    """Scores 3, -1, 3 (accepted), 0: of six pairs one ties; the best answers come first."""
    pairs = [pair for pair in read_posts(site) if pair.qid == 1]
    assert [(pair.better.id, pair.worse.id) for pair in pairs] == [(2, 5), (2, 3), (4, 5), (4, 3), (5, 3)]
    assert [(pair.better.score, pair.worse.score) for pair in pairs] == [(3, 0), (3, -1), (3, 0), (3, -1), (0, -1)]


def test_texts_are_markdown_with_their_title_and_what_attribution_needs(site):
    pair = next(read_posts(site, site="https://Cooking.stackexchange.com/"))
    code = 'Say "hi" & go:\n\n```py\nif a_b < 1:\n    go()\n```'
    assert (pair.question.text, pair.better.text, pair.worse.text) == (f'The "best" way?\n\n{code}', code, "no idea")
    assert (pair.tags, pair.question.score) == (("python", "loops"), 12)
    assert [post.author for post in (pair.question, pair.better, pair.worse)] == [7, 8, None]
    assert [post.licence for post in (pair.question, pair.better)] == ["CC BY-SA 2.5", "CC BY-SA 3.0"]
    assert (pair.question.link, pair.better.link) == ("https://cooking.stackexchange.com/questions/1",
                                                      "https://cooking.stackexchange.com/a/2")


def test_an_answer_may_come_before_its_question_and_ties_give_no_pair(site):
    found = {pair.qid: pair for pair in read_posts(site)}
    assert (found[9].better.id, found[9].worse.id, found[9].tags) == (10, 8, ("old", "form"))
    assert found[9].question.link is None
    assert not {11, 12} & found.keys()


def test_what_is_left_out_is_counted(site):
    left_out = Counter()
    asked = {pair.qid for pair in read_posts(site, left_out=left_out)}
    assert (left_out["other"], left_out["orphans"], left_out["malformed"]) == (2, 1, 0)
    assert left_out["unpaired"] == site.read_bytes().count(b' PostTypeId="1"') - len(asked)


def test_a_question_gives_ten_pairs_at_most_drawn_from_the_seed(tmp_path):
    path = dump(tmp_path / "Posts.xml", question(1), *(answer(i, 1, 2**i) for i in range(2, 9)))       # 21 pairs
    drawn = {seed: [(p.better.id, p.worse.id) for p in read_posts(path, seed=seed)] for seed in (0, 1)}
    assert len(set(drawn[0])) == len(set(drawn[1])) == 10
    assert drawn[0] != drawn[1]
    assert drawn[0] == [(p.better.id, p.worse.id) for p in read_posts(path)]
    assert len(list(read_posts(path, most_pairs=50))) == 21


def test_a_limit_takes_the_same_questions_whatever_else_is_there(site):
    few, more = ({pair.qid for pair in read_posts(site, limit=n)} for n in (5, 12))
    assert (len(few), len(more)) == (5, 12)
    assert few < more


def test_answers_without_a_text_or_with_the_same_one_make_no_pair(tmp_path):
    path = dump(tmp_path / "Posts.xml", question(1), answer(2, 1, 9, "<p>same</p>"), answer(3, 1, 1, "<div>same</div>"),
                answer(4, 1, 0, "<script>x</script>"), answer(5, 1, -1, "<p>other</p>"))
    left_out = Counter()
    assert [(p.better.id, p.worse.id) for p in read_posts(path, left_out=left_out)] == [(2, 5), (3, 5)]
    assert left_out["unread"] == 4


def test_a_question_with_thousands_of_answers_takes_no_time(tmp_path):
    path = dump(tmp_path / "Posts.xml", question(1), *(answer(i, 1, i % 50) for i in range(2, 4000)))
    assert len(list(read_posts(path))) == 10


@pytest.mark.parametrize(("text", "tags"), [("|a|b-c|", ["a", "b-c"]), ("<a><c++>", ["a", "c++"]), ("", [])])
def test_tags_of_both_forms(text, tags):
    assert tags_of(text) == tags


def test_licences_by_date_and_names_of_sites():
    dates = ("2008-09-01", "2011-04-08T00:00:00.000", "2018-05-01", "2018-05-02T10:00:00.000")
    assert [licence_of(date)[-3:] for date in dates] == ["2.5", "3.0", "3.0", "4.0"]
    assert licence_of("") == "CC BY-SA"
    assert site_name("HTTPS://a.b.com/") == "a.b.com"
    with pytest.raises(ValueError, match="such as cooking"):
        site_name("cooking site")


# Writing

THREADS = [Thread(20, "b \u00e9 <q>", "<p>q</p>\n<p>\t&amp; \"x\" r\r</p>", ("t", "u"),
                  (Answer(3, "<p>early</p>", 5, date="2011-01-01T00:00:00.000", licence=""),
                   Answer(25, "<pre><code>a  b\n</code></pre>", -3, True, 6)), 4, 5),
           Thread(1, "a", "", (), ())]


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "new" / "Posts.xml"
    assert write_posts(path, THREADS) == 4
    assert path.read_bytes().startswith(b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n<posts>\n  <row Id="1" ')
    rows = [attributes for _, found in read_rows(path) for _, attributes in found]
    assert [int(attributes["Id"]) for attributes in rows] == [1, 3, 20, 25]
    asked = {name: rows[2][name] for name in ("Title", "Body", "Tags", "AcceptedAnswerId", "AnswerCount", "Score")}
    assert asked == {"Title": "b é <q>", "Body": THREADS[0].html, "Tags": "|t|u|", "AcceptedAnswerId": "25",
                     "AnswerCount": "2", "Score": "4"}
    assert "OwnerUserId" not in rows[1]
    assert b"&#xA;" in path.read_bytes()
    [pair] = read_posts(path)
    assert (pair.better.text, pair.worse.text, pair.worse.score) == ("early", "```\na  b\n```", -1)
    assert pair.better.licence == "CC BY-SA 2.5"


@pytest.mark.parametrize(("thread", "said"), [(Thread(0, "t", "", (), ()), "from 1 on"),
                                              (Thread(1, "t", "", (), (Answer(1, "", 0),)), "used twice"),
                                              (Thread(1, "t", "a\x00b", (), ()), "cannot hold"),
                                              (Thread(1, "\ud800", "", (), ()), "cannot hold")])
def test_what_cannot_be_written_leaves_the_old_file(tmp_path, thread, said):
    (tmp_path / "Posts.xml").write_text("old")
    with pytest.raises(ValueError, match=said):
        write_posts(tmp_path / "Posts.xml", [thread])
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


# Files that are wrong

PAIR = question(1) + answer(2, 1, 5) + answer(3, 1, 0)
LAUGHS = ('<?xml version="1.0"?><!DOCTYPE posts [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
          '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>')
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE posts [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
SCHEMA = '<?xml version="1.0"?><!DOCTYPE posts SYSTEM "http://127.0.0.1:9/posts.dtd">'
WRONG = [
    ("", "is empty"), (" \n ", "is empty"), ("\ufeff\n", "is empty"), ("Id,Body\n1,x\n", "is not XML"),
    ("{}", "is not XML"), (b"7z\xbc\xaf'\x1c\0\4", "7z x Posts.xml Posts.xml"), (b"PK\x03\x04abc", "a zip archive"),
    (b"\x1f\x8b\x08abc", "packed with gzip"), (b"\x89PNG\r\n\x1a\n", "is not XML"),
    ("<html><body/></html>", "holds 'html'"), ("<users><row Id='1'/></users>", "another file of the same dump"),
    (f"<posts>{PAIR}", "ends in the middle"), (f"<posts>{PAIR}  <row Id='4' Bo", "ends in the middle"),
    (f"<posts>\n{PAIR}<row Id=4 /></posts>", "line 5: the XML is broken here"),
    ("<posts><row Id='1' Body='\x01'/></posts>", "broken"), ("<posts><row Id='1'>&x;</row></posts>", "broken here"),
    ("<posts><row Id='1'><b/></row></posts>", "inside a row"), ("<posts></posts>", "has no question"),
    ('<?xml version="1.0" encoding="utf-7"?><posts/>', "in UTF-8"),
    (f"<posts>{question(1)}{answer(2, 1, 3)}</posts>", "no two answers"),
    (f"{LAUGHS}<posts>{PAIR}&c;</posts>", "declares a document type"),
    (f"{OUTSIDE}<posts>{PAIR}<row Body='&x;'/></posts>", "declares a document type"),
    (f"{SCHEMA}<posts>{PAIR}</posts>", "declares a document type"),
    (f"<posts>{PAIR}{row(Id='x', PostTypeId=1, Score=0, Body='', Title='')}</posts>", "1 of 4 rows are malformed"),
    (f"<posts>{PAIR}{row(Id=4, PostTypeId=2, Score=0, Body='')}</posts>", "a post without ParentId"),
    (f"<posts>{PAIR}{row(Id=4, PostTypeId='?', Score=0)}</posts>", "'?' where a kind of post"),
    (f"<posts>{PAIR}{answer(10**19, 1, 4)}</posts>", "where ids and votes should be"),
]


@pytest.mark.parametrize(("content", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_file_that_is_no_dump(tmp_path, content, said):
    path = tmp_path / "Posts.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FileError) as caught:
        convert(path, tmp_path / "out")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["Posts.xml"]


@pytest.mark.parametrize("path", ["", "nowhere.xml", "."])
def test_a_path_that_is_no_file(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=r"is a folder|does not exist"):
        list(read_posts(path))
    with pytest.raises(FileError, match=r"is a folder|does not exist"):
        convert(path, "out")


def test_a_malformed_row_in_a_hundred_is_skipped_and_counted_and_named(tmp_path):
    rows = [question(1), answer(2, 1, 5), answer(3, 1, 0), *(question(i) for i in range(4, 100))]
    left_out = Counter()
    assert len(list(read_posts(dump(tmp_path / "Posts.xml", *rows, answer("x", 1, 9)), left_out=left_out))) == 1
    assert left_out["malformed"] == 1
    with pytest.raises(FileError, match=r"Posts\.xml line 102: 'x, 1, 9' where ids and votes should be\. 2 of 101"):
        list(read_posts(dump(tmp_path / "Posts.xml", *rows, answer("x", 1, 9), answer("y", 1, 9))))


def test_a_body_of_five_megabytes_is_counted_and_costs_nobody_else(tmp_path):
    path = dump(tmp_path / "Posts.xml", question(1), answer(2, 1, 9, "& <p>" + "x" * 5 * 2**20), answer(3, 1, 2),
                answer(4, 1, 0))
    left_out = Counter()
    assert [(p.better.id, p.worse.id) for p in read_posts(path, left_out=left_out)] == [(3, 4)]
    assert left_out["long"] == 1


def test_a_row_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_of, "LONGEST_ROW", 2**21)
    path = tmp_path / "Posts.xml"
    path.write_bytes(b'<posts>\n<row Id="1" Body="' + b"x" * 2**23)
    read = []
    with pytest.raises(FileError, match="line 2: a row of more than 2 MB"):
        read.extend(done for done, _ in read_rows(path))            # keeps those before the error
    assert max(read) <= 2**21 + rows_of.CHUNK


# Conversion

def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".lock"}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_folder_holds_pairs_answers_and_prompts_split_by_question(site, tmp_path):
    done = convert(site, tmp_path / "out", Config(site="a.b", held_out=0.3))
    pairs = {split: lines(tmp_path / "out" / split / "pairs.jsonl") for split in ("train", "heldout")}
    ids = {split: {row["qid"] for row in rows} for split, rows in pairs.items()}
    assert not ids["train"] & ids["heldout"]
    assert done.questions == {split: len(found) for split, found in ids.items()}
    assert done.pairs == {split: len(rows) for split, rows in pairs.items()}
    assert min(done.questions.values()) > 3
    assert [row["qid"] for split in pairs for row in pairs[split]] == [
        pair.qid for split in pairs for pair in read_posts(site) if pair.qid in ids[split]]
    assert done.left_out == {"other": 2, "orphans": 1, "unpaired": done.left_out["unpaired"]}
    assert sum(done.licences.values()) == len({pair.qid for pair in read_posts(site)} | {
        post for pair in read_posts(site) for post in (pair.better.id, pair.worse.id)})


def test_answers_are_the_better_ones_once_each_and_prompts_are_in_the_template(site, tmp_path):
    convert(site, tmp_path / "out", Config(held_out=0))
    expected = {}
    for pair in read_posts(site):
        expected[pair.better.id] = (prompt_of(pair.question.text), response_of(pair.better.text))
    found = lines(tmp_path / "out" / "train" / "answers.jsonl")
    assert [(row["prompt"], row["response"]) for row in found] == list(expected.values())
    assert [row["id"] for row in found][:3] == [2, 4, 5]
    prompts = [row["prompt"] for row in lines(tmp_path / "out" / "train" / "prompts.jsonl")]
    assert prompts == list(dict.fromkeys(prompt for prompt, _ in expected.values()))
    assert lines(tmp_path / "out" / "heldout" / "pairs.jsonl") == []


def test_a_question_to_learn_from_with_the_text_of_one_held_out_is_dropped(tmp_path):
    rows = [part for i in range(1, 400, 4) for part in (question(i, "All the same"), answer(i + 1, i, 5),
                                                        answer(i + 2, i, 0))]
    done = convert(dump(tmp_path / "Posts.xml", *rows), tmp_path / "out", Config(held_out=0.2))
    assert done.questions["train"] == 0
    assert done.left_out == {"shared": 100 - done.questions["heldout"]}


def test_a_finished_folder_is_looked_at_and_another_conversion_refused(site, tmp_path, monkeypatch):
    done = convert(site, tmp_path / "out")
    before = files(tmp_path / "out")
    monkeypatch.setattr(conversion, "choose", None)
    assert convert(site, tmp_path / "out") == done
    with pytest.raises(StorageError, match="with other settings"):
        convert(site, tmp_path / "out", Config(limit=3))
    with open(site, "a") as file:
        file.write(" ")
    with pytest.raises(StorageError, match="another dump"):
        convert(site, tmp_path / "out")
    assert files(tmp_path / "out") == before


def test_a_folder_of_somebody_else_is_refused(site, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(StorageError, match="no conversion wrote"):
        convert(site, tmp_path / "mine")
    with pytest.raises(StorageError, match="a file"):
        convert(site, tmp_path / "mine" / "thesis.txt")
    assert files(tmp_path / "mine") == {"thesis.txt": b"years"}


def dying(path: Path, out: Path, converted: int, renamed: int) -> None:
    """Convert, and be killed before so many texts are converted or after so many files are in place."""
    def counted(real, left, after=False):
        calls = []

        def call(*arguments):
            calls.append(arguments)
            found = real(*arguments) if after or len(calls) <= left else None
            if len(calls) > left:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return call

    posts.to_markdown = counted(posts.to_markdown, converted)
    os.replace = counted(os.replace, renamed, after=True)
    convert(path, out, Config(site="a.b"))


def killed(path: Path, out: Path, converted: int = 10**9, renamed: int = 10**9) -> bool:
    process = started(dying, path, out, converted, renamed)
    process.join(DEADLINE)
    return process.exitcode == -signal.SIGKILL


@pytest.mark.slow
def test_a_conversion_killed_on_the_way_ends_with_the_same_bytes(site, tmp_path, monkeypatch):
    convert(site, tmp_path / "alone", Config(site="a.b"))
    assert killed(site, tmp_path / "out", converted=70)
    texts = tmp_path / "out" / "texts" / "texts.jsonl"
    assert len(lines(texts)) == 70
    with open(texts, "ab") as file:
        file.write(b'{"id": 77, "text": "ha')                       # what a kill in the middle of a line leaves
    asked, real = [], posts.to_markdown
    monkeypatch.setattr(posts, "to_markdown", lambda html: asked.append(html) or real(html))
    done = convert(site, tmp_path / "out", Config(site="a.b"))
    assert files(tmp_path / "out") == files(tmp_path / "alone")
    assert len(asked) == sum(done.licences.values()) - 70           # nothing is converted twice
    assert not [path for path in (tmp_path / "out").rglob(".*") if path.name != ".lock"]


# The command

@pytest.mark.parametrize("lang", LANGS)
def test_the_command_writes_a_dump_and_reads_it(tmp_path, monkeypatch, capsys, lang):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["posts", "write", "Posts.xml", "--questions", "40", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["posts"] == Path("Posts.xml").read_text().count("<row ")
    words = ["posts", "read", "Posts.xml", "--output", "out", "--site", "a.b", "--lang", lang]
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert str(sum(found["pairs"].values())) in shown
    assert say(lang, "posts_licence") in shown
    assert say(lang, "posts_left_unpaired", n=found["left_out"]["unpaired"]) in shown
    assert cli.main(words) == 0
    assert say(lang, "posts_finished") in capsys.readouterr().out


def test_two_seeds_write_two_forums_and_one_seed_the_same(tmp_path):
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert cli.main(["posts", "write", str(tmp_path / name), "--questions", "5", "--seed", seed, "--json"]) == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_a_made_up_dump_replaces_no_file(tmp_path, capsys):
    (tmp_path / "Posts.xml").write_text("a real one")
    assert cli.main(["posts", "write", str(tmp_path / "Posts.xml"), "--questions", "5", "--lang", "en"]) == 2
    assert "is there already, and might be a real dump" in capsys.readouterr().err
    assert (tmp_path / "Posts.xml").read_text() == "a real one"


def test_what_somebody_put_beside_the_texts_of_a_conversion_stays(site, tmp_path):
    (tmp_path / "out" / ".hidden").mkdir(parents=True)
    for done in conversion.steps(site, tmp_path / "out", Config(site="a.b")):
        if done.stage == "texts":
            (tmp_path / "out" / "texts" / "notes.txt").write_text("mine")
    convert(site, tmp_path / "out", Config(site="a.b"))
    assert [path.name for path in (tmp_path / "out" / "texts").iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_a_conversion_killed_at_every_file_ends_with_the_same_bytes(site, tmp_path):
    convert(site, tmp_path / "alone", Config(site="a.b"))
    for renamed in range(8):                                        # the claim, six files, what was found
        out = tmp_path / f"out{renamed}"
        assert killed(site, out, renamed=renamed)
        if renamed < 7:
            (out / "train").mkdir(exist_ok=True)
            (out / "train" / f".pairs.jsonl-halfdone{UNFINISHED}").write_text("{")  # what a kill in a file leaves
        assert killed(site, out, converted=40) == (renamed == 0)    # later there is nothing left to convert
        convert(site, out, Config(site="a.b"))
        assert files(out) == files(tmp_path / "alone"), renamed


WATCHED = """
import sys, threading, time
from rlhf_kit.datasets.stack_exchange.posts import read_posts
def held():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
most, done = [held()], []
def watch():
    while not done:
        most.append(held())
        time.sleep(0.05)
thread = threading.Thread(target=watch)
thread.start()
pairs = sum(1 for _ in read_posts(sys.argv[1], limit=4000))
done.append(True)
thread.join()
print(max(most) - most[0], pairs)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_hundred_megabytes_take_less_than_two_hundred_of_memory(tmp_path):
    """Anonymous memory at its highest, in a process of its own, above what importing costs."""
    path = tmp_path / "Posts.xml"
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.benchmarks.dump import write_large
    write_large(path, 300)
    done = subprocess.run([sys.executable, "-c", WATCHED, path], capture_output=True, text=True, check=True)
    grown, pairs = map(int, done.stdout.split())
    assert os.path.getsize(path) >= 300 * 2**20
    assert pairs > 10_000
    assert grown < 200 * 1024, grown
