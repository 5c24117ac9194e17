# ruff: noqa: E501 - templates stand as they stand
"""Templates that reach for the interpreter, in every file that carries a template, and honest ones beside them."""

from __future__ import annotations

import io
import json
import struct

import pytest

from redan.kernels.artifacts import inspect_bytes

HOSTILE = r"""
{{ ''.__class__.__mro__[1].__subclasses__() }}
{{ ''['__class__'] }}
{{ ''["\x5f\x5fclass\x5f\x5f"] }}
{{ ''|attr('__class__') }}
{{ ''|attr('_'*2 ~ 'class' ~ '_'*2) }}
{{ ''|attr(['__','class','__']|join) }}
{{ x[['__cl','ass__']|join] }}
{{ x['__cl' ~ 'ass__'] }}
{{ x['__class'+'__'] }}
{{ x['__ssalc__'[::-1]] }}
{{ x['__ssalc__'|reverse] }}
{{ x['__CLASS__'|lower] }}
{{ x['XXclassXX'|replace('X','_')] }}
{{ x['%s%s' % ('__cla','ss__')] }}
{{ x['%c%cclass%c%c'|format(95,95,95,95)] }}
{{ x["{0}{0}class{0}{0}".format('_')] }}
{% set a='__cla' %}{% set b='ss__' %}{{ x[a~b] }}
{% set k=['__cla','ss__']|join %}{{ x[k] }}
{% set c=dict(__class__=1)|list|first %}{{ x[c] }}
{{ cycler.__init__.__globals__.os.popen('id').read() }}
{{ joiner.__init__.__globals__ }}
{{ namespace.__init__.__globals__ }}
{{ lipsum.__globals__['os'].system('true') }}
{{ lipsum|attr('__globals__') }}
{{ self._TemplateReference__context }}
{{ self.__init__.__globals__ }}
{{ self|attr('__init__') }}
{{ config.items() }}
{{ config['SECRET_KEY'] }}
{{ request.application.__globals__ }}
{{ request['application']['__globals__'] }}
{{ request|attr('application') }}
{{ url_for.__globals__ }}
{{ get_flashed_messages.__globals__ }}
{% include '/etc/passwd' %}
{% import 'os' as o %}
{% from 'x' import y %}
{% extends 'base' %}
{%- include "x" -%}
{{ messages.__class__ }}
{{ messages|map(attribute='__class__')|list }}
{{ messages|map(attribute='content.__class__')|list }}
{{ messages|map('attr','__class__')|list }}
{{ messages|selectattr('__class__')|list }}
{{ messages|selectattr('__class__.__name__','eq','x')|list }}
{{ messages|groupby('__class__') }}
{{ messages|sort(attribute='__class__') }}
{{ messages|sum(attribute='__class__') }}
{{ messages|unique(attribute='__class__') }}
{{ messages|min(attribute='__init__') }}
{% filter attr('__class__') %}x{% endfilter %}
{% call x.__init__() %}{% endcall %}
{% for c in ''.__class__.__base__.__subclasses__() %}{% if c.__name__=='Popen' %}{{ c('true') }}{% endif %}{% endfor %}
{% if ().__class__ %}{% endif %}
{% set x = ().__class__ %}
{% do x.__class__ %}
{% with a = ''.__class__ %}{{ a }}{% endwith %}
{% macro m(a=''.__class__) %}{% endmacro %}
{% raw %}{% endraw %}{{ ''.__class__ }}
{# {{ #}{{ ''.__class__ }}
{{ "}}" }}{{ ''.__class__ }}
{{ '{#' }}{{ ''.__class__ }}{{ '#}' }}
{{ "%}"~''.__class__ }}
{{ x.func_globals }}
{{ x.gi_frame.f_back.f_globals }}
{{ x['gi_frame'] }}
{{ x.format.__globals__ }}
{{ '{0.__class__}'.format(x) }}
{{ '{0.__class__.__init__.__globals__}'|format(x) }}
{{ "%s"|format(x.__class__) }}
{{ '{x.a}'.format_map({'x':x.__class__}) }}
{{ raise_exception.__globals__ }}
{{ strftime_now.__globals__['os'] }}
{{ strftime_now['__globals__'] }}
{{ tools.__class__ }}
{{ loop.__init__ }}
{{ loop._undefined }}
{{ caller.__globals__ }}
{{ varargs.__class__ }}
{{ undefined_thing.__class__.__init__.__globals__ }}
{{ (1).__class__ }}
{{ [].__class__ }}
{{ {}.__class__ }}
{{ g.pop.__globals__ }}
{{ session['x'] }}
{{ app.config }}
{{ handler.settings }}
{{ settings.SECRET }}
{{ os.popen('id') }}
{{ open('/etc/passwd').read() }}
{{ eval('1') }}
{{ exec('1') }}
{{ __import__('os') }}
{{ __builtins__ }}
{{ globals() }}
{{ "\u005f\u005fclass\u005f\u005f" }}
{{ x["\137\137class\137\137"] }}
{{ x["\N{LOW LINE}\N{LOW LINE}class__"] }}
{{ x['_' * 2 + 'class' + '_' * 2] }}
{{ x[('_'*2)~'class'~('_'*2)] }}
{% set u='_' %}{{ x[u*2~'init'~u*2] }}
{% set u=(x|string)[24] %}{{ x[u~u~'init'~u~u] }}
{% set u=(lipsum|string)[18] %}{{ x|attr(u) }}
{% for i in range(99999999999) %}x{% endfor %}
{% for i in range(10000) %}{% for j in range(10000) %}{% for k in range(10000) %}x{% endfor %}{% endfor %}{% endfor %}
{{ 'A'*99999999999 }}
{{ 9**9**9**9 }}
{{ x|batch(999999999)|list }}
{{ 'x'|center(9999999999) }}
{{ 'x'.ljust(99999999999) }}
{{ lipsum(n=999999999) }}
{% set ns = namespace(a=x.__class__) %}
{{ messages[0]['con' ~ 'tent'] }}
{{ x['popen']('id') }}
{{ x.environ }}
{{ x.__getattribute__('a') }}
{{ x|map('attr', 'a') }}
{{ dict.__base__ }}
{{ range.__class__ }}
{{ a.b.__c__ }}
{{ x.mro() }}
{{ x['mro'] }}
{{ x.__reduce_ex__(2) }}
{{ [x]|map(attribute=('__cla','ss__')|join)|list }}
{{ [x]|map(attribute='_'~'_class__')|list }}
{{ [x]|selectattr('__cl'+'ass__') }}
{{ x|tojson|attr('x') }}
{%if x.__class__%}{%endif%}
{%set a=x.__class__%}
{{- x.__class__ -}}
{{+ x.__class__ +}}
{% trans %}{{ x.__class__ }}{% endtrans %}
{{x .__class__}}
{{ x|attr  ("a") }}
{% autoescape false %}{{ x.__class__ }}{% endautoescape %}
"""

MORE = ["{{x.\n__class__}}", "{{ x\n['__class__'] }}", '{{ x | \n attr("a") }}', "{%\ninclude 'a' %}"]

HONEST = [
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}",
    "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}{% endfor %}",
    "{%- set ns = namespace(last=messages|length - 1, found=false) -%}{{ messages[ns.last].content.split('</think>')[-1] }}",
    "{% if tools is defined and tools is not none %}{{ tools | map(attribute='function') | list | tojson(indent=4) }}{% endif %}",
    "{{ strftime_now('%d %b %Y') }}{% for i in range(messages|length) %}{{ messages[loop.index0 - 1]['role'] }}{% endfor %}",
    "{% macro render(m) %}{{ m.content | trim | replace('__tool__', '') }}{% endmacro %}{{ render(messages[0]) }}",
    "{{ messages | selectattr('role', 'equalto', 'system') | map(attribute='content') | join('\n') }}",
    "{{ 'config: ' ~ (config_name or 'none') }}{{ '-' * 40 }}{{ x['a']['b'] }}{% set system = messages[0].content %}{{ system | trim }}",
]


def hostile() -> list[str]:
    return [*HOSTILE.strip().splitlines(), *MORE]


def gguf(key: str, value: str, *, listed: bool = False) -> bytes:
    def text(word: str) -> bytes:
        return struct.pack("<Q", len(word.encode())) + word.encode()

    kind = struct.pack("<IIQ", 9, 8, 1) if listed else struct.pack("<I", 8)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text(key) + kind + text(value)


CARRIERS = {
    "settings": lambda t: json.dumps({"chat_template": t}).encode(),
    "several": lambda t: json.dumps({"chat_template": [{"name": "x", "template": t}]}).encode(),
    "mapping": lambda t: json.dumps({"chat_template": {"default": t}}).encode(),
    "other key": lambda t: json.dumps({"tokenizer_class": "T", "tool_use_template": t}).encode(),
    "deep": lambda t: json.dumps({"model_type": "x", "a": [{"b": {"prompt_template": t}}]}).encode(),
    "gguf": lambda t: gguf("tokenizer.chat_template", t),
    "gguf named": lambda t: gguf("tokenizer.chat_template.tool_use", t),
    "gguf list": lambda t: gguf("tokenizer.chat_templates", t, listed=True),
    "gguf other": lambda t: gguf("general.prompt", t),
    "jinja": lambda t: t.encode(),
}


def verdict(carrier: str, template: str) -> str:
    name = "chat_template.jinja" if carrier == "jinja" else "tokenizer_config.json"
    return inspect_bytes(CARRIERS[carrier](template), name).verdict


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
def test_every_hostile_template_is_unsafe_in_every_carrier(carrier):
    assert len(hostile()) > 120
    assert [template for template in hostile() if verdict(carrier, template) != "unsafe"] == []


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
@pytest.mark.parametrize("template", HONEST)
def test_honest_templates_are_safe_in_every_carrier(carrier, template):
    assert verdict(carrier, template) == "safe"


def test_honest_template_around_a_hostile_one_does_not_hide_it():
    for template in hostile()[::7]:
        assert verdict("settings", HONEST[0] + template + HONEST[1]) == "unsafe"


def test_words_of_a_hostile_template_in_prose_are_no_template():
    text = "Do not write cycler.__init__ in a template.\n" * 3
    assert inspect_bytes(text.encode(), "README.md").verdict == "safe"
    notebook = io.StringIO()
    json.dump({"description": "uses __class__", "n": 1}, notebook)
    assert inspect_bytes(notebook.getvalue().encode(), "x.json").verdict == "safe"
