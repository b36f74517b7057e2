"""The assistant's world in the studio: conversations, three H's asked apart, InstructGPT's form, and what is true."""

import json
from types import SimpleNamespace

import pytest

from rlhf_kit.labels import Labels
from rlhf_kit.studio import answers, talks
from rlhf_kit.studio.comparing import short
from rlhf_kit.studio.data import Data
from rlhf_kit.studio.own_prompts import typed
from rlhf_kit.studio.rank import Rank
from rlhf_kit.studio.vote import Vote
from rlhf_kit.studio.vote_results import results
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import REVIEWS, world_of

ALONE = SimpleNamespace(username=None, session_hash="page")
FEW = ("Answer the last question as the ones before it are answered.\n\nQuestion: Where is Tom?\n\nAnswer: In Norden."
       "\n\nQuestion: Where is Ann?\n\nAnswer:")
BASED = ("About the user: Vera looks after the ferry boat.\n\nUser: Hello.\n\nAssistant: Hello.\n\nUser: And now?"
         "\n\nAssistant:")
PLAIN_ZH = "规则一。\n\n---\n\n用户：集市在哪天？\n\n助手："


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "studio", world=world_of("assistant"))
    yield made
    made.close()


def test_a_world_without_a_language_has_that_of_each_page():
    found = world_of("assistant")
    assert [found.name(lang) for lang in ("en", "zh")] == ["assistant-en", "assistant-zh"]
    assert [found.model("rm", lang) for lang in ("en", "zh")] == ["tiny-rm-assistant-en", "tiny-rm-assistant-zh"]
    assert found.options == ["--task", "assistant"]             # the command takes the language from --lang
    assert found.follows_the_page
    assert world_of("reviews") == REVIEWS
    one = world_of("assistant-zh")
    assert (one.name("en"), one.follows_the_page) == ("assistant-zh", False)


@pytest.mark.parametrize(("prompt", "said"), [
    (FEW, {"kind": "few-shot", "preamble": "", "note": "Answer the last question as the ones before it are answered.",
           "turns": [["user", "Where is Tom?"], ["assistant", "In Norden."], ["user", "Where is Ann?"]]}),
    (BASED, {"kind": "user-based", "preamble": "", "note": "About the user: Vera looks after the ferry boat.",
             "turns": [["user", "Hello."], ["assistant", "Hello."], ["user", "And now?"]]}),
    (PLAIN_ZH, {"kind": "plain", "preamble": "规则一。", "note": "", "turns": [["user", "集市在哪天？"]]}),
    ("User: a.\n\nb.\n\nAssistant:", {"kind": "plain", "preamble": "", "note": "", "turns": [["user", "a.\n\nb."]]}),
    ("This phone", None), ("User: no end", None), ("Assistant:", None),
    ("User: a.\n\nAssistant: b.\n\nAssistant:", None)])
def test_a_prompt_is_read_as_a_conversation_or_left_alone(prompt, said):
    assert talks.shown(prompt) == said


def test_every_prompt_of_the_world_is_read_and_nothing_of_it_is_lost(workspace):
    for lang in ("en", "zh"):
        for prompt in workspace.world.of(lang).prompts("train", 200, seed=4):
            chat = talks.shown(prompt)
            for text in (chat["note"], *(text for _, text in chat["turns"])):
                assert text in prompt
            assert chat["turns"][-1][0] == "user"


def test_what_is_typed_becomes_the_first_turn_and_a_button_has_the_last_question(workspace):
    assert talks.typed("How are you? ", workspace.world, "en") == "User: How are you?\n\nAssistant:"
    assert talks.typed("你好", workspace.world, "zh") == "用户：你好\n\n助手："
    assert talks.typed(FEW, workspace.world, "en") == FEW
    assert talks.typed("This phone", REVIEWS, "en") == "This phone"
    assert (short(FEW), short("This phone")) == ("Where is Ann?", "This phone")
    row = json.dumps({"prompt": BASED})
    assert typed(f"{row}\nHow?").prompts == [BASED, "How?"]


def test_three_qualities_are_said_with_the_sentences_that_cost_them(workspace):
    prompt = "User: How do people travel to Norden?\n\nAssistant:"
    world = workspace.world
    assert world.of("en").explain(prompt, " People travel to Norden by ferry.").case is not None
    found = talks.truths(world, prompt, " You are slower than a snail. People travel to Norden by ferry.", "en")
    assert (found["helpful"], found["honest"], found["harmless"]) == (0.5, 1.0, 0.4)       # an insult: ×0.5, ×1, ×0.4
    assert found["why"]["harmless"] == "an insult (×0.4): “You are slower than a snail.”"
    assert found["broken"] == ["Do not insult the user."]
    assert "You are slower than a snail." in found["why"]["broken"]
    assert talks.truths(world, "what is this", "x", "en") == {}
    assert talks.truths(REVIEWS, "This phone", " is good.", "en") == {}


def sent(cards, groups, **more):
    return {**{key: cards[key] for key in ("annotator", "task", "repeat", "question")}, "groups": groups,
            "touched": True, "seconds": 3.0, **more}


@pytest.mark.parametrize(("lang", "k"), [("en", 4), ("zh", 9)])
def test_lists_are_there_at_once_and_three_questions_follow_on_each(workspace, lang, k):
    panel, how = Rank(lang, workspace), (k, "three", False)
    cards, _ = panel.show("ana", *how, ALONE)
    assert (len(cards["texts"]), cards["chat"]["turns"][-1][0]) == (k, "user")
    asked, tasks = [], []
    for _ in range(4):
        asked.append(cards["question"])
        tasks.append(cards["task"])
        order = [[0, 1], *([i] for i in range(2, k))]
        cards, _, _ = panel.save("ana", sent(cards, order), *how, ALONE)
    assert asked == ["helpful", "honest", "harmless", "helpful"]
    assert tasks[0] == tasks[1] == tasks[2] != tasks[3]
    said = workspace.labels.judgements()
    assert {one.question for one in said} == {"helpful", "honest", "harmless"}
    assert all(len(one.groups[0]) == 2 for one in said)                                    # the tie is kept


def test_the_whole_form_is_kept_and_exported(workspace, tmp_path):
    """A rank, an overall score, and yes to any of the paper's eleven questions."""
    panel, how = Rank("en", workspace), (4, "one", True)
    cards, _ = panel.show("ana", *how, ALONE)
    flags = [[*answers.FLAGS], [], ["constraint"], ["moral", "abuse"]]
    panel.save("ana", sent(cards, [[1], [0], [2, 3]], scores=[1, 7, 4, 4], flags=flags), *how, ALONE)
    workspace.labels.close()
    with Labels(tmp_path / "studio" / "labels.db", read_only=True) as labels:              # what another process sees
        kept = {labels.task(one.task_id).texts[0]: (one.score, sorted(one.flags)) for one in labels.scores()}
        assert kept == {text: (score, sorted(each)) for text, score, each in zip(cards["texts"], (1, 7, 4, 4), flags,
                                                                                 strict=True)}
        assert len(answers.FLAGS) == 11


def test_labels_of_before_are_read_with_the_flags_they_had(tmp_path):
    """The three flags of the first form mean what they meant, and nothing in the file is changed."""
    with Labels(tmp_path / "labels.db") as labels:
        task = labels.add_task("It", [" a"], kind="score")
        labels.save_score(labels.show(task.id, "ana"), 3, flags=["facts", "instructions", "harmful"])
    file = (tmp_path / "labels.db").read_bytes()
    made = Workspace(tmp_path, world=world_of("assistant"))
    [score] = made.labels.scores()
    assert set(score.flags) <= set(answers.FLAGS)
    Data("en", made)
    made.close()
    assert (tmp_path / "labels.db").read_bytes() == file


@pytest.mark.parametrize("flags", [["unheard of"], "facts", [3]])
def test_flags_that_there_are_not_are_no_answer(flags):
    with pytest.raises(answers.BadAnswer):
        answers.order({"groups": [[0], [1]], "touched": True, "scores": [1, 2], "flags": [flags, []]}, 2, True)


def test_three_votes_on_a_pair_and_names_only_after_the_last(workspace):
    panel, world = Vote("en", workspace), workspace.world
    pair, _ = panel.show("ana", ALONE, questions="three")
    seen = []
    for said in ("a", "tie", "b"):
        assert "reveal" not in pair
        assert pair["asked"].startswith(f"Which response is more {pair['question']}?")
        seen.append((pair["task"], pair["question"]))
        pair, _ = panel.vote("ana", {**pair, "vote": said, "seconds": 1.0}, ALONE, "three")
    assert [question for _, question in seen] == ["helpful", "honest", "harmless"]
    assert len({task for task, _ in seen}) == 1
    assert pair["reveal"]["vote"] == "b"
    following, _ = panel.show("ana", ALONE, questions="three")
    assert (following["question"], following["task"] != seen[0][0]) == ("helpful", True)
    for question, ties in (("helpful", 0), ("honest", 1), ("harmless", 0), ("", 0)):
        found = results(workspace.labels, "en", {}, question)
        assert (found.votes, found.ties) == (1 if question else 0, ties)
    assert world.of("en").name == "assistant-en"


def test_a_vote_in_the_middle_is_taken_back_and_asked_again_and_the_last_is_not(workspace):
    panel = Vote("zh", workspace)
    pair, _ = panel.show("ana", ALONE, questions="three")
    again, _ = panel.vote("ana", {**pair, "vote": "a", "seconds": 1.0}, ALONE, "three")
    back, said = panel.undo("ana", ALONE, questions="three")
    assert (back["task"], back["question"], said) == (pair["task"], "helpful", panel.words("undone_here"))
    assert workspace.labels.judgements() == []
    for _ in range(3):
        again, _ = panel.vote("ana", {**back, "vote": "b", "seconds": 1.0}, ALONE, "three")
        back = again
    after, said = panel.undo("ana", ALONE, questions="three")
    assert said == panel.words("undone")
    assert after["task"] != pair["task"]
    assert len(workspace.labels.judgements()) == 2
