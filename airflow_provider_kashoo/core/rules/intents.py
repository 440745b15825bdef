"""A plan is a list of intents: each says what to do with one record, and why.

Records of which there is nothing to do have none: see :mod:`.kept` and :mod:`.skipped`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import is_payment
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.made_from import Sources
from airflow_provider_kashoo.core.values.ids import Reference, operation_key
from airflow_provider_kashoo.core.values.record import Record

Document = Mapping[str, Any]


OUTCOME_UNKNOWN = "it was sent; whether it was written is not known yet"
"""Why an intent waits."""

T = TypeVar("T", bound="Intent")


@dataclass(frozen=True, kw_only=True)
class Intent:
    """The common fields of all intents; by itself, an intent whose action is not decided yet.

    :param reason: why, for people.
    :param sync: name of the sync that plans it.
    :param mapping: name of the mapping that reads the record; empty if none does.
    :param sale: id of the sale; for anything but an invoice, the record's own id.
    :param generation: number of the record's invoice; rises after a confirmed void.
    :param link_version: version of the link when this was planned, or of the last ended one; 0 when there never was
        one.
    :param source_read: when the record was read from Salesforce (for a write-back: from the books), ISO 8601 UTC; the
        intent is stale once a later reading was compared with its link, or written back.
    :param kashoo_id: the record in the books, if known.
    :param total: expected total of an invoice, minor units.
    :param sources: from what each field is made, see :mod:`.made_from`; None if that is not known.
    :param observed: what was seen of both sides, see :mod:`.observed`; None leaves what the link has.
    """

    action: ClassVar[Action] = Action.SKIP
    requests: ClassVar[int] = 0

    record: Record
    reason: str = ""
    sync: str = "salesforce_to_kashoo"
    mapping: str = ""
    sale: str = ""
    generation: int = 1
    link_version: int = 0
    source_read: str = ""
    kashoo_id: int | None = None
    currency: str | None = None
    total: int | None = None
    sources: Sources | None = None
    observed: Mapping[str, Sequence[Any]] | None = None

    @classmethod
    def of(cls: type[T], mapping: FieldMapping, sync: str, source_id: str, **more: Any) -> T:
        """Make an undecided intent for a record that a mapping reads."""
        record = Record(mapping.to, mapping.from_.object, source_id)
        own: dict[str, Any] = {"sale": source_id, "mapping": mapping.name, "sync": sync}
        return cls(record=record, **own | more)

    def become(self, kind: type[T], **more: Any) -> T:
        """Return this as another kind of intent, with that kind's own fields."""
        own = {name: value for name, value in vars(self).items() if name in kind.__dataclass_fields__}
        return kind(**own | more)

    def parked(self, problem: Problem) -> Park:
        """Return this as a record that should be written but cannot be."""
        return self.become(
            Park, reason=problem.cause, error_class=problem.error_class, fix=problem.fix, said=problem.said
        )

    def asked(self, problem: Problem) -> Ask:
        """Return this as a question for a person."""
        return self.become(
            Ask, reason=problem.cause, error_class=problem.error_class, fix=problem.fix, said=problem.said
        )

    @property
    def unquoted(self) -> str:
        """The reason as logs may have it; see :attr:`Problem.unquoted`."""
        return self.reason

    @property
    def values(self) -> dict[str, Any]:
        """Its fields as a JSON value; not by ``asdict``, which copies every document."""
        return vars(self) | {"record": vars(self.record)}

    @property
    def key(self) -> str:
        """The operation's key; see :func:`~.ids.operation_key`."""
        record, action = self.record, self.action.value
        if is_payment(record.kind):  # its record is that of its invoice
            action = f"{action}_{record.kind}"
        return operation_key(self.sync, record.object, record.id, record.part, action, self.generation)

    @property
    def needs(self) -> int:
        """Requests that it needs."""
        return self.requests

    @property
    def write(self) -> tuple[str, int, str]:
        """Identify this write: a new plan may have another write with the same key."""
        return self.key, self.link_version, self.source_read

    @property
    def reference(self) -> Reference:
        """Our reference, as the record contains it in the books."""
        return Reference(self.record.id, self.record.part, self.generation)

    @property
    def written(self) -> Document:
        """The fields that are written."""
        return {}

    @property
    def date(self) -> str | None:
        """Date of the record in the books, ``YYYY-MM-DD``; None if not known."""
        return None


@dataclass(frozen=True, kw_only=True)
class _OfDocument(Intent):
    """An intent with the whole record as the mapping makes it; links to parents may be symbolic.

    :param rules: what the rules that caught the record do, in words.
    """

    document: Document = field(default_factory=dict)
    rules: Sequence[str] = ()

    @property
    def date(self) -> str | None:
        """Date in the document."""
        return self.document.get("date")


@dataclass(frozen=True, kw_only=True)
class Create(_OfDocument):
    """Create the record in the books."""

    action, requests = Action.CREATE, 1

    @property
    def needs(self) -> int:
        """Requests that it needs; for a payment its invoice is read before."""
        return self.requests + is_payment(self.record.kind)

    @property
    def written(self) -> Document:
        """All of it."""
        return self.document


@dataclass(frozen=True, kw_only=True)
class _OfChanges(_OfDocument):
    """An intent that writes some fields of the document.

    :param changes: those.
    """

    changes: Document = field(default_factory=dict)

    @property
    def written(self) -> Document:
        """The changed fields."""
        return self.changes


@dataclass(frozen=True, kw_only=True)
class Update(_OfChanges):
    """Change fields of a record in the books.

    :param base: keyed hash of the record in the books when this was planned.
    """

    action, requests = Action.UPDATE, 2

    base: str = ""


@dataclass(frozen=True, kw_only=True)
class Void(Intent):
    """Remove an invoice from the books.

    :param base: as in :class:`Update`.
    :param rules: those of its mapping that require an approval, in words.
    """

    action, requests = Action.VOID, 3

    base: str = ""
    rules: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Link(_OfDocument):
    """Link a record that is in the books already; nothing is written.

    :param held: its fields in the books.
    :param alone: only if nothing else is linked to it by then, because it was found by likeness.
    """

    action = Action.LINK

    held: Document = field(default_factory=dict)
    alone: bool = False

    @property
    def written(self) -> Document:
        """The fields by which it was linked; nothing is sent."""
        return self.held


@dataclass(frozen=True, kw_only=True)
class Follow(Intent):
    """Move a link to another record or sale, because its source was merged or now belongs to another sale.

    :param into: id of the record that the link moves to.
    :param into_sale: the sale that it moves to.
    """

    action = Action.FOLLOW

    into: str = ""
    into_sale: str = ""


@dataclass(frozen=True, kw_only=True)
class Tell(_OfChanges):
    """Write the state of an invoice back to Salesforce.

    :param settlement: status of the invoice, see :mod:`.settlement`.
    :param parent: names the customer; records of one parent are sent together, because Salesforce locks it.
    """

    action = Action.WRITE_BACK

    settlement: str = ""
    parent: str = ""


@dataclass(frozen=True, kw_only=True)
class Upsert(_OfChanges):
    """Make a record of its own in Salesforce for an invoice or a payment, or change it; or change an Account.

    Its record names what the invoice was billed from, so that all that waits of one deal stands together.

    :param match: external id field by which Salesforce finds the record; empty if it is found in another way.
    :param external_id: what stands in that field; names the record in the store.
    :param salesforce_id: id of the record, once it is known.
    :param leaves: whether the record is left with this, because its mapping's ``when`` is not met any more.
    :param parent: id of the Account; as in :class:`Tell`.
    :param rank: records of a lower rank are written first: an invoice before its payments.
    :param settlement: status of the invoice, or what the payment is.
    """

    action = Action.UPSERT

    match: str = ""
    external_id: str = ""
    salesforce_id: str = ""
    leaves: bool = False
    parent: str = ""
    rank: int = 0
    settlement: str = ""

    @property
    def key(self) -> str:
        """The operation's key: of the record in Salesforce, because an invoice or a deal may have several."""
        named = self.external_id or self.record.id
        return operation_key(self.sync, self.record.kind, named, self.record.part, self.action.value, self.generation)


@dataclass(frozen=True, kw_only=True)
class _Problematic(Intent):
    """An intent with a cause, which is its reason, and a fix."""

    error_class: str = ""
    fix: str = ""
    said: str = ""

    @property
    def problem(self) -> Problem:
        """Why it is parked, or why a person is asked."""
        return Problem(self.error_class, self.reason, self.fix, self.said)

    @property
    def unquoted(self) -> str:
        """The cause without what it quotes."""
        return self.problem.unquoted


@dataclass(frozen=True, kw_only=True)
class Park(_Problematic):
    """The record should be written but cannot be: every run reads it again.

    :param rules: as in :class:`Create`.
    """

    action = Action.PARK

    rules: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Ask(_Problematic):
    """A person has to decide.

    :param ends_waiting: whether the record's parked operation is closed, because it now waits for that person instead.
    """

    action = Action.REVIEW

    ends_waiting: bool = False


@dataclass(frozen=True, kw_only=True)
class Wait(Intent):
    """The record was sent before; what was read now can only be compared once the outcome is known."""

    action = Action.WAIT


@dataclass(frozen=True, kw_only=True)
class Keep(Intent):
    """Both sides are equal already: note when that was read, and close what was parked or asked.

    Its sources are None also if they are those that the link has.

    :param held: for a write-back, Salesforce field -> keyed hash of its value there; empty if it was not compared.
    :param settlement: as in :class:`Tell`.
    :param ends_waiting: whether the record's parked operation is closed.
    """

    action = Action.UNCHANGED

    held: Mapping[str, str] = field(default_factory=dict)
    settlement: str = ""
    ends_waiting: bool = True


@dataclass(frozen=True, kw_only=True)
class Release(Intent):
    """The record must not be written any more: close what was parked or asked.

    :param ends_waiting: as in :class:`Keep`.
    """

    action = Action.SKIP

    ends_waiting: bool = True


INTENTS: dict[Action, type[Intent]] = {
    each.action: each for each in (Create, Update, Void, Link, Follow, Tell, Upsert, Park, Ask, Wait, Keep, Release)
}

WRITES = frozenset({Action.CREATE, Action.UPDATE, Action.VOID, Action.WRITE_BACK, Action.UPSERT})
