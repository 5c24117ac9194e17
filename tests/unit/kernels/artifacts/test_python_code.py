"""Code that a model brings along: what it does on import and what it reaches for, by its syntax tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from redan.kernels.artifacts import inspect
from redan.kernels.artifacts.readers.python_code import UnreadableCodeError, dangers, relative_imports

HONEST = '''
"""A model."""
import math, os, logging
from dataclasses import dataclass, field
import torch
from torch import nn
from .configuration_tiny import TinyConfig

logger = logging.getLogger(__name__)
_FAST = os.environ.get("TINY_FAST", "0") == "1"
_SCRIPT = torch.jit.script

@dataclass
class Output:
    loss: float | None = None
    parts: list = field(default_factory=list)

class TinyModel(nn.Module):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(config.n)])
        self.act = getattr(nn.functional, config.act)

    @torch.no_grad()
    def forward(self, x):
        for layer in self.layers:
            x = self.act(layer(x))
        return math.sqrt(2) * x.eval() if hasattr(x, "eval") else x

if __name__ == "__main__":
    open("scratch.txt", "w")
'''

ON_IMPORT = r"""
import os; os.system('true')
from os import system; system('true')
from os import system as s; s('true')
import os as o; o.popen('true')
import subprocess as p; p.run(['true'])
from subprocess import Popen; Popen('true')
from subprocess import *
from os import *
__import__('os').system('true')
f = __import__; f('os')
e = exec; e('1')
exec('import os')
eval('1')
compile('1', '', 'exec')
import builtins; builtins.eval('1')
import builtins; getattr(builtins, 'ev' + 'al')('1')
import os; getattr(os, 'sys' + 'tem')('true')
import os; vars(os)['system']('true')
import os; name = 'x'; getattr(os, name)
globals()['__builtins__']
__builtins__['eval']('1')
import importlib; importlib.import_module('os').system('true')
from importlib import import_module as im; im('os')
import importlib.util; importlib.util.spec_from_file_location('x', '/tmp/x.py')
import socket; socket.socket()
import socket; s = socket.create_connection(('127.0.0.1', 1))
import urllib.request; urllib.request.urlopen('http://127.0.0.1')
from urllib.request import urlopen; urlopen('http://127.0.0.1')
import requests; requests.get('http://127.0.0.1')
from requests import Session; Session()
import http.client; http.client.HTTPConnection('127.0.0.1')
import ctypes; ctypes.CDLL(None)
from ctypes import cdll; cdll.LoadLibrary('x')
import marshal; exec(marshal.loads(b''))
import pickle; pickle.loads(b'')
import pickle; pickle.load(open('x'))
import base64; x = base64.b64decode('eA==')
import codecs; codecs.decode('vzcbeg bf', 'rot13')
import zlib; zlib.decompress(b'')
x = bytes.fromhex('00')
open('/tmp/x', 'w').write('1')
import pathlib; pathlib.Path('x').write_text('1')
from pathlib import Path; Path('x').unlink()
import shutil; shutil.rmtree('/tmp/x')
import os; os.remove('x')
import os; os.environ.update(A='1')
import sys; sys.modules['os'].system('true')
import sys; sys.path.insert(0, '/tmp')
import threading; threading.Thread(target=print).start()
import atexit; atexit.register(print)
import multiprocessing; multiprocessing.Process()
import tempfile; tempfile.mkdtemp()
import glob; glob.glob('/home/*')
import webbrowser; webbrowser.open('about:blank')
import torch; torch.load('x')
import torch; torch.hub.load('a/b', 'c')
import torch; torch.os.system('true')
import torch; torch.ops.load_library('x.so')
from torch.utils.cpp_extension import load_inline; load_inline('x', '')
import transformers; transformers.utils.import_utils.os.system('true')
().__class__.__base__.__subclasses__()
(lambda: 0).__globals__
(lambda: 0).__code__
print.__self__.__dict__ if False else [].__class__.__mro__
import runpy; runpy.run_path('x')
import pty; pty.spawn('true')
import asyncio; asyncio.create_subprocess_shell('true')
import gc; gc.get_objects()
import sys; sys._getframe()
import code; code.interact()
import yaml; yaml.unsafe_load('')
import joblib; joblib.load('x')
import sqlite3; sqlite3.connect('x')
def f(): open('x', 'w')
f()
class A:
    open('x', 'w')
class A:
    x = open('x', 'w')
def f(x=open('x', 'w')): pass
f = lambda x=open('x', 'w'): x
def d(f): open('x', 'w')
@d
def g(): pass
@open('x', 'w').write
def g(): pass
class M(type):
    def __new__(c, *a): open('x', 'w')
class B(metaclass=M): pass
class A:
    def __init_subclass__(cls): open('x', 'w')
class D:
    def __set_name__(self, o, n): open('x', 'w')
class A:
    def __init__(self): open('x', 'w')
A()
def a(): open('x', 'w')
def b(): a()
b()
[open(n, 'w') for n in 'x']
with open('x', 'w') as f: pass
if True:
    try:
        pass
    finally:
        open('x', 'w')
x: int = open('x', 'w')
assert open('x', 'w')
for _ in [1]: open('x', 'w')
while open('x', 'w'): break
match open('x'):
    case _: pass
f'{open("x")}'
class A(open('x').name): pass
if __name__ != '__main__': open('x', 'w')
if __name__ == '__main__': pass
else: open('x', 'w')
"""

ON_CALL = r"""
import os; os.system('true')
import subprocess; subprocess.run(['true'])
exec('1')
eval(x)
__import__('os')
import requests; requests.post('http://127.0.0.1', data=x)
import socket; socket.socket()
import ctypes; ctypes.CDLL(None)
import pickle; pickle.loads(x)
x.__class__.__subclasses__()
"""


def snippets(text: str) -> list[str]:
    """One snippet a line; a line that is indented, or that goes on with the one before, belongs to that one."""
    found: list[str] = []
    continued = ("f()", "A()", "b()", "@", "def g", "else", "class B", "def b")
    for line in text.strip("\n").splitlines():
        joins = line.startswith((" ", "f()", "A()", "b()", "def g", "else", "class B(meta", "def b("))
        if joins or (found and line.startswith("@d") and found[-1].startswith("def d")):
            found[-1] += "\n" + line
        else:
            found.append(line)
    assert continued
    return found


def test_honest_model_code_has_no_dangers():
    assert dangers(HONEST) == []
    assert relative_imports(HONEST) == ["configuration_tiny.py"]


@pytest.mark.parametrize("snippet", snippets(ON_IMPORT))
def test_what_runs_on_import_is_found(snippet):
    found = dangers(HONEST + snippet)
    assert found, snippet
    assert any(danger.on_import for danger in found) or "import *" in snippet


@pytest.mark.parametrize("snippet", snippets(ON_CALL))
def test_what_a_method_reaches_for_is_found(snippet):
    (first, *_) = dangers(f"class A:\n    def forward(self, x):\n        {snippet}\n")
    assert (first.on_import, first.line) == (False, 3)


def test_harmless_code_that_only_a_script_runs_is_not_counted():
    assert dangers("if __name__ == '__main__':\n    open('x', 'w')\n") == []


@pytest.mark.parametrize(
    "text",
    ["def", "\0", "(" * 5_000, "-" * 50_000 + "1", "1" + "+1" * 50_000, "x = " + "[" * 90 + "(" * 200, " x\n  y",
     "#" * 300_000],
)  # fmt: skip
def test_text_without_a_tree_is_refused_and_not_a_crash(text):
    with pytest.raises(UnreadableCodeError):
        dangers(text)


def folder(tmp_path: Path, value: object, **files: str) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "x", "auto_map": value}))
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path / "config.json"


def test_code_beside_a_configuration_is_judged(tmp_path):
    path = folder(tmp_path, {"AutoModel": "modeling_x.X"}, modeling_x=HONEST, configuration_tiny="X = 1")
    reading = inspect(path)
    assert reading.verdict == "unknown"
    assert {reason.kind for reason in reading.reasons} == {"remote-code"}
    (tmp_path / "modeling_x.py").write_text(HONEST + "\nimport os\nos.system('true')\n")
    reading = inspect(path)
    (reason,) = [reason for reason in reading.reasons if reason.verdict == "unsafe"]
    assert "modeling_x.py" in reason.message
    n_lines = (HONEST + "\nimport os\n").count("\n") + 1
    assert f"'os.system' as soon as it is imported, line {n_lines}" in reason.message


def test_code_that_the_named_code_imports_is_judged(tmp_path):
    path = folder(tmp_path, {"AutoModel": "a.X"}, a="from .b import Y", b="from . import c", c="eval('1')")
    assert any("c.py" in reason.message for reason in inspect(path).reasons if reason.verdict == "unsafe")


def test_code_of_another_repository_is_unsafe(tmp_path):
    reading = inspect(folder(tmp_path, {"AutoModel": ["other/repo--modeling_x.X", None]}))
    assert reading.verdict == "unsafe"
    assert "'other/repo'" in reading.reasons[0].message


def test_code_outside_the_folder_is_not_opened(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "evil.py").write_text("eval('1')")
    reading = inspect(folder(tmp_path / "model", {"AutoModel": "..evil.X"}))
    assert reading.verdict == "unknown"


def test_code_that_cannot_be_parsed_is_searched_as_text(tmp_path):
    reading = inspect(folder(tmp_path, {"AutoModel": "m.X"}, m="def (:\n  os.system('true')"))
    assert reading.verdict == "unsafe"
    assert {reason.kind for reason in reading.reasons} == {"remote-code", "carries-code", "powerful-code"}
