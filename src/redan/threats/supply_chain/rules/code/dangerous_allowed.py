"""A switch whose name says that it is dangerous is on, or a tool that runs a model's code is made.

What it means:
    LangChain and its like ask for ``allow_dangerous_code``, ``allow_dangerous_deserialization`` or
    ``allow_dangerous_requests`` before they run a model's Python, unpickle an index or send requests.
    ``PythonREPL``, ``ShellTool`` and the PAL chain run what the model writes.

Why it matters:
    The switch moves the responsibility to this line: a prompt or an index file of somebody else then runs code
    here.

How it is found:
    Keywords that begin with ``allow_dangerous`` or ``allow_unsafe`` and are constantly true, and constructors of
    such tools.

What to do:
    Use tools with a fixed set of functions. Load indexes from formats without pickles, or only those that you
    signed. Run code of a model in a sandbox.

Bad:
        from langchain_community.vectorstores import FAISS
        db = FAISS.load_local("index", embeddings, allow_dangerous_deserialization=True)

Good:
        from langchain_community.vectorstores import FAISS
        db = FAISS.load_local("index", embeddings)

Limits:
    That the index is your own is not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-054",
        name="dangerous-allowed",
        threat="supply_chain",
        title="A library's switch for running code of models or indexes is on",
        severity=Severity.HIGH,
        remedy="Leave the switch off; use tools that cannot run code, or a sandbox.",
        references=(
            "cwe:94",
            "cwe:502",
            "atlas:AML.T0053",
            "owasp:LLM06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

SWITCHES = (
    "allow_dangerous_code",
    "allow_dangerous_deserialization",
    "allow_dangerous_requests",
    "allow_dangerous_tools",
    "allow_unsafe_werkzeug",
    "allow_unsafe_jscode",
    "allow_code_execution",
    "unsafe_mode",
)
TOOLS = (
    ".PythonREPL",
    ".PythonREPLTool",
    ".PythonAstREPLTool",
    ".ShellTool",
    ".BashProcess",
    ".PALChain.from_math_prompt",
    ".create_python_agent",
)


def check(module: Module) -> Iterator[Match]:
    """Yield the switches and the tools."""
    for word in SWITCHES:
        for call, argument in module.given(word):
            if argument.value is True:
                yield Match(line=call.line, says=f"{word}=True")
    for name, call in module.ending(*TOOLS):
        if name.startswith("langchain"):
            yield Match(line=call.line, says=f"{name} runs what a model writes", confidence="likely")
    for call in module.called("interpreter.chat", "interpreter.OpenInterpreter"):
        yield Match(line=call.line, says=f"{call.names[0]} runs what a model writes", confidence="possible")
