"""Which functions answer requests, in the frameworks that models are served with."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from redan.kernels.code.calls import Call
from redan.kernels.code.naming import Names
from redan.kernels.code.scopes import Scope

_VERBS = frozenset(
    {"route", "get", "post", "put", "delete", "patch", "websocket", "api_route", "head", "options", "view", "api"}
)
_DECORATORS = frozenset(
    {
        "bentoml.api", "modal.web_endpoint", "modal.fastapi_endpoint", "modal.asgi_app", "functions_framework.http",
        "beam.endpoint", "rest_framework.decorators.api_view", "bottle.route", "bottle.get", "bottle.post",
        "django.views.decorators.csrf.csrf_exempt", "django.views.decorators.http.require_POST",
        "django.views.decorators.http.require_GET", "django.views.decorators.http.require_http_methods",
    }
)  # fmt: skip
_BASES = {
    "tornado.web.RequestHandler": "Tornado",
    "tornado.websocket.WebSocketHandler": "Tornado",
    "http.server.BaseHTTPRequestHandler": "http.server",
    "http.server.SimpleHTTPRequestHandler": "http.server",
    "flask.views.MethodView": "Flask",
    "flask_restful.Resource": "Flask",
    "flask_restx.Resource": "Flask",
    "django.views.View": "Django",
    "django.views.generic.View": "Django",
    "rest_framework.views.APIView": "Django",
    "starlette.endpoints.HTTPEndpoint": "Starlette",
    "ts.torch_handler.base_handler.BaseHandler": "TorchServe",
    "kserve.Model": "KServe",
    "litserve.LitAPI": "LitServe",
    "aiohttp.web.View": "aiohttp",
}
_METHODS = frozenset(
    {"get", "post", "put", "delete", "patch", "handle", "preprocess", "predict", "decode_request", "on_message"}
)
_REGISTERS = {
    ".add_url_rule": "view_func",
    ".add_api_route": "endpoint",
    ".add_route": "handler",
    ".add_get": "handler",
    ".add_post": "handler",
    ".add_put": "handler",
}
_REGISTER_CALLS = {
    "aiohttp.web.get": "handler",
    "aiohttp.web.post": "handler",
    "aiohttp.web.put": "handler",
    "django.urls.path": "view",
    "django.urls.re_path": "view",
    "starlette.routing.Route": "endpoint",
    "gradio.Interface": "fn",
    "gradio.ChatInterface": "fn",
}
_NAMED = {"input_fn": "SageMaker", "lambda_handler": "AWS Lambda"}
_EVENTS = (".click", ".submit", ".change", ".upload")


def handlers(scopes: list[Scope], calls: list[Call], names: Names) -> Iterator[tuple[Scope, str]]:
    """Yield the functions of a module that answer requests, each with a word for how it is reached."""
    for scope in scopes:
        if scope.kind == "function" and (how := _how(scope, names)):
            yield scope, how
    for call in calls:
        yield from _registered(call, names)


def _how(scope: Scope, names: Names) -> str:
    node = scope.node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or scope.parent is None:
        return ""
    for decorator in node.decorator_list:
        if how := _decorated(decorator, scope.parent, names):
            return how
    if scope.is_method():
        return _method(scope, scope.parent, node.name, names)
    return _NAMED.get(node.name, "") if scope.parent.kind == "module" and len(scope.params) >= 2 else ""


def _decorated(decorator: ast.expr, scope: Scope, names: Names) -> str:
    call = decorator if isinstance(decorator, ast.Call) else None
    function = call.func if call is not None else decorator
    found = names.of(function, scope)
    if _DECORATORS & set(found):
        return "a decorator of " + found[0].partition(".")[0]
    if call is None or not isinstance(function, ast.Attribute) or function.attr not in _VERBS:
        return ""
    path = call.args[0] if call.args else None
    if isinstance(path, ast.Constant) and isinstance(path.value, str) and path.value.startswith("/"):
        return f"route {path.value[:60]}"
    return "an API of BentoML" if any(name.startswith("bentoml.") for name in found) else ""


def _method(scope: Scope, cls: Scope, name: str, names: Names) -> str:
    if not (name in _METHODS or name.startswith("do_")) or not isinstance(cls.node, ast.ClassDef):
        return ""
    outside = cls.parent or cls
    for base in cls.node.bases:
        for known in names.of(base, outside):
            if known in _BASES:
                return f"a handler of {_BASES[known]}"
    return ""


def _registered(call: Call, names: Names) -> Iterator[tuple[Scope, str]]:
    for name in call.names:
        word = _REGISTER_CALLS.get(name) or _REGISTERS.get(name[name.rfind(".") :])
        place = 0 if name.startswith("gradio.") else 1
        if word is None and name.startswith("gradio.") and name.endswith(_EVENTS):
            word, place = "fn", 0
        argument = call.argument(word, place) if word else None
        if argument is None:
            continue
        for target in names.of(argument.node, argument.scope):
            scope = names.scopes.get(target)
            if scope is not None and scope.kind == "function":
                yield scope, "gradio" if name.startswith("gradio.") else "a registered route"
        if isinstance(argument.node, ast.Lambda):
            for child in call.scope.children:
                if child.node is argument.node:
                    yield child, "gradio" if name.startswith("gradio.") else "a registered route"
        return


REQUEST_FIELDS = {
    "Tornado": frozenset({"request", "get_argument", "get_arguments", "get_body_argument", "get_query_argument"}),
    "http.server": frozenset({"rfile", "path", "headers", "requestline"}),
    "Flask": frozenset(),
    "Django": frozenset({"request"}),
    "aiohttp": frozenset({"request"}),
}
"""Attributes of ``self`` that hold what was sent, by framework."""
