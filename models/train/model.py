# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Perception Encoder (PE) in PyTorch: both towers and the contrastive head.

Parameter names are Meta's, so a state dict is a checkpoint that the C engine
opens. Knows nothing about data. Used by train.py, evaluate.py, export.py and
check_parity.py.
"""

from __future__ import annotations

import dataclasses
import json
import math
import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

LN_EPS = 1e-5
ROPE_THETA = 10000.0


@dataclasses.dataclass(frozen=True)
class VisionConfig:
    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    output_dim: int | None
    mlp_ratio: float = 4.0
    use_cls_token: bool = True
    use_ln_post: bool = True
    pool_type: str = "attn"
    attn_pooler_heads: int = 8
    ls_init_value: float | None = None
    drop_path: float = 0.0
    use_abs_posemb: bool = True
    use_rope2d: bool = True
    use_ln_pre: bool = True


@dataclasses.dataclass(frozen=True)
class TextConfig:
    context_length: int
    vocab_size: int
    width: int
    layers: int
    heads: int
    output_dim: int
    mlp_ratio: float = 4.0


def config_from(cls: type, text: str):
    """A config from the JSON in a checkpoint's metadata; unknown keys are an error."""
    return cls(**json.loads(text))


def rope_table(head_dim: int, rows: int, cols: int, cls_token: bool) -> tuple[Tensor, Tensor]:
    """Cosines and sines [tokens, head_dim / 2] of the 2-D rotation, fp32.

    The column turns the first half of the channels, the row the second half;
    with a class token the patches count from 1 and the class token stays put.
    """
    axis = head_dim // 2
    freq = 1.0 / ROPE_THETA ** (torch.arange(0, axis, 2, dtype=torch.float32) / axis)
    first = 1 if cls_token else 0
    y, x = torch.meshgrid(torch.arange(rows) + first, torch.arange(cols) + first, indexing="ij")
    angles = torch.cat([x.reshape(-1, 1) * freq, y.reshape(-1, 1) * freq], dim=1)
    if cls_token:
        angles = torch.cat([torch.zeros(1, axis), angles])
    return angles.cos(), angles.sin()


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate neighbouring channels of x [.., tokens, head_dim] in fp32."""
    cos, sin = table
    even, odd = x[..., 0::2].float(), x[..., 1::2].float()
    turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1)
    return turned.flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Multi-head attention with Q, K and V packed in one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def merge(self, q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
        # Spelled out: for a few tens of tokens on a CPU the fused operator's
        # gradient takes longer than the rest of the block.
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        if causal:
            scores = scores + torch.full(scores.shape[-2:], -math.inf, device=q.device).triu(1)
        out = scores.softmax(dim=-1).to(v.dtype) @ v
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def forward(self, x: Tensor, table=None, causal: bool = False) -> Tensor:
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = (self.split(part) for part in qkv.chunk(3, dim=-1))
        if table is not None:
            q, k = rotate(q, table), rotate(k, table)
        return self.merge(q, k, v, causal)

    def cross(self, query: Tensor, x: Tensor) -> Tensor:
        width = x.shape[-1]
        weight, bias = self.in_proj_weight, self.in_proj_bias
        q = F.linear(query, weight[:width], bias[:width])
        k, v = F.linear(x, weight[width:], bias[width:]).chunk(2, dim=-1)
        return self.merge(self.split(q), self.split(k), self.split(v), causal=False)


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.c_proj = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x)))


class LayerScale(nn.Module):
    def __init__(self, width: int, init: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """A pre-norm residual block."""

    def __init__(self, width: int, heads: int, hidden: int, scale: float | None = None) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=LN_EPS)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width, eps=LN_EPS)
        self.mlp = Mlp(width, hidden)
        self.ls_1 = nn.Identity() if scale is None else LayerScale(width, scale)
        self.ls_2 = nn.Identity() if scale is None else LayerScale(width, scale)

    def forward(self, x: Tensor, table=None, causal: bool = False) -> Tensor:
        x = x + self.ls_1(self.attn(self.ln_1(x), table, causal))
        return x + self.ls_2(self.mlp(self.ln_2(x)))


class Transformer(nn.Module):
    def __init__(self, width, layers, heads, mlp_ratio, scale=None) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.resblocks = nn.ModuleList(Block(width, heads, hidden, scale) for _ in range(layers))

    def forward(self, x: Tensor, table=None, causal: bool = False) -> Tensor:
        for block in self.resblocks:
            x = block(x, table, causal)
        return x


class AttentionPool(nn.Module):
    """One learned query over all tokens, then one MLP with a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.probe = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.attn = Attention(width, heads)
        self.layernorm = nn.LayerNorm(width, eps=LN_EPS)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.attn.cross(self.probe.expand(len(x), -1, -1), x)
        return (y + self.mlp(self.layernorm(y)))[:, 0]


class Vision(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch_size
        self.grid = config.image_size // patch
        tokens = self.grid**2 + config.use_cls_token
        self.conv1 = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        if config.use_cls_token:
            self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.ln_pre = nn.LayerNorm(width, eps=LN_EPS)
        self.transformer = Transformer(
            width, config.layers, config.heads, config.mlp_ratio, config.ls_init_value
        )
        if config.use_ln_post:
            self.ln_post = nn.LayerNorm(width, eps=LN_EPS)
        if config.pool_type == "attn":
            self.attn_pool = AttentionPool(width, config.attn_pooler_heads)
            self.proj = nn.Parameter(torch.randn(width, config.output_dim) * width**-0.5)
        self.tables: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def positions(self, rows: int, cols: int) -> Tensor:
        if (rows, cols) == (self.grid, self.grid):
            return self.positional_embedding
        first = int(self.config.use_cls_token)
        grid = self.positional_embedding[first:].T.reshape(1, -1, self.grid, self.grid)
        grid = F.interpolate(grid, (rows, cols), mode="bilinear", align_corners=False)
        return torch.cat([self.positional_embedding[:first], grid.flatten(2)[0].T])

    def rope(self, rows: int, cols: int, device) -> tuple[Tensor, Tensor]:
        if (rows, cols) not in self.tables:
            head_dim = self.config.width // self.config.heads
            table = rope_table(head_dim, rows, cols, self.config.use_cls_token)
            self.tables[rows, cols] = tuple(part.to(device) for part in table)
        return self.tables[rows, cols]

    def forward(self, image: Tensor) -> Tensor:
        """Pixels [n, 3, h, w] in [-1, 1] to features [n, output_dim], not unit."""
        patch = self.config.patch_size
        rows, cols = image.shape[2] // patch, image.shape[3] // patch
        # A matrix product, not a convolution: much faster on a CPU in bf16.
        image = image[:, :, : rows * patch, : cols * patch]
        image = image.unflatten(2, (rows, patch)).unflatten(4, (cols, patch))
        x = image.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        x = F.linear(x, self.conv1.weight.flatten(1))
        if self.config.use_cls_token:
            x = torch.cat([self.class_embedding.to(x.dtype).expand(len(x), 1, -1), x], dim=1)
        x = self.ln_pre(x + self.positions(rows, cols))
        x = self.transformer(x, self.rope(rows, cols, x.device))
        if self.config.use_ln_post:
            x = self.ln_post(x)
        if self.config.pool_type != "attn":
            return x
        return self.attn_pool(x) @ self.proj


class Clip(nn.Module):
    """Both towers. `visual.` prefixes the vision tower; text names have none."""

    def __init__(self, vision: VisionConfig, text: TextConfig) -> None:
        super().__init__()
        self.text_config = text
        self.visual = Vision(vision)
        self.token_embedding = nn.Embedding(text.vocab_size, text.width)
        self.positional_embedding = nn.Parameter(
            torch.randn(text.context_length, text.width) * 0.01
        )
        self.transformer = Transformer(text.width, text.layers, text.heads, text.mlp_ratio)
        self.ln_final = nn.LayerNorm(text.width, eps=LN_EPS)
        self.text_projection = nn.Parameter(
            torch.randn(text.width, text.output_dim) * text.width**-0.5
        )
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def encode_image(self, image: Tensor) -> Tensor:
        return self.visual(image)

    def encode_text(self, ids: Tensor) -> Tensor:
        """Token ids [n, context] to features [n, output_dim], not unit."""
        end = ids.argmax(dim=1)
        # Attention is causal and only the end token is read: later ones are dead.
        ids = ids[:, : int(end.max()) + 1]
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        x = self.transformer(x, causal=True)
        x = self.ln_final(x[torch.arange(len(x)), end])
        return x @ self.text_projection

    def forward(self, image: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        image = F.normalize(self.encode_image(image).float(), dim=-1)
        text = F.normalize(self.encode_text(ids).float(), dim=-1)
        return image, text, self.logit_scale.exp()


DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "U8": np.uint8}


def read_safetensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors and metadata of a safetensors file (the types used here only)."""
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = np.frombuffer(data[8 + size + begin : 8 + size + end], DTYPES[entry["dtype"]])
        tensors[name] = raw.reshape(entry["shape"])
    return tensors, meta


def write_safetensors(
    path: str | Path, tensors: dict[str, np.ndarray], meta: dict[str, str]
) -> None:
    names = {np.dtype(kind): name for name, kind in DTYPES.items()}
    header: dict = {"__metadata__": meta}
    offset = 0
    for name, tensor in sorted(tensors.items()):
        end = offset + tensor.nbytes
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, tensor in sorted(tensors.items()):
            file.write(np.ascontiguousarray(tensor).tobytes())


def save_clip(path: str | Path, clip: Clip, dtype: type, extra: dict[str, str]) -> None:
    """Both towers under Meta's names, with the configuration in the metadata."""
    tensors = {k: v.detach().cpu().numpy().astype(dtype) for k, v in clip.state_dict().items()}
    config = json.dumps(dataclasses.asdict(clip.visual.config))
    text = json.dumps(dataclasses.asdict(clip.text_config))
    write_safetensors(path, tensors, {"config": config, "text": text, **extra})


def load_clip(path: str | Path) -> Clip:
    """A demo checkpoint, weights widened to fp32."""
    tensors, meta = read_safetensors(path)
    clip = Clip(config_from(VisionConfig, meta["config"]), config_from(TextConfig, meta["text"]))
    clip.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in tensors.items()})
    return clip.eval()
