// Find a record, and tell its whole story.

import { useAsked } from "../api";
import { BAD, Button, Card, Code, Empty, Notice, Opens, Rows, Shown, Tag, To } from "../parts";
import { C, Fragment, h, useSearchParams, useState } from "../shared";
import { action, many, number, state, time, would } from "../words";

interface Row {
  source_object: string;
  source_id: string;
  part: number;
  kashoo_id: number;
  state: string;
  total: string | null;
  date: string | null;
  status: string | null;
}

interface ListOf {
  rows: Row[];
  before: string | null;
  looked_at: number | null;
}

interface NamedOf {
  rows: { source_id: string; source_object: string; name: string; customer: string }[];
}

const encoded = encodeURIComponent;
const RECORD = /^(?:[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?|\d{6,})$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const AMOUNT = /^(\d[\d,]*\.\d{1,3}|\d{1,3}(,\d{3})+)$/;

export function Invoices() {
  const [search, setSearch] = useSearchParams();
  const record = search.get("record");
  const query = search.get("find") ?? "";
  const find = (text: string) => {
    const wanted = text.trim();
    const isRecord = RECORD.test(wanted) && /\d/.test(wanted);
    setSearch(isRecord ? { record: wanted } : wanted ? { find: wanted } : {});
  };
  return (
    <C.Stack gap={4}>
      <Search key={record ?? query} text={record ?? query} find={find} />
      {record ? <Story key={record} record={record} /> : <Found key={query} query={query} />}
    </C.Stack>
  );
}

function Search({ text, find }: { text: string; find: (text: string) => void }) {
  const [value, setValue] = useState(text);
  return (
    <form
      role="search"
      onSubmit={(event: { preventDefault: () => void }) => {
        event.preventDefault();
        find(value);
      }}
    >
      <C.HStack gap={2}>
        <C.Input
          size="sm"
          maxW="34rem"
          aria-label="Find invoices"
          placeholder="Deal id, Kashoo id, invoice number, part of a name, 2026-03-31 or 1,250.00"
          value={value}
          onChange={(event: { target: { value: string } }) => setValue(event.target.value)}
        />
        <Button type="submit" variant="solid">
          Find
        </Button>
      </C.HStack>
    </form>
  );
}

function Found({ query }: { query: string }) {
  if (DAY.test(query)) return <Listed title={`Invoices of ${query}`} asks={`day=${query}`} />;
  if (AMOUNT.test(query)) return <Listed title={`Invoices of ${query}`} asks={`amount=${encoded(query)}`} />;
  return query ? <Named text={query} /> : <Listed title="Newest invoices" asks="" />;
}

function Listed({ title, asks }: { title: string; asks: string }) {
  const [before, setBefore] = useState<string | null>(null);
  const asked = useAsked<ListOf>(`invoices?${asks}${before ? `&before=${before}` : ""}`);
  return (
    <Shown asked={asked}>
      {({ rows, before: next, looked_at }: ListOf) => (
        <Card title={title} aside={looked_at ? `among the newest ${number(looked_at)} of each status` : undefined}>
          {rows.length ? <Rows label={title} rows={rows} columns={COLUMNS} /> : <Nothing asks={asks} />}
          {next || before ? (
            <C.HStack mt={3}>
              {before ? <Button onClick={() => setBefore(null)}>Newest</Button> : null}
              {next ? <Button onClick={() => setBefore(next)}>Older</Button> : null}
            </C.HStack>
          ) : null}
        </Card>
      )}
    </Shown>
  );
}

function Nothing({ asks }: { asks: string }) {
  if (asks) return <Empty what="No invoice is like this.">Only what the sync made or linked is known here.</Empty>;
  return (
    <Empty what="No invoice was made yet.">
      Trigger <To to="/dags/salesforce_to_kashoo">salesforce_to_kashoo</To> with <Code>limit</Code> 10 for a test batch.
    </Empty>
  );
}

const COLUMNS = [
  {
    title: "Deal",
    cell: (row: Row) => (
      <C.Box>
        <To to={`/plugin/kashoo/invoices?record=${row.source_id}`}>{row.source_id}</To>
        <C.Text fontSize="xs" color="fg.muted">
          {row.source_object}
          {row.part > 1 ? `, part ${row.part}` : ""}
        </C.Text>
      </C.Box>
    ),
  },
  { title: "Kashoo id", cell: (row: Row) => row.kashoo_id },
  { title: "Date", cell: (row: Row) => row.date ?? "" },
  { title: "Status", cell: (row: Row) => <Tag tone={TONES[row.status ?? ""]}>{row.state === "voided" ? "Void" : (row.status ?? "not read yet")}</Tag> },
  { title: "Total", cell: (row: Row) => row.total ?? "", right: true },
];

const TONES: Record<string, string> = { Paid: "green", "Partly Paid": "blue", Overpaid: "orange" };

function Named({ text }: { text: string }) {
  const asked = useAsked<NamedOf>(text.length > 1 ? `invoices/named?text=${encoded(text)}` : null);
  if (text.length < 2) return <Empty what="Write two letters or more." />;
  return (
    <Shown asked={asked}>
      {({ rows }: NamedOf) => (
        <Card title={`Deals with “${text}”`} aside="asked of Salesforce now">
          {rows.length ? (
            <Rows
              label="Deals found"
              rows={rows}
              columns={[
                { title: "Deal", cell: (row) => <To to={`/plugin/kashoo/invoices?record=${row.source_id}`}>{row.name || row.source_id}</To>, wide: true },
                { title: "Customer", cell: (row) => row.customer },
                { title: "Object", cell: (row) => row.source_object },
                { title: "Id", cell: (row) => row.source_id },
              ]}
            />
          ) : (
            <Empty what="Salesforce has no such deal.">It looks in names of deals and customers, and for the number of an invoice.</Empty>
          )}
        </Card>
      )}
    </Shown>
  );
}

// -- the story of one record

interface Trace {
  mapping: string;
  target: string;
  conditions: { what: string; place: string; holds: boolean }[];
  rules: { what: string; when: string | null; holds: boolean }[];
  fields: { target: string; value: string | null; how: string; sources: Record<string, string | null>; problem: string | null }[];
}

interface StoryOf {
  record: string;
  opens: Record<string, string>;
  not_asked: string;
  now: {
    source_id: string;
    object: string | null;
    name: string;
    customer: string;
    found: boolean;
    mappings: Trace[];
    would: { target: string; action: string; why: string }[];
  }[];
  plans: { at: string; run_id: string; sync: string; target: string; action: string; why: string }[];
  links: (Row & { target: string; sale_id: string; generation: number; opens: Record<string, string> })[];
  waiting: { id: number; target: string; state: string; cause: string | null; fix: string | null; since: string }[];
  questions: { id: number; target: string; cause: string; fix: string; opened: string; closed: string | null; dismissed_by: string | null }[];
  done: { at: string; run_id: string; event: string; target: string; kashoo_id: number | null; reason: string }[];
}

function Story({ record }: { record: string }) {
  const [live, setLive] = useState(false);
  const asked = useAsked<StoryOf>(`invoices/${encoded(record)}${live ? "/now" : ""}`);
  return (
    <C.Stack gap={4}>
      <C.HStack justify="space-between" wrap="wrap">
        <To to="/plugin/kashoo/invoices">All invoices</To>
        <Button disabled={live} onClick={() => setLive(true)}>
          {live ? "Both sides were asked" : "Ask Salesforce and Kashoo now"}
        </Button>
      </C.HStack>
      <Shown asked={asked}>{(story: StoryOf) => <Told story={story} />}</Shown>
    </C.Stack>
  );
}

function Told({ story }: { story: StoryOf }) {
  const open = story.questions.filter((each) => !each.closed);
  const known = story.links.length || story.waiting.length || story.done.length || story.plans.length || story.now.some((each) => each.found);
  return (
    <Fragment>
      {story.links.length ? null : <Opens opens={story.opens} />}
      {story.not_asked ? <Notice tone="warning" what="Neither side could be asked." then={story.not_asked} /> : null}
      {known ? null : (
        <Empty what={`Nothing is known of ${story.record}.`}>
          A run reads what changed in its window. Was it changed before the first run, or is its object in no mapping?
        </Empty>
      )}
      {story.waiting.map((each) => (
        <Notice key={each.id} tone="warning" what={`The ${each.target} is ${state(each.state)}: ${each.cause ?? "no answer yet"}`} then={each.fix} />
      ))}
      {open.map((each) => (
        <Notice key={each.id} tone="warning" what={each.cause} then={each.fix} />
      ))}
      {story.now.map((each) => (
        <AsItIsNow key={each.source_id} now={each} />
      ))}
      {story.links.length ? (
        <Card title="In the books">
          <Rows label="In the books" rows={story.links} columns={[OPENED, ...COLUMNS] as any} />
        </Card>
      ) : null}
      <Timeline story={story} />
    </Fragment>
  );
}

const OPENED = {
  title: "What",
  cell: (row: StoryOf["links"][number]) => (
    <C.Box>
      <C.Text>{row.target}</C.Text>
      <Opens opens={row.opens} />
    </C.Box>
  ),
};

function AsItIsNow({ now }: { now: StoryOf["now"][number] }) {
  const title = now.name ? `${now.name}${now.customer ? ` of ${now.customer}` : ""}` : `${now.object ?? "Record"} ${now.source_id}`;
  if (!now.object) return <Notice tone="info" what={`${now.source_id}: no mapping reads its object.`} />;
  if (!now.found) return <Notice tone="warning" what={`Salesforce does not show ${now.source_id}.`} then="It was deleted, or the user of the connection may not see it." />;
  return (
    <Card title={title} aside="as it is now">
      <C.Stack gap={4}>
        {now.would.map((each) => (
          <C.Text key={each.target + each.why}>
            The next run {would(each.action, each.target)}: {each.why}
          </C.Text>
        ))}
        {now.mappings.map((each) => (
          <C.Box key={each.mapping}>
            <C.Text fontWeight="medium" mb={1}>
              {each.mapping}, to {each.target}
            </C.Text>
            {each.conditions.map((one) => (
              <C.HStack key={one.place} gap={2} mb={1}>
                <Tag tone={one.holds ? "green" : "red"}>{one.holds ? "true" : "not true"}</Tag>
                <Code>{one.what}</Code>
              </C.HStack>
            ))}
            {each.rules.map((one, place) => (
              <C.HStack key={place} gap={2}>
                <Tag tone={one.holds ? "blue" : undefined}>{one.holds ? "rule applies" : "rule does not apply"}</Tag>
                {one.what}
              </C.HStack>
            ))}
            <Rows
              label={`Fields by ${each.mapping}`}
              rows={each.fields}
              columns={[
                { title: "Field", cell: (row) => row.target },
                { title: "Value", cell: (row) => (row.problem ? <C.Text color={BAD}>{row.problem}</C.Text> : (row.value ?? "")), wide: true },
                { title: "Made from", cell: (row) => Object.entries(row.sources).map(([path, value]) => <C.Text key={path}>{`${path} = ${value ?? "empty"}`}</C.Text>) },
              ]}
            />
          </C.Box>
        ))}
      </C.Stack>
    </Card>
  );
}

/** Plans, questions and writes in one line of time, the newest first. */
function Timeline({ story }: { story: StoryOf }) {
  const entries = [
    ...story.done.map((each) => ({ at: each.at, what: `${each.target}: ${action(each.event)}`, why: each.reason, run: each.run_id })),
    ...story.plans.map((each) => ({ at: each.at, what: `planned: ${action(each.action)}, ${each.target}`, why: each.why, run: each.run_id })),
    ...story.questions.map((each) => ({ at: each.opened, what: `asked about the ${each.target}`, why: each.cause, run: "" })),
    ...story.questions
      .filter((each) => each.closed)
      .map((each) => ({ at: each.closed as string, what: `question about the ${each.target} closed`, why: "", run: "" })),
  ].sort((one, other) => (one.at < other.at ? 1 : -1));
  if (!entries.length) return null;
  return (
    <Card title="What happened" aside={many(entries.length, "entry", "entries")}>
      <C.List.Root as="ol" listStyle="none" gap={3} borderStartWidth="2px" borderColor="border" ps={4}>
        {entries.map((each, place) => (
          <C.List.Item key={place}>
            <C.Text fontSize="xs" color="fg.muted">
              {time(each.at)}
              {each.run ? `, run ${each.run}` : ""}
            </C.Text>
            <C.Text fontWeight="medium">{each.what}</C.Text>
            {each.why ? <C.Text fontSize="sm">{each.why}</C.Text> : null}
          </C.List.Item>
        ))}
      </C.List.Root>
    </Card>
  );
}
