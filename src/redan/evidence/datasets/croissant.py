"""A manifest as Croissant 1.1, the JSON-LD description of data sets that portals and loaders read.

Sources: MLCommons, "Croissant Format Specification 1.1"; "Croissant RAI Vocabulary 1.0".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from redan.evidence.datasets.manifest import Entry, Manifest

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
RESPONSIBLE = "http://mlcommons.org/croissant/RAI/1.0"
_MEDIA_TYPES = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/x-parquet",
    "npz": "application/zip",
}
_TYPES = {"integer": "cr:Int64", "number": "cr:Float64", "boolean": "sc:Boolean", "text": "sc:Text"}
_READ_BY_COLUMN = ("csv", "tsv", "parquet")
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def document(manifest: Manifest, *, url: str = "") -> dict[str, Any]:
    """Return the JSON-LD of a manifest.

    Args:
        manifest: the data set.
        url: folder that its files can be downloaded from; without one, paths beside the document.
    """
    card = manifest.card
    said = {
        "name": card.name or manifest.root,
        "description": card.description,
        "conformsTo": [CONFORMS_TO, RESPONSIBLE] if card.responsible else CONFORMS_TO,
        "license": card.licence,
        "url": card.source or url,
        "creator": {"@type": "Organization", "name": card.creator} if card.creator else "",
        "citeAs": card.cite,
        "version": card.version,
        "datePublished": card.published,
        **{f"rai:{key}": text for key, text in sorted(card.responsible.items())},
    }
    files = {file.path: f"file-{number}" for number, file in enumerate(manifest.files)}
    records = [r for f in manifest.files if (r := _record_set(f, files[f.path])) is not None]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        **{key: value for key, value in said.items() if value},
        "distribution": [_file_object(f, files[f.path], manifest, url) for f in manifest.files],
        **({"recordSet": records} if records else {}),
    }


def to_json(manifest: Manifest, *, url: str = "") -> bytes:
    """Return the JSON-LD as bytes."""
    return json.dumps(document(manifest, url=url), indent=1).encode() + b"\n"


def lacking(manifest: Manifest, *, url: str = "") -> tuple[str, ...]:
    """Return what Croissant asks for and the manifest does not say, each with the flag that says it."""
    card = manifest.card
    wanted = {
        "a description: --description": card.description,
        "a licence: --licence": card.licence,
        "a URL: --source": card.source or url,
        "a creator: --creator": card.creator,
        "a date of publication: --published": card.published,
    }
    return tuple(what for what, value in wanted.items() if not value)


def _file_object(file: Entry, name: str, manifest: Manifest, url: str) -> dict[str, Any]:
    # one file lies at the place itself, a folder's files below it
    path = quote(file.path)
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": file.path,
        "contentUrl": f"{url.rstrip('/')}/{path}" if url else _beside(path, manifest),
        "contentSize": f"{file.size_bytes} B",
        "encodingFormat": _MEDIA_TYPES.get(file.kind) or _guessed(file),
        "sha256": file.sha256,
    }


def _beside(path: str, manifest: Manifest) -> str:
    single = len(manifest.files) == 1 and manifest.files[0].path == manifest.root
    return path if manifest.inside or single else f"{quote(manifest.root)}/{path}"


def _guessed(file: Entry) -> str:
    from mimetypes import guess_type

    return guess_type(file.path, strict=True)[0] or "application/octet-stream"


def _record_set(file: Entry, name: str) -> dict[str, Any] | None:
    if file.table is None or file.kind not in _READ_BY_COLUMN:
        return None
    return {
        "@type": "cr:RecordSet",
        "@id": f"{name}-rows",
        "name": f"{file.path} rows",
        "description": f"{file.table['rows']} rows",
        "field": list(_fields(file, name)),
    }


def _fields(file: Entry, name: str) -> Iterator[dict[str, Any]]:
    assert file.table is not None
    for number, column in enumerate(file.table["columns"]):
        yield {
            "@type": "cr:Field",
            "@id": f"{name}-rows/column-{number}",
            "name": column["name"],
            "dataType": _TYPES[column["kind"]],
            "source": {"fileObject": {"@id": name}, "extract": {"column": column["name"]}},
        }
