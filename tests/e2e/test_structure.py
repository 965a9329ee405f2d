"""The rooms keep to themselves: who may include whom, and who alone may use a library."""

import re
import subprocess

from conftest import PROJECT, palinode

# A room may include itself and these. The longest matching prefix names the room.
MAY_INCLUDE = {
    "proto/base": [],
    "proto/wire": ["proto/base"],
    "proto/transport": ["proto/base", "proto/wire"],
    "jobs": ["proto/base", "proto/wire"],
    "coordinator": ["proto/base", "proto/wire", "proto/transport", "jobs"],
    "worker/kernels": ["proto/base", "proto/wire"],
    "worker/model": ["proto/base", "proto/wire", "worker/kernels"],
    "worker/inspect": ["proto/base", "proto/wire", "worker/kernels", "worker/model", "worker"],
    "worker/theory": ["proto/base", "proto/wire", "worker/kernels"],
    "worker": ["proto/base", "proto/wire", "proto/transport", "worker/kernels", "worker/model"],
    "analysis": ["proto/base", "proto/wire", "jobs", "coordinator"],
}

# Header: the only files that may include it.
OWNERS = {
    "mpi.h": {"proto/transport/channel.c"},
    "cblas.h": {"worker/kernels/matmul.c"},
    "yaml.h": {"jobs/yaml_reader.c"},
    "xxhash.h": {"jobs/identity.c"},
    "isa-l/crc.h": {"proto/wire/record_file.c"},
    "isa-l.h": set(),
    "sqlite3.h": {"analysis/database.c"},
}


def sources():
    """(path, included headers) of every C file of the product."""
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=PROJECT, text=True, capture_output=True, check=True)
    for path in listed.stdout.split():
        if not path.startswith("tests/"):
            yield path, re.findall(r'^#include [<"](.+)[>"]', (PROJECT / path).read_text(), re.MULTILINE)


def room(path):
    return max((name for name in [*MAY_INCLUDE, "cli"] if path.startswith(name + "/")), key=len, default=None)


def test_every_room_includes_only_what_it_may_know():
    wrong = []
    for path, headers in sources():
        here = room(path)
        for header in headers:
            there = room(header)
            if there is None or here == "cli" or there == here:
                continue
            if there not in MAY_INCLUDE[here]:
                wrong.append(f"{path} includes {header}")
    assert not wrong, "\n".join(wrong)


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
