"""The metadata of a Factur-X PDF, which typst cannot write: they are added behind the file, as PDF allows.

Names and texts are those of the extension schema that comes with the Factur-X 1.0 specification (evidenced).
"""

from __future__ import annotations

import re

FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"

_PROPERTIES = {
    "DocumentFileName": ("factur-x.xml", "name of the embedded XML invoice file"),
    "DocumentType": ("INVOICE", "INVOICE"),
    "Version": ("1.0", "The actual version of the Factur-X XML schema"),
    "ConformanceLevel": ("MINIMUM", "The conformance level of the embedded Factur-X data"),
}
"""Name -> its value, and what it is."""

_METADATA = re.compile(
    rb"\n(\d+) 0 obj\n<</Length \d+/Type/Metadata/Subtype/XML>>\nstream\n(.*?)\nendstream", re.DOTALL
)
_TRAILER = re.compile(rb"trailer\n<<(.*)>>\nstartxref\n(\d+)\n%%EOF\s*\Z", re.DOTALL)
_SCHEMAS, _END = "</rdf:Bag></pdfaExtension:schemas>", "</rdf:RDF>"


def name_factur_x(pdf: bytes) -> bytes:
    """Say in the metadata of a PDF/A-3 of typst that it has a Factur-X invoice of profile MINIMUM.

    :raises ValueError: when typst writes its files in another way than it did.
    """
    metadata, trailer = _METADATA.search(pdf), _TRAILER.search(pdf)
    if metadata is None or trailer is None:
        raise ValueError("the PDF has no metadata or no trailer where typst 0.15 writes them")
    packet = _with_properties(metadata[2].decode()).encode()
    number, begins = int(metadata[1]), len(pdf) + 1
    changed = b"\n%d 0 obj\n<</Length %d/Type/Metadata/Subtype/XML>>\nstream\n%b\nendstream\nendobj\n" % (
        number,
        len(packet),
        packet,
    )
    table = b"xref\n%d 1\n%010d 00000 n\r\n" % (number, begins)
    ends = b"trailer\n<<%b/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (trailer[1], int(trailer[2]), len(pdf) + len(changed))
    return pdf + changed + table + ends


def _with_properties(packet: str) -> str:
    if packet.count(_SCHEMAS) != 1 or packet.count(_END) != 1:
        raise ValueError("the metadata have no list of schemas where typst 0.15 writes it")
    described = "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        f"<pdfaProperty:category>external</pdfaProperty:category><pdfaProperty:description>{what}</pdfaProperty:description>"
        "</rdf:li>"
        for name, (_, what) in _PROPERTIES.items()
    )
    schema = (
        '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
        f"<pdfaSchema:namespaceURI>{FX}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{described}</rdf:Seq></pdfaSchema:property></rdf:li>"
    )
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _PROPERTIES.items())
    own = f'<rdf:Description rdf:about="" xmlns:fx="{FX}">{values}</rdf:Description>'
    return packet.replace(_SCHEMAS, schema + _SCHEMAS).replace(_END, own + _END)
