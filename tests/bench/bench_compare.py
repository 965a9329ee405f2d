#!/usr/bin/python3
"""A training step of palinode beside the same step in PyTorch on the CPU, one thread each.

    bench_compare.py [--build DIR] [--short] [--repeats R] [--case L,E,B ...]

For every case (L layers, E wide, 3 heads, batches of B prompts with 20 points) palinode writes its parameters and
prompts to files, PyTorch reads them, and both must see the same loss before the first step and after it (1e-5). Then
steps of both take turns, so that a noisy machine slows both, and time is CPU time; medians are printed, and the median
of the ratios.
A step is forward, Plackett-Luce loss over all context sizes, backward, Adam. PyTorch works in whichever micro-batch (16,
32, 64, all) is fastest for it, palinode in its own. Needs Debian's python3-torch; about four minutes, --short under one.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before torch looks at them
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

POINTS, HEADS, RATE, TOLERANCE = 20, 3, 1e-3, 1e-5
CASES = [(layers, width, batch) for layers in (4, 20) for width in (48, 96) for batch in (64, 256)]
SHORT_CASES = [(4, 48, 64), (4, 96, 64), (20, 48, 64), (20, 96, 64)]
MICRO_BATCHES = (16, 32, 64, None)


def read_safetensors(path):
    content = pathlib.Path(path).read_bytes()
    length, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(content[begin:end]), dtype=torch.float32).reshape(entry["shape"])
    return tensors


class PeerModel:
    """The transformer and its objective as one would write them for speed in PyTorch."""

    def __init__(self, parameters, layers):
        self.p = {name: value.clone().requires_grad_() for name, value in parameters.items()}
        self.layers = layers
        self.hidden = torch.full((3 * POINTS, 3 * POINTS), -math.inf).triu(1)
        self.optimizer = torch.optim.Adam(self.p.values(), lr=RATE)

    def linear(self, h, name):
        flat = torch.addmm(self.p[name + ".bias"], h.reshape(-1, h.shape[-1]), self.p[name + ".weight"])
        return flat.view(*h.shape[:-1], -1)

    def norm(self, h, name):
        return F.layer_norm(h, h.shape[-1:], self.p[name + ".weight"], self.p[name + ".bias"], 1e-5)

    def attention(self, h, name):
        batch, tokens, width = h.shape
        q, k, v = (part.view(batch, tokens, HEADS, width // HEADS).transpose(1, 2)
                   for part in self.linear(h, name + ".c_attn").split(width, -1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // HEADS)
        mixed = torch.softmax(scores + self.hidden, -1) @ v
        return self.linear(mixed.transpose(1, 2).reshape(batch, tokens, width), name + ".c_proj")

    def predict(self, xs, ys, rs):
        batch, points, dims = xs.shape
        rewards = F.pad(rs[..., None], (0, dims - 1))
        tokens = torch.stack([xs, ys, rewards], 2).reshape(batch, 3 * points, dims)
        h = F.linear(tokens, self.p["_read_in.weight"], self.p["_read_in.bias"]) + self.p["_backbone.wpe.weight"]
        for layer in range(self.layers):
            block = f"_backbone.h.{layer}"
            h = h + self.attention(self.norm(h, block + ".ln_1"), block + ".attn")
            fed = F.gelu(self.linear(self.norm(h, block + ".ln_2"), block + ".mlp.c_fc"), approximate="tanh")
            h = h + self.linear(fed, block + ".mlp.c_proj")
        h = self.norm(h[:, ::3], "_backbone.ln_f")
        return F.linear(h, self.p["_read_out.weight"], self.p["_read_out.bias"])

    def loss_sum(self, xs, ys, rs):
        """Sum over prompts of the mean over i of the Plackett-Luce loss of the first i responses: all i at once."""
        order = torch.argsort(rs, dim=-1, descending=True, stable=True)
        ranked = F.normalize(ys, dim=-1, eps=1e-8).gather(1, order[..., None].expand_as(ys))
        scores = F.normalize(self.predict(xs, ys, rs), dim=-1, eps=1e-8) @ ranked.transpose(1, 2)
        seen = order[:, None, :] < torch.arange(POINTS)[None, :, None]  # (B, i, place): among the first i
        tails = (scores.exp() * seen).flip(-1).cumsum(-1).flip(-1)
        losses = torch.where(seen, tails.clamp(min=1e-6).log() - scores, torch.zeros(()))
        return losses[:, 2:].sum() / (POINTS - 2)

    def step(self, prompts, micro_batch):
        """The loss before the step."""
        batch, total = len(prompts[0]), 0.0
        self.optimizer.zero_grad(set_to_none=True)
        for first in range(0, batch, micro_batch or batch):
            loss = self.loss_sum(*(values[first:first + (micro_batch or batch)] for values in prompts)) / batch
            loss.backward()
            total += loss.item()
        self.optimizer.step()
        return total


class Ours:
    """The C half, which does a step whenever it is asked."""

    def __init__(self, program, layers, width, batch, model, prompts):
        sizes = [str(value) for value in (layers, width, HEADS, batch)]
        self.process = subprocess.Popen([program, *sizes, model, prompts], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.fingerprint = self.process.stdout.readline().strip()
        if not self.fingerprint:
            sys.exit(f"{program} failed")

    def step(self):
        """CPU seconds, and the loss before the step."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, loss = self.process.stdout.readline().split()
        return float(seconds), float(loss)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def nominal_gflop(layers, width, batch):
    """6 x block parameters x tokens + 12 L B T^2 E."""
    tokens = 3 * POINTS
    block = 12 * width ** 2 + 13 * width
    return 1e-9 * (6 * layers * block * batch * tokens + 12 * layers * batch * tokens ** 2 * width)


def timed(work):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def check_same(ours, peer, what):
    if not abs(ours - peer) <= TOLERANCE * abs(peer):
        sys.exit(f"the losses {what} differ: palinode {ours:.9g}, PyTorch {peer:.9g}")


def compare(program, layers, width, batch, repeats):
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("model.safetensors", "prompts.safetensors")]
        ours = Ours(program, layers, width, batch, *files)
        peer = PeerModel(read_safetensors(files[0]), layers)
        tensors = read_safetensors(files[1])
    prompts = [tensors["in." + name] for name in ("xs", "ys", "rs")]
    check_same(ours.step()[1], peer.step(prompts, 64), "before the first step")
    check_same(ours.step()[1], peer.step(prompts, 64), "after the first step")

    sizes = [size for size in MICRO_BATCHES if size is None or size < batch]
    best = min(sizes, key=lambda size: timed(lambda: peer.step(prompts, size))[0])
    pairs = []
    for _ in range(repeats):
        pairs.append((ours.step()[0], timed(lambda: peer.step(prompts, best))[0]))
    ours.close()
    ours_s, peer_s = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(peer / mine for mine, peer in pairs)
    gflop = nominal_gflop(layers, width, batch)
    print(f"{layers:4} {width:4} {batch:5}  {best or batch:5} {1e3 * ours_s:11.1f} {gflop / ours_s:8.1f} "
          f"{1e3 * peer_s:11.1f} {gflop / peer_s:8.1f} {ratio:7.2f}", flush=True)
    return ours.fingerprint


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="the build folder (default: build)")
    parser.add_argument("--short", action="store_true", help="batches of 64 only, three repeats")
    parser.add_argument("--repeats", type=int, help="steps of each that are timed (default: 5)")
    parser.add_argument("--case", action="append", metavar="L,E,B", help="only this case; may be repeated")
    arguments = parser.parse_args()
    repeats = arguments.repeats or (3 if arguments.short else 5)
    cases = SHORT_CASES if arguments.short else CASES
    if arguments.case:
        cases = [tuple(int(value) for value in case.split(",")) for case in arguments.case]
    torch.set_num_threads(1)
    program = str(pathlib.Path(arguments.build, "tests", "bench_compare_step").resolve())
    print(f"PyTorch {torch.__version__}, one thread each; nominal GFLOP/s; ratio: PyTorch's time by palinode's")
    print("   L    E     B  micro palinode ms  GFLOP/s  PyTorch ms  GFLOP/s   ratio", flush=True)
    for case in cases:
        fingerprint = compare(program, *case, repeats)
    print(fingerprint)


if __name__ == "__main__":
    main()
