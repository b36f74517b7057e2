"""What is said of a run: each rule on numbers written by hand, all of them on the gallery's stored runs."""

import argparse
import json
import math

import pytest

from rlhf_kit import cli
from rlhf_kit.commands import showing, train
from rlhf_kit.language import LANGS, fault_words
from rlhf_kit.runs import explain
from rlhf_kit.runs.explain import Finding, Record, findings, missing
from rlhf_kit.storage import StorageError
from rlhf_kit.studies.gallery import FAULTS, HEALTHY
from tests.benchmarks import gallery as bench

STORED = bench.stored()
SEEDS = sorted({seed for of in STORED["faults"].values() for seed in of})

# Ten steps in which everything is as it should be.
SOUND = {"score": [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.6, 0.65, 0.7],
         "gold": [0.3, 0.32, 0.35, 0.4, 0.42, 0.45, 0.5, 0.5, 0.52, 0.55],
         "kl": [0, 1, 2, 3, 4, 5, 5, 6, 6, 6], "kl_coef": [0.1] * 10,
         "kl_price": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.6, 0.6, 0.6],
         "ratio_gap": [1e-6] * 10, "ratio_shift": [0.0] * 10,
         "surprise": [1.1, 1.0, 1.15, 1.0, 0.95, 1.05, 1.0, 0.9, 1.0, 0.95], "entropy": [1.0] * 10,
         "ends_learnt": [1.0] * 10, "eos_rate": [0.9] * 10, "response_length": [20.0] * 10,
         "score_std": [0.2] * 10, "length_correlation": [0.1] * 10, "credit": [0.8] * 10,
         "approx_kl": [0.03] * 10, "skipped": [0] * 10, "value_loss": [0.05] * 10, "prompt_surprise": [1.5]}


def record(settings=None, **changed) -> Record:
    columns = {**SOUND, **changed}
    return Record([{"step": i + 1, **{name: values[i] for name, values in columns.items() if i < len(values)}}
                   for i in range(10)], settings or {})


def first(**changed) -> str:
    found = findings(record(**changed))
    return found[0].fault if found else ""


def test_of_a_sound_run_nothing_is_said():
    assert findings(record()) == []
    assert missing(record()) == []


@pytest.mark.parametrize(("fault", "changed"), [
    ("ratio-reference", {"ratio_gap": [0, *[0.03] * 9]}),               # 1 at the start, then away
    ("top-k", {"ratio_gap": [0.1] * 10, "ratio_shift": [0.1] * 10}),    # all in one direction
    ("dropout", {"ratio_gap": [0.2] * 10, "ratio_shift": [0.1] * 10}),
    ("int8-kernels", {"ratio_gap": [0.005] * 10}),
    ("kl-reversed", {"kl_price": [-0.1 * n for n in SOUND["kl"]]}),
    ("wrong-token", {"kl_price": [0.25 + 0.1 * n for n in SOUND["kl"]]}),       # a quarter of a point never arrives
    ("whitened-alone", {"credit": [0.0] * 8 + [0.8, 0.8]}),
    ("eos-as-padding", {"ends_learnt": [0.0] * 10}),
    ("negative-kl", {"kl": [0, -1, -1, -1, -1, -1, -2, -2, -2, -2],
                     "kl_price": [0, -.1, -.1, -.1, -.1, -.1, -.2, -.2, -.2, -.2]}),
    ("temperature", {"surprise": [0.7 + 0.01 * (-1) ** i for i in range(10)]}),
    ("temperature", {"surprise": [1.3 + 0.01 * (-1) ** i for i in range(10)]}),
    ("unknown-template", {"prompt_surprise": [9.0]}),
    ("reward-scale", {"score_std": [20.0] * 10}),
    ("spikes", {"approx_kl": [0.03, 4.0, *[0.03] * 8]}),
    ("spikes", {"skipped": [0, 0, 1, *[0] * 7]}),
    ("length-bias", {"length_correlation": [0.8] * 10, "response_length": [20, 20, 22, 24, 26, 28, 30, 30, 30, 30]}),
    ("no-kl", {"kl_coef": [0] * 10, "kl_price": [0] * 10, "kl": [0, 2, 5, 9, 14, 20, 30, 40, 50, 60]}),
    ("rm-epochs", {"gold": [0.3] * 10}),
    ("rm-epochs", {"gold": [0.06] * 5 + [0.08] * 5}),
    ("rm-epochs", {"gold": [0.0] * 10}),                                # never right
])
def test_a_number_that_is_off_names_its_fault(fault, changed):
    assert first(**changed) == fault


@pytest.mark.parametrize("changed", [
    {"ratio_gap": [1e-3] * 10},                                         # rounding
    {"kl_price": [0] * 10},                                             # the KL is in the loss
    {"kl_coef": [0] * 10, "kl_price": [0] * 10},                        # a run without a price that stayed near
    {"kl": [-0.2, 0.3, *SOUND["kl"][2:]]},                              # a few responses by luck
    {"credit": [0.0] * 10, "score_std": [0.0] * 10},                    # all scored alike: there is no credit to follow
    {"ends_learnt": [0.0] * 10, "eos_rate": [0.0] * 10},                # nothing ended
    {"surprise": [1.0 + 0.5 * (-1) ** i for i in range(10)]},           # noisy, and right on average
    {"length_correlation": [0.8] * 10},                                 # long ones are better, and none grew
    {"gold": [0.3] * 10, "score": [0.3] * 10},                          # nothing was learned
    {"gold": [0.02] * 5 + [0.06] * 5},                                  # little is right, and three times as much
    {"gold": [0.2, 0.4] * 5},                                           # it scatters too much to be told from a rise
])
def test_what_may_happen_to_a_sound_run_is_no_alarm(changed):
    assert first(**changed) == ""


def test_other_estimates_of_the_kl_are_not_expected_to_add_up():
    doubled = {"kl_price": [0.2 * n + 0.2 for n in SOUND["kl"]]}
    assert first(**doubled) == "wrong-token"
    for settings in ({"config/kl/estimate": "abs"}, {"changes/estimate": "k3"}, {"config/kl/clip": 1.0}):
        assert findings(record(settings, **doubled)) == []


def test_a_short_run_is_not_judged_and_old_runs_as_far_as_they_go():
    bad = record(score_std=[20.0] * 10)
    assert findings(Record(bad.rows[:explain.LEAST - 1])) == []
    assert findings(Record(bad.rows[:explain.LEAST]))
    old = Record([{name: value for name, value in row.items() if name not in ("score_std", "ratio_gap")}
                  for row in bad.rows])
    assert findings(old) == []
    assert missing(old) == ["ratio_gap", "score_std"]


def test_early_and_late_are_a_fifth_of_the_steps_and_best_is_a_window():
    run = record()
    assert run.early("kl") == pytest.approx(0.5)                        # of 0, 1
    assert run.late("kl") == pytest.approx(6)
    assert record(gold=[0, 0, 1, 1, 0, 0, 0, 0, 0, 0]).best("gold") == 1
    assert record(gold=[0, 2, *[5] * 6, 7, 9]).error("gold") == pytest.approx(math.sqrt(2 / 2 + 2 / 2))


def test_every_fault_is_put_into_words_with_the_numbers_of_its_rule():
    for lang in LANGS:
        words = fault_words(lang)
        assert list(words) == list(FAULTS)
        for run in (of[seed] for of in STORED["faults"].values() for seed in of):
            for one in findings(bench.record(run)):
                assert "nan" not in words[one.fault]["evidence"].format(**one.evidence)
    for name, own in fault_words("en").items():
        assert list(own) == list(fault_words("zh")[name]) == ["title", "symptom", "evidence", "mend"], name
        assert own["evidence"].count("{") == fault_words("zh")[name]["evidence"].count("{"), name


# -- the gallery's runs, stored by `make bench ARGS=gallery` -----------------------------------------------------------

def test_on_the_seed_that_the_thresholds_were_chosen_on_every_stored_fault_is_named():
    right, of = bench.hits(STORED)["0"]
    assert right == of >= 11


@pytest.mark.parametrize("first", [0, 2], ids=["all", "from 2 on"])
def test_at_least_nine_faults_in_ten_are_named_over_the_seeds_that_are_stored_whole(first):
    """Rules were chosen on seed 0; what had been seen when one of them was mended is said in the bench."""
    whole = {seed: right for seed, (right, of) in bench.hits(STORED).items()
             if of == len(FAULTS) and int(seed) >= first}
    assert {"0", "1", "2"} <= whole.keys() | set("01" if first else "")
    assert sum(whole.values()) >= 0.9 * len(whole) * len(FAULTS), whole


def test_a_run_that_was_meant_to_be_healthy_and_is_not_is_named():
    """Its truth fell: what `explain` says of it is right, so it stands in no count of false alarms."""
    for name, fault in bench.ILL_AFTER_ALL.items():
        run = bench.record(STORED["healthy"][name])
        assert run.late("gold") < run.early("gold")
        assert bench.verdict(STORED["healthy"][name]) == fault


@pytest.mark.parametrize("name", [*(name for name in STORED["healthy"] if name not in bench.ILL_AFTER_ALL),
                                  *(f"{HEALTHY}, seed {s}" for s in STORED["faults"][HEALTHY])])
def test_there_is_no_alarm_on_a_healthy_run(name):
    run = STORED["healthy"].get(name) or STORED["faults"][HEALTHY][name.rpartition(" ")[2]]
    assert bench.verdict(run) == ""


# -- what is typed -----------------------------------------------------------------------------------------------------

@pytest.fixture
def ill(tmp_path):
    """A run's folder, whose drift is paid for."""
    folder = tmp_path / "ill"
    folder.mkdir()
    rows = record(kl_price=[-0.1 * n for n in SOUND["kl"]]).rows
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "settings.json").write_text(json.dumps({"job": "ppo", "changes": {"coefficient": 0.1}}))
    return folder


@pytest.mark.parametrize(("lang", "words"), [("en", ("the KL has the wrong sign", "It must be charged", "β · (log π")),
                                             ("zh", ("KL 的符号反了", "本该扣分", "β · (log π"))])
def test_the_command_says_fault_evidence_and_mend(ill, capsys, lang, words):
    assert cli.main(["explain", str(ill), "--lang", lang]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in words)
    assert "kl-reversed" in said
    assert "+0.60" in said                                              # 0.1 · 6 nats, in the run's favour


def test_a_machine_gets_the_findings(ill, capsys):
    assert cli.main(["explain", str(ill), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["steps"] == 10
    assert said["missing"] == []
    assert said["findings"][0]["fault"] == "kl-reversed"
    assert said["findings"][0]["evidence"] == {"kl": 6.0, "paid": pytest.approx(0.6)}


@pytest.mark.parametrize(("lang", "words"), [("en", "This run looks ill"), ("zh", "看上去有毛病")])
def test_a_training_ends_with_the_fault_of_a_run_that_looks_ill_and_says_nothing_of_another(ill, tmp_path, lang, words,
                                                                                           capsys):
    sound = tmp_path / "sound"
    sound.mkdir()
    (sound / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in record().rows))
    for folder in (sound, ill):
        assert words not in capsys.readouterr().out
        train._say_if_ill(showing.console_for(json=False), argparse.Namespace(output=str(folder), lang=lang))
    said = capsys.readouterr().out
    assert words in said
    assert "kl-reversed" in said


def test_what_is_no_run_of_ppo_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    for place, words in (("sft", "is no run of PPO or GRPO"), ("nothing", "is no run with steps")):
        assert cli.main(["explain", str(tmp_path / place)]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
    with pytest.raises(StorageError):
        Record.read(tmp_path / "sft")


def test_a_finding_says_what_it_saw():
    [found] = findings(record(skipped=[0, 0, 3, *[0] * 7]))
    assert found == Finding("spikes", {"moved": 0.03, "skipped": 3})
