"""Folders and files of other people: what they hold is shown, never obeyed, and JSON stays JSON."""

import json
import os
import shutil
import struct

import pytest
import records
from conftest import palinode
from test_run import SMALL, write

ESCAPES = "vm\x1b[2J\x1b]0;pwned\x07\x9b31m\u202etxt\nfake line"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign")
    palinode("run", write(folder, SMALL), "-o", folder / "out", "-q")
    return folder / "out"


def is_plain(text):
    return all(character == "\n" or character.isprintable() for character in text)


def test_status_and_explain_show_what_others_wrote_and_no_terminal_obeys_it(results, tmp_path):
    out = shutil.copytree(results, tmp_path / "out")
    path = out / "status-0001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": ESCAPES, "reason": ESCAPES,
                                "first_error": ESCAPES}))
    proto = records.schema()

    def spoil(record):
        kind = record.WhichOneof("of")
        if kind == "header":
            record.header.command_line = ESCAPES
        elif kind == "training":
            record.training.host = record.training.fingerprint = ESCAPES
            record.training.reason = ESCAPES
            record.training.outcome = proto.OUTCOME_FAILED

    records.change(out / "records-0001.tfrecord", proto, spoil)
    training = next(each.training for each in records.read(out / "records-0001.tfrecord", proto)
                    if each.WhichOneof("of") == "training").training_id.hex()
    for command in (("status", out), ("explain", out, training), ("explain", out), ("analyze", out), ("verify", out),
                    ("wait", out), ("merge", "-o", tmp_path / "merged", out), ("replay", out, training)):
        done = palinode(*command, expect=None)
        assert is_plain(done.stdout) and is_plain(done.stderr), command
        assert "\nfake line" not in done.stdout + done.stderr, command
    assert "vm\\x1b[2J\\x1b]0;pwned\\x07\\x9b31m\\u202etxt\\nfake line" in palinode("status", out).stdout
    report = (out / "report.html").read_text()
    assert "\x1b" not in report and "\u202e" not in report and "\x9b" not in report


def test_quoted_words_of_a_job_file_are_shown_and_not_obeyed(tmp_path):
    for word, shown in (("\u202exyz", "\\u202exyz"), ("a\\x9bb", "a\\x9bb"), ("größe", "größe")):
        job = write(tmp_path, f'model: {{n_layer: "{word}"}}\n')
        said = palinode("plan", job, expect=65).stderr
        assert shown in said and is_plain(said), said


def test_a_record_whose_text_is_no_utf8_is_refused_with_the_field(results, tmp_path):
    out = shutil.copytree(results, tmp_path / "out")
    path = out / "records-0001.tfrecord"
    records.change_bytes(path, b"small", b"sm\xe4ll")
    said = palinode("verify", out, expect=1).stdout
    assert "header: job_name: byte 2 is not UTF-8" in said


def test_json_is_said_of_folders_whose_names_are_no_utf8(results, tmp_path):
    out = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"r\xe9sultats"))
    shutil.copytree(results, out)
    job = write(tmp_path, SMALL)
    training = json.loads(palinode("explain", results, "--json").stdout)[0]["id"]
    for command in (("status", out, "--json"), ("explain", out, training, "--json"), ("explain", out, "--json"),
                    ("run", job, "-o", out, "--json"), ("analyze", out, "--json"),
                    ("merge", "--json", "-o", os.fsdecode(os.path.join(os.fsencode(tmp_path), b"m\xe9")), out)):
        assert json.loads(palinode(*command).stdout), command
    assert json.loads(palinode("explain", out, training, "--json").stdout)["records"][0]["path"].endswith(
        "r\\xe9sultats/records-0001.tfrecord")


def test_explain_without_an_id_lists_every_training_with_what_became_of_it(results, tmp_path):
    lines = palinode("explain", results).stdout.splitlines()
    assert len(lines) == 4 and all("  done      seed " in line and "model.n_layer" in line for line in lines)
    out = shutil.copytree(results, tmp_path / "out")
    palinode("run", write(tmp_path, SMALL), "-o", out, "-q", "--set", "seeds.count=4", "--set", "model.n_layer=1",
             "--limit", 1, expect=75)
    listed = json.loads(palinode("explain", out, "--json").stdout)
    assert [(each["state"], each["asked_for"]) for each in listed] == [
        ("done", True), ("done", True), ("done", True), ("pending", True), ("done", False), ("done", False)]
    assert len({each["id"] for each in listed}) == 6


def test_job_files_with_names_beyond_ascii_have_folders_of_their_own(tmp_path):
    for name in ("漢字", "仮名", "Größe", "Gräße", "plain"):
        job = tmp_path / f"{name}.yaml"
        job.write_text(SMALL.replace("name: small\n", ""))
        palinode("run", job, "-q", "--limit", 1, cwd=tmp_path, expect=75)
    assert len(list((tmp_path / "results").iterdir())) == 5
    assert (tmp_path / "results/plain").is_dir()


def test_layers_with_a_gap_and_tensors_of_other_types_are_refused_by_name_and_type(tmp_path):
    job = write(tmp_path, SMALL)
    palinode("train", job, "-o", tmp_path / "m.safetensors", "--quiet", "--set", "model.n_layer=2", "--set", "seeds=0")
    data = (tmp_path / "m.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]

    def refused(changed, expected):
        text = json.dumps(changed).encode()
        (tmp_path / "changed.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + rest)
        said = palinode("inspect", "--model", tmp_path / "changed.safetensors", expect=65).stderr
        assert expected in said, said

    gap = {name.replace(".h.1.", ".h.2."): value for name, value in header.items()}
    gap["__metadata__"] = {key: value for key, value in header["__metadata__"].items() if key != "n_layer"}
    refused(gap, "is of layer 2, but there is no \"_backbone.h.1.attn.c_attn.weight\"")
    for type, name in (("I32", "_read_in.weight"), ("U32", "_backbone.h.1.attn.c_attn.weight"),
                       ("I32", "_backbone.h.0.mlp.c_fc.weight"), ("U32", "_backbone.ln_f.bias")):
        other = json.loads(json.dumps(header))
        other[name]["dtype"] = type
        refused(other, f'tensor "{name}" is of type {type}, expected F32 or F64')
