"""The rooms keep to themselves: who may include whom, and who alone may use a library."""

import re
import subprocess

from conftest import PROJECT, palinode

# A room may include itself and these; "coordinator" stands for all of its rooms. Rooms stand before those that may know
# them, so that no arrow leads back. The longest matching prefix names the room.
PROTO = ["proto/base", "proto/wire"]
JOBS = [*PROTO, "jobs"]
MAY_INCLUDE = {
    "proto/base": [],
    "proto/wire": ["proto/base", "proto/schema"],
    "proto/transport": PROTO,
    "jobs/yaml": PROTO,
    "jobs/settings": PROTO,
    "jobs/grid": [*PROTO, "jobs/yaml", "jobs/settings"],
    "jobs/claims": [*PROTO, "jobs/yaml", "jobs/settings", "jobs/grid"],
    "jobs/job": JOBS,
    "coordinator/journal": JOBS,
    "coordinator/forecast": [*JOBS, "coordinator/journal"],
    "coordinator/schedule": [*JOBS, "coordinator/journal", "coordinator/forecast"],
    "coordinator/dispatch": [*JOBS, "proto/transport", "coordinator/journal", "coordinator/forecast",
                             "coordinator/schedule"],
    "coordinator/batch": JOBS,
    "worker/kernels": PROTO,
    "worker/kernels/paths": [*PROTO, "worker/kernels"],
    "worker/kernels/reference": [*PROTO, "worker/kernels"],
    "worker/model": [*PROTO, "worker/kernels"],
    "worker/task": [*PROTO, "worker/model"],
    "worker/train": [*PROTO, "worker/model", "worker/task"],
    "worker/measure": [*PROTO, "worker/model", "worker/task"],
    "worker/work": [*PROTO, "worker/kernels", "worker/model", "worker/task", "worker/train", "worker/measure"],
    "worker/process": [*PROTO, "proto/transport", "worker/kernels", "worker/measure", "worker/work"],
    "worker/files": [*PROTO, "worker/model", "worker/task"],
    "worker/inspect": [*PROTO, "worker/model", "worker/task", "worker/measure"],
    "worker/theory": [*PROTO, "worker/kernels"],
    "analysis/output": JOBS,
    "analysis/statistics": PROTO,
    "analysis/results": [*JOBS, "coordinator/journal", "analysis/output", "analysis/statistics"],
    "analysis/claims": [*JOBS, "analysis/output", "analysis/statistics", "analysis/results"],
    "analysis/figures": [*JOBS, "analysis/output", "analysis/statistics", "analysis/results", "analysis/claims"],
    "analysis/report": [*JOBS, "coordinator/journal", "analysis"],
    "cli/shared": ["proto", "jobs", "coordinator", "worker"],
    "cli/run": ["proto", "jobs", "coordinator", "worker", "cli/shared"],
    "cli/plan": ["proto", "jobs", "coordinator", "worker", "cli/shared"],
    "cli/commands": ["proto", "jobs", "coordinator", "worker", "analysis", "cli"],
}

# Header: the only files that may include it.
OWNERS = {
    "mpi.h": {"proto/transport/channel.c"},
    "cblas.h": {"worker/kernels/matmul.c"},
    "yaml.h": {"jobs/yaml/yaml_reader.c"},
    "xxhash.h": {"jobs/settings/identity.c"},
    "isa-l/crc.h": {"proto/wire/record_file.c"},
    "isa-l.h": set(),
    "sqlite3.h": {"analysis/output/database.c"},
}


def sources():
    """(path, included headers) of every C file of the product."""
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=PROJECT, text=True, capture_output=True, check=True)
    for path in listed.stdout.split():
        if not path.startswith("tests/"):
            yield path, re.findall(r'^#include [<"](.+)[>"]', (PROJECT / path).read_text(), re.MULTILINE)


def room(path):
    return max((name for name in [*MAY_INCLUDE, "proto/schema", "cli"] if path.startswith(name + "/")), key=len,
               default=None)


def test_every_file_stands_in_a_room_that_is_listed():
    assert [path for path, _ in sources() if room(path) in (None, "cli")] == ["cli/main.c"]


def test_every_room_includes_only_what_it_may_know():
    wrong = []
    for path, headers in sources():
        here = room(path)
        for header in headers:
            there = room(header)
            if there is None or here == "cli" or there == here:
                continue
            if not any(there == may or there.startswith(may + "/") for may in MAY_INCLUDE[here]):
                wrong.append(f"{path} includes {header}")
    assert not wrong, "\n".join(wrong)


def test_no_two_rooms_lean_on_each_other():
    known = {}
    for path, headers in sources():
        here = room(path)
        for header in headers:
            if room(header) not in (None, here):
                known.setdefault(here, set()).add(room(header))
    while known:  # rooms that know no other that is left, one after the other
        free = [here for here, others in known.items() if not others & known.keys()]
        assert free, f"a circle among {sorted(known)}"
        for here in free:
            del known[here]


def test_every_library_has_one_owner():
    wrong = []
    for path, headers in sources():
        for header in headers:
            if header in OWNERS and path not in OWNERS[header]:
                wrong.append(f"{path} includes {header}")
            if header.endswith(".pb-c.h") and not path.startswith("proto/wire/"):
                wrong.append(f"{path} includes {header}")
    assert not wrong, "\n".join(wrong)


def test_file_names_are_unique_and_every_file_says_what_it_is():
    stems, wrong = {}, []
    for path, _ in sources():
        text = (PROJECT / path).read_text()
        if not text.startswith("/* "):
            wrong.append(f"{path} does not open with a comment")
        if text.count("\n") > 600:
            wrong.append(f"{path} has more than 600 lines")
        if not path.startswith("cli/"):
            name = path.rsplit("/", 1)[1]
            if name in stems and name not in ("settings.h", "settings.c"):
                wrong.append(f"{path} and {stems[name]} have the same name")
            stems[name] = path
    assert not wrong, "\n".join(wrong)


def test_want_of_memory_says_of_what():
    bare = [path for path, _ in sources() if '"out of memory"' in (PROJECT / path).read_text()]
    assert not bare, bare


def test_every_list_of_exit_codes_has_all_that_a_command_may_end_with():
    readme = (PROJECT / "README.md").read_text()
    texts = {"README.md": readme[readme.index("Exit codes:"):][:400], "run": palinode("run", "--help").stdout}
    for name, text in texts.items():
        for code in (1, 64, 65, 71, 74, 75, 76):
            assert re.search(rf"\b{code}\s", text), (name, code)
