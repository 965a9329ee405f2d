"""inspect: what a model learned, as a user sees it."""

import json
import re

import pytest

from conftest import palinode

JOB = """
model: {n_layer: 2, n_embd: 16, n_head: 2}
task: {n_points: 7}
train: {steps: 30, batch_size: 8, learning_rate: 1.0e-2}
evaluate: {prompts: 40, critique_quality: [0.5, 1]}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of a few steps and its job."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "job.yaml").write_text(JOB)
    palinode("train", folder / "job.yaml", "--quiet", "-o", folder / "m.safetensors")
    return folder / "m.safetensors", folder / "job.yaml"


def inspected(*args):
    return json.loads(palinode("inspect", "--json", "--model", *args).stdout)


def test_the_last_layer_answers_what_evaluate_measures(trained):
    model, job = trained
    value = inspected(model, job)
    assert value["prompts"] == 40 and value["examples"] == 6 and value["critic"]["quality"] == 0.5
    cell = json.loads(palinode("evaluate", "--json", "--model", model, job).stdout)["cells"][0]
    last = value["layers"][-1]
    assert [layer["layers"] for layer in value["layers"]] == [0, 1, 2]
    assert abs(last["kendall_tau"]["mean"] - cell["kendall_tau"][6]) < 1e-6
    assert abs(last["kendall_tau"]["standard_error"] - cell["kendall_tau_se"][6]) < 1e-6
    assert abs(1 - last["cosine"]["y*"]["mean"] - cell["nmse"][6]) < 1e-6
    gd = value["targets"]["gd 50"]
    assert abs(gd["kendall_tau"]["mean"] - cell["baselines"]["gd"]["kendall_tau"][6]) < 1e-6
    assert abs(gd["cosine"]["gd 50"]["mean"] - 1) < 1e-6


def test_attention_of_every_head_is_shared_out_over_the_tokens(trained):
    value = inspected(*trained, "--prompts", 9, "--seed", 4, "--at", 3)
    assert value["prompts"] == 9 and value["seed"] == 4 and value["examples"] == 3
    assert [(head["layer"], head["head"]) for head in value["heads"]] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    for head in value["heads"]:
        assert abs(sum(share["mean"] for share in head["mass"].values()) - 1) < 1e-6
        assert all(share["standard_error"] > 0 for share in head["mass"].values())
        assert all(abs(tau["mean"]) <= 1 for tau in head["tau_with_reward"].values())


def test_the_tables_tell_what_json_tells(trained):
    text, value = palinode("inspect", "--model", *trained).stdout, inspected(*trained)
    rows = [line.split() for line in text.splitlines()]
    for k, head in enumerate(value["heads"]):
        cells = [f"{100 * share['mean']:.1f}" for share in head["mass"].values()]
        assert any(row[-7:-2] == [str(head["head"]), *cells] for row in rows), (k, cells)
    for layer in value["layers"]:
        cells = [cosine["mean"] for cosine in layer["cosine"].values()] + [layer["kendall_tau"]["mean"]]
        row = next(row for row in rows if row and row[0] == str(layer["layers"]) and len(row) == 14)
        assert all(abs(float(shown) - cell) <= 0.0051 for shown, cell in zip(row[1:], cells))
    assert re.search(r"Standard errors over prompts: at most \d", text)
    assert palinode("inspect", "--model", *trained).stdout == text


def test_heat_maps_are_drawn_with_their_data_beside_them(trained, tmp_path):
    palinode("inspect", "--model", *trained, "-o", tmp_path / "new" / "figures", "--png")
    value = inspected(*trained)
    for name in ("attention", "layers"):
        for suffix in ("svg", "png", "gp", "dat"):
            assert (tmp_path / "new" / "figures" / f"{name}.{suffix}").stat().st_size > 100
    data = (tmp_path / "new" / "figures" / "attention.dat").read_text()
    first = [line.split() for line in data.split("\n\n\n")[0].splitlines() if not line.startswith("#")]
    assert len(first) == 4
    for (column, row, mass, _), head in zip(first, value["heads"]):
        assert (int(row), int(column)) == (head["layer"], head["head"])
        assert abs(float(mass) - head["mass"]["x"]["mean"]) < 1e-6
    assert "on itself" in (tmp_path / "new" / "figures" / "attention.svg").read_text()


def test_what_cannot_be_inspected_is_refused_with_one_line(trained, tmp_path):
    model, job = trained
    (tmp_path / "other.yaml").write_text("model: {n_layer: 3}\n")
    (tmp_path / "not-a-model").write_text("nothing")
    for args, code, words in (((), 64, "inspect needs --model"),
                              (("--model", tmp_path / "none"), 74, "none"),
                              (("--model", tmp_path / "not-a-model"), 65, "not-a-model"),
                              (("--model", model, tmp_path / "other.yaml"), 65, "model.n_layer is 3"),
                              (("--model", model, "--at", 7), 64, "from 2 to 6"),
                              (("--model", model, "--at", 1), 64, "--at"),
                              (("--model", model, "--prompts", 0), 64, "--prompts"),
                              (("--model", model, "--png"), 64, "--png has no use"),
                              (("--model", model, "-o", model), 74, str(model)),
                              (("--model", model, "--set", "evaluate.critique_quality=2"), 64, "from 0 to 1")):
        error = palinode("inspect", *args, expect=code).stderr
        assert words in error and len(error.splitlines()) <= 2, error


def test_linear_attention_and_one_prompt_say_what_is_different(tmp_path):
    (tmp_path / "job.yaml").write_text(JOB.replace("n_head: 2", "n_head: 2, attention: linear, causal: false"))
    palinode("train", tmp_path / "job.yaml", "--quiet", "-o", tmp_path / "m.safetensors")
    done = palinode("inspect", "--model", tmp_path / "m.safetensors", "--prompts", 1)
    assert "(of absolute scores)" in done.stdout and "One prompt: no standard errors." in done.stdout
    value = inspected(tmp_path / "m.safetensors", "--prompts", 1)
    assert value["layers"][1]["kendall_tau"]["standard_error"] is None
    assert abs(sum(share["mean"] for share in value["heads"][3]["mass"].values()) - 1) < 1e-6
