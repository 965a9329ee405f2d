#!/usr/bin/env python3
"""Makes and checks the golden files beside it: what PyTorch computes, in float64, from the formulas of the experiment.

    make_golden.py --check FILE...            recompute every output in FILE from its inputs; exit 1 where they differ
    make_golden.py --from FILE -o OUT         FILE's inputs with recomputed outputs
    make_golden.py --recipe NAME [--seed S] -o OUT      fresh inputs of a recipe below

Inputs (parameters, in.*) are float32, outputs float64 computed from them in float64. Gradients come from autograd and
parameters after Adam from torch.optim: nothing here shares code or derivations with the C program. README.md lists the
tensors. Needs PyTorch and numpy.
"""

import argparse
import json
import pathlib
import struct
import sys

import numpy as np
import torch

# Relative to a tensor's largest entry. The key third of c_attn.bias has a gradient of exactly zero under softmax: what
# Adam makes of its rounding noise differs between builds of PyTorch.
TOLERANCE, NOISE_TOLERANCE = 1e-12, 1e-10
OBJECTIVES = ("plackett_luce", "bradley_terry", "cosine", "mse")
BASELINES = ("gd", "mean", "best", "contrast", "exact")
METRICS = ("nmse", "kendall_tau", "alignment_loss")
GD_STEPS, GD_RATE = 50, 0.1

# name: kind, batch, settings as __metadata__ holds them
RECIPES = {
    "softmax_ffn": ("model", 4, dict(n_dims=3, n_points=5, n_embd=12, n_layer=2, n_head=3)),
    "one_head": ("model", 3, dict(n_dims=5, n_points=7, n_embd=16, n_layer=2, n_head=1)),
    "no_ffn": ("model", 3, dict(n_dims=5, n_points=6, n_embd=12, n_layer=3, n_head=2, ffn="false")),
    "linear_attention": ("model", 3, dict(n_dims=5, n_points=6, n_embd=12, n_layer=2, n_head=3, attention="linear")),
    "not_causal": ("model", 3, dict(n_dims=4, n_points=6, n_embd=12, n_layer=2, n_head=3, causal="false")),
    "twenty_points": ("model", 2, dict(n_dims=5, n_points=20, n_embd=24, n_layer=2, n_head=3)),
    "baselines": ("baselines", 16, dict(n_dims=5, n_points=8)),
    "closed_loop": ("closed_loop", 4, dict(n_dims=5, n_points=10, n_embd=12, n_layer=2, n_head=3)),
}


# --- safetensors: u64 header length, JSON header, data --------------------------------------------------------------

def read_safetensors(path):
    """Returns (metadata, {name: array}) in the order of the header."""
    content = pathlib.Path(path).read_bytes()
    length, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[begin:end], {"F32": "<f4", "F64": "<f8"}[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return metadata, tensors


def write_safetensors(path, metadata, tensors):
    header, data = {"__metadata__": metadata}, b""
    for name, values in tensors.items():
        content = np.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": {"f4": "F32", "f8": "F64"}[values.dtype.str[1:]], "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


# --- the transformer ------------------------------------------------------------------------------------------------

def linear(x, p, name):
    """x @ W + b with W stored (in, out)."""
    return x @ p[name + ".weight"] + p[name + ".bias"]


def layer_norm(x, p, name):
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / torch.sqrt((centred ** 2).mean(-1, keepdim=True) + 1e-5)
    return scaled * p[name + ".weight"] + p[name + ".bias"]


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def attention(h, p, name, settings):
    batch, tokens, width = h.shape
    heads = int(settings["n_head"])
    q, k, v = (part.reshape(batch, tokens, heads, width // heads).transpose(1, 2)
               for part in linear(h, p, name + ".c_attn").split(width, -1))
    scores = q @ k.transpose(-1, -2) / np.sqrt(width // heads)
    allowed = torch.ones(tokens, tokens, dtype=torch.bool)
    if settings.get("causal", "true") == "true":
        allowed = allowed.tril()
    if settings.get("attention", "softmax") == "softmax":
        weights = torch.softmax(scores.masked_fill(~allowed, -np.inf), -1)
    else:
        weights = scores * allowed
    mixed = (weights @ v).transpose(1, 2).reshape(batch, tokens, width)
    return linear(mixed, p, name + ".c_proj")


def forward(p, settings, xs, ys, rs):
    """Predictions (B, N, d) at tokens 0, 3, 6, ..; xs, ys (B, N, d), rs (B, N)."""
    batch, points, dims = xs.shape
    rewards = torch.cat([rs[..., None], torch.zeros(batch, points, dims - 1, dtype=rs.dtype)], -1)
    tokens = torch.stack([xs, ys, rewards], 2).reshape(batch, 3 * points, dims)
    h = tokens @ p["_read_in.weight"].T + p["_read_in.bias"] + p["_backbone.wpe.weight"]
    for i in range(int(settings["n_layer"])):
        block = f"_backbone.h.{i}"
        h = h + attention(layer_norm(h, p, block + ".ln_1"), p, block + ".attn", settings)
        if settings.get("ffn", "true") == "true":
            hidden = gelu_new(linear(layer_norm(h, p, block + ".ln_2"), p, block + ".mlp.c_fc"))
            h = h + linear(hidden, p, block + ".mlp.c_proj")
    h = layer_norm(h, p, "_backbone.ln_f")
    return (h @ p["_read_out.weight"].T + p["_read_out.bias"])[:, ::3]


# --- objectives and metrics -----------------------------------------------------------------------------------------

def cosine(a, b):
    return (a * b).sum(-1) / (a.norm(dim=-1).clamp(min=1e-8) * b.norm(dim=-1).clamp(min=1e-8))


def plackett_luce(scores, rewards):
    """Loss of scores (B, n) against the ranking of rewards (B, n), ties to the lower index; (B)."""
    order = torch.argsort(rewards, dim=-1, descending=True, stable=True)
    ranked = scores.gather(-1, order)
    remaining = torch.logcumsumexp(ranked.flip(-1), -1).flip(-1)
    return (remaining - ranked).sum(-1)


def bradley_terry(scores, rewards):
    better = (rewards[:, :, None] > rewards[:, None, :]).to(scores.dtype)
    losses = torch.nn.functional.softplus(-(scores[:, :, None] - scores[:, None, :]))
    return (better * losses).sum((1, 2)) / better.sum((1, 2)).clamp(min=1)


def loss_at(objective, pred, ys, rewards, y_star):
    """Loss (B) of predictions (B, d) made from responses ys (B, n, d)."""
    scores = cosine(pred[:, None, :], ys)
    if objective == "plackett_luce":
        return plackett_luce(scores, rewards)
    if objective == "bradley_terry":
        return bradley_terry(scores, rewards)
    if objective == "cosine":
        return 1 - cosine(pred, y_star)
    return ((pred - y_star) ** 2).mean(-1)


def objective_loss(objective, pred, ys, rs, y_star):
    """Mean over context sizes 2 .. N-1 and over the batch."""
    per_size = [loss_at(objective, pred[:, i], ys[:, :i], rs[:, :i], y_star[:, i]) for i in range(2, pred.shape[1])]
    return torch.stack(per_size).mean()


def kendall_tau_b(a, b):
    """Over one list of pairs; NaN when either side has ties only."""
    upper = np.triu_indices(len(a), 1)
    left, right = (np.sign(v[:, None] - v[None, :])[upper] for v in (a, b))
    scale = np.sqrt((left ** 2).sum() * (right ** 2).sum())
    return (left * right).sum() / scale if scale > 0 else np.nan


# --- what a golden file holds ---------------------------------------------------------------------------------------

def parameter_names(tensors):
    return [name for name in tensors if name.startswith("_")]


def double(tensors, *names):
    return [torch.tensor(tensors[name], dtype=torch.float64) for name in names]


def trainable(tensors):
    return {name: torch.tensor(tensors[name], dtype=torch.float64, requires_grad=True)
            for name in parameter_names(tensors)}


def model_outputs(settings, tensors):
    xs, ys, rs, y_star = double(tensors, "in.xs", "in.ys", "in.rs", "in.y_star")
    rs = rs[..., 0]
    out = {"out.pred": forward(trainable(tensors), settings, xs, ys, rs).detach()}
    for objective in OBJECTIVES:
        pred = out["out.pred"].clone().requires_grad_()
        loss = objective_loss(objective, pred, ys, rs, y_star)
        out["loss." + objective] = loss.detach().reshape(1)
        out["dpred." + objective], = torch.autograd.grad(loss, pred)
    parameters = trainable(tensors)
    optimiser = torch.optim.Adam(parameters.values(), lr=float(settings["learning_rate"]))
    losses = []
    for step in range(int(settings["adam_steps"])):
        optimiser.zero_grad()
        loss = objective_loss("plackett_luce", forward(parameters, settings, xs, ys, rs), ys, rs, y_star)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out.update({"grad." + name: value.grad.clone() for name, value in parameters.items()})
        optimiser.step()
    out["adam10.loss"] = torch.tensor(losses, dtype=torch.float64)
    out.update({"adam10." + name: value.detach() for name, value in parameters.items()})
    return out


def gd_prediction(x, ys, seen, start):
    weights = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=GD_RATE)
    for _ in range(GD_STEPS):
        optimiser.zero_grad()
        pred = torch.einsum("bij,bj->bi", weights, x)
        plackett_luce(cosine(pred[:, None, :], ys), seen).sum().backward()
        optimiser.step()
    return torch.einsum("bij,bj->bi", weights, x).detach()


def baseline_prediction(name, x, ys, seen, start):
    """Answer (B, d) of a baseline from n responses."""
    rewards = (seen - seen.mean(-1, keepdim=True))[..., None]
    contrast = (rewards * ys).sum(1)
    if name == "gd":
        return gd_prediction(x, ys, seen, start)
    if name == "mean":
        return ys.mean(1)
    if name == "best":
        order = torch.argsort(seen, dim=-1, descending=True, stable=True)
        return ys[torch.arange(len(ys)), order[:, 0]]
    if name == "contrast":
        return contrast
    slope = contrast / (rewards ** 2).sum(1)
    return ys.mean(1) + slope * (1 - seen.mean(-1, keepdim=True))


def baseline_outputs(settings, tensors):
    xs, ys, rs, seen = double(tensors, "in.xs", "in.ys", "in.rs", "in.rs_seen")
    y_star, start = double(tensors, "in.y_star", "in.gd_start")
    rs, seen = rs[..., 0], seen[..., 0]
    out = {}
    for name in BASELINES:
        columns = {metric: [] for metric in METRICS}
        for n in range(2, xs.shape[1]):
            pred = baseline_prediction(name, xs[:, 0], ys[:, :n], seen[:, :n], start)
            scores = cosine(pred[:, None, :], ys[:, :n])
            tau = [kendall_tau_b(a, b) for a, b in zip(scores.numpy(), rs[:, :n].numpy())]
            columns["nmse"].append(1 - cosine(pred, y_star[:, 0]))
            columns["kendall_tau"].append(torch.tensor(tau))
            columns["alignment_loss"].append(plackett_luce(scores, rs[:, :n]))
        out.update({f"out.{name}.{metric}": torch.stack(columns[metric], 1) for metric in METRICS})
    return out


def clean_score(y, y_star):
    c = cosine(y, y_star)
    return torch.where(c > 0, c / (c + torch.sqrt((1 - c ** 2).clamp(min=0))), torch.zeros_like(c))


def closed_loop_outputs(settings, tensors):
    xs, y_star, initial = double(tensors, "in.xs", "in.y_star", "in.initial_responses")
    y_star = y_star[:, 0]
    parameters = {name: torch.tensor(tensors[name], dtype=torch.float64) for name in parameter_names(tensors)}
    first, rounds = initial.shape[1], int(settings["rounds"])
    ys, rs = torch.zeros_like(xs), torch.zeros(xs.shape[:2], dtype=torch.float64)
    ys[:, :first] = initial
    rs[:, :first] = clean_score(initial, y_star[:, None, :])
    answers, rewards = [], []
    for position in range(first, first + rounds + 1):
        answer = forward(parameters, settings, xs, ys, rs)[:, position]
        answers.append(answer)
        if len(answers) <= rounds:
            response = y_star.norm(dim=-1, keepdim=True) * answer / answer.norm(dim=-1, keepdim=True)
            ys[:, position], rs[:, position] = response, clean_score(response, y_star)
            rewards.append(rs[:, position].clone())
    answers = torch.stack(answers, 1)
    return {"out.answers": answers, "out.rewards": torch.stack(rewards, 1),
            "out.nmse": 1 - cosine(answers, y_star[:, None, :])}


OUTPUTS = {"model": model_outputs, "baselines": baseline_outputs, "closed_loop": closed_loop_outputs}


def is_input(name):
    return name.startswith(("_", "in."))


def kind_of(tensors):
    if "in.gd_start" in tensors:
        return "baselines"
    return "closed_loop" if "in.initial_responses" in tensors else "model"


def recompute(settings, tensors):
    """{name: float64 array} of every output that belongs to these inputs."""
    inputs = {name: values for name, values in tensors.items() if is_input(name)}
    return {name: values.numpy() for name, values in OUTPUTS[kind_of(tensors)](settings, inputs).items()}


# --- fresh inputs ---------------------------------------------------------------------------------------------------

def fresh_parameters(settings, rng):
    """Random everywhere (biases and LayerNorm as well), so that no gradient is trivially right."""
    d, n, e, layers = (int(settings[key]) for key in ("n_dims", "n_points", "n_embd", "n_layer"))
    shapes = {"_read_in.weight": (e, d), "_read_in.bias": (e,), "_backbone.wpe.weight": (3 * n, e)}
    for i in range(layers):
        block = f"_backbone.h.{i}"
        shapes.update({f"{block}.ln_1.weight": (e,), f"{block}.ln_1.bias": (e,),
                       f"{block}.attn.c_attn.weight": (e, 3 * e), f"{block}.attn.c_attn.bias": (3 * e,),
                       f"{block}.attn.c_proj.weight": (e, e), f"{block}.attn.c_proj.bias": (e,)})
        if settings.get("ffn", "true") == "true":
            shapes.update({f"{block}.ln_2.weight": (e,), f"{block}.ln_2.bias": (e,),
                           f"{block}.mlp.c_fc.weight": (e, 4 * e), f"{block}.mlp.c_fc.bias": (4 * e,),
                           f"{block}.mlp.c_proj.weight": (4 * e, e), f"{block}.mlp.c_proj.bias": (e,)})
    shapes.update({"_backbone.ln_f.weight": (e,), "_backbone.ln_f.bias": (e,), "_read_out.weight": (d, e),
                   "_read_out.bias": (d,)})
    return {name: 0.2 * rng.standard_normal(shape) + (".ln_" in name and name.endswith("weight"))
            for name, shape in shapes.items()}


def fresh_inputs(kind, batch, settings, rng):
    d, n = int(settings["n_dims"]), int(settings["n_points"])
    x, aligned, other = rng.standard_normal((batch, d)), *rng.standard_normal((2, batch, d, d))
    y_star, y_minus = (np.einsum("bi,bij->bj", x, w)[:, None, :] for w in (aligned, other))
    rs = rng.random((batch, n, 1))
    tensors = fresh_parameters(settings, rng) if kind != "baselines" else {}
    tensors.update({"in.xs": np.repeat(x[:, None, :], n, 1), "in.y_star": np.repeat(y_star, n, 1)})
    if kind == "closed_loop":
        random = rng.standard_normal((batch, 2, d))
        tensors["in.initial_responses"] = (random / np.linalg.norm(random, axis=-1, keepdims=True)
                                           * np.linalg.norm(y_star, axis=-1, keepdims=True))
    else:
        tensors.update({"in.ys": rs * y_star + (1 - rs) * y_minus, "in.rs": rs})
    if kind == "baselines":
        tensors["in.rs_seen"] = np.where(rng.random(rs.shape) < 0.5, rng.random(rs.shape), rs)
        tensors["in.gd_start"] = rng.uniform(-1, 1, (batch, d, d)) / np.sqrt(d)
    return {name: values.astype("<f4") for name, values in tensors.items()}


def from_recipe(name, seed):
    kind, batch, settings = RECIPES[name]
    if kind != "baselines":
        settings = {"ffn": "true", "attention": "softmax", "causal": "true", **settings}
    metadata = {key: str(value) for key, value in settings.items()}
    metadata["batch"] = str(batch)
    if kind == "model":
        metadata.update(learning_rate="1e-3", adam_steps="10")
    if kind == "closed_loop":
        metadata.update(initial_responses="2", rounds="6")
    return metadata, fresh_inputs(kind, batch, metadata, np.random.default_rng(seed))


# --- command line ---------------------------------------------------------------------------------------------------

def tolerance_of(name):
    return NOISE_TOLERANCE if name.startswith("adam10.") and name.endswith("c_attn.bias") else TOLERANCE


def worst_difference(path):
    """(difference over its tolerance, difference, tensor) of the worst output; a missing output is infinite."""
    settings, tensors = read_safetensors(path)
    outputs = recompute(settings, tensors)
    worst = (0.0, 0.0, "none")
    for name in {name for name in tensors if not is_input(name)} | set(outputs):
        if name not in tensors or name not in outputs or tensors[name].shape != outputs[name].shape:
            return np.inf, np.inf, name
        scale = max(np.nanmax(np.abs(tensors[name])), np.finfo(float).tiny)
        same_gaps = np.array_equal(np.isnan(tensors[name]), np.isnan(outputs[name]))
        difference = np.nanmax(np.abs(tensors[name] - outputs[name])) / scale if same_gaps else np.inf
        worst = max(worst, (difference / tolerance_of(name), difference, name))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--check", nargs="+", metavar="FILE")
    parser.add_argument("--from", dest="source", metavar="FILE")
    parser.add_argument("--recipe", choices=sorted(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", dest="out", metavar="OUT")
    options = parser.parse_args()
    if [options.check, options.source, options.recipe].count(None) != 2:
        parser.error("expected one of --check, --from and --recipe")
    if options.check:
        results = [worst_difference(path) for path in options.check]
        for path, (excess, difference, name) in zip(options.check, results):
            print(f"{'ok  ' if excess <= 1 else 'FAIL'} {difference:.1e}  {path}  ({name})")
        return 0 if all(excess <= 1 for excess, _, _ in results) else 1
    if not options.out:
        parser.error("-o OUT is missing")
    if options.source:
        metadata, tensors = read_safetensors(options.source)
    else:
        metadata, tensors = from_recipe(options.recipe, options.seed)
    inputs = {name: values for name, values in tensors.items() if is_input(name)}
    write_safetensors(options.out, metadata, {**inputs, **recompute(metadata, inputs)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
