"""A judge behind an address, asked on a server of this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rlhf_kit import rewards
from rlhf_kit.models import remote
from rlhf_kit.models.remote import RemoteJudge
from rlhf_kit.rewards import RewardError

PROMPTS, RESPONSES = ["How are you?"] * 3, ["Fine.", "Fine, thank you.", "x"]


class Server(ThreadingHTTPServer):
    """Answers each question with the next of `replies`: a text, or the number of an error; then with the last again."""

    def __init__(self, *replies: str | int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.asked, self.keys = list(replies), [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.asked.append(body["messages"][0]["content"])
        server.keys.append(self.headers.get("Authorization"))
        reply = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
        if callable(reply):
            reply = reply(body["messages"][0]["content"])
        self.send_response(reply if isinstance(reply, int) else 200)
        self.end_headers()
        if isinstance(reply, str):
            self.wfile.write(json.dumps({"choices": [{"message": {"content": reply}}]}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(remote, "WAIT", 0.001)
    started = []

    def start(*replies):
        started.append(Server(*replies))
        return started[-1]
    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def judge(server, **options):
    return RemoteJudge(server.address, "model", "Is it kind?", **{"at_once": 1, **options})


def test_each_response_gets_its_own_mark_in_order(serve):
    server = serve(lambda question: str(min(len(question.rpartition("Response:\n")[2]), 10)))
    assert judge(server, at_once=3).marks(PROMPTS, RESPONSES) == [5, 10, 1]
    assert all("Rubric: Is it kind?" in question and "Prompt:\nHow are you?" in question for question in server.asked)


@pytest.mark.parametrize(("answer", "mark"), [("7", 7), ("It is polite.\n8.5", 8.5), ("Mark: 6/10", 6),
                                              ("9 out of 10.\n", 9), ("Mark: **7** of 10", 7), ("Mark (1-10): 7", 7),
                                              ("7分（满分10分）", 7), ("7 on a scale of 1 to 10", 7),
                                              ("7 and again 7", 7)])
def test_the_mark_is_the_number_of_the_last_line(serve, answer, mark):
    assert judge(serve(answer)).mark("a", "b") == mark


def test_of_several_numbers_none_is_taken_for_the_mark(serve):
    """The last one may be the scale's end: 'a 3, where others gave 10' was the best mark there is."""
    server = serve("a 3, where others gave 10", "3, or 4", "3")
    assert judge(server).mark("a", "b") == 3
    assert len(server.asked) == 3


def test_a_busy_server_and_an_answer_without_a_mark_are_asked_again(serve):
    server = serve(503, "I cannot say.", "42", "4")
    assert judge(server).mark("a", "b") == 4
    assert len(server.asked) == 4


@pytest.mark.parametrize(("replies", "said", "times"), [
    ((401,), "answered 401", 1), ((500,), "answered 500", 3), (("none",), "is no number from 1 to 10: 'none'", 3)])
def test_after_the_last_try_it_is_one_line(serve, replies, said, times):
    server = serve(*replies)
    with pytest.raises(RewardError, match=f"the judge at {server.address} gave no marks: .*{said}"):
        rewards.endpoint(judge(server, retries=2))(PROMPTS[:1], RESPONSES[:1])
    assert len(server.asked) == times


def test_nobody_is_asked_twice_where_answers_are_kept(serve, tmp_path):
    server = serve("3", "5", "9")
    first = judge(server, cache=tmp_path / "marks").marks(PROMPTS, RESPONSES)
    assert judge(server, cache=tmp_path / "marks").marks(PROMPTS, RESPONSES) == first == [3, 5, 9]
    assert len(server.asked) == 3
    [*_, damaged] = sorted((tmp_path / "marks").iterdir())
    damaged.write_text("{")
    judge(server, cache=tmp_path / "marks").marks(PROMPTS, RESPONSES)
    assert len(server.asked) == 4
    RemoteJudge(server.address, "model", "Is it long?", cache=tmp_path / "marks").mark(PROMPTS[0], RESPONSES[0])
    assert len(server.asked) == 5                                       # another rubric is another question


def test_no_proxy_is_asked_for_what_is_on_this_machine(serve, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    assert judge(serve("2")).mark("a", "b") == 2


def test_nobody_answers_in_time(serve, monkeypatch):
    with pytest.raises(RewardError, match="no answer"):
        rewards.endpoint(RemoteJudge("http://127.0.0.1:9/v1", "m", "r", retries=0, timeout=0.5))(["a"], ["b"])


def test_the_key_is_sent_and_kept_nowhere(serve, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", "secret words")
    server = serve("2")
    asked = judge(server, key="MY_KEY", cache=tmp_path / "marks")
    asked.mark("a", "b")
    assert server.keys == ["Bearer secret words"]
    assert not any("secret" in file.read_text() for file in (tmp_path / "marks").iterdir())
    assert "secret" not in repr(asked)
    with pytest.raises(ValueError, match="no environment variable of that name"):
        judge(server, key="NOT_SET_HERE")


def test_what_is_no_judge_is_named():
    with pytest.raises(ValueError, match="expected one such as http://"):
        RemoteJudge("127.0.0.1:8000", "m", "r")
    with pytest.raises(ValueError, match="lowest must be the smaller"):
        RemoteJudge("http://127.0.0.1/v1", "m", "r", lowest=5, highest=5)
