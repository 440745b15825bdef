"""The invoice as a PDF: what it says (document), in which words (labels, filled), and how it is set (render)."""
