"""Keras loads a model with its safety switched off.

What it means:
    ``safe_mode=False`` or ``enable_unsafe_deserialization()`` lets Lambda layers in a ``.keras`` file run their
    bytecode.

Why it matters:
    The bytecode is written by whoever made the file and runs with the rights of whoever loads it.

How it is found:
    Calls of ``load_model`` of Keras and tf.keras with ``safe_mode`` constantly false, and of
    ``enable_unsafe_deserialization``.

What to do:
    Keep ``safe_mode``; write Lambda layers as classes registered with ``keras.saving.register_keras_serializable``.

Bad:
        import keras
        model = keras.models.load_model("m.keras", safe_mode=False)

Good:
        import keras
        model = keras.models.load_model("m.keras")

Limits:
    HDF5 files run Lambda layers in versions before 3.11 whatever ``safe_mode`` says; scan them.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-046",
        name="keras-unsafe-load",
        threat="supply_chain",
        title="Keras is told to run code in a model",
        severity=Severity.HIGH,
        remedy="Leave safe_mode on; replace Lambda layers by registered classes.",
        references=(
            "cwe:502",
            "atlas:AML.T0018.002",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

LOADERS = tuple(
    f"{package}.{module}"
    for package in ("keras", "tensorflow.keras", "tf_keras")
    for module in (
        "models.load_model",
        "saving.load_model",
        "models.model_from_json",
        "saving.deserialize_keras_object",
        "layers.deserialize",
    )
)
SWITCHES = tuple(
    f"{package}.{module}.enable_unsafe_deserialization"
    for package in ("keras", "tensorflow.keras", "tf_keras")
    for module in ("config", "saving", "src.saving.serialization_lib")
)


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that switch the safety off."""
    for call in module.called(*LOADERS):
        if call.value("safe_mode") is False:
            yield Match(line=call.line, says="Keras loads a model with safe_mode=False, so its Lambda layers run")
    for call in module.called(*SWITCHES):
        yield Match(line=call.line, says="Lambda layers of every Keras model may run from here on")
