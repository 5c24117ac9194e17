"""The peer's side of `personal_data.py`, run by the peer's own Python: cases, Presidio's findings, its CPU seconds.

``python personal_data.py ANALYZER_FOLDER CORPUS...`` prints one JSON object. The test files are read from the folder
where they lie; nothing of them is copied.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

WARM_UP, PASSES = 200, 3
"""Texts read before the clock starts, since expressions are compiled when first used, and timed passes."""


def of_fixture(fixture: Any) -> Any:
    """Return what a fixture without arguments makes."""
    return fixture._get_wrapped_function()()


def recogniser_of(module: Any) -> Any:
    """Return the recogniser that a test file makes, or nothing."""
    for name in ("recognizer", "cc_recognizer"):
        if hasattr(module, name):
            return of_fixture(getattr(module, name))
    return None


def cases_of(function: Any) -> list[tuple[str, list[list[int]] | int]]:
    """Return texts with the spans, or how many, that a test expects."""
    found = []
    for mark in getattr(function, "pytestmark", []):
        names = mark.args[0] if mark.name == "parametrize" else ""
        names = [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names)
        if "leniency" in names or not {"text", "iban"} & {*names}:
            continue
        for values in mark.args[1]:
            case = dict(zip(names, values if len(names) > 1 else [values], strict=True))
            text = case.get("text", case.get("iban"))
            spans = next(
                (case[key] for key in ("expected_positions", "expected_position", "expected_res") if key in case), None
            )
            if spans is not None:
                spans = [spans] if spans and isinstance(spans[0], int) else spans
                found.append((text, [list(each) for each in spans]))
            elif "expected_start" in case:
                found.append((text, [[case["expected_start"], case["expected_end"]]]))
            elif len(names) == 1 or "expected_len" in case:
                found.append((text, case.get("expected_len", 0)))
    return found


def tested(folder: Path) -> list[dict[str, Any]]:
    """Return every case of the recognisers' tests with what Presidio finds in it."""
    sys.path.append(str(folder))
    os.chdir(folder)  # the tests name files beside them
    rows = []
    for file in sorted(Path("tests").glob("test_*_recognizer.py")):
        spec = importlib.util.spec_from_file_location(f"tests.{file.stem}", file)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            recogniser = recogniser_of(module)
        except BaseException as err:  # noqa: BLE001 - a skipped test file raises pytest's Skipped, which is no Exception
            sys.stderr.write(f"{file.stem}: {type(err).__name__}\n")
            continue
        if recogniser is None or not hasattr(recogniser, "supported_entities"):
            continue
        for name, function in inspect.getmembers(module, inspect.isfunction):
            for text, expected in [] if "strict" in name else cases_of(function):
                entity = recogniser.supported_entities[0]
                found = [[each.start, each.end] for each in recogniser.analyze(text, [entity], None)]
                rows.append({"file": file.stem, "entity": entity, "text": text, "expected": expected, "found": found})
    return rows


def engine() -> Any:
    """Return Presidio's engine with its own default recognisers and an empty spaCy pipeline: patterns only."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None:
            """Nothing to load."""

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    return AnalyzerEngine(nlp_engine=Blank(), registry=registry, supported_languages=["en"])


def main(folder: Path, corpora: list[Path]) -> None:
    """Print cases and corpora with findings and seconds."""
    corpora = [each.resolve() for each in corpora]
    result: dict[str, Any] = {"cases": tested(folder.resolve()), "corpora": {}}
    analyzer = engine()
    for path in corpora:
        texts = [each["full_text"] for each in json.loads(path.read_text())]
        for text in texts[:WARM_UP]:
            analyzer.analyze(text, "en")
        times = []
        for _ in range(PASSES):
            before = time.process_time()
            answers = [analyzer.analyze(text, "en") for text in texts]
            times.append(time.process_time() - before)
        found = [[[each.entity_type, each.start, each.end, each.score] for each in answer] for answer in answers]
        result["corpora"][str(path)] = {"cpu_s": min(times), "found": found}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]])
