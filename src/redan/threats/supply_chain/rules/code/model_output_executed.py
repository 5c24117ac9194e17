"""A model's answer reaches ``eval``, ``exec``, a shell or a program's arguments.

What it means:
    What a language model writes is run as code on this machine.

Why it matters:
    Whoever can put text into the prompt, a document or a web page that the model reads decides what runs (prompt
    injection).

How it is found:
    Answers of the usual clients (OpenAI, Anthropic, Google, Mistral, Ollama, LiteLLM, vLLM, transformers,
    LangChain, LlamaIndex) are followed through variables and functions to what executes them.

What to do:
    Let the model choose among functions that you wrote and check their arguments; else run its code in a container
    or process without network, credentials and write access.

Bad:
        from openai import OpenAI
        answer = OpenAI().chat.completions.create(model="m", messages=[])
        exec(answer.choices[0].message.content)

Good:
        from openai import OpenAI
        answer = OpenAI().chat.completions.create(model="m", messages=[])
        ACTIONS[answer.choices[0].message.content]()

Limits:
    Answers that are stored and read back are not followed. A check in between is not understood, so confidence is
    ``likely``.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import executions

RULE = rule(
    Rule(
        id="RDN-SUP-052",
        name="model-output-executed",
        threat="supply_chain",
        title="What a language model answers is executed",
        severity=Severity.HIGH,
        remedy="Do not execute answers; choose from a list of actions, or run them in a sandbox.",
        references=(
            "cwe:94",
            "cwe:95",
            "cwe:78",
            "atlas:AML.T0051",
            "atlas:AML.T0053",
            "owasp:LLM05",
            "owasp:LLM06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield what executes a model's answer."""
    for call, argument in executions(module):
        origin = module.taint(argument).get("model")
        if origin:
            yield Match(line=call.line, says=f"{call.names[0]} runs {origin}", confidence="likely")
