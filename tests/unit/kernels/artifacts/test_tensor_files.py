"""safetensors and GGUF: bounds that a file claims, and the template that a GGUF brings along."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save

from redan.kernels.artifacts import Reading, inspect_bytes


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "model.bin")


def kinds(data: bytes) -> set[str]:
    return {reason.kind for reason in read(data).reasons}


def safetensors(header: object, content: bytes = b"", claimed: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + content


def entry(start: int, stop: int, dtype: str = "F32", shape: tuple[int, ...] = (2,)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def test_safetensors_of_the_library_are_safe():
    tensors = {"a": np.zeros((2, 3), "f4"), "b": np.arange(3), "e": np.zeros((0, 2), "f2")}
    reading = read(save(tensors, metadata={"format": "pt"}))
    assert (reading.format, reading.verdict) == ("safetensors", "safe")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (safetensors({"a": entry(0, 8)}, bytes(8), claimed=2**63), "truncated"),
        (safetensors({"a": entry(0, 8)}, bytes(8), claimed=10**6), "truncated"),
        (safetensors({"a": entry(0, 8)}, bytes(4)), "out-of-bounds"),
        (safetensors({"a": entry(0, 2**60, shape=(2**58,))}, bytes(8)), "out-of-bounds"),
        (safetensors({"a": entry(0, 4)}, bytes(4)), "malformed-header"),
        (safetensors({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)), "malformed-header"),
        (safetensors({"a": entry(0, 8), "b": entry(12, 20)}, bytes(20)), "malformed-header"),
        (safetensors({"a": entry(8, 0)}, bytes(8)), "malformed-header"),
        (safetensors({"a": entry(0, 8, "X9")}, bytes(8)), "malformed-header"),
        (safetensors({"a": entry(0, 8)}, bytes(20)), "trailing-bytes"),
        (safetensors(b'{"a": 1, "a": 2}'), "ambiguous-header"),
        (safetensors(b"{no json at all}"), "malformed-header"),
        (safetensors(b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "malformed-header"),
    ],
)
def test_safetensors_with_false_bounds_are_unknown(data, kind):
    reading = read(data)
    assert (reading.format, reading.verdict) == ("safetensors", "unknown")
    assert kind in kinds(data)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf(
    *pairs: bytes, n_tensors: int = 0, tensors: bytes = b"", n_pairs: int | None = None, version: int = 3
) -> bytes:
    count = len(pairs) if n_pairs is None else n_pairs
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, count) + b"".join(pairs) + tensors


def pair(key: bytes, value: bytes) -> bytes:
    return string(key) + struct.pack("<I", 8) + string(value)


def template(text: str) -> bytes:
    return gguf(pair(b"general.architecture", b"llama"), pair(b"tokenizer.chat_template", text.encode()))


def tensor(name: bytes, offset: int, n_dimensions: int = 1) -> bytes:
    return (
        string(name) + struct.pack("<I", n_dimensions) + bytes(8 * min(n_dimensions, 8)) + struct.pack("<IQ", 0, offset)
    )


def test_gguf_with_numbers_arrays_and_tensors_is_safe():
    numbers = string(b"n") + struct.pack("<If", 6, 1.5)
    words = string(b"tokens") + struct.pack("<IIQ", 9, 8, 2) + string(b"a") + string(b"b")
    data = gguf(numbers, words, n_tensors=1, tensors=tensor(b"w", 0)) + bytes(64)
    assert (read(data).format, read(data).verdict) == ("gguf", "safe")


@pytest.mark.parametrize(
    "data",
    [
        gguf(n_tensors=2**60),
        gguf(n_pairs=2**60),
        gguf(struct.pack("<Q", 2**64 - 1) + b"x" * 30),
        gguf(string(b"k") + struct.pack("<IIQ", 9, 8, 2**61) + bytes(30)),
        gguf(string(b"k") + struct.pack("<IIQ", 9, 4, 2**62) + bytes(30)),
        gguf(string(b"k") + struct.pack("<I", 99) + bytes(30)),
        gguf(string(b"k") + struct.pack("<IIQ", 9, 9, 1) * 1 + struct.pack("<IQ", 9, 1) * 20),
        gguf(n_tensors=1, tensors=tensor(b"w", 2**50)),
        gguf(n_tensors=1, tensors=tensor(b"w", 0, n_dimensions=2**31)),
    ],
)
def test_gguf_with_false_bounds_is_unknown(data):
    assert (read(data).verdict, kinds(data)) == ("unknown", {"out-of-bounds"})


def test_gguf_of_another_version_is_unread():
    assert kinds(gguf(version=77)) == {"unread-format"}
    assert read(gguf(version=77)).verdict == "unknown"


HARMLESS = [
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m.content | trim }}{% endfor %}",
    "{%- if add_generation_prompt %}{{- '<|assistant|>\n' }}{%- endif %}",
    "{% set ns = namespace(found=false) %}{{ raise_exception('roles must alternate') }}{{ bos_token }}",
    "{{ strftime_now('%d %b %Y') }}{% for i in range(3) %}{{ i }}{% endfor %}",
    "{# __class__ in a comment #}{{ message['content'].split('</think>')[-1] }}",
    "a system message, self and config are words here: {{ system_message }}",
]

HOSTILE = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ cycler.__init__.__globals__.os.popen('true').read() }}",
    "{{ lipsum.__globals__['os'].system('true') }}",
    "{{ self._TemplateReference__context }}",
    "{% import 'os' as x %}",
    "{% include '/etc/passwd' %}",
    "{% for c in [].__class__.__base__.__subclasses__() %}{% endfor %}",
    "{{ messages['\\u005f\\u005fclass__'] }}",
    "{{ request.application.__globals__ }}",
    "{{ 9 ** 9 ** 9 }}",
    "{% for i in range(1000000000) %}x{% endfor %}",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_chat_templates_are_safe(text):
    assert read(template(text)).reasons == ()


@pytest.mark.parametrize("text", HOSTILE)
def test_templates_that_reach_into_python_are_unsafe(text):
    assert (read(template(text)).verdict, kinds(template(text))) == ("unsafe", {"template-injection"})


@pytest.mark.parametrize("text", HOSTILE)
def test_the_same_templates_are_unsafe_in_a_tokenizer_configuration(text):
    for value in (text, [{"name": "default", "template": text}]):
        data = json.dumps({"tokenizer_class": "X", "chat_template": value}).encode()
        assert (read(data).format, read(data).verdict) == ("hf-tokenizer", "unsafe")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_same_templates_are_unsafe_as_a_file(text):
    assert inspect_bytes(text.encode(), "chat_template.jinja").verdict == "unsafe"
