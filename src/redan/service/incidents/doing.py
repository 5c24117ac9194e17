"""One step done: through the hands, within its time, with what came of it written down."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from redan.core.errors import EvidenceError, RedanError, UsageError
from redan.evidence.store.clear import now_us
from redan.service.identity.principal import EVERY_MODEL
from redan.service.incidents import acting, holds, timeline
from redan.service.incidents.acting import GONE, Claimed
from redan.service.incidents.holds import Collateral

if TYPE_CHECKING:
    from redan.core.settings_service import Incidents
    from redan.evidence.store.database import Database
    from redan.service.incidents.hands import Hands
    from redan.service.incidents.incident import Incident

CONTAIN_STEP_S = 2.0
"""Most seconds that the hands may take for one containing step; then it has failed and says so."""
CONTAIN_WITHIN_S = 5.0
"""From a finding to its automatic containment, at most, while the database answers; what is later says so."""
REST_STEP_S = 120.0
MODEL_ACTS_S = 3600.0
"""A replica takes one model out of service or back without a person's word in this time."""
MOST_REMEMBERED = 1000
Collect = Callable[["Incident"], Mapping[str, Any]]
Facts = Mapping[str, Any]
Outcome = tuple[Literal["done", "failed", "observing", "undone", "waiting"], str, Facts]


class Doing:
    """Does claimed steps.

    Args:
        settings: [incidents].
        database: of the service.
        hands: what steps do.
        collect: makes a bundle of evidence; blocks.
        replica: name of this one.
    """

    def __init__(self, settings: Incidents, database: Database, hands: Hands, collect: Collect, replica: str) -> None:
        self.told: dict[str, holds.Hold] = {}
        self.unfinished: dict[tuple[int, str], Claimed] = {}
        self.n_doubled = 0
        self._settings, self._database, self._hands = settings, database, hands
        self._collect, self._replica = collect, replica
        self._found: OrderedDict[int, float] = OrderedDict()
        self._model_act_s = -MODEL_ACTS_S
        self._telling = asyncio.Lock()

    def found(self, number: int, at_s: float) -> None:
        """Remember by the steady clock when a finding of an incident came, for the time to containment."""
        self._found.setdefault(number, at_s)
        if len(self._found) > MOST_REMEMBERED:
            self._found.popitem(last=False)

    async def do(self, claimed: Claimed) -> None:
        """Do a step, or undo it, and write down what came of it.

        Raises:
            EvidenceError: the database does not answer.
        """
        self.unfinished[claimed.incident.number, claimed.name] = claimed
        status, text, facts = await self._outcome(claimed)
        if claimed.step.contains and status == "done":
            facts = {**facts, **self._took(claimed.incident.number)}
        try:
            await asyncio.to_thread(
                acting.finished, self._database, claimed, status, who=self._replica, text=text, facts=facts
            )
        except UsageError:
            # another replica has written the same down before us
            self.n_doubled += 1
        del self.unfinished[claimed.incident.number, claimed.name]

    async def _outcome(self, claimed: Claimed) -> Outcome:
        limit_s = CONTAIN_STEP_S if claimed.step.contains else REST_STEP_S
        try:
            async with asyncio.timeout(limit_s):
                return await self._attempt(claimed)
        except Collateral as err:
            return "waiting", err.message, {"why": err.message}
        except TimeoutError:
            return _failed(claimed, f"not done within {limit_s:g} s", {})
        except EvidenceError as err:
            if claimed.step.contains:
                raise  # the database is away: done again as soon as it is back
            return _failed(claimed, err.message, {"why": err.message})
        except RedanError as err:
            return _failed(claimed, err.message, {"why": err.message, "hint": err.hint})
        except Exception as err:  # noqa: BLE001  # the desk goes on with other steps; the mistake is shown and written down
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
            return _failed(claimed, f"a mistake of ours: {type(err).__name__}", {})

    async def _attempt(self, claimed: Claimed) -> Outcome:
        if claimed.step.name == GONE:
            raise UsageError("no playbook holds this step any more")
        if claimed.undo:
            return "undone", "undone", await self._undo(claimed)
        if claimed.step.do == "observe":
            return self._observed(claimed)
        facts = await _ACTIONS[claimed.step.do](self, claimed)
        if "left_out" in facts:
            left = f"a person must approve for {len(facts['left_out'])} more: too many to stop by itself"
            return "waiting", f"{facts['said']}; {left}", facts
        return "done", str(facts.get("said", "done")), {"targets": list(claimed.targets), **facts}

    def _took(self, number: int) -> dict[str, Any]:
        at_s = self._found.pop(number, None)
        if at_s is None:
            return {}
        took_s = time.monotonic() - at_s
        return {"contain_ms": round(took_s * 1000, 3), **({"late": True} if took_s > CONTAIN_WITHIN_S else {})}

    async def _slow(self, claimed: Claimed) -> Facts:
        step = claimed.step
        rate = step.rate_per_s if step.do == "throttle" else holds.RATE_SUSPENDED
        until_us = now_us() + step.lasting_s * 1_000_000
        most = holds.allowed(self._settings, await self._hands.clients()) if claimed.automatic else None
        left_out = await asyncio.to_thread(self._place, claimed, rate, until_us, most)
        await self.hold_back()
        held = [client for client in claimed.targets if client not in left_out]
        said = f"{len(held)} client(s) at {rate:g} a second"
        facts = {"rate_per_s": rate, "until_us": until_us, "targets": held, "said": said}
        return {**facts, "left_out": left_out} if left_out else facts

    def _place(self, claimed: Claimed, rate: float, until_us: int, most: int | None) -> list[str]:
        with self._database.writing() as connection:
            timeline.lock(connection)
            return holds.place(
                connection,
                incident=claimed.incident.number,
                step=claimed.name,
                clients=claimed.targets,
                rate_per_s=rate,
                until_us=until_us,
                most=most,
            )

    async def hold_back(self) -> None:
        """Tell the limiter what changed among those who shall be held back, whoever ordered it.

        Raises:
            RedanError: the limiter or the database does not answer; the next call tries again.
        """
        async with self._telling:
            after = await asyncio.to_thread(self._wanted)
            for client, rate, until_s in holds.differences(self.told, after):
                await self._hands.throttle(client, rate_per_s=rate, until_s=until_s)
                if client in after:
                    self.told[client] = after[client]
                else:
                    del self.told[client]

    def _wanted(self) -> dict[str, holds.Hold]:
        with self._database.reading() as connection:
            found = holds.wanted(connection)
        now = now_us()
        if any(until < now for _, until in found.values()):
            with self._database.writing() as connection:
                holds.expired(connection, now)
                found = holds.wanted(connection)
        return found

    async def _quarantine(self, claimed: Claimed) -> Facts:
        self._one_model(claimed)
        models = await self._hands.served() if claimed.targets[0] == EVERY_MODEL else [*claimed.targets]
        if not models:
            raise UsageError("no model is served here", hint="redan models list")
        before, failed = list[str](), list[EvidenceError]()
        for model in models:
            try:
                before.append(await self._hands.quarantine(model))
            except EvidenceError as err:
                failed.append(err)  # out of service all the same; the others are not left in it
        if failed:
            raise failed[0]
        return {"before": [*filter(None, before)], "targets": models, "said": f"out of service: {', '.join(models)}"}

    async def _rollback(self, claimed: Claimed) -> Facts:
        self._one_model(claimed)
        before, after = await self._hands.rollback(claimed.targets[0])
        return {"before": before, "after": after, "said": f"{after} answers instead of {before}"}

    def _one_model(self, claimed: Claimed) -> None:
        if not claimed.automatic:
            return
        if time.monotonic() - self._model_act_s < MODEL_ACTS_S:
            raise Collateral("a model was taken out of service by itself within this hour; a person must approve")
        self._model_act_s = time.monotonic()

    async def _revoke(self, claimed: Claimed) -> Facts:
        n = sum([await self._hands.revoke(client) for client in claimed.targets])
        return {"n_credentials": n, "said": f"{n} credential(s) of {len(claimed.targets)} client(s)"}

    async def _notify(self, claimed: Claimed) -> Facts:
        where = await self._hands.tell(claimed.incident, claimed.step.text or claimed.incident.title)
        return {"where": where, "said": f"told {where}"}

    async def _gather(self, claimed: Claimed) -> Facts:
        return await asyncio.to_thread(self._collect, claimed.incident)

    def _observed(self, claimed: Claimed) -> tuple[Literal["done", "failed", "observing"], str, Facts]:
        state = claimed.incident.steps[claimed.name]
        if state.status != "observing":
            until_us = now_us() + claimed.step.lasting_s * 1_000_000
            return "observing", f"nothing new may be found for {claimed.step.lasting}", {"until_us": until_us}
        again = [e for e in claimed.incident.entries if e.kind == "finding" and e.t_us > state.t_us]
        if again:
            return "failed", f"found again: {again[-1].text}", {"n_findings": len(again)}
        return "done", f"nothing new was found for {claimed.step.lasting}", {}

    async def _undo(self, claimed: Claimed) -> Facts:
        state = claimed.incident.steps[claimed.name]
        if claimed.step.do in ("throttle", "suspend"):
            await asyncio.to_thread(self._lift, claimed)
            await self.hold_back()
            return {}
        known = _done(claimed).get("before") or []
        before = [known] if isinstance(known, str) else known
        if not before:
            raise UsageError(f"nobody knows what answered before {state.do}", hint="redan serve: promote a version")
        for label in before:
            await self._hands.restore(label)
        return {"after": before}

    def _lift(self, claimed: Claimed) -> None:
        with self._database.writing() as connection:
            timeline.lock(connection)
            holds.lift(connection, claimed.incident.number, claimed.name)


def _failed(claimed: Claimed, why: str, facts: Facts) -> Outcome:
    """Return a failure; what could not be undone is still done."""
    if claimed.undo:
        return "done", f"not undone: {why}", {**_done(claimed), **facts}
    return "failed", why, facts


def _done(claimed: Claimed) -> Facts:
    """Return the facts of the step when it was done last."""
    bodies = [e.body for e in claimed.incident.entries if e.kind == "step" and e.body["step"] == claimed.name]
    return next((body for body in reversed(bodies) if body["status"] == "done"), {})


_ACTIONS: dict[str, Callable[[Doing, Claimed], Awaitable[Facts]]] = {
    "throttle": Doing._slow,
    "suspend": Doing._slow,
    "quarantine": Doing._quarantine,
    "rollback": Doing._rollback,
    "revoke": Doing._revoke,
    "notify": Doing._notify,
    "collect": Doing._gather,
}
