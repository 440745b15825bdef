"""What the other side says when it refuses a record: in its own words, short, and without secrets.

How Kashoo reports an error is not known (assumed: JSON, text or a page). Its words are never searched for a cause:
"clock" contains "lock". Only a field that the answer names under a key of its own says what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

LONGEST = 300
"""Characters of the other side's words that are kept."""

LONGEST_LOOK = 4_000
"""Characters that are searched for secrets: more than are kept, because masking makes a text shorter."""

SHORTEST_SECRET = 4
"""A shorter password is not masked: it would take letters out of ordinary words."""

MASK = "***"

_SAYING = frozenset(
    "description detail details error errormessage errors exception message messages reason title".split()
)
"""Keys of a JSON answer under which clients of other APIs find words (assumed)."""

_NAMING = frozenset("field fieldname field_name parameter path pointer property propertypath".split())
"""Keys of a JSON answer that name the field at fault (assumed)."""

# No pattern may look at a letter again and again, because an answer may be long: each start of a match ends in one, or
# fails within a few letters, and a run of letters is entered once.
_SECRETS = (
    re.compile(r"(?<=://)[^\s/@:]*+:[^\s/@]++(?=@)"),  # user and password in an address
    re.compile(r"(?i)\b(?:basic|bearer)\s+[\w+/=.~-]{20,}"),
    re.compile(r"\b00D\w{9,15}![\w.]{20,}"),  # a Salesforce session
    re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]+){0,2}"),  # a JSON web token, or the start of one
    re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),  # Kashoo's tokens are UUIDs
)
_NAMED_SECRET = re.compile(
    r"""(?ix) (?<![\w-])
    ( [\w-]*(?:password|passwd|secret|token|authenticationcode|session_?id|api_?key) ["']? \s* [:=] \s* )
    (?: "[^"]*(?:"|\Z) | '[^']*(?:'|\Z) | [^\s,;&}]+ )"""
)
_TAG = re.compile(r"(?is)<head\b.*?(?:</head\s*>|(?=<body\b)|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^<>]*>")


@dataclass(frozen=True)
class Answer:
    """What an answer that refuses a record says.

    :param words: cut and masked; empty when it says nothing.
    :param fields: the last part of each field's name that it gives as the one at fault.
    """

    words: str
    fields: tuple[str, ...] = ()


def quoted(text: str, secrets: Iterable[str] = ()) -> str:
    """Make words of the other side fit for a person: one line, secrets masked, at most :data:`LONGEST` characters.

    :param secrets: texts to mask besides what looks like a secret, such as the password of the connection.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    is_cut = len(text) > LONGEST_LOOK
    text = text[:LONGEST_LOOK]
    for pattern in _SECRETS:
        text = pattern.sub(MASK, text)
    text = _NAMED_SECRET.sub(rf"\1{MASK}", text)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if is_cut and len(text) <= LONGEST:
        text = text.rpartition(" ")[0]  # the last word may be the start of a secret that no pattern knows
    return (text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…").removesuffix(".")


def answer_of(body: str, secrets: Iterable[str] = ()) -> Answer:
    """Read what an answer says, whatever its form.

    :param body: JSON, text, or a page. JSON without a key that is known for words is taken as text.
    """
    try:
        parsed = json.loads(body)
        words, fields = list(_words(parsed)), tuple(_fields(parsed))
    except (ValueError, RecursionError):
        words, fields = [_TAG.sub(" ", body)], ()
    if not words and parsed:
        words = [body]
    return Answer(quoted("; ".join(dict.fromkeys(words)), secrets), fields)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip().removesuffix(".")
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key.lower() in _SAYING:
                yield from _words(each)


def _fields(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _fields(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key.lower() in _NAMING and isinstance(each, str):
                yield re.split(r"\W+", each.rstrip("]"))[-1]
            elif key.lower() in _SAYING:
                yield from _fields(each)
