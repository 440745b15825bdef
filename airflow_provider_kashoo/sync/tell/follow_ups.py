"""What follows an invoice in Salesforce and has no external id: comments on part payments, and its PDF.

Each is named in the store, so that it is planned once; the writer looks in Salesforce before it makes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_kashoo.clients.describe import written_fields
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.stages.write_back import columns
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Upsert
from airflow_provider_kashoo.core.rules.settlement import Invoice
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.store.own_records import MADE, OwnRecord
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Affected, Known

CASE, COMMENT, FILE = "Case", "CaseComment", "ContentVersion"
PARENT, BODY = "ParentId", "CommentBody"
CONTENT = "content"
"""Stands for what is printed on an invoice, which is read when it is printed."""

PAID = "(paid)"
"""Stands beside the fields of a Case for what was paid when it was written."""

BEFORE, AFTER = -1, 9
"""Ranks: a comment goes before its Case, which then counts as told; a file after all others."""


def comments(
    sync: Sync, affected: Affected, mapping: FieldMapping, about: Sequence[tuple[Linked, dict[str, object]]]
) -> Iterator[Intent]:
    """Comment on the Cases of invoices that were paid in part since their Case was written."""
    invoices = [link.kashoo_id for link, _ in about]
    cases, made = (sync.store.own_records.of_invoices(kind, invoices) for kind in (CASE, COMMENT))
    types = written_fields(sync.salesforce, COMMENT, [BODY])
    texts = columns({BODY: Field(text=mapping.comment)}, [says for _, says in about], types, sync.settings.zone)[BODY]
    for (link, says), text in zip(about, texts, strict=True):
        case = next(iter(cases.get(link.kashoo_id, ())[-1:]), None)
        if case is None or case.state != MADE or not says["paid"] or not says["balance"]:
            yield from _unsaid(sync, affected, mapping, link, made.get(link.kashoo_id, ()), case)
            continue
        key = f"{case.external_id}:{says['paid']}"
        before = next((each.state for each in made.get(link.kashoo_id, ()) if each.external_id == key), None)
        begun = _begin(sync, affected, mapping, link, COMMENT, key, BEFORE)
        if before == MADE or (before is None and case.fields.get(PAID) == sync.store.hashes.of(str(says["paid"]))):
            yield begun.become(Keep, reason="its Case says so already")
        elif isinstance(text, Problem):
            yield begun.parked(text)
        else:
            document = {PARENT: case.salesforce_id, BODY: text}
            yield begun.become(Upsert, reason="money came in for it", document=document, changes=document)


def case_of(comment: Upsert) -> str:
    """Name the Case of a comment in the store."""
    return comment.external_id.rpartition(":")[0]


def _unsaid(
    sync: Sync,
    affected: Affected,
    mapping: FieldMapping,
    link: Linked,
    made: Sequence[OwnRecord],
    case: OwnRecord | None,
) -> Iterator[Intent]:
    """End what waits of comments that are not to be made any more, those without an answer too."""
    begun = _begin(sync, affected, mapping, link, COMMENT, "", BEFORE)
    if (open_ := [each for each in made if each.state != MADE]) and case and not affected.is_known(begun):
        document = {PARENT: case.salesforce_id, BODY: ""}
        ended = {"external_id": open_[-1].external_id, "leaves": True, "document": document, "changes": document}
        yield begun.become(Upsert, reason="it is not to be said any more", **ended)
    else:
        yield begun.become(Keep, reason="there is nothing to say any more")


def files(sync: Sync, affected: Affected, known: Sequence[Known]) -> Iterator[Intent]:
    """Attach the PDF of each invoice whose mapping asks for it, and a new version when the invoice changed."""
    mappings = [each for each in sync.mappings.values() if each.pdf]
    if not mappings or not known:
        return
    of_object = {each.to: each for each in mappings if each.tells}
    of_all = next((each for each in mappings if not each.tells), None)
    made = sync.store.own_records.of_invoices(FILE, [link.kashoo_id for link, _ in known])
    for link, invoice in known:
        mapping = of_object.get(link.source_object) or of_all
        if mapping is None:
            continue
        if invoice.removed or not invoice.shown:
            gone = _begin(sync, affected, mapping, link, FILE, "", AFTER)
            yield gone.become(Keep, reason="its invoice is void")
            continue
        last = next(iter(made.get(link.kashoo_id, ())[-1:]), None)
        begun = _begin(sync, affected, mapping, link, FILE, f"{sync.store.business_id}:{link.kashoo_id}", AFTER)
        document = {CONTENT: _printed(link, invoice)}
        if last and last.state == MADE and last.fields.get(CONTENT) == sync.store.hashes.of(document[CONTENT]):
            yield begun.become(Keep, reason="its PDF is attached")
            continue
        known_id = last.salesforce_id or "" if last else ""
        reason = "its invoice changed" if last and last.state == MADE else "its invoice is new"
        yield begun.become(Upsert, reason=reason, document=document, changes=document, salesforce_id=known_id)


def _printed(link: Linked, invoice: Invoice) -> str:
    """Name what is printed, as far as lists show it; any other change in the books is found by the writer."""
    return f"{invoice.number}/{invoice.date}/{invoice.due_date}/{invoice.currency}/{invoice.total}/{link.version}"


def _begin(
    sync: Sync, affected: Affected, mapping: FieldMapping, link: Linked, kind: str, key: str, rank: int
) -> Upsert:
    record = Record(kind, link.source_object, link.source_id, link.part)
    begun = link.intent(sync.name, record=record, mapping=mapping.name, source_read=affected.read)
    return begun.become(Upsert, external_id=key, rank=rank, settlement="made")
