"""Reads record files with nothing of palinode but its .proto: TFRecord framing by hand, messages by Google's protobuf.

An independent reader, so that a test that compares records does not trust the program that wrote them.
"""

import importlib
import pathlib
import struct
import subprocess
import sys
import tempfile

from conftest import PROJECT


def schema():
    """The Python module that protoc makes of proto/wire/palinode.proto."""
    folder = tempfile.mkdtemp(prefix="palinode-proto-")
    subprocess.run(["protoc", f"--python_out={folder}", f"--proto_path={PROJECT / 'proto/wire'}", "palinode.proto"],
                   check=True)
    sys.path.insert(0, folder)
    return importlib.import_module("palinode_pb2")


def read(path, proto):
    """The Record messages of one file."""
    data = pathlib.Path(path).read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        record = proto.Record()
        record.ParseFromString(data[at + 12 : at + 12 + length])
        yield record
        at += 12 + length + 4


# What may differ between equal runs: time, place, attempts.
PROVENANCE = {"flops", "wall_s", "cpu_s", "peak_memory_bytes", "rank", "host", "ended_unix_ms", "attempts"}
IDS = {"training": "training_id", "model": "training_id", "cell": "cell_id", "baseline": "baseline_id"}


def results(folder, proto):
    """All results of a folder by id: {(kind, id): bytes}, without provenance; later records replace earlier ones."""
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.tfrecord")):
        for record in read(path, proto):
            kind = record.WhichOneof("of")
            if kind not in IDS:
                continue
            content = getattr(record, kind)
            for field in content.DESCRIPTOR.fields:
                if field.name in PROVENANCE:
                    content.ClearField(field.name)
            found[kind, getattr(content, IDS[kind]).hex()] = content.SerializeToString(deterministic=True)
    return found
