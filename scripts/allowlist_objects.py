"""Objects of every kind that people save, pickled: the evidence behind the allow-lists."""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import decimal
import fractions
import functools
import logging
import operator
import pathlib
import pickle
import re
import types
import uuid
from collections.abc import Iterator

import numpy as np

PROTOCOLS = (0, 2, 4, 5)
"""Protocol 0 is left out for torch, some of whose C++ classes abort the process at it."""

LARGEST_DUMP_BYTES = 1 << 22
"""A larger dump names nothing that a smaller one does not."""


def dumps() -> Iterator[tuple[str, bytes]]:
    """Yield (label, pickle) for every object and protocol that can be pickled."""
    makers = (plain, arrays, frames, sparse, estimators, boosters, networks, optimizers, datasets, transformers_)
    for maker in makers:
        for label, thing in maker():
            for protocol in PROTOCOLS[maker in (networks, optimizers, datasets, transformers_) :]:
                with contextlib.suppress(Exception):
                    data = pickle.dumps(thing, protocol)
                    if len(data) < LARGEST_DUMP_BYTES:
                        yield f"{label} p{protocol}", data


def plain() -> Iterator[tuple[str, object]]:
    """Standard-library values."""
    yield "stdlib", [
        collections.OrderedDict(a=1), collections.Counter("ab"), collections.deque([1]), collections.defaultdict(list),
        datetime.datetime.now(datetime.UTC), datetime.timedelta(1), decimal.Decimal("1.5"),
        fractions.Fraction(1, 3), uuid.UUID(int=1), pathlib.Path("a"), pathlib.PurePosixPath("a"),
        re.compile("a"), argparse.Namespace(a=1), types.SimpleNamespace(a=1), {1}, frozenset({1}), b"x",
        bytearray(b"x"),
        1 + 2j, slice(1), range(3), operator.itemgetter(1), operator.attrgetter("a"), functools.partial(np.clip, 0, 1),
        logging.getLogger("a"),
    ]  # fmt: skip


def arrays() -> Iterator[tuple[str, object]]:
    """NumPy arrays of every dtype, scalars, generators, masked arrays and records."""
    for code in "?bhilqBHILQefdgFDGSUVMmO":
        dtype = np.dtype({"S": "S3", "U": "U3", "V": "V3", "M": "M8[s]", "m": "m8[s]"}.get(code, code))
        yield f"array {code}", [np.zeros(3, dtype), np.zeros((2, 2), dtype, order="F"), np.zeros(1, dtype)[0], dtype]
    yield "rec", np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield "masked", np.ma.masked_array([1, 2], [0, 1])
    yield "matrix", np.asmatrix([[1]])
    yield "poly", [np.poly1d([1, 2]), np.polynomial.Polynomial([1, 2]), np.polynomial.Chebyshev([1, 2])]
    for bits in (np.random.MT19937, np.random.PCG64, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM):
        yield bits.__name__, [np.random.Generator(bits(0)), bits(0)]
    yield "randomstate", [np.random.RandomState(0), np.random.SeedSequence(0)]
    yield "dtypes", [getattr(np.dtypes, name) for name in np.dtypes.__all__]


def frames() -> Iterator[tuple[str, object]]:
    """Pandas objects."""
    import pandas as pd

    days = pd.date_range("2020-01-01", periods=3)
    yield "frame", pd.DataFrame({"a": [1, 2, 3], "b": list("xyz"), "c": days, "d": pd.Categorical(list("xyx"))})
    yield (
        "index",
        [pd.Index([1, 2]), pd.RangeIndex(3), pd.MultiIndex.from_tuples([(1, 2)]), days, days.tz_localize("UTC")],
    )
    yield (
        "index2",
        [pd.period_range("2020", periods=2, freq="M"), pd.timedelta_range("1D", periods=2), pd.CategoricalIndex(["a"])],
    )
    yield "intervals", [pd.IntervalIndex.from_breaks([0, 1, 2]), pd.Interval(0, 1), pd.cut([1, 2, 3], 2)]
    yield (
        "scalars",
        [
            pd.Timestamp("2020"),
            pd.Timedelta(1),
            pd.NaT,
            pd.NA,
            pd.Period("2020"),
            pd.offsets.Day(1),
            pd.offsets.MonthEnd(),
        ],
    )
    for dtype in ("Int64", "Float64", "boolean", "string", "category", "Int8", "UInt8", "Float32"):
        yield dtype, pd.Series([1, 0, 1], dtype=dtype) if dtype != "string" else pd.Series(["a"], dtype=dtype)
    yield (
        "series",
        [pd.Series([1.0]), pd.Series(pd.arrays.SparseArray([0, 1])), pd.Series(days.tz_localize("Europe/Paris"))],
    )


def sparse() -> Iterator[tuple[str, object]]:
    """SciPy sparse matrices, interpolators, trees."""
    import scipy.sparse as sp
    from scipy import interpolate, spatial, stats

    for name in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia"):
        yield name, [getattr(sp, f"{name}_matrix")(np.eye(2)), getattr(sp, f"{name}_array")(np.eye(2))]
    x = np.arange(6.0)
    yield "interp", [interpolate.interp1d(x, x), interpolate.CubicSpline(x, x), interpolate.PchipInterpolator(x, x)]
    yield (
        "spline",
        [interpolate.UnivariateSpline(x, x), interpolate.BSpline(x, x[:3], 2), interpolate.make_interp_spline(x, x)],
    )
    yield (
        "interp2",
        [
            interpolate.RegularGridInterpolator((x,), x),
            interpolate.LinearNDInterpolator(np.random.default_rng(0).random((6, 2)), x),
        ],
    )
    yield "trees", [spatial.cKDTree(np.eye(3)), spatial.KDTree(np.eye(3))]
    yield "kde", stats.gaussian_kde(np.arange(5.0))


def estimators() -> Iterator[tuple[str, object]]:
    """Every scikit-learn estimator, plain and fitted."""
    from sklearn.utils import all_estimators

    rng = np.random.default_rng(0)
    x, y = np.abs(rng.normal(size=(40, 4))), rng.integers(0, 2, 40)
    for name, cls in all_estimators():
        for make in (cls, lambda cls=cls: wrap(cls)):
            with contextlib.suppress(Exception):
                estimator = make()
                yield name, estimator
                with contextlib.suppress(Exception):
                    yield f"{name} fitted", estimator.fit(x, y)
                    break
    yield from sklearn_parts(x, y)


def wrap(cls: type) -> object:
    """An estimator that wraps another."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    inner = LogisticRegression()
    for arguments in (
        {"estimator": inner}, {"estimators": [("a", inner), ("b", DecisionTreeClassifier())]}, {"transformers": []},
        {"estimator": inner, "param_grid": {"C": [1]}}, {"estimator": inner, "param_distributions": {"C": [1]}},
        {"steps": [("a", inner)]}, {"transformer_list": []},
    ):  # fmt: skip
        with contextlib.suppress(TypeError):
            return cls(**arguments)
    raise TypeError(cls)


def sklearn_parts(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[str, object]]:
    """Scorers, splitters, kernels, metrics and losses."""
    from sklearn import metrics, model_selection
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.gaussian_process import kernels
    from sklearn.linear_model import SGDClassifier
    from sklearn.neighbors import BallTree, KDTree, KNeighborsClassifier

    yield "scorers", [metrics.get_scorer(name) for name in metrics.get_scorer_names()]
    for name in model_selection.__all__:
        with contextlib.suppress(Exception):
            yield name, getattr(model_selection, name)()
    for name in dir(kernels):
        with contextlib.suppress(Exception):
            yield name, getattr(kernels, name)()
    yield "kernel", kernels.ConstantKernel() * kernels.RBF() + kernels.WhiteKernel() ** 2
    for metric in (
        "euclidean",
        "manhattan",
        "chebyshev",
        "minkowski",
        "hamming",
        "canberra",
        "braycurtis",
        "jaccard",
        "haversine",
    ):
        with contextlib.suppress(Exception):
            yield metric, [metrics.DistanceMetric.get_metric(metric), KNeighborsClassifier(metric=metric).fit(x, y)]
            yield metric, [BallTree(x, metric=metric), KDTree(x, metric=metric)]
            yield metric, metrics.DistanceMetric.get_metric(metric, dtype=np.float32)
    for loss in (
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
        "epsilon_insensitive",
    ):
        yield loss, SGDClassifier(loss=loss).fit(x, y)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        yield loss, GradientBoostingRegressor(loss=loss).fit(x, y)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        with contextlib.suppress(Exception):
            yield loss, HistGradientBoostingRegressor(loss=loss, quantile=0.5, max_iter=3).fit(x, y + 1.0)
    y3 = np.arange(len(y)) % 3
    yield "3 classes", [GradientBoostingClassifier().fit(x, y3), HistGradientBoostingClassifier(max_iter=3).fit(x, y3)]
    yield "exponential", GradientBoostingClassifier(loss="exponential").fit(x, y)


def boosters() -> Iterator[tuple[str, object]]:
    """XGBoost and LightGBM models."""
    import lightgbm
    import xgboost

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 4)), rng.integers(0, 2, 40)
    for cls in (xgboost.XGBClassifier, xgboost.XGBRegressor, xgboost.XGBRFClassifier, xgboost.XGBRFRegressor):
        yield cls.__name__, [cls(), cls(n_estimators=2).fit(x, y)]
    yield "callback", xgboost.XGBClassifier(callbacks=[xgboost.callback.EarlyStopping(3)])
    yield "booster", xgboost.train({}, xgboost.DMatrix(x, y), 2)
    for cls in (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor):
        yield cls.__name__, [cls(), cls(n_estimators=2, verbose=-1).fit(x, y)]
    yield "lgb", lightgbm.train({"verbose": -1}, lightgbm.Dataset(x, y), 2)


def networks() -> Iterator[tuple[str, object]]:
    """Tensors of every kind, and every module of torch.nn that can be made without or with one size."""
    import torch
    from torch import nn

    yield "tensors", [torch.zeros(2), torch.zeros(2, dtype=torch.bool), nn.Parameter(torch.zeros(2)), torch.Size([1])]
    yield (
        "kinds",
        [torch.eye(2).to_sparse(), torch.eye(2).to_sparse_csr(), torch.zeros(2, device="meta"), torch.device("cpu")],
    )
    yield "quantized", torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8)
    yield (
        "channels",
        torch.quantize_per_channel(torch.zeros(2, 2), torch.ones(2), torch.zeros(2, dtype=torch.long), 0, torch.qint8),
    )
    yield "subclass", torch.zeros(2).as_subclass(nn.Parameter)
    yield "nested", torch.nested.nested_tensor([torch.zeros(2)])
    yield "generator", torch.Generator()
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.int8, torch.complex64, torch.float8_e4m3fn):
        yield str(dtype), [dtype, torch.zeros(2, dtype=dtype)]
    for name in dir(nn):
        cls = getattr(nn, name)
        if isinstance(cls, type):
            for sizes in ((), (2,), (2, 2), (2, 2, 2), (4, 2), ([2],), (nn.Linear(2, 2), 2), ([2, 2], [2])):
                with contextlib.suppress(Exception):
                    yield name, cls(*sizes)
    yield "activations", [nn.TransformerEncoderLayer(4, 2, activation=act) for act in ("relu", "gelu")]
    yield "norms", [nn.utils.spectral_norm(nn.Linear(2, 2)), nn.utils.weight_norm(nn.Linear(2, 2))]
    yield "parallel", nn.DataParallel(nn.Linear(2, 2))
    for name in dir(torch.distributions):
        cls = getattr(torch.distributions, name)
        if isinstance(cls, type):
            for sizes in ((0.5,), (1.0, 1.0), (torch.ones(2),), (torch.zeros(2), torch.eye(2))):
                with contextlib.suppress(Exception):
                    yield name, cls(*sizes)


def optimizers() -> Iterator[tuple[str, object]]:
    """Optimisers with a state, schedulers, and dynamic quantisation."""
    import torch

    for name in dir(torch.optim):
        cls = getattr(torch.optim, name)
        if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer):
            with contextlib.suppress(Exception):
                layer = torch.nn.Linear(2, 2)
                optimizer = cls(layer.parameters(), lr=0.1)
                layer(torch.ones(1, 2)).sum().backward()
                optimizer.step()
                yield name, [optimizer, optimizer.state_dict()]
    sgd = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.1)
    for name in dir(torch.optim.lr_scheduler):
        cls = getattr(torch.optim.lr_scheduler, name)
        for arguments in ((), (2,), ([2],), (2, 2)):
            with contextlib.suppress(Exception):
                yield name, cls(sgd, *arguments)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.LSTM(2, 2))
    yield "dynamic", torch.ao.quantization.quantize_dynamic(model, dtype=torch.qint8)
    yield "qconfig", torch.ao.quantization.get_default_qconfig("x86")
    yield "scaler", torch.amp.GradScaler("cpu")


def datasets() -> Iterator[tuple[str, object]]:
    """Data sets and loaders."""
    import torch
    from torch.utils import data

    tensors = data.TensorDataset(torch.zeros(2, 2), torch.zeros(2))
    yield "datasets", [tensors, data.Subset(tensors, [0]), data.ConcatDataset([tensors]), data.DataLoader(tensors)]


def transformers_() -> Iterator[tuple[str, object]]:
    """What the Hugging Face trainer saves beside the weights, and configurations."""
    import transformers

    with contextlib.suppress(Exception):
        yield "training args", transformers.TrainingArguments("x", use_cpu=True)
        yield "trainer state", transformers.TrainerState()
        yield "seq2seq", transformers.Seq2SeqTrainingArguments("x", use_cpu=True)
    for name in ("BertConfig", "GPT2Config", "LlamaConfig", "T5Config", "ViTConfig", "GenerationConfig"):
        with contextlib.suppress(Exception):
            yield name, getattr(transformers, name)()
    with contextlib.suppress(Exception):
        small = {
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 8,
            "vocab_size": 9,
        }
        yield "bert", transformers.BertForSequenceClassification(transformers.BertConfig(**small))
