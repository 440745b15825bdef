"""What an intent does with a record."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What to do with a record; the values are stored, and are part of operation keys."""

    CREATE = "create"
    UPDATE = "update"
    FOLLOW = "follow"
    VOID = "void"
    LINK = "link"
    WRITE_BACK = "write_back"
    UPSERT = "upsert"
    PARK = "park"
    REVIEW = "review"
    WAIT = "wait"
    SKIP = "skip"
    UNCHANGED = "unchanged"

    @property
    def kept_as(self) -> str:
        """The action that the store keeps with an operation: for a parked record, which has no write yet, a create."""
        return (Action.CREATE if self is Action.PARK else self).value

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again after no answer: an update of Salesforce by Id or external id may."""
        return self in {Action.WRITE_BACK, Action.UPSERT}

    @property
    def keeps_own_record(self) -> bool:
        """Whether the store keeps what it wrote with the record of our own, and not with the invoice's link."""
        return self is Action.UPSERT

    @property
    def ends_link(self) -> bool:
        """Whether its link ends when it is confirmed."""
        return self is Action.VOID

    @property
    def overwrites(self) -> bool:
        """Whether it may replace a newer value by an older one if it is executed late."""
        return self is Action.UPDATE
