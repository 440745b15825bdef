// The mapping files as tables: from which field, to which field, by which rules.

import { useAsked } from "../api";
import { Card, Code, Empty, Notice, Rows, Shown, Tag } from "../parts";
import { C, h, useState } from "../shared";
import { many, number } from "../words";

interface FieldOf {
  target: string;
  sources: string[];
  how: string;
  line: number;
  type: string | null;
  required: boolean;
}

interface MappingOf {
  name: string;
  file: string;
  from: string;
  to: string;
  when: string[];
  fields: FieldOf[];
  lines: FieldOf[];
  single_line: FieldOf[];
  rules: { what: string; when: string | null; place: string; caught: number }[];
  required: string[];
  unmapped: string[];
}

interface MappingsOf {
  folder: string;
  runs: number;
  mappings: MappingOf[];
  mistakes: { place: string; what: string; fix: string; warning: boolean }[];
}

export function Mapping() {
  const asked = useAsked<MappingsOf>("mappings");
  return <Shown asked={asked}>{(value: MappingsOf) => <All {...value} />}</Shown>;
}

function All({ mappings, mistakes, runs, folder }: MappingsOf) {
  const [name, setName] = useState("");
  const shown = mappings.find((each) => each.name === name) ?? mappings.find((each) => each.to === "invoice") ?? mappings[0];
  return (
    <C.Stack gap={4}>
      {mistakes.map((each) => (
        <Notice
          key={each.place + each.what}
          tone={each.warning ? "warning" : "error"}
          what={`${each.place}: ${each.what}`}
          then={each.fix || (each.warning ? "This may be meant; runs go on." : "No run begins before this is corrected.")}
        />
      ))}
      <C.HStack gap={3} wrap="wrap">
        <C.NativeSelect.Root size="sm" width="22rem">
          <C.NativeSelect.Field aria-label="Which mapping" value={shown?.name ?? ""} onChange={(event: { target: { value: string } }) => setName(event.target.value)}>
            {mappings.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name}
              </option>
            ))}
          </C.NativeSelect.Field>
          <C.NativeSelect.Indicator />
        </C.NativeSelect.Root>
        <C.Text fontSize="xs" color="fg.muted" wordBreak="break-all">
          {many(mappings.length, "file")} of {folder}
        </C.Text>
      </C.HStack>
      {shown ? <One mapping={shown} runs={runs} /> : <Empty what="No mapping is understood.">Correct the mistakes above.</Empty>}
    </C.Stack>
  );
}

function One({ mapping, runs }: { mapping: MappingOf; runs: number }) {
  return (
    <C.Stack gap={4}>
      {mapping.required.length ? (
        <Notice tone="error" what={`Required and not mapped: ${mapping.required.join(", ")}`} then="Kashoo refuses a record without them." />
      ) : null}
      <Card title="Which records" aside={mapping.file}>
        <C.Text fontSize="sm">
          Each {mapping.from} becomes one {mapping.to}
          {mapping.when.length ? ", if all of this is true:" : "."}
        </C.Text>
        <C.Stack gap={1} mt={2} align="start">
          {mapping.when.map((each) => (
            <Code key={each}>{each}</Code>
          ))}
        </C.Stack>
      </Card>
      <Fields title="Fields" fields={mapping.fields} note={mapping.unmapped.length ? `left empty: ${mapping.unmapped.join(", ")}` : ""} />
      <Fields title="Lines" fields={mapping.lines} />
      <Fields title="The line of a deal without lines" fields={mapping.single_line} />
      <Card title="Rules" aside={runs ? `caught in the last ${many(runs, "run")}` : "no run yet"}>
        {mapping.rules.length ? (
          <Rows
            label={`Rules of ${mapping.name}`}
            rows={mapping.rules}
            columns={[
              { title: "What it does", cell: (row) => row.what, wide: true },
              { title: "When", cell: (row) => (row.when ? <Code>{row.when}</Code> : "always") },
              { title: "Place", cell: (row) => row.place },
              { title: "Caught", cell: (row) => number(row.caught), right: true },
            ]}
          />
        ) : (
          <Empty what="This mapping has no rules.">Rules skip, change, split or hold back deals; the how-to guides show them.</Empty>
        )}
      </Card>
    </C.Stack>
  );
}

function Fields({ title, fields, note }: { title: string; fields: FieldOf[]; note?: string }) {
  if (!fields.length) return null;
  return (
    <Card title={title} aside={note}>
      <Rows
        label={title}
        rows={fields}
        columns={[
          { title: "From", cell: (row) => (row.sources.length ? row.sources.map((each) => <C.Text key={each}>{each}</C.Text>) : "the same for all") },
          { title: "Into", cell: (row) => row.target },
          { title: "", cell: (row) => (row.required ? <Tag>required</Tag> : "") },
          { title: "How", cell: (row) => <Code>{row.how}</Code>, wide: true },
          { title: "Line", cell: (row) => number(row.line), right: true },
        ]}
      />
    </Card>
  );
}
