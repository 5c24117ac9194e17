"""Every page of the console for every role, over the assembled gateway."""

from __future__ import annotations

import httpx
import pytest
from tests.console_house import LONG, MODEL, ROLES, Console

PAGES = (
    "/console",
    f"/console/models/{MODEL}",
    f"/console/models/{MODEL}/versions/1",
    f"/console/models/{LONG}/versions/1",
    "/console/live",
    "/console/incidents",
    "/console/incidents/1",
    "/console/incidents/1/postmortem",
    "/console/incidents/1/notification",
    "/console/clients",
    "/console/audit",
    "/console/access",
    "/console/registry",
    "/console/reports",
)


@pytest.mark.parametrize("role", ROLES)
def test_a_page_is_shown_to_whoever_may_see_it_and_refused_in_words_to_others(home: Console, role: str) -> None:
    with home.browser(role) as client:
        offered = client.get("/console").text
        for path in PAGES:
            answer = client.get(path)
            assert answer.status_code in (200, 403), (path, answer.status_code, answer.text[-500:])
            assert answer.headers["content-type"].startswith("text/html")
            assert "<h1>" in answer.text
            if f'href="{path}"' in offered:
                assert answer.status_code == 200, path


def test_who_is_not_logged_in_is_led_to_the_login(home: Console) -> None:
    for path in PAGES:
        answer = httpx.get(home.url + path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")
