"""Self-play and mixes: what enters the buffer, what is asked next, and shares to the prompt."""

import pytest

from rlhf_kit.loops.mixing import mixed
from rlhf_kit.methods import self_play
from rlhf_kit.sampling import Sampling

QUICK = self_play.Config(sampling=Sampling(max_new_tokens=4), above=0.5)
PROMPT = "User: hi\n\nAssistant:"


def test_only_valid_turns_of_the_better_half_enter_and_none_twice():
    buffer = self_play.Buffer(QUICK)
    responses = [" good", " fair", " bad", "", " x\n\nUser: me", " y Assistant: z"]
    assert buffer.offer([PROMPT] * 6, responses, [3, 2, 1, 9, 9, 9]) == 2
    assert buffer.offer([PROMPT] * 2, [" good", " fair"], [3, 2]) == 0
    assert buffer.state_dict()["dialogues"] == [f"{PROMPT} good", f"{PROMPT} fair"]


def test_the_user_s_next_statement_is_the_models_and_a_long_dialogue_ends(policy, monkeypatch):
    buffer = self_play.Buffer(QUICK)
    buffer.offer([PROMPT], [" good"], [1.0])
    said = iter([[" and why?\n\nAssistant: so"], [" no end"], ["\n\n"], [" Assistant: I\n\n"]])
    monkeypatch.setattr(self_play, "generate", lambda *_, **__: next(said))
    monkeypatch.setattr(type(policy), "context", None)
    [asked] = buffer.prompts(policy, 5, 0)
    assert asked == f"{PROMPT} good\n\nUser: and why?\n\nAssistant:"
    assert [buffer.prompts(policy, 5, number) for number in (1, 2, 3)] == [[], [], []]
    short = self_play.Buffer(self_play.Config(statements=4))
    assert short.offer([PROMPT], [" a"], [1.0]) == 1
    assert short.offer([asked], [" b"], [1.0]) == 0                                 # four statements already


def test_it_plays_with_a_real_model_and_leaves_out_what_has_no_room(policy):
    buffer = self_play.Buffer(QUICK)
    buffer.offer(["the lamp is", "the pen " * 30], [" loud", " loud"], [2.0, 2.0])
    assert all(one.startswith("the lamp") for one in buffer.prompts(policy, 4, 0))


def test_a_checkpoint_brings_the_buffer_back_and_the_oldest_go():
    buffer, again = self_play.Buffer(self_play.Config(keep=3, above=0)), self_play.Buffer(self_play.Config(keep=3))
    buffer.offer([PROMPT] * 5, [f" {i}" for i in range(5)], list(range(5)))
    again.load_state_dict(buffer.state_dict())
    assert again.state_dict() == buffer.state_dict()
    assert len(again) == 3


@pytest.mark.parametrize(("change", "message"), [
    ({"user": " "}, "the marks are"), ({"statements": 1}, "statements is 1"), ({"above": 1.0}, "above 1.0")])
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        self_play.Config(**change)


# --- mixes ------------------------------------------------------------------------------------------------------------

SOURCES = {"questions": [f"q{i}" for i in range(50)], "dialogues": ["d0", "d1", "d2"], "attacks": [f"a{i}" for i in
                                                                                                  range(20)]}


def test_each_source_has_its_share_and_a_small_one_is_repeated_and_told():
    found = mixed(SOURCES, {"questions": 2, "dialogues": 1, "attacks": 1}, 21)
    counts = {name: found.sources.count(name) for name in SOURCES}
    assert sum(counts.values()) == 21
    assert all(abs(counts[name] - 21 * share) < 1 for name, share in (("questions", 0.5), ("dialogues", 0.25)))
    assert found.repeated == {"dialogues": counts["dialogues"] - 3}
    assert len({p for p, name in zip(found.prompts, found.sources, strict=True) if name == "questions"}) == counts[
        "questions"]
    assert found == mixed(SOURCES, {"questions": 2, "dialogues": 1, "attacks": 1}, 21)
    assert found.sources[:11] != ["questions"] * 11                                 # shuffled


@pytest.mark.parametrize(("shares", "message"), [
    ({"questions": 1}, "the same names"), ({"questions": 0, "dialogues": 0, "attacks": 0}, "one of them more"),
    ({"questions": -1, "dialogues": 1, "attacks": 1}, "0 or more")])
def test_bad_shares_are_refused(shares, message):
    with pytest.raises(ValueError, match=message):
        mixed(SOURCES, shares, 9)


def test_an_empty_source_can_only_have_no_share():
    assert mixed({"a": ["x"], "b": []}, {"a": 1, "b": 0}, 2).prompts == ["x", "x"]
    with pytest.raises(ValueError, match="b has no prompts"):
        mixed({"a": ["x"], "b": []}, {"a": 1, "b": 1}, 2)
