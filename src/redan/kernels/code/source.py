"""Source code as one text, from a Python file or from the code cells of a notebook, with the places of its lines."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import field

from redan.core.errors import Unreadable
from redan.core.record import dataclass
from redan.kernels.notebooks import Notebook

MOST_BYTES = 2 << 20
"""Size of the source of one file that is read; its syntax tree takes about fifty times as much memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source text that parses.

    Attributes:
        path: as reports show it.
        tree: its syntax tree.
        text: what was parsed.
        lines: number of its lines.
        cells: (first line, number of the cell) of each cell in order; empty for a plain file.
        missed: (place, why) of the cells that do not parse.
    """

    path: str
    tree: ast.Module = field(repr=False)
    text: str = field(repr=False)
    lines: int
    cells: tuple[tuple[int, int], ...] = ()
    missed: tuple[tuple[str, str], ...] = ()

    def address(self, line: int) -> str:
        """Say where a line stands: ``line 12``, ``cell 3, line 2``."""
        if not self.cells:
            return f"line {line}"
        first, number = self.cells[max(0, bisect_right(self.cells, (line, 1 << 62)) - 1)]
        return f"cell {number}, line {line - first + 1}"


def from_python(text: str, path: str) -> Source:
    """Parse the text of a Python file.

    Raises:
        Unreadable: too large, nested too deep, or no Python 3.
    """
    return Source(path=path, tree=parsed(text), text=text, lines=text.count("\n") + 1)


def from_notebook(notebook: Notebook, path: str) -> Source | None:
    """Parse the Python cells of a notebook together; None when it has none.

    Magics and shell lines are blanked, so that the lines keep their numbers. A cell that does not parse is left out
    and named in ``missed``.

    Raises:
        Unreadable: too large, or nested too deep.
    """
    if "python" not in notebook.language:
        return None
    cells = [(c.number, plain(c.source.text)) for c in notebook.cells if c.kind == "code" and c.source.text.strip()]
    if not cells:
        return None
    missed: list[tuple[str, str]] = []
    try:
        return _joined(cells, path, missed)
    except Unreadable as err:
        if sum(len(text) for _, text in cells) > MOST_BYTES:
            raise Unreadable(err.message) from err
    good = []
    for number, text in cells:
        try:
            parsed(text)
        except Unreadable as err:
            missed.append((f"cell {number}", err.message))
        else:
            good.append((number, text))
    return _joined(good, path, missed)


def _joined(cells: list[tuple[int, str]], path: str, missed: list[tuple[str, str]]) -> Source:
    starts, line = [], 1
    for number, text in cells:
        starts.append((line, number))
        line += text.count("\n") + 1
    whole = "\n".join(text for _, text in cells)
    return Source(path=path, tree=parsed(whole), text=whole, lines=line, cells=tuple(starts), missed=tuple(missed))


def parsed(text: str) -> ast.Module:
    """Parse Python 3 as a notebook may hold it, with ``await`` outside of functions.

    Raises:
        Unreadable: too large, nested too deep, or no Python 3.
    """
    if len(text) > MOST_BYTES:
        raise Unreadable(f"larger than the {MOST_BYTES:,} characters that are read of a source file")
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = compile(text.removeprefix("\ufeff"), "<source>", "exec", flags, dont_inherit=True)
    except SyntaxError as err:
        raise Unreadable(f"no Python 3: {err.msg} (line {err.lineno})") from err
    except (RecursionError, MemoryError) as err:
        raise Unreadable("nested deeper than Python's own parser goes") from err
    except ValueError as err:
        raise Unreadable(f"no Python 3: {err}") from err
    if not isinstance(tree, ast.Module):
        raise Unreadable("no Python module")
    return tree


_LINE_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w., ]+=\s*)(?:!|%\w).*$")
_PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun", "%%python3", "%%python", "%%memit")


def plain(text: str) -> str:
    """Return a cell with magics, shell lines and help requests blanked; empty lines for a cell of another language."""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "").strip()
    if first.startswith("%%") and first.split()[0] not in _PYTHON_CELLS:
        return "\n" * (len(lines) - 1)
    return "\n".join(_without_magics(lines)) if re.search(r"[%!?]", text) else text


def _without_magics(lines: list[str]) -> Iterator[str]:
    for line in lines:
        assigned = _ASSIGNED_MAGIC.match(line)
        if assigned:
            yield f"{assigned[1]}None"
            continue
        magic = _LINE_MAGIC.match(line)
        yield f"{magic[1]}pass" if magic else line
