# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes files as torch.save() does, without torch.

The pickles are those of Python's own pickler. What it asks torch and NumPy for
are stand-ins of the same names, which the pickler finds in sys.modules.
"""

import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile


def stand_in(full_name, **members):
    """A class that pickles as `full_name`, "module.Name"."""
    module, _, name = full_name.rpartition(".")
    parts = module.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]),
                               types.ModuleType(".".join(parts[:i])))
    if hasattr(sys.modules[module], name):
        return getattr(sys.modules[module], name)
    cls = type(name, (members.pop("base", object),),
               {"__module__": module, "__qualname__": name, **members})
    setattr(sys.modules[module], name, cls)
    return cls


class Call:
    """An object that pickles as a call of `function`."""

    def __init__(self, function, *args, state=None):
        self.parts = (function, args, state)

    def __reduce__(self):
        return self.parts if self.parts[2] is not None else self.parts[:2]


def call(full_name, *args, state=None):
    return Call(stand_in(full_name), *args, state=state)


# ---- Tensors ----------------------------------------------------------------

STORAGES = {"F32": "Float", "F64": "Double", "F16": "Half", "BF16": "BFloat16",
            "I64": "Long", "U8": "Byte", "BOOL": "Bool", "I8": "Char",
            "C64": "ComplexFloat"}
SIZES = {"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "BOOL": 1,
         "I8": 1, "C64": 8, "F8": 1}


class Storage:
    def __init__(self, data):
        self.data = data


class Tensor:
    """Bytes with a type and a shape, as torch pickles it."""

    def __init__(self, dtype, shape, data, v3=False):
        self.dtype, self.shape, self.v3 = dtype, tuple(shape), v3
        self.storage, self.offset = Storage(data), 0
        self.strides, step = [], 1
        for size in reversed(self.shape):
            self.strides.insert(0, step)
            step *= size

    def is_v3(self):
        return self.v3 or self.dtype not in STORAGES

    def __reduce__(self):
        args = (View(self), self.offset, self.shape, tuple(self.strides),
                False, collections.OrderedDict())
        if self.is_v3():
            return REBUILD_V3, args + (TORCH_TYPES[self.dtype],)
        return REBUILD_V2, args


class View:
    """What the pickler gives a persistent id."""

    def __init__(self, tensor):
        self.tensor = tensor


REBUILD_V2 = stand_in("torch._utils._rebuild_tensor_v2")
REBUILD_V3 = stand_in("torch._utils._rebuild_tensor_v3")
PARAMETER = stand_in("torch._utils._rebuild_parameter")
PARAMETER_WITH_STATE = stand_in("torch._utils._rebuild_parameter_with_state")
FROM_TYPE = stand_in("torch._tensor._rebuild_from_type_v2")
TORCH_TYPES = {"F32": "float32", "F64": "float64", "F16": "float16",
               "BF16": "bfloat16", "F8": "float8_e4m3fn"}
TORCH_TYPES = {key: stand_in("torch." + name)
               for key, name in TORCH_TYPES.items()}
STORAGE_TYPES = {key: stand_in(f"torch.{name}Storage")
                 for key, name in STORAGES.items()}
UNTYPED = stand_in("torch.storage.UntypedStorage")


class Pickler(pickle.Pickler):
    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        self.keys = {}

    def persistent_id(self, obj):
        if not isinstance(obj, View):
            return None
        t = obj.tensor
        key, _ = self.keys.setdefault(id(t.storage),
                                      (str(len(self.keys)), t.storage))
        kind, size = STORAGE_TYPES.get(t.dtype, UNTYPED), SIZES[t.dtype]
        if t.is_v3():
            kind, size = UNTYPED, 1
        return ("storage", kind, key, "cpu", len(t.storage.data) // size)


def save(obj, path, protocol=2, extra=()):
    """As torch.save(obj, path, pickle_protocol=protocol)."""
    text = io.BytesIO()
    pickler = Pickler(text, protocol)
    pickler.dump(obj)
    entries = [("data.pkl", text.getvalue()), ("byteorder", b"little")]
    entries += [(f"data/{key}", storage.data)
                for key, storage in pickler.keys.values()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries + [("version", b"3\n"), *extra]:
            archive.writestr(f"{path.stem}/{name}", data)


# ---- Modules ----------------------------------------------------------------


def module(full_name, tensors=(), children=()):
    """An nn.Module of that class."""
    obj = stand_in(full_name)()
    obj.__dict__ = {
        "training": False, "_parameters": dict(tensors), "_buffers": {},
        "_non_persistent_buffers_set": set(), "_backward_hooks":
        collections.OrderedDict(), "_modules": dict(children)}
    return obj


def module_of(state):
    """Modules in modules whose state_dict() is `state`."""
    tree = {}
    for name, tensor in state.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = tensor

    def build(node, name):
        tensors = {k: v for k, v in node.items() if not isinstance(v, dict)}
        children = {k: build(v, "Block") for k, v in node.items()
                    if isinstance(v, dict)}
        return module("core.vision_encoder.pe." + name, tensors, children)

    return build(tree, "CLIP")


# ---- NumPy ------------------------------------------------------------------


def numpy_dtype(code):
    return call("numpy.dtype", code, False, True,
                state=(3, "<", None, None, None, -1, -1, 0))


def numpy_scalar(value):
    return call("numpy.core.multiarray.scalar", numpy_dtype("f8"),
                struct.pack("<d", value))


def numpy_array(shape, data):
    return call("numpy.core.multiarray._reconstruct",
                stand_in("numpy.ndarray"), (0,), b"b",
                state=(1, shape, numpy_dtype("f4"), False, data))


# ---- safetensors ------------------------------------------------------------


def write_safetensors(path, tensors):
    """tensors: name -> (dtype, shape, bytes)"""
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
