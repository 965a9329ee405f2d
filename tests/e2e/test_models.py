"""evaluate, predict, train and model: against PyTorch's numbers, against each other, and against damaged files.

Golden files (tests/golden/README.md) hold model, prompts and what PyTorch made of them. Tolerances are relative to a
tensor's largest entry.
"""

import json
import math
import struct

import numpy as np
import pytest
from conftest import PROJECT, palinode

GOLDEN = PROJECT / "tests" / "golden"
MODELS = ["softmax_ffn", "one_head", "no_ffn", "linear_attention", "not_causal", "twenty_points"]
BASELINES = ["gd", "mean", "best", "contrast", "exact"]
METRICS = ["nmse", "kendall_tau", "alignment_loss"]
TINY_JOB = """\
name: tiny
model: {n_layer: 1, n_head: 2, n_embd: 8}
task: {n_dims: 3, n_points: 6}
train: {steps: 20, batch_size: 8, learning_rate: 1.0e-3}
evaluate: {prompts: 64, critique_quality: [1, 0.5], baselines: [gd, mean]}
seeds: [3]
"""


def golden(name):
    return GOLDEN / f"{name}.safetensors"


def read(path):
    """(metadata, {name: float64 array}) of a safetensors file."""
    content = path.read_bytes()
    length, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[begin:end], {"F32": "<f4", "F64": "<f8"}[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"]).astype(float)
    return metadata, tensors


def write(path, metadata, tensors, dtype="F32"):
    header, data = {"__metadata__": metadata}, b""
    for name, values in tensors.items():
        content = np.asarray(values).astype({"F32": "<f4", "F64": "<f8"}[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(np.shape(values)),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def inputs_of(name):
    """Metadata, parameters and prompts of a golden file, without what PyTorch made of them."""
    metadata, tensors = read(golden(name))
    return metadata, {key: value for key, value in tensors.items() if key.startswith(("_", "in."))}


def difference(actual, expected):
    """Largest difference relative to the largest entry; infinite where only one of them is undefined."""
    if not np.array_equal(np.isnan(actual), np.isnan(expected)):
        return math.inf
    return np.nanmax(np.abs(actual - expected)) / np.nanmax(np.abs(expected))


def predict(tmp_path, *args):
    palinode("predict", "-o", tmp_path / "pred.safetensors", *args)
    return read(tmp_path / "pred.safetensors")[1]["out.pred"]


def job_file(tmp_path, text=TINY_JOB):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    return path


# --- against PyTorch --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", MODELS)
def test_a_models_predictions_are_pytorchs(tmp_path, name):
    pred = predict(tmp_path, "--model", golden(name), "--prompts", golden(name))
    assert difference(pred, read(golden(name))[1]["out.pred"]) <= 1e-6


def test_a_models_rounds_are_pytorchs(tmp_path):
    out, path = tmp_path / "out.safetensors", golden("closed_loop")
    _, expected = read(path)
    for rounds in (6, 2):
        palinode("predict", "--model", path, "--prompts", path, "--rounds", rounds, "-o", out)
        _, actual = read(out)
        assert set(actual) == {"out.answers", "out.rewards"}
        assert difference(actual["out.answers"], expected["out.answers"][:, :rounds + 1]) <= 1e-6
        assert difference(actual["out.rewards"], expected["out.rewards"][:, :rounds]) <= 5e-6


def test_prompts_in_any_number_are_corrected_as_alone(tmp_path):
    metadata, tensors = inputs_of("closed_loop")
    many = {key: np.concatenate([value] * 5)[:18] if key.startswith("in.") else value for key, value in tensors.items()}
    path, out = write(tmp_path / "many", metadata, many), tmp_path / "out.safetensors"
    palinode("predict", "--model", path, "--prompts", path, "--rounds", 7, "-o", out)
    answers = read(out)[1]["out.answers"]
    assert difference(answers[4:], answers[np.arange(14) % 4]) <= 1e-6


@pytest.mark.parametrize("name", MODELS)
def test_ten_adam_steps_on_one_batch_are_pytorchs(tmp_path, name):
    out = tmp_path / "trained.safetensors"
    done = palinode("train", "--model", golden(name), "--data", golden(name), "--steps", 10, "--learning-rate", 1e-3,
                    "--json", "-o", out)
    metadata, expected = read(golden(name))
    _, actual = read(out)
    assert difference(np.array(json.loads(done.stdout)), expected["adam10.loss"]) <= 5e-7
    parameters = [key for key in expected if key.startswith("_")]
    assert set(actual) == set(parameters)
    for key in parameters:
        before, after, wanted = expected[key], actual[key], expected["adam10." + key]
        if key.endswith("c_attn.bias") and metadata["attention"] == "softmax":
            # the gradient of the key third is exactly zero: Adam makes steps of its rounding noise
            width = len(before) // 3
            keys = slice(width, 2 * width)
            assert np.abs(after[keys] - before[keys]).max() <= 10 * 1e-3 + 1e-6
            after, wanted = np.delete(after, np.r_[keys]), np.delete(wanted, np.r_[keys])
        # where the gradient is below what float32 resolves (one entry of all files, 2e-7 of its tensor's largest), Adam's
        # step is made of rounding: there ten times as much is allowed
        slope = np.abs(expected["grad." + key])
        allowed = np.where(slope < 3e-7 * slope.max(), 1e-3, 1e-4)
        if after.shape != allowed.shape:
            allowed = np.delete(allowed, np.r_[keys])
        assert (np.abs(after - wanted) <= allowed * np.abs(wanted).max()).all(), key


@pytest.mark.parametrize("objective", ["plackett_luce", "bradley_terry", "cosine", "mse"])
def test_the_first_loss_of_every_objective_is_pytorchs(tmp_path, objective):
    out = tmp_path / "trained.safetensors"
    table = palinode("train", "--model", golden("one_head"), "--data", golden("one_head"), "--steps", 2,
                     "--learning-rate", 1e-3, "--objective", objective, "-o", out).stdout.splitlines()
    assert table[0].split() == ["step", "loss", "before", "it"] and len(table) == 3
    expected = read(golden("one_head"))[1]["loss." + objective][0]
    assert float(table[1].split()[1]) == pytest.approx(expected, rel=1e-6)


def cosine(a, b):
    return (a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-16)


def tau_b(scores, rewards):
    pairs = np.triu_indices(len(scores), 1)
    a, b = (np.sign(v[:, None] - v[None, :])[pairs] for v in (scores, rewards))
    scale = math.sqrt((a ** 2).sum() * (b ** 2).sum())
    return (a * b).sum() / scale if scale > 0 else math.nan


def alignment_loss(scores, rewards):
    ranked = scores[np.argsort(-rewards, kind="stable")]
    return sum(np.log(np.exp(ranked[k:]).sum()) - ranked[k] for k in range(len(ranked)))


def measure(pred, tensors):
    """{metric: (B, N - 2)} as in baselines.safetensors."""
    ys, rs, y_star = tensors["in.ys"], tensors["in.rs"][..., 0], tensors["in.y_star"]
    sizes, prompts = range(2, ys.shape[1]), range(len(ys))
    scores = {(b, n): cosine(pred[b, n], ys[b, :n]) for b in prompts for n in sizes}
    values = {"nmse": lambda b, n: 1 - cosine(pred[b, n], y_star[b, n]),
              "kendall_tau": lambda b, n: tau_b(scores[b, n], rs[b, :n]),
              "alignment_loss": lambda b, n: alignment_loss(scores[b, n], rs[b, :n])}
    return {metric: np.array([[value(b, n) for n in sizes] for b in prompts]) for metric, value in values.items()}


@pytest.mark.parametrize("predictor", BASELINES)
def test_a_baselines_answers_measure_as_pytorchs(tmp_path, predictor):
    path = golden("baselines")
    _, tensors = read(path)
    measured = measure(predict(tmp_path, "--prompts", path, "--predictor", predictor), tensors)
    for metric in METRICS:
        assert difference(measured[metric], tensors[f"out.{predictor}.{metric}"]) <= 1e-6, metric


def test_a_baseline_without_enough_responses_is_undefined(tmp_path):
    pred = {name: predict(tmp_path, "--prompts", golden("baselines"), "--predictor", name) for name in BASELINES}
    assert np.isnan(pred["best"][:, 0]).all() and np.isnan(pred["exact"][:, :2]).all()
    assert np.isfinite(pred["best"][:, 1:]).all() and np.isfinite(pred["gd"]).all()


def test_a_model_in_double_is_rounded_to_the_same_answers(tmp_path):
    metadata, tensors = inputs_of("one_head")
    double = write(tmp_path / "double.safetensors", metadata, tensors, "F64")
    assert np.array_equal(predict(tmp_path, "--model", double, "--prompts", double),
                          predict(tmp_path, "--model", golden("one_head"), "--prompts", golden("one_head")))


# --- evaluate ---------------------------------------------------------------------------------------------------------

def evaluate(*args, **more):
    return json.loads(palinode("evaluate", "--json", *args, **more).stdout)


def test_an_evaluation_has_the_documented_form(tmp_path):
    result = evaluate("--model", golden("one_head"), "--set", "evaluate.critique_quality=1,0", "--set",
                      "evaluate.prompts=256")
    assert result["prompts"] == 256 and result["seed"] == 0
    assert result["model"] == {"n_dims": 5, "n_points": 7, "n_embd": 16, "n_layer": 2, "n_head": 1, "ffn": True,
                               "attention": "softmax", "causal": True}
    assert [(cell["critique_quality"], cell["noise"], cell["feedback"]) for cell in result["cells"]] == [
        (1, "replace", "scalar"), (0, "replace", "scalar")]
    assert result["cells"][0]["self_check_accuracy"] == 1
    assert abs(result["cells"][1]["self_check_accuracy"] - 0.5) < 0.05
    for cell in result["cells"]:
        assert set(cell["baselines"]) == set(BASELINES)
        for curves in [cell, *cell["baselines"].values()]:
            for metric in METRICS:
                assert len(curves[metric]) == len(curves[metric + "_se"]) == 7
                undefined = [value is None for value in curves[metric]]
                assert not any(undefined[2:]) and (metric == "nmse" or all(undefined[:2]))
    assert result["cells"][0]["baselines"]["best"]["nmse"][0] is None
    assert max(map(abs, result["cells"][0]["baselines"]["exact"]["nmse"][2:])) < 1e-6


def test_an_evaluation_reads_as_a_table_too():
    table = palinode("evaluate", "--model", golden("one_head"), "--set", "evaluate.prompts=16").stdout
    for words in ["self-check accuracy 1.000", "kendall_tau", "nmse", "alignment_loss", "standard error", *BASELINES]:
        assert words in table
    assert "nan" not in table


def test_an_evaluation_takes_the_rest_from_a_job(tmp_path):
    job = job_file(tmp_path, "evaluate: {prompts: 32, critique_quality: [1, 0.5, 0], baselines: [mean]}\nseeds: [7]\n")
    result = evaluate("--model", golden("softmax_ffn"), job)
    assert (len(result["cells"]), result["prompts"], result["seed"]) == (3, 32, 7)
    assert set(result["cells"][0]["baselines"]) == {"mean"}
    other_seed = evaluate("--model", golden("softmax_ffn"), job, "--set", "seeds=8")
    assert other_seed["cells"][0]["nmse"] != result["cells"][0]["nmse"]


@pytest.mark.parametrize("section, words", [
    ("task: {n_dims: 4}", "task.n_dims is 4"), ("model: {n_layer: [3, 4]}", "model.n_layer"),
    ("model: {attention: linear}", "model.attention is linear"), ("model: {ffn: false}", "model.ffn is false")])
def test_a_job_that_contradicts_the_model_is_refused(tmp_path, section, words):
    job = job_file(tmp_path, section + "\n")
    done = palinode("evaluate", "--model", golden("softmax_ffn"), job, expect=65)
    assert words in done.stderr and str(job) in done.stderr and done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_grid_that_contains_the_model_does_not_contradict_it(tmp_path):
    job = job_file(tmp_path, "model: {n_layer: [1, 2], n_embd: 12, n_head: 3}\ntask: {n_dims: 3, n_points: 5}\n"
                             "evaluate: {prompts: 16}\n")
    assert evaluate("--model", golden("softmax_ffn"), job)["model"]["n_layer"] == 2


# --- train and model --------------------------------------------------------------------------------------------------

def test_a_job_trains_to_a_model_that_evaluates(tmp_path):
    job, out = job_file(tmp_path), tmp_path / "model.safetensors"
    done = palinode("train", job, "-o", out, "--json")
    result = json.loads(done.stdout)
    assert result["steps"] == 20 and len(result["training_id"]) == 32
    assert len(result["loss"]) == len(result["loss_step"]) and result["loss_step"][-1] == 20
    assert 0 < result["final_loss"] < 10
    assert "step" in done.stderr and palinode("train", job, "-o", out, "--quiet").stderr == ""
    cell = evaluate("--model", out, job)["cells"][0]
    assert all(math.isfinite(value) for value in cell["alignment_loss"][2:])


def test_the_same_job_trains_to_the_same_bytes(tmp_path):
    job = job_file(tmp_path)
    for name in ["a", "b"]:
        palinode("train", job, "-o", tmp_path / name)
    palinode("train", job, "-o", tmp_path / "c", "--set", "seeds=4")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_job_of_several_trainings_is_refused(tmp_path):
    done = palinode("train", job_file(tmp_path), "-o", tmp_path / "m", "--set", "seeds=1,2", expect=64)
    assert "2 trainings" in done.stderr and "--set" in done.stderr and not (tmp_path / "m").exists()


def test_a_training_that_diverges_fails_and_writes_nothing(tmp_path):
    metadata, tensors = inputs_of("softmax_ffn")
    tensors["_read_out.weight"] = np.full_like(tensors["_read_out.weight"], 1e38)
    model = write(tmp_path / "huge.safetensors", metadata, tensors)
    done = palinode("train", "--model", model, "--data", model, "--steps", 3, "--learning-rate", 1e-3, "-o",
                    tmp_path / "m", expect=1)
    assert "diverged at step 1" in done.stderr and not (tmp_path / "m").exists()


def test_what_a_model_that_overflows_answers_is_undefined(tmp_path):
    metadata, tensors = inputs_of("closed_loop")
    tensors["_backbone.h.0.mlp.c_proj.weight"] = np.full_like(tensors["_backbone.h.0.mlp.c_proj.weight"], 1e38)
    model = write(tmp_path / "huge.safetensors", metadata, tensors)
    seven = ["--model", model, "--set", "evaluate.rounds=7", "--set", "evaluate.prompts=8"]
    (cell,) = evaluate(*seven)["cells"]
    assert cell["nmse"][2] is None and set(cell["rounds"]["nmse"]) == {None}
    for table in (palinode("evaluate", *seven).stdout, palinode("inspect", "--model", model, "--prompts", 8).stdout):
        assert " -" in table and "nan" not in table and "inf" not in table


def test_a_kept_model_is_the_one_that_train_makes_and_measures_as_the_run_did(tmp_path):
    job, results = job_file(tmp_path), tmp_path / "results"
    palinode("run", job, "-o", results)
    training_id = json.loads(palinode("train", job, "-o", tmp_path / "trained", "--json").stdout)["training_id"]
    for given in [training_id, training_id[:6].upper()]:
        palinode("model", results, given, "-o", tmp_path / "kept")
        assert (tmp_path / "kept").read_bytes() == (tmp_path / "trained").read_bytes()
    cells = {cell["critique_quality"]: cell for cell in evaluate("--model", tmp_path / "kept", job)["cells"]}
    lines = [json.loads(line) for line in palinode("export", results, "--format", "jsonl").stdout.splitlines()]
    assert {line["predictor"] for line in lines} == {"model", "gd", "mean"}
    compared = set()
    for line in lines:
        cell = cells[line["evaluate_critique_quality"]]
        curves = cell if line["predictor"] == "model" else cell["baselines"][line["predictor"]]
        assert curves[line["metric"]][line["index"]] == line["value"], line
        assert curves[line["metric"] + "_se"][line["index"]] == line["standard_error"], line
        compared.add((line["evaluate_critique_quality"], line["predictor"], line["metric"]))
    assert len(compared) == 2 * 3 * len(METRICS)


def test_a_model_that_is_not_there_is_named(tmp_path):
    job, results = job_file(tmp_path), tmp_path / "results"
    palinode("run", job, "-o", results)
    done = palinode("model", results, "f" * 32, "-o", tmp_path / "m", expect=65)
    assert str(results) in done.stderr
    assert "begins with 0123" in palinode("model", results, "0123", "-o", tmp_path / "m", expect=65).stderr
    assert "4 to 32" in palinode("model", results, "xyz", "-o", tmp_path / "m", expect=64).stderr
    assert not (tmp_path / "m").exists()


# --- what is wrong is said --------------------------------------------------------------------------------------------

def damaged_files(tmp_path):
    """(file, words that its message must hold) for damages of every kind."""
    content = golden("softmax_ffn").read_bytes()
    metadata, tensors = inputs_of("softmax_ffn")

    def file(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    def changed(name, key, value, **more):
        return write(tmp_path / name, {**metadata, **more}, {**tensors, key: value})

    yield file("empty", b""), "0 bytes"
    yield file("cut", content[:-5]), "cut short"
    yield file("cut_in_header", content[:1000]), "header length"
    yield file("no_json", content[:8] + b"x" + content[9:]), "JSON"
    yield file("long_header", b"\xff" * 8 + content[8:]), "header length"
    yield changed("shape", "_read_out.weight", np.zeros((4, 12))), '"_read_out.weight": shape (4, 12)'
    yield changed("nan", "_backbone.ln_f.bias", np.full(12, math.nan)), '"_backbone.ln_f.bias"'
    yield changed("heads", "_read_in.bias", tensors["_read_in.bias"], n_head="5"), "n_head 5"
    yield changed("layers", "_read_in.bias", tensors["_read_in.bias"], n_layer="3"), "n_layer 3"
    yield write(tmp_path / "missing", metadata, {key: tensors[key] for key in tensors if key != "_read_out.bias"}), (
        '"_read_out.bias"')
    yield golden("baselines"), "_read_in.weight"
    yield tmp_path, "regular file"


def assert_one_line_names(done, *words):
    assert done.stderr.startswith("palinode: ") and done.stderr.count("\n") == 1 and done.stdout == ""
    for word in words:
        assert str(word) in done.stderr


def test_a_damaged_model_is_refused_with_one_line_that_names_the_place(tmp_path):
    good, out = golden("softmax_ffn"), tmp_path / "out"
    for path, words in damaged_files(tmp_path):
        commands = [("evaluate", "--model", path), ("predict", "--model", path, "--prompts", good, "-o", out),
                    ("train", "--model", path, "--data", good, "--steps", 1, "--learning-rate", 1, "-o", out)]
        for command in commands:
            assert_one_line_names(palinode(*command, expect=65), path, words)
        assert not out.exists()


@pytest.mark.parametrize("name, value, words", [
    ("in.initial_responses", None, '"in.initial_responses"'),
    ("in.y_star", None, '"in.y_star"'),
    ("in.initial_responses", np.ones((4, 10, 5)), "shape (4, 10, 5), expected (4, 1 to 9, 5)"),
    ("in.initial_responses", np.ones((3, 2, 5)), "shape (3, 2, 5)"),
    ("in.initial_responses", np.full((4, 2, 5), math.nan), '"in.initial_responses"'),
    ("in.initial_responses", np.ones((4, 4, 5)), "room for 5 rounds, not 6"),
])
def test_prompts_without_room_for_rounds_are_refused_with_one_line(tmp_path, name, value, words):
    metadata, tensors = inputs_of("closed_loop")
    changed = {key: value if key == name else old for key, old in tensors.items() if key != name or value is not None}
    path = write(tmp_path / "prompts", metadata, changed)
    done = palinode("predict", "--model", path, "--prompts", path, "--rounds", 6, "-o", tmp_path / "out", expect=65)
    assert_one_line_names(done, path, words)
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_causal_makes_no_rounds(tmp_path):
    metadata, tensors = inputs_of("closed_loop")
    path = write(tmp_path / "model", {**metadata, "causal": "false"}, tensors)
    done = palinode("predict", "--model", path, "--prompts", path, "--rounds", 6, "-o", tmp_path / "out", expect=65)
    assert_one_line_names(done, path, "causal")


def test_damaged_prompts_are_refused_with_one_line_that_names_the_place(tmp_path):
    metadata, tensors = inputs_of("softmax_ffn")
    cases = [("in.ys", tensors["in.ys"][:, :, :2]), ("in.rs", tensors["in.rs"][:2]),
             ("in.xs", np.full_like(tensors["in.xs"], math.inf)), ("in.gd_start", np.zeros((4, 2, 2)))]
    for name, value in cases:
        path = write(tmp_path / "prompts", metadata, {**tensors, name: value})
        done = palinode("predict", "--prompts", path, "--predictor", "gd", "-o", tmp_path / "out", expect=65)
        assert_one_line_names(done, path, f'"{name}"')
    path = write(tmp_path / "prompts", metadata, {key: value for key, value in tensors.items() if key != "in.y_star"})
    done = palinode("train", "--model", golden("softmax_ffn"), "--data", path, "--steps", 1, "--learning-rate", 1,
                    "--objective", "cosine", "-o", tmp_path / "out", expect=65)
    assert_one_line_names(done, path, '"in.y_star"')
    done = palinode("predict", "--model", golden("one_head"), "--prompts", golden("softmax_ffn"), "-o",
                    tmp_path / "out", expect=65)
    assert_one_line_names(done, golden("one_head"), golden("softmax_ffn"), "n_points 7")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_or_cannot_be_written_is_an_io_error(tmp_path):
    assert "none: cannot read the folder" in palinode("model", tmp_path / "none", "0" * 32, "-o", tmp_path / "m",
                                                      expect=74).stderr
    good, missing = golden("softmax_ffn"), tmp_path / "missing" / "file"
    assert_one_line_names(palinode("evaluate", "--model", missing, expect=74), missing)
    predicting = ("predict", "--model", good, "--prompts", good, "-o")
    assert_one_line_names(palinode(*predicting, missing, expect=74), missing)
    assert_one_line_names(palinode(*predicting, tmp_path, expect=74), tmp_path)
    assert_one_line_names(palinode(*predicting, "/dev/null", expect=74), "/dev/null")


@pytest.mark.parametrize("args, words", [
    (["evaluate"], "--model"),
    (["evaluate", "--modle", "M"], "--model?"),
    (["evaluate", "--mod", "M"], "unknown option --mod"),
    (["evaluate", "--model"], "needs a value"),
    (["evaluate", "--model", "M", "a.yaml", "b.yaml"], "b.yaml"),
    (["predict", "--prompts", "P"], "-o"),
    (["predict", "--prompts", "P", "-o", "O"], "--model"),
    (["predict", "--prompts", "P", "-o", "O", "--predictor", "median"], "model|gd|mean"),
    (["predict", "--prompts", "P", "-o", "O", "--predictor", "gd", "--model", "M"], "--predictor gd"),
    (["predict", "--prompts", "P", "-o", "O", "--predictor", "gd", "--rounds", "2"], "--rounds"),
    (["predict", "--prompts", "P", "-o", "O", "--model", "M", "--rounds", "0"], "from 1 to"),
    (["train", "-o", "O"], "job file"),
    (["train", "--model", "M", "--data", "P", "--steps", "0", "--learning-rate", "1", "-o", "O"], "from 1 to"),
    (["train", "--model", "M", "--data", "P", "--steps", "1", "--learning-rate", "nan", "-o", "O"], "--learning-rate"),
    (["train", "job.yaml", "--steps", "3", "-o", "O"], "--set train.steps"),
    (["train", "job.yaml"], "-o"),
    (["model", "DIR"], "usage"),
    (["model", "DIR", "0123abcd"], "-o"),
])
def test_a_wrong_command_line_is_told_what_was_expected(tmp_path, args, words):
    assert_one_line_names(palinode(*args, expect=64, cwd=tmp_path), words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["evaluate", "predict", "train", "model"])
def test_every_command_explains_itself(command):
    done = palinode(command, "--help")
    assert f"Usage: palinode {command}" in done.stdout and "Options" in done.stdout
    assert done.stderr == ""
