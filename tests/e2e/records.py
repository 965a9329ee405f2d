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
    """The Python module that protoc makes of proto/schema/palinode.proto."""
    folder = tempfile.mkdtemp(prefix="palinode-proto-")
    subprocess.run(["protoc", f"--python_out={folder}", f"--proto_path={PROJECT / 'proto/schema'}", "palinode.proto"],
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


def checksum(data):
    """The masked CRC-32C of TFRecord framing."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    state ^= 0xFFFFFFFF
    return ((state >> 15 | state << 17) + 0xA282EAD8) & 0xFFFFFFFF


def write(path, messages):
    """Writes Record messages as one file."""
    with open(path, "wb") as file:
        for message in messages:
            data = message.SerializeToString()
            length = struct.pack("<Q", len(data))
            file.write(length + struct.pack("<I", checksum(length)) + data + struct.pack("<I", checksum(data)))


def change(path, proto, alter):
    """Rewrites a file with alter(record) applied to every record: what no run of palinode would write."""
    messages = list(read(path, proto))
    for message in messages:
        alter(message)
    write(path, messages)


def change_bytes(path, before, after):
    """Replaces bytes of equal number within records and makes their checksums right again; returns how many records."""
    data, out, at, changed = pathlib.Path(path).read_bytes(), b"", 0, 0
    assert len(before) == len(after)
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        record = data[at + 12 : at + 12 + length]
        changed += before in record
        record = record.replace(before, after)
        out += data[at : at + 12] + record + struct.pack("<I", checksum(record))
        at += 12 + length + 4
    pathlib.Path(path).write_bytes(out)
    return changed
