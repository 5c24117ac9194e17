"""Judges one pickle stream: every import, call and write the machine meets comes through here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement import allowlist, arguments, denylist, special
from redan.kernels.artifacts.judgement.imports import judge_import
from redan.kernels.artifacts.ledger import Ledger
from redan.kernels.artifacts.machine.values import EXTENSION, TEXT, Global, Persistent, Result, Span, Unread
from redan.kernels.artifacts.reading import SAFE, Call

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Value

_HARMLESS_DUNDERS = frozenset(
    {"__orig_class__", "__doc__", "__module__", "__annotations__", "__name__", "__qualname__"}
)
_PROTOCOL_METHODS = frozenset({"append", "extend", "add", "update", "setdefault"})
_CALLING = frozenset({"REDUCE", "OBJ", "INST"})
"""Opcodes that call what they are given; NEWOBJ only creates an object of it."""


class Judge:
    """Turns what a stream does into reasons and calls.

    Attributes:
        ledger: Where reasons and calls go.
        where: Member path of the stream.
        nested: Serialised objects among the arguments that a listed loader would read: (content, offset).
        storages: Keys of persistent objects, for the readers that know what lies behind them.
        depth: Nested pickles inside raw arrays that are open.
        has_arrays: Whether raw arrays lie in the stream.
        has_dynamic_call: Whether the result of a call was called.
    """

    __slots__ = ("_globals", "depth", "has_arrays", "has_dynamic_call", "ledger", "nested", "storages", "where")

    def __init__(self, ledger: Ledger, where: str) -> None:
        self.ledger = ledger
        self.where = where
        self.nested: list[tuple[bytes | Span, int]] = []
        self.storages: list[Value] = []
        self.depth = 0
        self.has_arrays = False
        self.has_dynamic_call = False
        self._globals: dict[tuple[str, str], Global] = {}

    def fork(self, opcodes: int) -> Judge:
        """A judge of at most `opcodes` opcodes whose findings may be discarded."""
        ledger = self.ledger.fork()
        ledger.limits = replace(ledger.limits, opcodes=min(opcodes, ledger.limits.opcodes))
        return Judge(ledger, self.where)

    def keep_unsafe(self, trial: Judge) -> None:
        """Take over what a fork found if that is unsafe and no accident."""
        if trial.ledger.is_credible():
            self.ledger.absorb(trial.ledger)
        else:
            self.ledger.spend(trial.ledger)

    def descend(self) -> None:
        """Enter a nested pickle.

        Raises:
            LimitReached: Too many are open.
        """
        self.depth += 1
        if self.depth > self.ledger.limits.depth:
            raise self.ledger.limit("depth", self.where)

    def ascend(self) -> None:
        """Leave a nested pickle."""
        self.depth -= 1

    def unsafe(self, kind: str, message: str, offset: int) -> None:
        """Record an unsafe reason at an offset of this stream."""
        self.ledger.unsafe(kind, message, self.where, offset)

    def unknown(self, kind: str, message: str, offset: int) -> None:
        """Record an unknown reason at an offset of this stream."""
        self.ledger.add(kind, "unknown", message, self.where, offset)

    def imported(self, module: Value, name: Value, offset: int) -> Value:
        """The value of an import.

        Raises:
            LimitReached: There are more than `Limits.imports`.
        """
        if type(module) is not str or type(name) is not str:
            if module is TEXT or name is TEXT:
                self.unsafe("computed-import", "imports a name longer than a megabyte", offset)
            else:
                self.unsafe("computed-import", "imports a name that is computed or no string", offset)
            return Global("?", "?", "denied")
        key = (module, name)
        known = self._globals.get(key)
        if known is None:
            if len(self._globals) >= self.ledger.limits.imports:
                raise self.ledger.limit("imports", self.where)
            module = allowlist.canonical(module)
            judged = judge_import(module, name)
            if judged.verdict != SAFE:
                self.ledger.add(judged.kind, judged.verdict, judged.message, self.where, offset)
            known = self._globals[key] = Global(module, name, judged.grade)
            self.ledger.imported(f"{module}.{name}")
        return known

    def called(self, function: Value, args: Value, how: str, offset: int) -> Value:
        """The value of a call."""
        if len(self.ledger.calls) < self.ledger.limits.calls:
            name = repr(function) if type(function) is Global else "?"
            text = arguments.rendering(args)
            self.ledger.call(Call(callable=name, arguments=text, how=how, stream=self.where, offset=offset))
        if type(function) is Global:
            return self._called_global(function, args, how, offset)
        if type(function) is Result:
            return self._called_result(function, args, how, offset)
        if function is not EXTENSION:
            self.unsafe("dynamic-call", "calls a value that is not an imported name", offset)
        return Result(function, args)

    def _called_global(self, function: Global, args: Value, how: str, offset: int) -> Value:
        grade = function.grade
        if grade in ("constructor", "function"):
            return Result(function, args)
        if grade == "class":
            if how in _CALLING and (args or how == "REDUCE"):
                self._called_class(function, args, offset)
            return Result(function, args)
        if grade == "special":
            return special.RULES[repr(function)](self, function, args, offset)
        if grade == "value":
            self.unsafe("unlisted-call", f"calls {function!r}, which saved models only refer to", offset)
        elif grade == "unlisted":
            self._called_unlisted(function, args, how, offset)
        return Result(function, args)

    def _called_class(self, function: Global, args: Value, offset: int) -> None:
        shape = arguments.attack_shape(args, function.name, self.ledger)
        if shape is not None and shape != arguments.ADDRESS:
            self.unsafe("attack-argument", f"calls {function!r} with {shape}", offset)
        else:
            judge = self.unsafe if allowlist.is_standard_library(function.module) else self.unknown
            judge("unlisted-call", f"calls {function!r} with arguments; saved models only create it", offset)

    def _called_unlisted(self, function: Global, args: Value, how: str, offset: int) -> None:
        last = function.name.rpartition(".")[2]
        shape = arguments.attack_shape(args, function.name, self.ledger)
        if shape is not None:
            self.unsafe("attack-argument", f"calls {function!r} with {shape}", offset)
        elif denylist.sounds_powerful(function.name):
            self.unsafe("powerful-name", f"calls {function!r}, whose name says what it does", offset)
        elif how in _CALLING and (
            allowlist.is_standard_library(function.module)
            or (allowlist.is_known_package(function.module) and _is_function(last))
        ):
            self.unsafe("unlisted-call", f"calls {function!r}, which is no part of any saved model", offset)

    def _called_result(self, function: Result, args: Value, how: str, offset: int) -> Value:
        target = special.partial_target(function)
        if target is not None:
            given = function.arguments[1:] if type(function.arguments) is tuple else ()
            return self.called(target, (*given, *args) if type(args) is tuple else given, how, offset)
        if not self.has_dynamic_call:
            self.has_dynamic_call = True
            self.unsafe("dynamic-call", f"calls the result of a call, {function!r}", offset)
        return Result(function, args)

    def built(self, target: Value, state: Value, offset: int) -> None:
        """Judge a BUILD of `state` into `target`."""
        if type(target) is Global:
            self.unsafe("writes-imported", f"writes state into the imported object {target!r}", offset)
        elif type(target) is Result:
            target.state = state
            special.check_state(self, target, offset)
        parts = state if type(state) is tuple and len(state) <= 8 else (state,)
        for part in parts:
            if type(part) is dict:
                self._built_dict(part, offset)

    def _built_dict(self, state: dict[Value, Value], offset: int) -> None:
        for key, value in state.items():
            if type(key) is not str or not self.telling_key(key):
                continue
            if key[:2] == "__" or type(value) in (Global, Result):
                self.unsafe("dunder-state", f"writes the attribute {key!r} of an object", offset)

    def telling_key(self, key: Value) -> bool:
        """Whether a key of a state says more about an attack than about a model."""
        if type(key) is not str:
            return False
        if key[:2] == "__" and key[-2:] == "__":
            return key not in _HARMLESS_DUNDERS
        return key in _PROTOCOL_METHODS

    def write(self, target: Global, how: str, offset: int) -> None:
        """Judge an item written into an imported object."""
        self.unsafe("writes-imported", f"{how} writes into the imported object {target!r}", offset)

    def persistent(self, value: Persistent) -> Value:
        """The value of an object that lies outside the stream.

        The legacy torch format names the classes of modules so: ("module", class, path of its source, its source).
        """
        key = value.key
        if type(key) is tuple and len(key) > 1 and key[0] == "module" and type(key[1]) is Global:
            return key[1]
        if len(self.storages) < self.ledger.limits.members:
            self.storages.append(value.key)
        return value

    def extension(self, code: int, offset: int) -> None:
        """Judge an extension-registry opcode."""
        self.unsafe("extension-registry", f"calls on extension code {code}, whose meaning the file hides", offset)

    def long_bytes(self, start: int, end: int) -> Unread:
        """The value of a bytes literal that is too long to keep."""
        return Span(start, end)


def _is_function(name: str) -> bool:
    """Whether a name is spelled like a function that no framework uses to rebuild an object."""
    bare = name.lstrip("_")
    rebuilds = ("rebuild", "reconstruct", "unpickle", "pyx_unpickle", "new_", "restore", "from_", "make_", "create_")
    return bare[:1].islower() and not bare.startswith(rebuilds)
