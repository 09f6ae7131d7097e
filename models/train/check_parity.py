# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare model.py with recorded activations of the model authors' code.

usage: python3 check_parity.py FIXTURE.safetensors...
Prints every difference; exits 1 when one exceeds the limit.
"""

from __future__ import annotations

import sys

import torch

import model

LIMIT = 5e-5


def build(tensors: dict, meta: dict) -> torch.nn.Module:
    """The tower or pair of towers that a fixture holds."""
    vision = model.config_from(model.VisionConfig, meta["config"])
    weights = {k[2:]: torch.from_numpy(v.copy()) for k, v in tensors.items() if k.startswith("w.")}
    if meta.get("text"):
        net = model.Clip(vision, model.config_from(model.TextConfig, meta["text"]))
    else:
        net = model.Vision(vision)
    net.load_state_dict(weights)
    return net.eval()


def outputs(net: torch.nn.Module, tensors: dict) -> dict[str, torch.Tensor]:
    """What the network gives for the inputs of a fixture, by fixture name."""

    def get(name: str) -> torch.Tensor:
        return torch.from_numpy(tensors[name].copy())

    tower = net.visual if isinstance(net, model.Clip) else net
    out = {"out." + name[3:]: tower(get(name)) for name in tensors if name.startswith("in.")}
    if "text.ids" in tensors:
        out["text.out"] = net.encode_text(get("text.ids"))
        out["clip.image"], out["clip.text"], scale = net(get("in.native"), get("text.ids"))
        out["clip.logits"] = scale * out["clip.image"] @ out["clip.text"].T
    return out


@torch.no_grad()
def main() -> int:
    worst = 0.0
    for path in sys.argv[1:]:
        tensors, meta = model.read_safetensors(path)
        for name, value in outputs(build(tensors, meta), tensors).items():
            if name not in tensors:
                continue
            diff = (value - torch.from_numpy(tensors[name].copy())).abs().max().item()
            worst = max(worst, diff)
            print(f"{path} {name}: {diff:.2e} (limit {LIMIT:.0e})")
    return 0 if sys.argv[1:] and worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
