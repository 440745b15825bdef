// Deals, invoices and books, month by month: what differs, and what a person says about it.

import { Failed, at, post, useAsked } from "../api";
import { BAD, Button, Card, Code, Empty, Notice, ODD, Opens, Pages, Rows, Shown, Tag, To } from "../parts";
import { C, h, useRef, useSearchParams, useState } from "../shared";
import { many, number, time } from "../words";

interface Cell {
  currency: string;
  month: string;
}

interface Listed {
  dag_id: string;
  run_id: string;
  at: string;
}

interface Month {
  currency: string;
  month: string;
  counts: Record<"deals" | "invoices" | "books" | "not_ours", number>;
  closed: boolean;
  why_open: string[];
  deals: string;
  taxes: string;
  invoices: string;
  books: string;
  owed: string;
  not_ours: string;
  difference: string;
  differences: number;
}

interface Owed {
  since: string;
  notes: string[];
  totals: { currency: string; customers: number; open: string; credits: string; balance: string; differences: number }[];
}

interface Customer {
  source_id: string;
  kashoo_id: number;
  open: string;
  credits: string;
  balance: string;
  ours: string;
  says: string | null;
  opens: Record<string, string>;
}

interface Row {
  id: string;
  name: string;
  source_id: string | null;
  part: number;
  kashoo_id: number | null;
  kind: string;
  next_step: string;
  deal: string;
  books: string;
  state: string;
  why: string;
  by: string | null;
  decided_at: string | null;
  may_be_marked: boolean;
  opens: Record<string, string>;
}

interface Differences {
  currency: string;
  month: string;
  names: { name: string; count: number; sum: string; apart: boolean }[];
  rows: Row[];
  matching: number;
  offset: number;
  page: number;
}

interface TieOutOf {
  business: string;
  from: string;
  to: string;
  at: string;
  unexplained: number;
  notes: string[];
  months: Month[];
  owed: Owed | null;
  customers: Customer[];
  shown: Differences | null;
}

const encoded = encodeURIComponent;
const DAG = "kashoo_tie_out";
/** In place of a month: what customers owe is as of the day of the tie-out. */
const TODAY = "today";

export function TieOut() {
  const asked = useAsked<{ tie_outs: Listed[] }>("tie-outs");
  return <Shown asked={asked}>{({ tie_outs }: { tie_outs: Listed[] }) => (tie_outs.length ? <All listed={tie_outs} /> : <None />)}</Shown>;
}

function None() {
  return (
    <Empty what="No tie-out was made yet.">
      Unpause the DAG <To to={`/dags/${DAG}`}>{DAG}</To>, or see one now in a terminal: <Code>airflow kashoo tie-out</Code>
    </Empty>
  );
}

function All({ listed }: { listed: Listed[] }) {
  const [search, setSearch] = useSearchParams();
  const wanted = listed.find((each) => each.dag_id === search.get("dag") && each.run_id === search.get("run"));
  const shown = wanted ?? listed[0];
  return (
    <C.Stack gap={4}>
      <C.NativeSelect.Root size="sm" width="22rem" maxW="100%">
        <C.NativeSelect.Field
          aria-label="Which tie-out"
          value={listed.indexOf(shown)}
          onChange={(event: { target: { value: string } }) => {
            const { dag_id, run_id } = listed[Number(event.target.value)];
            setSearch({ dag: dag_id, run: run_id });
          }}
        >
          {listed.map((each, place) => (
            <option key={place} value={place}>
              {time(each.at)}
              {place ? "" : ", the newest"}
              {each.dag_id === DAG ? "" : `, ${each.dag_id}`}
            </option>
          ))}
        </C.NativeSelect.Field>
        <C.NativeSelect.Indicator />
      </C.NativeSelect.Root>
      <One key={shown.dag_id + shown.run_id} dag={shown.dag_id} run={shown.run_id} />
    </C.Stack>
  );
}

function One({ dag, run }: { dag: string; run: string }) {
  const [cell, setCell] = useState({ currency: "", month: "" });
  const [name, setName] = useState("");
  const [offset, setOffset] = useState(0);
  const path = `${encoded(dag)}/${encoded(run)}`;
  const page = `currency=${encoded(cell.currency)}&month=${cell.month}&name=${encoded(name)}&offset=${offset}`;
  const asked = useAsked<TieOutOf>(`tie-outs/${path}?${page}`);
  // The last answer stays while the next page comes.
  const last = useRef<TieOutOf | null>(null);
  if (asked.value) last.current = asked.value;
  const choose = (one: Cell) => (setCell(one), setName(""), setOffset(0));
  return (
    <Shown asked={{ ...asked, value: last.current }}>
      {(value: TieOutOf) => (
        <C.Stack gap={4}>
          <Months value={value} dag={dag} run={run} choose={choose} />
          {value.owed ? <Owing owed={value.owed} choose={choose} /> : null}
          {value.shown && (value.shown.month !== TODAY || value.shown.names.length) ? (
            <Card
              title={value.shown.month === TODAY ? `Differences of balances in ${value.shown.currency}` : `Differences of ${value.shown.month} in ${value.shown.currency}`}
              aside={many(value.shown.matching, "difference")}
            >
              <Names shown={value.shown} name={name} choose={(one) => (setName(one), setOffset(0))} />
              <DifferenceRows rows={value.shown.rows} month={value.shown.month} again={asked.again} />
              <Pages at={value.shown} go={setOffset} />
            </Card>
          ) : null}
          {value.customers.length ? <Customers customers={value.customers} currency={value.shown?.currency ?? ""} /> : null}
        </C.Stack>
      )}
    </Shown>
  );
}

/** What all customers owe today, in each currency. */
function Owing({ owed, choose }: { owed: Owed; choose: (one: Cell) => void }) {
  return (
    <Card title="What customers owe today" aside={`by invoices and payments dated ${owed.since} or later`}>
      {owed.totals.length ? (
        <Rows
          label="What customers owe today"
          rows={owed.totals}
          columns={[
            { title: "Currency", cell: (row) => row.currency },
            { title: "Customers", cell: (row) => number(row.customers), right: true },
            { title: "Open invoices", cell: (row) => row.open, right: true },
            { title: "Credits", cell: (row) => row.credits, right: true },
            { title: "Balance", cell: (row) => row.balance, right: true },
            { title: "State", cell: (row) => (row.differences ? <Tag tone="orange">{many(row.differences, "difference")}</Tag> : <Tag tone="green">agrees</Tag>) },
            {
              title: "",
              cell: (row) => (
                <Button aria-label={`Show customers who owe ${row.currency}`} onClick={() => choose({ currency: row.currency, month: TODAY })}>
                  Show customers
                </Button>
              ),
            },
          ]}
        />
      ) : (
        <Empty what="Nobody owes anything, and nobody has a credit." />
      )}
      <C.Text fontSize="xs" color="fg.muted" mt={3}>
        Hold the balance against the receivables in the balance sheet of the books. {owed.notes.join(" ")}
      </C.Text>
    </Card>
  );
}

function Customers({ customers, currency }: { customers: Customer[]; currency: string }) {
  return (
    <Card title={`Customers in ${currency}`} aside={`${many(customers.length, "customer")}, the largest balances first; the report has all`}>
      <Rows
        label="Customers"
        rows={customers}
        columns={[
          { title: "Customer", cell: (row) => <CustomerOf row={row} /> },
          { title: "Open invoices", cell: (row) => row.open, right: true },
          { title: "Credits", cell: (row) => row.credits, right: true },
          { title: "Balance", cell: (row) => row.balance, right: true },
          { title: "Of this sync", cell: (row) => row.ours, right: true },
          { title: "Its Account says", cell: (row) => row.says ?? "", right: true },
        ]}
      />
    </Card>
  );
}

function CustomerOf({ row }: { row: Customer }) {
  return (
    <C.Box>
      <C.Text>{row.source_id || (row.kashoo_id ? "not from Salesforce" : "no customer")}</C.Text>
      {row.kashoo_id ? (
        <C.Text fontSize="xs" color="fg.muted">
          Kashoo {row.kashoo_id}
        </C.Text>
      ) : null}
      <Opens opens={row.opens} />
    </C.Box>
  );
}

function Months({ value, dag, run, choose }: { value: TieOutOf; dag: string; run: string; choose: (one: Cell) => void }) {
  const report = at(`tie-out/${encoded(dag)}/${encoded(run)}`);
  const title = (row: Month) => `${row.month} ${row.currency}`;
  return (
    <Card title={`Invoices dated ${value.from} to ${value.to}`} aside={`compared ${time(value.at)} for ${value.business}`}>
      <C.Stack gap={3}>
        {value.unexplained ? (
          <Notice tone="error" what={`${many(value.unexplained, "difference")} unexplained.`} then="Nothing that the sync knows explains this: look at it now." />
        ) : null}
        {value.months.length ? (
          <Rows
            label="Months"
            rows={value.months}
            columns={[
              { title: "Month", cell: (row) => <C.Text whiteSpace="nowrap">{title(row)}</C.Text> },
              { title: "Deals before tax", cell: (row) => <Counted amount={row.deals} count={row.counts.deals} />, right: true },
              { title: "Taxes", cell: (row) => row.taxes, right: true },
              { title: "Invoices", cell: (row) => <Counted amount={row.invoices} count={row.counts.invoices} />, right: true },
              { title: "Books", cell: (row) => <Counted amount={row.books} count={row.counts.books} />, right: true },
              { title: "Difference", cell: (row) => row.difference, right: true },
              { title: "Still owed", cell: (row) => row.owed, right: true },
              { title: "Not ours", cell: (row) => <Counted amount={row.not_ours} count={row.counts.not_ours} />, right: true },
              { title: "State", cell: (row) => <Closed month={row} /> },
              {
                title: "",
                cell: (row) =>
                  row.differences ? (
                    <Button aria-label={`Show ${many(row.differences, "difference")} of ${title(row)}`} onClick={() => choose(row)}>
                      Show {number(row.differences)}
                    </Button>
                  ) : null,
              },
            ]}
          />
        ) : (
          <Empty what="Nothing was won, billed or booked in these days." />
        )}
        {value.notes.map((each) => (
          <C.Text key={each} color="fg.muted">
            {each}
          </C.Text>
        ))}
        <C.Text fontSize="xs" color="fg.muted">
          The difference is deals with their taxes, less the books.
        </C.Text>
        <C.HStack gap={4} wrap="wrap">
          <To to={`/dags/${encoded(dag)}/runs/${encoded(run)}`}>Open the run</To>
          <C.Link href={report} color="fg.info" textDecoration="underline">
            Open the report to print or sign
          </C.Link>
          <C.Link href={`${report}?format=csv`} color="fg.info" textDecoration="underline">
            All of it as CSV
          </C.Link>
        </C.HStack>
      </C.Stack>
    </Card>
  );
}

function Counted({ amount, count }: { amount: string; count: number }) {
  return (
    <C.Box>
      <C.Text>{amount}</C.Text>
      <C.Text fontSize="xs" color="fg.muted">
        {number(count)}
      </C.Text>
    </C.Box>
  );
}

function Closed({ month }: { month: Month }) {
  if (month.closed) return <Tag tone="green">closed</Tag>;
  return (
    <C.Box>
      <Tag tone="orange">open</Tag>
      {month.why_open.map((each) => (
        <C.Text key={each} fontSize="xs" color="fg.muted">
          {each}
        </C.Text>
      ))}
    </C.Box>
  );
}

/** What each name adds up to; one can be chosen. */
function Names({ shown, name, choose }: { shown: Differences; name: string; choose: (name: string) => void }) {
  return (
    <C.Stack gap={2} mb={3}>
      <C.NativeSelect.Root size="sm" width="30rem" maxW="100%">
        <C.NativeSelect.Field aria-label="Show only" value={name} onChange={(event: { target: { value: string } }) => choose(event.target.value)}>
          <option value="">every difference</option>
          {shown.names.map((each) => (
            <option key={each.name} value={each.name}>
              {each.name}: {number(each.count)}, together {each.sum}
              {each.apart ? ", moves no total" : ""}
            </option>
          ))}
        </C.NativeSelect.Field>
        <C.NativeSelect.Indicator />
      </C.NativeSelect.Root>
      <C.Text fontSize="xs" color="fg.muted">
        Both amounts are with taxes. What you decide here counts from the next tie-out on.
      </C.Text>
    </C.Stack>
  );
}

function DifferenceRows({ rows, month, again }: { rows: Row[]; month: string; again: () => void }) {
  if (!rows.length) return <Empty what="No difference is called so any more." />;
  return (
    <Rows
      label="Differences"
      rows={rows}
      columns={[
        { title: "Difference", cell: (row) => <C.Text color={row.name === "unexplained" ? BAD : undefined}>{row.name}</C.Text> },
        { title: "Record", cell: (row) => <Record row={row} /> },
        { title: month === TODAY ? "Payments or Account" : "Deal", cell: (row) => row.deal, right: true },
        { title: "Books", cell: (row) => row.books, right: true },
        { title: "Next step", cell: (row) => row.next_step, wide: true },
        { title: "State", cell: (row) => (row.id ? <State key={row.id} row={row} again={again} /> : null), wide: true },
      ]}
    />
  );
}

function Record({ row }: { row: Row }) {
  if (!row.source_id) return <C.Text>{row.kashoo_id ? `Kashoo ${row.kashoo_id}` : "all deals"}</C.Text>;
  return (
    <C.Box>
      {row.kind === "invoice" ? <To to={`/plugin/kashoo/invoices?record=${row.source_id}`}>{row.source_id}</To> : <C.Text>{row.source_id}</C.Text>}
      <C.Text fontSize="xs" color="fg.muted">
        {row.kashoo_id ? `Kashoo ${row.kashoo_id}` : row.kind === "invoice" ? "not in Kashoo" : "owes nothing"}
        {row.part > 1 ? `, part ${row.part}` : ""}
      </C.Text>
      <Opens opens={row.opens} />
    </C.Box>
  );
}

const TONES: Record<string, string> = { open: "orange", investigating: "blue", dismissed: "gray", settled: "gray", resolved: "green" };
const CHOICES = [
  ["investigating", "I am looking into it"],
  ["dismissed", "It may stay"],
  ["open", "It is open again"],
];

function State({ row, again }: { row: Row; again: () => void }) {
  const [deciding, setDeciding] = useState(false);
  return (
    <C.Stack gap={1} align="start">
      <Tag tone={TONES[row.state]}>{row.state}</Tag>
      {row.why ? <C.Text dir="auto">{row.why}</C.Text> : null}
      {row.by ? (
        <C.Text fontSize="xs" color="fg.muted">
          {row.by}, {time(row.decided_at)}
        </C.Text>
      ) : null}
      {deciding ? (
        <Decide row={row} done={() => (setDeciding(false), again())} />
      ) : row.may_be_marked ? (
        <Button size="xs" aria-label={`Decide about ${row.name} of ${row.source_id ?? row.id}`} onClick={() => setDeciding(true)}>
          Decide
        </Button>
      ) : null}
    </C.Stack>
  );
}

function Decide({ row, done }: { row: Row; done: () => void }) {
  const [why, setWhy] = useState("");
  const [error, setError] = useState<Failed | null>(null);
  const [busy, setBusy] = useState(false);
  const say = (state: string) => {
    setBusy(true);
    post(`tie-outs/differences/${row.id}`, { state, reason: why }).then(done, (failed) => {
      setBusy(false);
      setError(failed instanceof Failed ? failed : new Failed(String(failed), "", 0));
    });
  };
  return (
    <C.Stack gap={2}>
      <C.Input
        size="sm"
        autoFocus
        aria-label="Reason"
        placeholder="Why: an auditor reads it later"
        maxLength={1000}
        value={why}
        onChange={(event: { target: { value: string } }) => setWhy(event.target.value)}
      />
      <C.HStack gap={2} wrap="wrap">
        {CHOICES.filter(([state]) => state !== row.state).map(([state, text]) => (
          <Button key={state} size="xs" disabled={busy || (state !== "open" && !why.trim())} onClick={() => say(state)}>
            {text}
          </Button>
        ))}
      </C.HStack>
      {error ? <C.Text color={error.status === 403 ? ODD : BAD} role="alert">{`${error.what} ${error.remedy}`}</C.Text> : null}
    </C.Stack>
  );
}
