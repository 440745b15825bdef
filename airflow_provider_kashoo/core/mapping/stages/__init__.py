"""A mapping applied to records, stage by stage: select, fields, lines, totals, rules."""
