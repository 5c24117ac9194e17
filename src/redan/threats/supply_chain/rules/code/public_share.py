"""A Gradio application is shared through a public tunnel without a login.

What it means:
    ``share=True`` makes an address on the internet that leads to this machine; without ``auth`` everyone who has it
    may use the model and every function behind it.

Why it matters:
    Addresses are found by scanning, and Gradio had several weaknesses that let visitors read files.

How it is found:
    ``launch(share=True)`` of Gradio without ``auth``, and tunnels that ngrok, localtunnel or cloudflared open from
    Python.

What to do:
    Serve it behind a login; at least set ``auth``.

Bad:
        import gradio as gr
        gr.Interface(fn=predict, inputs="text", outputs="text").launch(share=True)

Good:
        import gradio as gr
        gr.Interface(fn=predict, inputs="text", outputs="text").launch(share=True, auth=check_login)

Limits:
    A login in front of the application is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-059",
        name="public-share",
        threat="supply_chain",
        title="A demonstration is put on the public internet without a password",
        severity=Severity.MEDIUM,
        remedy="Leave share=True out, or set auth=.",
        references=(
            "cwe:306",
            "cwe:668",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the public addresses without a login."""
    for name, call in module.ending(".launch"):
        shared = call.value("share") is True and call.value("auth") is None
        if shared:
            sure = name.startswith("gradio.")
            yield Match(
                line=call.line,
                says="a Gradio application on a public address without a login",
                confidence="confirmed" if sure else "likely",
            )
    for call in module.called("pyngrok.ngrok.connect", "ngrok.connect", "ngrok.forward"):
        yield Match(line=call.line, says="a public tunnel to this machine", confidence="possible")
