"""What requests, models and downloads decide, followed through functions and files."""

from __future__ import annotations

import ast

import pytest

from redan.kernels.code import from_python, read_folder

HEAD = "from flask import Flask, request\napp = Flask('x')\n"


def taints(text: str, **others: str) -> list[set[str]]:
    """Return the kinds that decide the argument of each call of ``sink``, in the order of lines."""
    sources = [from_python(text, "app.py"), *(from_python(t, f"{n}.py") for n, t in others.items())]
    found = []
    for module in read_folder(sources).modules:
        for call in module.calls:
            if isinstance(call.node.func, ast.Name) and call.node.func.id == "sink":
                first = call.first()
                assert first is not None
                found.append(set(module.taint(first)))
    return found


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "@app.route('/x')\ndef f():\n    a = request.args['q']\n    sink(a)",
        HEAD + "@app.post('/<q>')\ndef f(q):\n    b = [f'{q}!']\n    sink(b[0].strip())",
        HEAD + "def g(z):\n    sink(z)\n@app.post('/<q>')\ndef f(q):\n    g(z=q)",
        HEAD + "def g(z):\n    return z + '!'\n@app.post('/<q>')\ndef f(q):\n    sink(g(q))",
        HEAD + "class A:\n    def __init__(self, v):\n        self.v = v\n    def go(self):\n        sink(self.v)\n"
        "@app.post('/<q>')\ndef f(q):\n    A(q).go()",
        "from django.urls import path\ndef f(request):\n    sink(request.GET['x'])\nurlpatterns = [path('x', f)]",
        "from fastapi import APIRouter\nr = APIRouter()\n@r.post('/x')\nasync def f(body: dict):\n"
        "    for k in body:\n        sink(k)",
        "import bentoml\n@bentoml.service\nclass S:\n    @bentoml.api\n    def f(self, text):\n        sink(text)",
        "import gradio as gr\nwith gr.Blocks() as d:\n    b = gr.Button()\n"
        "    b.click(fn=lambda t: sink(t), inputs=[])",
    ],
)
def test_what_a_request_brings_is_followed(text: str) -> None:
    assert taints(text) == [{"request"}]


def test_it_is_followed_into_other_files() -> None:
    text = HEAD + "from util import work\n@app.post('/x')\ndef f():\n    work(request.data)"
    assert taints(text, util="def work(blob):\n    sink(blob)") == [{"request"}]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "@app.post('/<q>')\ndef f(q):\n    sink(int(q))",
        HEAD + "@app.post('/<q>')\ndef f(q):\n    sink(TABLE[q])",
        HEAD + "@app.post('/<q>')\ndef f(q):\n    sink(TABLE.get(q))",
        HEAD + "@app.post('/<q>')\ndef f(q):\n    sink(q == 'x')",
        HEAD + "@app.post('/<q>')\ndef f(q):\n    pass\ndef g(q):\n    sink(q)",
        "from fastapi import FastAPI, Depends\na = FastAPI()\n@a.get('/x')\n"
        "def f(n: int, db=Depends(make)):\n    sink(db)",
    ],
)
def test_what_a_request_does_not_decide_is_clean(text: str) -> None:
    assert taints(text) == [set()]


def test_answers_of_models_and_downloads_are_told_apart() -> None:
    text = "import requests\nfrom openai import OpenAI\nc = OpenAI()\ndef f():\n    sink(requests.get('x').content)\n"
    text += "    sink(c.chat.completions.create().choices[0].message.content)"
    assert taints(text) == [{"download"}, {"model"}]


def test_functions_that_call_each_other_end() -> None:
    text = (
        HEAD
        + "def g(x):\n    return h(x)\ndef h(x):\n    sink(x)\n    return g(x)\n@app.post('/<q>')\ndef f(q):\n    g(q)"
    )
    assert taints(text) == [{"request"}]
