"""A subject that offers only what was declared, and tells when something else is asked of it."""

from __future__ import annotations

from typing import Any

MEMBERS = {
    "labels": ("labels",),
    "scores": ("scores", "score_kind"),
    "gradients": ("logits",),
    "weights": ("module",),
    "trainable": ("module", "rebuilt"),
    "refittable": ("estimator", "refitted"),
    "bytes": ("root", "files", "left_out", "digest"),
}
"""Members of a subject that belong to each capability."""
IMPLIED = {"gradients": ("labels", "scores"), "scores": ("labels",), "trainable": ("labels", "scores", "weights")}
"""Who offers the first offers the others too."""


class Narrowed:
    """Passes everything on to a subject and remembers which members were used without being declared.

    Args:
        subject: the real one.
        needs: declared capabilities.
        **instead: members to replace.
    """

    def __init__(self, subject: Any, needs: tuple[str, ...], **instead: Any) -> None:
        self.undeclared: set[str] = set()
        self._subject = subject
        self._instead = instead
        self._offers = frozenset({*needs, *(more for need in needs for more in IMPLIED.get(need, ()))})

    @property
    def capabilities(self) -> frozenset[str]:
        """What was declared and what that implies."""
        return self._offers

    def __getattr__(self, name: str) -> Any:
        owners = [capability for capability, members in MEMBERS.items() if name in members]
        if owners and not self._offers.intersection(owners):
            self.undeclared.add(f"{name} ({' or '.join(owners)})")
        return self._instead[name] if name in self._instead else getattr(self._subject, name)
