"""How an invoice looks as a PDF, as a mapping file says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field as Option
from pydantic import GetJsonSchemaHandler, model_validator

from airflow_provider_kashoo.core.mapping.file.field import Strict


class Seller(Strict):
    """Who sends the invoice."""

    name: str | None = Option(None, description="By default the name of the business in Kashoo")
    address: list[str] = Option(default_factory=list, description="Its lines")
    tax_number: str = Option("", description="VAT, GST or EIN, as it should stand on the invoice")
    country: str = Option("", description="Two letters; an e-invoice needs it")
    logo: str | None = Option(None, description="Picture file, beside the mapping or absolute: PNG, JPEG or SVG")


class InvoicePdf(Strict):
    """How an invoice looks; ``true`` in the file is one that is as plain as can be."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Let editors take true, too."""
        return {"anyOf": [{"type": "boolean"}, handler(core)]}

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        return {} if data is True else data

    seller: Seller = Option(default_factory=Seller, description="Who sends it")
    terms: str = Option("", description="How to pay")
    language: str = Option("en", description="Of the words on it: en, fr, de, es")
    labels: dict[str, str] = Option(default_factory=dict, description="Words that replace those of the language")
    paper: Literal["a4", "us-letter"] = Option("a4", description="Its size")
    template: str | None = Option(None, description="A typst file of your own, beside the mapping or absolute")
    fonts: list[str] = Option(default_factory=list, description="Folders with more fonts")
    standard: Literal["factur-x"] | None = Option(None, description="factur-x puts the invoice as XML inside")
