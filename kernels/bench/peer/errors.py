#!/usr/bin/env python3
"""Errors of a backend's outputs beside those of PyTorch's own bfloat16 result on the same inputs, both against float64.

    java -jar sluice-bench.jar outputs --backend hopper --folder DIR && python errors.py DIR

Every operation is written once, as transformers and peft compute it, and runs twice, with autograd: in float64 for the truth and in
bfloat16 for the peer. Where the two differ it says so: the truth's attention is always eager; the peer's is one of the fused kernels of
scaled_dot_product_attention, but with sinks it is eager, as in transformers' gpt_oss. Adapters of experts are split as those of linear
layers are, which gives the peer one rounding of z and one of the update; the routed rows are summed as after transformers' grouped_mm.

One JSON object a line: relative Frobenius errors and their ratio. Exit code 1 if a ratio is above 1.05 or an output is not finite.
"""
import argparse
import contextlib
import json
import pathlib
import sys

import torch
from safetensors import safe_open
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

MOST = 1.05
FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]


def wide(x):
    """What transformers computes in float32 whatever the model's type."""
    return x if x.dtype == torch.float64 else x.float()


def adapted(x, weight, a, b, scale):
    return F.linear(x, weight) + F.linear(F.linear(x, a), b) * scale


def linear(t, settings):
    scale = float(settings["lora_scale"])
    return {f"y{i}": adapted(t["x"], t[f"weight{i}"], t[f"lora{i}A"], t[f"lora{i}B"], scale) for i in range(int(settings["layers"]))}


def experts(t, settings):
    scale, picks, top_k = float(settings["lora_scale"]), t["picks"].flatten(), t["picks"].shape[1]
    order = picks.argsort(stable=True)
    parts = []
    for expert, rows in enumerate(order.split(picks.bincount(minlength=len(t["gateUp"])).tolist())):
        gate, up = adapted(t["x"][rows // top_k], t["gateUp"][expert], t["gateUpA"][expert], t["gateUpB"][expert], scale).chunk(2, -1)
        parts.append(adapted(F.silu(gate) * up, t["down"][expert], t["downA"][expert], t["downB"][expert], scale))
    weighted = torch.cat(parts) * t["weights"].flatten()[order, None]
    return {"y": weighted[order.argsort()].unflatten(0, (-1, top_k)).sum(1)}


def cross_entropy(t, settings):
    logits = wide(F.linear(t["x"], t["head"]))
    return {"y": F.cross_entropy(logits, t["labels"].long(), ignore_index=-100, reduction="none")}


def rms_norm(x, weight, epsilon):
    normed = wide(x) * torch.rsqrt(wide(x).square().mean(-1, keepdim=True) + epsilon)
    return weight * normed.to(x.dtype)


def norm(t, settings):
    return {"y": rms_norm(t["x"], t["weight"], float(settings["epsilon"]))}


def norm_rotate(t, settings):
    cos, sin = (torch.cat([t[name][t["positions"]]] * 2, -1)[:, None] for name in ("cos", "sin"))

    def rotated(name):
        x = rms_norm(t[name], t[name + "Weight"], float(settings["epsilon"]))
        left, right = x.chunk(2, -1)
        return x * cos + torch.cat((-right, left), -1) * sin
    return {"yq": rotated("q"), "yk": rotated("k")}


def eager(q, k, v, scale, window, sinks):
    """[heads, tokens, width]; everything in the type of q."""
    k, v = (x.repeat_interleave(len(q) // len(x), 0) for x in (k, v))
    distance = torch.arange(q.shape[1], device=q.device)[:, None] - torch.arange(q.shape[1], device=q.device)
    seen = (distance >= 0) & (distance < window if window else True)
    scores = ((q @ k.mT) * scale).masked_fill(~seen, torch.finfo(q.dtype).min)
    if sinks is not None:
        scores = torch.cat((scores, sinks[:, None, None].expand(-1, q.shape[1], 1)), -1)
        scores = scores - scores.max(-1, keepdim=True).values
    return scores.softmax(-1)[..., :q.shape[1]] @ v


def attention(t, settings):
    scale, window, sinks = float(settings["scale"]), int(settings["window"]), t.get("sinks")
    fused = sinks is None and t["q"].dtype == torch.bfloat16
    outs = []
    for start, stop in zip(t["starts"][:-1].tolist(), t["starts"][1:].tolist()):
        q, k, v = (t[name][start:stop].transpose(0, 1) for name in "qkv")
        if fused:
            assert not window, "the fused kernels have no window"
            with sdpa_kernel(FUSED) if q.is_cuda else contextlib.nullcontext():
                out = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, scale=scale, enable_gqa=len(q) != len(k))[0]
        else:
            out = eager(q, k, v, scale, window, sinks)
        outs.append(out.transpose(0, 1))
    return {"y": torch.cat(outs)}


OPERATIONS = {"linear": linear, "experts": experts, "cross_entropy": cross_entropy, "rms_norm": norm, "norm_rotate": norm_rotate,
              "attention": attention}


def computed(inputs, wanted, settings, dtype):
    """The wanted outputs: results by their names, gradients as `d.` and the name of an input."""
    gradients = [name for name in wanted if name.startswith("d.")]
    leaves = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}
    sources = [leaves[name[2:]].requires_grad_() for name in gradients]
    results = OPERATIONS[settings["operation"]](leaves, settings)
    upstream = [inputs["d." + name].to(result.dtype) if "d." + name in inputs
                else torch.full_like(result, float(settings["gradient_scale"])) for name, result in results.items()]
    return results | dict(zip(gradients, torch.autograd.grad(list(results.values()), sources, upstream)))


def error(found, truth):
    return ((found.double() - truth).norm() / truth.norm()).item()


def compare(path, device):
    with safe_open(path, "pt", device=device) as file:
        settings = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    inputs, ours = ({name[len(kind):]: tensor for name, tensor in tensors.items() if name.startswith(kind)} for kind in ("in/", "out/"))
    truth, peer = (computed(inputs, ours, settings, dtype) for dtype in (torch.float64, torch.bfloat16))
    for name in ours:
        own, other = error(ours[name], truth[name].detach()), error(peer[name].detach(), truth[name].detach())
        ratio = own / other if other else 0.0 if own == 0 else float("inf")
        yield {"case": path.stem, "output": name, "backend": settings["backend"], "ours": own, "torch": other, "ratio": float(f"{ratio:.4g}"),
               "passed": ratio <= MOST}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    files = sorted(options.folder.glob("*.safetensors"))
    if not files:
        sys.exit(f"errors.py: no *.safetensors in {options.folder}; write them with `bench outputs --folder`")
    lines = [line for path in files for line in map(told, compare(path, options.device))]
    sys.exit(0 if all(line["passed"] for line in lines) else 1)


def told(line):
    print(json.dumps(line), flush=True)
    return line


if __name__ == "__main__":
    main()
