"""Who approved or rejected which plan, when, and what of it that person saw. Rows are never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.store import audit
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import approvals, runs, scopes

SHOWN = ("asks", "asking", "actions", "totals", "to_pay", "requests")
"""The fields of a plan's summary that a person sees before deciding."""

_MOST_WAITING = 20


@dataclass(frozen=True)
class Decided:
    """What a person decided about a plan.

    :param at: epoch seconds UTC.
    """

    decision: Decision
    by: str
    at: float
    reason: str = ""


class Approvals:
    """Decisions about the plans of one scope; of several about one plan the last counts."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def decide(
        self,
        sync: str,
        run_id: str,
        digest: str,
        decision: Decision,
        *,
        by: str,
        reason: str,
        summary: Mapping[str, Any],
    ) -> Decided | None:
        """Record a decision, unless the same one stands already.

        :param digest: of the plan.
        :param by: who decides.
        :param summary: of the plan, as that person saw it.
        :returns: the same decision, if it was made before; None if this one is new.
        """
        with self._scope.writing() as scope:
            known = _last(scope.connection, scope.id, sync, digest)
            if known and known.decision is decision:
                return known
            row = {"scope_id": scope.id, "sync": sync, "run_id": run_id, "digest": digest, "decision": decision.value}
            said = {"decided_at": scope.now, "decided_by": by[:250], "reason": reason}
            shown = {name: summary[name] for name in SHOWN if name in summary}
            scope.connection.execute(insert(approvals).values(**row, **said, shown=shown))
            who = f"by {by[:250]}{f': {reason}' if reason else ''}"
            audit.note_decision(scope, sync, run_id, digest, decision.value, who)
            return None

    def of(self, sync: str, digest: str) -> Decided | None:
        """Return what was decided about a plan; None if nothing was."""
        with self._scope.reading() as connection:
            return _last(connection, self._scope.id, sync, digest)

    def invoices(self) -> frozenset[tuple[str, int, int]]:
        """List the invoices that a person approved by themselves: Salesforce id, which of several, and generation."""
        mine = approvals.c.scope_id == self._scope.id
        with self._scope.reading() as connection:
            found = connection.execute(select(approvals).where(mine).order_by(approvals.c.id)).all()
        last = {(row.sync, row.digest): row for row in found}
        approved = (row for row in last.values() if row.decision == Decision.APPROVE)
        return frozenset((ident, part, time) for row in approved for ident, part, time in row.shown.get("asking", ()))


@dataclass(frozen=True)
class AskingPlan:
    """A plan that asks for an approval, of a run that is not over.

    :param summary: fields of its :class:`~airflow_provider_kashoo.core.rules.summary.PlanSummary`.
    """

    scope: Scope
    org_id: str
    business_id: str
    sync: str
    run_id: str
    digest: str
    summary: Mapping[str, Any]
    decided: Decided | None


def asking_plans(database: Database) -> list[AskingPlan]:
    """List the plans that ask for an approval, of all orgs and businesses, the newest first."""
    query = select(runs, scopes.c.org_id, scopes.c.business_id).join(scopes).order_by(runs.c.started_at.desc())
    with database.reading() as connection:
        unfinished = connection.execute(query.where(runs.c.finished_at.is_(None), runs.c.digest.is_not(None)))
        found = [row for row in unfinished.mappings() if (row["summary"] or {}).get("asks")]
        return [
            AskingPlan(
                scope=Scope(database, row["scope_id"]),
                decided=_last(connection, row["scope_id"], row["sync"], row["digest"]),
                **{name: row[name] for name in ("org_id", "business_id", "sync", "run_id", "digest", "summary")},
            )
            for row in found[:_MOST_WAITING]
        ]


def _last(connection: Connection, scope_id: int, sync: str, digest: str) -> Decided | None:
    mine = approvals.c.scope_id == scope_id, approvals.c.sync == sync, approvals.c.digest == digest
    row = connection.execute(select(approvals).where(*mine).order_by(approvals.c.id.desc()).limit(1)).one_or_none()
    return Decided(Decision(row.decision), row.decided_by, row.decided_at, row.reason) if row else None
