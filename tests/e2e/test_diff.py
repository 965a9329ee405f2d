"""palinode diff: did a change alter the results? Answered on the results of real runs."""

import json

import pytest
from conftest import palinode

JOB = """
name: diff-test
model: {n_layer: [1, 2], n_head: 2, n_embd: 8}
task: {n_dims: 2, n_points: 6}
train: {steps: 20, batch_size: 8, gradient_shards: 4, learning_rate: 1.0e-3}
evaluate: {prompts: 16, baselines: [mean]}
seeds: {first: 0, count: 3}
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """a and again: the same job twice; more: with a seed more; other: with one setting changed."""
    folder = tmp_path_factory.mktemp("diff")
    (folder / "job.yaml").write_text(JOB)
    for name, override in (("a", "seeds.count=3"), ("again", "seeds.count=3"), ("more", "seeds.count=4"),
                           ("other", "train.steps=21")):
        palinode("run", folder / "job.yaml", "-o", folder / name, "-q", "--set", override)
    return folder


def test_the_same_job_twice_is_identical(folders):
    done = palinode("diff", folders / "a", folders / "again", "--exit-code")
    assert done.stdout == "identical: all 9 results are equal to the bit\n"  # 6 cells, 3 baselines


def test_a_job_that_was_extended_is_unaltered_but_not_the_same(folders):
    done = palinode("diff", folders / "a", folders / "more")
    assert done.stdout.startswith("unaltered: all 9 results that both have are equal to the bit; 0 are only in A, 3")
    palinode("diff", folders / "a", folders / "more", "--exit-code", expect=1)


def test_a_changed_setting_has_no_models_in_common_only_the_baselines(folders):
    done = palinode("diff", folders / "a", folders / "other")
    assert done.stdout.startswith("unaltered: all 3 results that both have")
    assert "only in A" in done.stdout and "train" not in done.stdout.splitlines()[0]
    found = json.loads(palinode("diff", folders / "a", folders / "other", "--json").stdout)
    assert found["outcome"] == "extended" and found["only_in_a"] == found["only_in_b"] == 6
    assert {d["predictor"] for d in found["differences"]} == {"mean"}
    assert all(d["t"] == 0 and d["p"] == 1 and d["seeds"] == 3 for d in found["differences"])


@pytest.mark.parametrize("arguments, code, words", [
    (["{a}"], 64, "usage"),
    (["{a}", "{a}", "{a}"], 64, "unexpected"),
    (["{a}", "/nonexistent"], 74, "/nonexistent"),
    (["{a}", "{a}", "--at", "6"], 64, "0 to 5"),
])
def test_a_wrong_diff_is_refused_with_the_reason_and_nothing_on_stdout(folders, arguments, code, words):
    done = palinode("diff", *[argument.format(a=folders / "a") for argument in arguments], expect=code)
    assert words in done.stderr and done.stdout == ""
