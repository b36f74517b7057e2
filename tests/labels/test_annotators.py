"""What a file of labels says about those who made it, on files of which the truth is known."""

import json
import random

import pytest

from rlhf_kit.labels import Labels, Response
from rlhf_kit.labels.annotators import agreement

MODELS = ("small", "middle", "large")


@pytest.fixture
def labels(tmp_path):
    with Labels(tmp_path / "labels.db") as opened:
        yield opened


def judged(labels: Labels, people: dict, tasks: int = 40, repeats: float = 0.0) -> None:
    """People is {name: function of a task that gives the groups}."""
    for i in range(tasks):
        labels.add_task(f"prompt {i}", [Response(f"{model} {i}", model) for model in MODELS])
    for name, judge in people.items():
        while shown := labels.next_task(name, repeats=repeats):
            labels.save_ranking(shown, judge(shown.task))


def by_model(task):
    return [[2], [1], [0]]


def noisy(seed: int, noise: float):
    rng = random.Random(seed)
    return lambda task: [[i] for i in sorted(range(3), key=lambda i: -i + rng.gauss(0, noise))]


def test_people_of_one_mind_agree_in_every_measure(labels):
    judged(labels, {"ana": by_model, "ben": by_model, "cleo": by_model}, repeats=0.2)
    found = agreement(labels)
    assert (found.tasks, found.judgements, found.annotators, found.shared) == (40, 120, 3, 40)
    assert found.alpha == found.w == found.pairwise.mean == found.self_agreement.mean == found.quality == 1
    assert found.w_by_chance == pytest.approx(1 / 3)
    assert found.pairwise.n == 40 * 3 * 3
    assert found.pairwise.low == pytest.approx(40 / (40 + 1.96**2), abs=1e-4)        # 40 tasks, not certainty
    assert found.self_agreement.n == 3 * 8 * 3
    assert [rating.model for rating in found.ratings] == ["large", "middle", "small"]
    assert all(rating.low == pytest.approx(rating.high) for rating in found.ratings)


def test_people_who_guess_agree_by_chance(labels):
    judged(labels, {name: noisy(seed, 1e6) for seed, name in enumerate(("ana", "ben", "cleo"))}, tasks=150, repeats=0.5)
    found = agreement(labels)
    assert abs(found.alpha) < 0.1
    assert found.w == pytest.approx(1 / 3, abs=0.06)
    assert found.pairwise.low < 0.5 < found.pairwise.high
    assert found.self_agreement.mean == pytest.approx(0.5, abs=0.1)


def test_a_tie_against_a_winner_is_half_and_opposites_nothing(labels):
    people = {"ana": lambda task: [[0], [1], [2]], "ben": lambda task: [[0, 1], [2]]}
    judged(labels, people, tasks=4)
    assert agreement(labels).pairwise.mean == pytest.approx((0.5 + 1 + 1) / 3)
    assert agreement(labels).quality == 1                                   # where both saw a winner they agree


def test_the_order_in_which_responses_are_stored_says_nothing(tmp_path):
    """Imported lists come best first, so all say that the first is better: no agreement can be seen in that."""
    found = []
    for turn in (False, True):
        with Labels(tmp_path / f"{turn}.db") as labels:
            judges = [noisy(1, 1.0), noisy(2, 1.0)]
            for i in range(60):
                texts = [f"{model} {i}" for model in MODELS]
                task = labels.add_task(f"prompt {i}", texts[::-1] if turn and i % 2 else texts)
                for name, judge in zip(("ana", "ben"), judges, strict=True):
                    groups = judge(task)
                    labels.save_ranking(labels.show(task.id, name), [[2 - g for g in group] for group in groups]
                                        if turn and i % 2 else groups)
            found.append(agreement(labels).alpha)
    assert found[0] == pytest.approx(found[1])
    assert 0.2 < found[0] < 0.9


def test_ratings_follow_the_models_and_have_intervals_over_annotators(labels):
    judged(labels, {f"person {i}": noisy(i, 1.0) for i in range(6)})
    ratings = agreement(labels).ratings
    assert [rating.model for rating in ratings] == ["large", "middle", "small"]
    assert [rating.games for rating in ratings] == [6 * 40 * 2] * 3
    assert sum(rating.strength for rating in ratings) == pytest.approx(0)
    assert all(rating.low < rating.strength < rating.high for rating in ratings)
    assert sum(rating.won for rating in ratings) == pytest.approx(1.5)


def test_ten_of_ten_is_a_finite_rating_and_one_person_has_no_interval(labels):
    for i in range(10):
        task = labels.add_task(f"prompt {i}", [Response("x", "old"), Response("y", "new")])
        labels.save_vote(labels.show(task.id, "ana"), 1)
    found = agreement(labels)
    best, worst = found.ratings
    assert (best.model, best.won, best.low) == ("new", 1.0, None)
    assert [best.strength, worst.strength] == pytest.approx([1.52, -1.52], abs=0.005)
    assert (found.alpha, found.w, found.pairwise, found.self_agreement, found.quality) == (None,) * 5
    assert not found.enough


def test_nothing_is_made_of_an_empty_file_and_everything_is_json(labels):
    empty = agreement(labels)
    assert (empty.judgements, empty.alpha, empty.ratings) == (0, None, ())
    judged(labels, {"ana": by_model, "ben": noisy(0, 1.0)}, tasks=5)
    numbers = json.loads(json.dumps(agreement(labels).numbers(), allow_nan=False))
    assert numbers["pairwise"]["n"] == 15
    assert not numbers["enough"]
    assert len(numbers["ratings"]) == 3


def test_questions_are_kept_apart(labels):
    task = labels.add_task("It", ["x", "y"])
    for name, helpful, harmless in (("ana", 0, 0), ("ben", 0, 1)):
        labels.save_vote(labels.show(task.id, name, "helpful"), helpful)
        labels.save_vote(labels.show(task.id, name, "harmless"), harmless)
    assert agreement(labels, "helpful").pairwise.mean == 1
    assert agreement(labels, "harmless").pairwise.mean == 0
    assert agreement(labels).pairwise.mean == 0.5
    assert agreement(labels, "harmless").quality is None
