"""Forms as browsers send them without script: fields once each, within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from redan.service.gateway.refusal import MALFORMED
from redan.service.web.errors import Refused
from redan.service.web.reading import read

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 1 << 18
"""A post-mortem of 60 000 characters fits, most of them escaped."""
_MOST_FIELDS = 64


async def form(request: Request) -> dict[str, str]:
    """Read a form's fields; one that stands twice is left out. It can be read again.

    Raises:
        Refused: it is too large, or is none.
    """
    body = await read(request, MOST_BYTES)
    try:
        found = parse_qs(
            body.decode(),
            keep_blank_values=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
            strict_parsing=bool(body),
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise Refused(MALFORMED, "the form cannot be read") from error
    return {name: values[0] for name, values in found.items() if len(values) == 1}
