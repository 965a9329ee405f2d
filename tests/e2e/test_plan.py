"""palinode plan and the claims of a job: what is listed, what is flagged as beyond its seeds, what is refused."""

import json
import re

import pytest
from conftest import PROJECT, palinode

JOB = """
model: {n_layer: [1, 2, 3], n_head: 1, n_embd: 4, ffn: [true, false]}
task: {n_dims: 2, n_points: 6}
train: {steps: 3, batch_size: 4, gradient_shards: 4}
evaluate: {prompts: 4, baselines: [gd]}
seeds: {count: 3}
claims:
  - {id: ffn-helps, test: difference, metric: kendall_tau, a: {model.ffn: true}, b: {model.ffn: false}, direction: greater,
     where: {model.n_layer: 3}}
  - {id: ffn-matters, test: difference, metric: nmse, a: {model.ffn: true}, b: {model.ffn: false}, where: {model.n_layer: 3}}
  - {id: depth-helps, test: trend, metric: nmse, at: [2, 4], over: model.n_layer, direction: decreasing,
     where: {model.ffn: true}}
  - {id: like-gd, test: equivalence, metric: nmse, a: {predictor: model}, b: {predictor: gd}, margin: 0.05,
     where: {model.ffn: true, model.n_layer: 3}}
"""


def plan(job, tmp_path, *options):
    """Standard output of plan without measuring."""
    return palinode("plan", job, "-o", tmp_path / "none", *([] if "--rate" in options else ["--rate", 40]), *options).stdout


@pytest.fixture
def job(tmp_path):
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path / "job.yaml"


def test_claims_are_listed_and_those_beyond_the_seeds_flagged(job, tmp_path):
    lines = [line.strip() for line in plan(job, tmp_path).splitlines()]
    assert "claims         4, sharing the level 0.05 by Holm's procedure" in lines
    assert "depth-helps: nmse over 2 to 4 examples decreasing with model.n_layer (1, 2, 3) where model.ffn true" in lines
    # The trend reaches 1 / 6^3 = 0.0046, below 0.05 / 4; what comes next needs 0.05 / 3.
    assert [line for line in lines if "never" in line] == [
        "claim ffn-helps can never be supported with 3 seeds: its smallest p is 0.125, Holm over 4 claims needs 0.0167; "
        "6 seeds would do",
        "claim ffn-matters can never be supported with 3 seeds: its smallest p is 0.25, Holm over 4 claims needs 0.0167; "
        "6 seeds would do",
        "claim like-gd can never be supported with 3 seeds: its smallest p is 0.125, Holm over 4 claims needs 0.0167; "
        "6 seeds would do"]
    assert "(smallest p of n seeds: 2^-n, two-sided 2^-(n-1); of a trend over k levels (1/k!)^n)" in lines
    assert "never" not in plan(job, tmp_path, "--set", "seeds.count=6")
    assert plan(job, tmp_path, "--set", "seeds.count=5").count("never") == 3


def test_claims_are_in_the_json(job, tmp_path):
    value = json.loads(plan(job, tmp_path, "--json", "--set", "alpha=0.1"))
    assert value["alpha"] == 0.1
    claims = {claim["id"]: claim for claim in value["claims"]}
    assert list(claims) == ["ffn-helps", "ffn-matters", "depth-helps", "like-gd"]
    assert claims["depth-helps"] == {
        "id": "depth-helps", "test": "trend", "seeds": 3, "smallest_p": pytest.approx(6**-3), "needed_p": 0.025,
        "within_reach": True, "seeds_needed": 3,
        "sentence": "nmse over 2 to 4 examples decreasing with model.n_layer (1, 2, 3) where model.ffn true"}
    assert not claims["like-gd"]["within_reach"] and claims["like-gd"]["seeds_needed"] == 5
    assert json.loads(plan(job, tmp_path, "--json", "--set", "claims=[]"))["claims"] == []


def test_a_plan_predicts_core_hours_makespan_and_batch_jobs(job, tmp_path):
    def value(*options):
        return json.loads(plan(job, tmp_path, "--json", *options))

    one = value("--rate", 0.001)
    assert one["core_hours"] * 3600 == pytest.approx(one["flops"] / 1e6) == pytest.approx(one["makespan_s"])
    assert one["rate_source"] == "as given" and one["batch_jobs"] is None
    many = value("--rate", 0.001, "--ranks", 3, "--workers-per-rank", 2, "--walltime", one["makespan_s"] / 3)
    assert many["core_hours"] == pytest.approx(one["core_hours"]) and many["longest_s"] < one["makespan_s"] / 6
    assert one["makespan_s"] / 6 <= many["makespan_s"] <= one["makespan_s"] / 6 + many["longest_s"]
    assert many["makespan_lower_s"] < many["makespan_s"] < many["makespan_upper_s"]
    assert many["batch_jobs"] == 1
    assert value("--rate", 0.001, "--walltime", one["makespan_s"] / 3)["batch_jobs"] == 4  # 3 and the time to save


def test_a_plan_learns_its_rates_from_the_folder_or_measures_them(job, tmp_path):
    assert "GFLOP/s a worker (measured here, on 4 of the job's models)" in palinode("plan", job, "-o", tmp_path / "new").stdout
    palinode("run", job, "-o", tmp_path / "out", "-q", "--limit", 2, expect=75)
    text = palinode("plan", job, "-o", tmp_path / "out").stdout
    assert re.search(r"learned from \d+ measurements in the folder", text), text


def test_claims_change_no_identity(job, tmp_path):
    palinode("run", job, "-o", tmp_path / "out", "-q")
    (tmp_path / "job.yaml").write_text(JOB.split("claims:")[0])
    value = json.loads(palinode("plan", job, "-o", tmp_path / "out", "--rate", 40, "--json").stdout)
    assert value["trainings"]["done"] == value["trainings"]["total"] == 18 and value["cells"]["done"] == 18
    assert "  - {id: like-gd, test: equivalence" in (tmp_path / "out" / "job.resolved.yaml").read_text()


def test_a_claim_that_cannot_be_tested_is_refused_before_anything_runs(job, tmp_path):
    for command in ("plan", "run"):
        done = palinode(command, job, "-o", tmp_path / "out", "--set", "model.n_layer=1,2", expect=64)
        assert done.stderr == ("palinode: --set model.n_layer=1,2: claim ffn-helps: model.n_layer is never 3 in this job, "
                               "but 1 or 2 (--set claims=[] drops all claims)\n")
    job.write_text(JOB.replace("over: model.n_layer", "over: model.n_layers"))
    done = palinode("plan", job, expect=65)
    assert done.stderr == f"palinode: {job}:11:68: unknown key 'model.n_layers'; did you mean 'model.n_layer'?\n"
    assert not (tmp_path / "out").exists()


def test_claims_of_the_paper_jobs_are_within_the_reach_of_their_seeds(tmp_path):
    jobs = sorted((PROJECT / "jobs/paper").glob("*.yaml"))
    assert len(jobs) >= 12
    for path in jobs:
        value = json.loads(plan(path, tmp_path, "--json"))
        assert value["claims"] and all(claim["within_reach"] and claim["seeds"] >= 12 for claim in value["claims"]), path


def claims_of(path, tmp_path):
    return {claim["id"]: claim for claim in json.loads(plan(path, tmp_path, "--json", "--rate", 40))["claims"]}


def test_the_whole_study_makes_the_claims_of_every_figure(tmp_path):
    """Under their names with the figure's before; of heads that share a width, with -at-one-width behind."""
    whole, expected = claims_of(PROJECT / "jobs/paper/all.yaml", tmp_path), set()
    for path in (PROJECT / "jobs/paper").glob("fig*.yaml"):
        behind = "-at-one-width" if path.stem == "fig2e-heads-fixed" else ""
        for name, claim in claims_of(path, tmp_path).items():
            figure = path.stem[3:path.stem.index("-")].replace("5cd", "5c" if name.startswith("deeper") else "5d")
            ours = f"{figure}-{name}{behind}"
            if ours == "2e-more-do-not-help":
                continue  # several configurations have the widths of that axis: no claim of the whole study can say it
            metric = claim["sentence"].split(":")[0].split(" increasing")[0].split(" decreasing")[0]
            assert whole[ours]["test"] == claim["test"] and whole[ours]["sentence"].startswith(metric), ours
            expected.add(ours)
    assert whole.keys() == expected


def test_claims_of_the_quick_jobs_about_rounds_are_within_the_reach_of_their_seeds(tmp_path):
    for name in ("gain", "feedback", "size", "rounds"):
        value = json.loads(plan(PROJECT / f"jobs/quick/{name}.yaml", tmp_path, "--json"))
        assert value["claims"] and all(claim["within_reach"] for claim in value["claims"]), name
