"""Why a request is refused: one closed list, so that status, body, metric and audit record always agree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no prediction.

    Attributes:
        status: HTTP status.
        why: stable word, for metrics, the audit log and clients' code.
        say: one harmless sentence for the client: what was expected, what to do. Never what a guard measured.
        retry_s: seconds after which to ask again, as Retry-After; 0 leaves it out.
    """

    status: int
    why: str
    say: str
    retry_s: int = 0


MALFORMED = Refusal(400, "malformed", "the body is not what this address takes; see /openapi.json")
UNKNOWN = Refusal(401, "unauthenticated", "show a valid token or key: Authorization: Bearer TOKEN")
FORBIDDEN = Refusal(403, "forbidden", "your roles do not allow this; ask who administers this gateway")
STEP_UP = Refusal(403, "step-up", "this needs a fresh second factor; confirm it and ask again")
WATCHED = Refusal(403, "guard", "this request was refused by a guard")
SUSPENDED = Refusal(403, "suspended", "this client is suspended; ask who administers this gateway")
NOT_FOUND = Refusal(404, "not-found", "there is nothing at this address; see /openapi.json")
WRONG_METHOD = Refusal(405, "method", "this address takes another method; see /openapi.json")
SLOW = Refusal(408, "slow", "the request did not arrive in time")
TOO_LARGE = Refusal(413, "size", "the request is too large; send fewer rows at once")
NOT_JSON = Refusal(415, "media-type", "send JSON, and the header Content-Type: application/json")
INVALID = Refusal(422, "invalid", "rows do not fit what this model takes; see its metadata")
RATE = Refusal(429, "rate", "too many requests; slow down", retry_s=1)
BUDGET = Refusal(429, "budget", "the budget of queries is spent; ask again later or ask for more", retry_s=3600)
OVERLOADED = Refusal(503, "overload", "too much is waiting; ask again", retry_s=1)
UNAUDITED = Refusal(503, "audit", "decisions cannot be recorded now, so none is made; ask again", retry_s=5)
UNJUDGED = Refusal(503, "identity", "nobody can be recognised now, known or not; ask again", retry_s=5)
QUARANTINED = Refusal(503, "quarantine", "this model is out of service; ask again later", retry_s=60)
MOVED = Refusal(503, "version", "another version answers since; send the rows that are left again", retry_s=1)
DRAINING = Refusal(503, "draining", "this server is stopping; ask again, another one may answer", retry_s=1)
FAILED = Refusal(503, "failed", "the model could not answer; ask again or report it", retry_s=5)
