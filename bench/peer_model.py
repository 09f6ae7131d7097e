# SPDX-License-Identifier: LGPL-2.1-or-later
"""The image tower of MODEL.md with random weights, for cpu_peers.py: as a file that
our programs and timm open, and as an ONNX graph that other runtimes run."""

import json

import numpy as np

# image side, patch, width, layers, embedding; every head has 64 channels
SHAPES = {"T16": (384, 16, 192, 12, 512), "S16": (384, 16, 384, 12, 512),
          "B16": (224, 16, 768, 12, 1024), "L14": (336, 14, 1024, 24, 1024)}
HEAD = 64
POOL_HEADS = 8


def random_weights(name, seed=1):
    """timm's names to f32 arrays: norms about 1, all else about 0."""
    side, patch, d, layers, out = SHAPES[name]
    tokens = (side // patch) ** 2 + 1
    shapes = {"patch_embed.proj.weight": (d, 3, patch, patch),
              "cls_token": (1, 1, d), "pos_embed": (1, tokens, d)}
    for norm in ("norm_pre", "norm", "attn_pool.norm"):
        shapes |= {f"{norm}.weight": (d,), f"{norm}.bias": (d,)}
    linears = {"attn_pool.q": (d, d), "attn_pool.kv": (2 * d, d),
               "attn_pool.proj": (d, d), "attn_pool.mlp.fc1": (4 * d, d),
               "attn_pool.mlp.fc2": (d, 4 * d)}
    for i in range(layers):
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{norm}.weight": (d,),
                       f"blocks.{i}.{norm}.bias": (d,)}
        linears |= {f"blocks.{i}.attn.qkv": (3 * d, d),
                    f"blocks.{i}.attn.proj": (d, d),
                    f"blocks.{i}.mlp.fc1": (4 * d, d),
                    f"blocks.{i}.mlp.fc2": (d, 4 * d)}
    for linear, shape in linears.items():
        shapes |= {f"{linear}.weight": shape, f"{linear}.bias": shape[:1]}
    shapes |= {"attn_pool.latent": (1, 1, d), "head.weight": (out, d)}
    random = np.random.default_rng(seed)
    weights = {}
    for key, shape in shapes.items():
        array = random.standard_normal(shape, np.float32) * np.float32(0.02)
        is_norm = "norm" in key and key.endswith("weight")
        weights[key] = array + np.float32(1) if is_norm else array
    return weights


def write_safetensors(path, weights):
    header, end = {}, 0
    for key, array in weights.items():
        header[key] = {"dtype": "F32", "shape": array.shape,
                       "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in weights.values():
            file.write(array.tobytes())


def angles(side, patch):
    """[tokens, HEAD / 2]: columns first, then rows; the class token has 0."""
    grid, n = side // patch, HEAD // 4
    f = 1 / 10000 ** (2 * np.arange(n) / (HEAD // 2))
    y, x = np.divmod(np.arange(grid * grid), grid)
    table = np.concatenate([np.outer(x + 1, f), np.outer(y + 1, f)], axis=1)
    return np.concatenate([np.zeros((1, HEAD // 2)), table])


class Graph:
    """ONNX nodes; every method returns the name of what it computes."""

    def __init__(self):
        from onnx import helper, numpy_helper
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes, self.constants, self.count = [], {}, 0

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = self.numpy_helper.from_array(
            np.ascontiguousarray(array), name)
        return name

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [f"n{self.count + i}" for i in range(outputs)]
        self.count += outputs
        self.nodes.append(
            self.helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x, weight, bias=None):
        y = self.node("MatMul", x, self.constant(weight.T))
        return y if bias is None else self.node("Add", y, self.constant(bias))

    def norm(self, x, weight, bias):
        return self.node("LayerNormalization", x, self.constant(weight),
                         self.constant(bias), axis=-1, epsilon=1e-5)


def halves_first(d):
    """A head's channels 2p before 2p + 1: a rotation then turns halves, which is
    what runtimes do best. q and k change places alike, so scores stay."""
    head = np.concatenate([np.arange(0, HEAD, 2), np.arange(1, HEAD, 2)])
    return (np.arange(0, d, HEAD)[:, None] + head).ravel()


def rotate(g, x, cos, sin):
    low, high = g.node("Split", x, outputs=2, axis=-1, num_outputs=2)
    turned = g.node("Concat", g.node("Neg", high), low, axis=-1)
    return g.node("Add", g.node("Mul", x, cos), g.node("Mul", turned, sin))


def attend(g, q, keys, values):
    scores = g.node("MatMul", q, keys)
    return g.node("MatMul", g.node("Softmax", scores, axis=-1), values)


def block(g, x, w, prefix, shape, cos, sin):
    batch, tokens, d = shape
    heads = d // HEAD
    p = {key[len(prefix):]: value for key, value in w.items()
         if key.startswith(prefix)}
    qkv, bias = p["attn.qkv.weight"].copy(), p["attn.qkv.bias"].copy()
    order = halves_first(d)
    for third in (slice(0, d), slice(d, 2 * d)):
        qkv[third], bias[third] = qkv[third][order], bias[third][order]
    qkv[:d] /= np.sqrt(HEAD)
    bias[:d] /= np.sqrt(HEAD)
    h = g.norm(x, p["norm1.weight"], p["norm1.bias"])
    parts = g.node("Split", g.linear(h, qkv, bias), outputs=3, axis=-1,
                   num_outputs=3)
    q, k, v = (g.node("Transpose", g.node("Reshape", part, g.ints(
        batch, tokens, heads, HEAD)), perm=[0, 2, 1, 3]) for part in parts)
    k = g.node("Transpose", rotate(g, k, cos, sin), perm=[0, 1, 3, 2])
    h = attend(g, rotate(g, q, cos, sin), k, v)
    h = g.node("Reshape", g.node("Transpose", h, perm=[0, 2, 1, 3]),
               g.ints(batch, tokens, d))
    x = g.node("Add", x, g.linear(h, p["attn.proj.weight"], p["attn.proj.bias"]))
    h = g.norm(x, p["norm2.weight"], p["norm2.bias"])
    h = g.node("Gelu", g.linear(h, p["mlp.fc1.weight"], p["mlp.fc1.bias"]))
    return g.node("Add", x, g.linear(h, p["mlp.fc2.weight"], p["mlp.fc2.bias"]))


def pool(g, x, w, batch, d):
    p = {key[10:]: value for key, value in w.items()
         if key.startswith("attn_pool.")}
    size = d // POOL_HEADS
    q = (p["latent"].reshape(1, d) @ p["q.weight"].T + p["q.bias"]) / np.sqrt(size)
    q = g.constant(q.reshape(1, POOL_HEADS, 1, size).astype(np.float32))
    k, v = (g.node("Reshape", part, g.ints(batch, -1, POOL_HEADS, size))
            for part in g.node("Split", g.linear(x, p["kv.weight"], p["kv.bias"]),
                               outputs=2, axis=-1, num_outputs=2))
    y = attend(g, q, g.node("Transpose", k, perm=[0, 2, 3, 1]),
               g.node("Transpose", v, perm=[0, 2, 1, 3]))
    y = g.linear(g.node("Reshape", y, g.ints(batch, d)), p["proj.weight"],
                 p["proj.bias"])
    h = g.norm(y, p["norm.weight"], p["norm.bias"])
    h = g.node("Gelu", g.linear(h, p["mlp.fc1.weight"], p["mlp.fc1.bias"]))
    return g.node("Add", y, g.linear(h, p["mlp.fc2.weight"], p["mlp.fc2.bias"]))


def write_onnx(path, name, weights, batch):
    """pixels [batch, 3, side, side] in [-1, 1] to y [batch, embedding]."""
    import onnx
    side, patch, d, layers, out = SHAPES[name]
    grid = side // patch
    tokens = grid * grid + 1
    g = Graph()
    x = g.node("Conv", "pixels", g.constant(weights["patch_embed.proj.weight"]),
               kernel_shape=[patch, patch], strides=[patch, patch])
    x = g.node("Transpose", g.node("Reshape", x, g.ints(batch, d, grid * grid)),
               perm=[0, 2, 1])
    cls = g.constant(np.repeat(weights["cls_token"], batch, axis=0))
    x = g.node("Add", g.node("Concat", cls, x, axis=1),
               g.constant(weights["pos_embed"]))
    x = g.norm(x, weights["norm_pre.weight"], weights["norm_pre.bias"])
    table = np.tile(angles(side, patch), 2).astype(np.float32)
    cos, sin = g.constant(np.cos(table)), g.constant(np.sin(table))
    for i in range(layers):
        x = block(g, x, weights, f"blocks.{i}.", (batch, tokens, d), cos, sin)
    x = g.norm(x, weights["norm.weight"], weights["norm.bias"])
    x = g.linear(pool(g, x, weights, batch, d), weights["head.weight"])
    g.nodes[-1].output[0] = "y"
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        g.nodes, name,
        [value("pixels", onnx.TensorProto.FLOAT, [batch, 3, side, side])],
        [value("y", onnx.TensorProto.FLOAT, [batch, out])],
        initializer=list(g.constants.values()))
    onnx.save(onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9),
        path)
