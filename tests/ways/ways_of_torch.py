# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people give to torch.save()."""

import argparse
import array
import collections
import datetime
import decimal
import functools
import pathlib
import re

import torch_files as tf
from torch_files import Tensor, call, stand_in
from ways import pt

SAVE = "save .*state_dict"

# ---- State dictionaries -----------------------------------------------------

pt("a dictionary")(lambda m: m.state())
pt("an OrderedDict")(lambda m: collections.OrderedDict(m.state()))
for n in 3, 4, 5:
    pt(f"pickle protocol {n}", protocol=n)(lambda m: m.state())


@pt("an OrderedDict with _metadata")
def _(m):
    state = collections.OrderedDict(m.state())
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return state


@pt("parameters")
def _(m):
    return {name: tf.Call(tf.PARAMETER, t, True, collections.OrderedDict())
            for name, t in m.state().items()}


@pt("parameters with attributes")
def _(m):
    return {name: tf.Call(tf.PARAMETER_WITH_STATE, t, True,
                          collections.OrderedDict(), {"shared": True})
            for name, t in m.state().items()}


def subclass(tensor, name):
    function, args = tensor.__reduce__()
    return tf.Call(tf.FROM_TYPE, function, stand_in(name), args, {"tag": 1})


pt("tensors with attributes")(lambda m: {
    name: subclass(t, "torch.Tensor") for name, t in m.state().items()})
pt("tensors of a subclass")(lambda m: {
    name: subclass(t, "fastai.torch_core.TensorBase")
    for name, t in m.state().items()})
pt("untyped storages")(lambda m: m.state(v3=True))
pt("float64")(lambda m: m.cast("F64", "d"))
pt("float16", rounds=True)(lambda m: m.cast("F16", "e"))
pt("bfloat16", rounds=True)(lambda m: m.cast("BF16", ""))


@pt("views of one storage")
def _(m):
    state = m.state()
    storage = tf.Storage(b"".join(t.storage.data for t in state.values()))
    offset = 0
    for t in state.values():
        n = len(t.storage.data) // 4
        t.storage, t.offset = storage, offset
        offset += n
    return state


@pt("transposed storages")
def _(m):
    state = m.state()
    for t in state.values():
        if len(t.shape) != 2:
            continue
        rows, columns = t.shape
        values = array.array("f", t.storage.data)
        turned = array.array("f", (values[r * columns + c]
                                   for c in range(columns)
                                   for r in range(rows)))
        t.storage, t.strides = tf.Storage(turned.tobytes()), [1, rows]
    return state


# ---- Wrappers and prefixes --------------------------------------------------

for key in ("state_dict", "model_state_dict", "state_dict_ema", "ema", "net",
            "teacher", "params", "model", "module", "weights", "model_ema",
            "my_encoder"):
    pt(f"below {key}")(lambda m, key=key: {
        "epoch": 7, key: m.state(), "loss": 0.5})
pt("below state_dict and model")(lambda m: {
    "state_dict": {"model": m.state()}})
pt("in a list")(lambda m: [7, m.state(), None])
pt("in a tuple with an optimizer")(lambda m: (m.state(), optimizer(m)))

for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "model.", "clip.",
               "model.clip.", "module.model.", "model._orig_mod."):
    pt(f"prefix {prefix}")(lambda m, prefix=prefix: m.state(prefix))


@pt("visual._orig_mod.")
def _(m):
    return {re.sub("^visual[.]", "visual._orig_mod.", name): t
            for name, t in m.state().items()}


@pt("a checkpoint of Lightning")
def _(m):
    return {
        "epoch": 3, "global_step": 1200, "pytorch-lightning_version": "2.4.0",
        "state_dict": m.state("model."), "loops": {"fit_loop": {"state": {}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {
            "best_model_score": Tensor("F32", (), b"\0\0\0\0"),
            "best_model_path": "/x/best.ckpt", "kth_value": None}},
        "optimizer_states": [optimizer(m)], "lr_schedulers": [],
        "hparams_name": "kwargs", "hyper_parameters": hparams()}


# ---- Beside the weights -----------------------------------------------------


def optimizer(m):
    state = {i: {"step": Tensor("F32", (), b"\0\0\x80?"), "exp_avg": t}
             for i, t in enumerate(m.state().values())}
    return {"state": state, "param_groups": [
        {"lr": 1e-4, "betas": (0.9, 0.999), "params": list(state)}]}


def hparams():
    kind = stand_in("lightning.fabric.utilities.data.AttributeDict", base=dict)
    return kind(lr=1e-4, path=pathlib.PurePosixPath("/data"))


def in_circles():
    a, b = {}, []
    a["b"], a["self"] = b, a
    b.append((a, b))
    return a




def slots():
    kind = stand_in("my.config.Slots", __slots__=("lr", "steps"))
    obj = kind()
    obj.lr, obj.steps = 0.1, 10
    return obj




def named(member, name):
    """A member of a class of somebody else."""
    kind = stand_in(name)
    return tf.Call(kind, member)


BESIDE = {
    "an argparse Namespace": lambda m: argparse.Namespace(
        lr=1e-4, data=pathlib.PurePosixPath("/data"), rest=[1, None, "x"]),
    "a Counter": lambda m: collections.Counter(["a", "b", "a"]),
    "a defaultdict": lambda m: collections.defaultdict(list, {"x": [1]}),
    "a deque": lambda m: collections.deque([1, 2, 3], maxlen=5),
    "a NumPy scalar": lambda m: tf.numpy_scalar(0.25),
    "a NumPy array": lambda m: tf.numpy_array((2,), b"\0" * 8),
    "a path": lambda m: pathlib.PurePosixPath("/data/images"),
    "dates": lambda m: [datetime.datetime(2026, 1, 2),
                        datetime.timedelta(hours=3)],
    "a device": lambda m: call("torch.device", "cuda", 0),
    "a torch.Size": lambda m: call("torch.Size", (3, 224, 224)),
    "sets": lambda m: [{1, 2}, frozenset("ab")],
    "a dtype": lambda m: tf.TORCH_TYPES["BF16"],
    "numbers": lambda m: [1 + 2j, 1 << 100, -1 << 900, float("nan"), True,
                          decimal.Decimal("0.1")],
    "bytes": lambda m: [b"abc", bytearray(b"abc"), b"x" * 300],
    "a text that is not UTF-8": lambda m: "/data/\udcff.jpg",
    "an enum": lambda m: named(1, "my.train.Phase"),
    "an object with slots": lambda m: slots(),
    "functions": lambda m: [functools.partial(stand_in("my.train.lr"), 1),
                            stand_in("my.train.schedule")],
    "what holds itself": lambda m: in_circles(),
    "an optimizer and states of random numbers": lambda m: {
        "optimizer": optimizer(m), "scaler": {"scale": 65536.0},
        "rng": Tensor("U8", (16,), b"\0" * 16)},
    "a configuration of OmegaConf": lambda m: call(
        "omegaconf.dictconfig.DictConfig", state={
            "_content": {"lr": call("omegaconf.nodes.AnyNode")},
            "_parent": None}),
}
for n in 2, 4:
    for what, make in BESIDE.items():
        if n == 2 or what in ("sets", "bytes", "a defaultdict", "numbers"):
            pt(f"beside {what}, protocol {n}", protocol=n)(
                lambda m, make=make: {"args": make(m), "model": m.state()})


def sparse(t):
    return call("torch._utils._rebuild_sparse_tensor",
                stand_in("torch.sparse_coo"), (t, t, t.shape))


def quantised(t):
    return call("torch._utils._rebuild_qtensor", tf.View(t), 0, t.shape,
                tuple(t.strides), (stand_in("torch.per_tensor_affine"), 1., 0),
                False, collections.OrderedDict())


def on_meta(t):
    return call("torch._utils._rebuild_meta_tensor_no_storage",
                tf.TORCH_TYPES["F32"], t.shape, tuple(t.strides), False)


def distributed(t):
    return call("torch.distributed.tensor.DTensor",
                state={"_local_tensor": t, "_spec": None})


def typed(dtype):
    return lambda t: Tensor(
        dtype, t.shape, b"\0" * (len(t.storage.data) // 4 * tf.SIZES[dtype]))


UNREADABLE = {
    "sparse": (sparse, "is sparse"),
    "quantised": (quantised, "is quantised"),
    "on the device meta": (on_meta, "device meta"),
    "a DTensor": (distributed, "DTensor"),
    "float8": (typed("F8"), "float8_e4m3fn"),
    "of bools": (typed("BOOL"), "BoolStorage"),
    "complex": (typed("C64"), "ComplexFloatStorage"),
    "a NumPy array": (lambda t: tf.numpy_array(t.shape, t.storage.data),
                      "is a NumPy array"),
}
for what, (make, error) in UNREADABLE.items():
    pt(f"beside a tensor that is {what}")(
        lambda m, make=make: {"mask": make(Tensor("F32", (2,), b"\0" * 8)),
                              **m.state()})
    pt(f"with a weight that is {what}",
       error=f"'visual.proj' .*{error}.* save the model")(
        lambda m, make=make: {**m.state(),
                              "visual.proj": make(m.state()["visual.proj"])})
pt("with int8 weights", error="save the model")(lambda m: {
    name: typed("I8")(t) for name, t in m.state().items()})
pt("with integers for weights", error="i64 numbers, expected floats")(
    lambda m: {**m.state(), "visual.proj": typed("I64")(
        m.state()["visual.proj"])})

# ---- Modules and other objects ----------------------------------------------

for n in 2, 4:
    pt(f"a whole module, protocol {n}", protocol=n)(
        lambda m: tf.module_of(m.state()))
pt("a module of DataParallel")(lambda m: tf.module(
    "torch.nn.parallel.data_parallel.DataParallel", (),
    {"module": tf.module_of(m.state())}))
pt("a compiled module")(lambda m: tf.module(
    "torch._dynamo.eval_frame.OptimizedModule", (),
    {"_orig_mod": tf.module_of(m.state())}))
pt("a module below model")(lambda m: {
    "epoch": 3, "model": tf.module_of(m.state()), "optimizer": optimizer(m)})
pt("a module without what was taken out")(lambda m: tf.module(
    "my.Wrapper", (), {"model": tf.module_of(m.state()), "head": None}))
pt("a LightningModule")(lambda m: tf.module(
    "my.Trained", (), {"clip": tf.module_of(m.state())}))
pt("an object with a dictionary")(lambda m: call(
    "my.TrainState", state={"step": 5, "params": m.state()}))
pt("a class of dictionaries")(lambda m: stand_in(
    "easydict.EasyDict", base=dict)(m.state()))
pt("a defaultdict")(lambda m: collections.defaultdict(
    stand_in("torch.Tensor"), m.state()))
pt("a module without tensors", error="has 0 tensors")(
    lambda m: tf.module_of({}))
pt("a class alone", error=SAVE)(lambda m: stand_in("my.CLIP"))
pt("an object alone", error="my CLIP.*" + SAVE)(lambda m: call("my.CLIP"))
pt("an optimizer alone", error=SAVE)(optimizer)
pt("a generator and its teacher", error="several models.*" + SAVE)(
    lambda m: {"a": m.state(), "b": m.state()})
pt("a list of tensors", error=SAVE)(lambda m: list(m.state().values()))
pt("a number", error=SAVE)(lambda m: 5)
pt("TorchScript", error="TorchScript.*state_dict",
   extra=[("constants.pkl", b"\x80\x02).")])(lambda m: m.state())
