// What is billed, what waits, what runs, what is late.

import { useAsked } from "../api";
import { BAD, Card, Code, Empty, Figure, Notice, Rows, Shown, Tag, To } from "../parts";
import { C, h } from "../shared";
import { many, number, sync, time, window } from "../words";

interface Money {
  currency: string;
  invoices: number;
  invoiced: string;
  paid: string;
  partly_paid: string;
  open: string;
}

export interface Run {
  sync: string;
  run_id: string;
  state: string | null;
  started_at: string;
  looked_at: number;
  written: number | null;
  failed: number | null;
}

interface Progress {
  sync: string;
  run_id: string;
  planned: number;
  done: number;
  requests_left: number;
  done_at: string | null;
}

export interface Pair {
  org_id: string;
  business_id: string;
  counted_at: string | null;
  money: Money[] | null;
  writes: Record<string, number> | null;
  asked: number;
  watermarks: { source: string; value: string; run_id: string }[];
  runs: Run[];
  running: Progress[];
}

interface Schedule {
  sync: string;
  paused: boolean | null;
  next_at: string | null;
  late: boolean;
}

export interface TodayOf {
  now: string;
  pairs: Pair[];
  schedules: Schedule[];
  limits: { requests: number; seconds: number; left: number }[];
  closed_until: string | null;
  no_limits: string;
}

export const waitsFor = (pair: Pair) => (pair.writes?.parked ?? 0) + (pair.writes?.in_doubt ?? 0) + pair.asked;

export function Today() {
  const asked = useAsked<TodayOf>("today", 10);
  return <Shown asked={asked}>{(value: TodayOf) => <All {...value} />}</Shown>;
}

function All(today: TodayOf) {
  return (
    <C.Stack gap={4}>
      <Warnings {...today} />
      {today.pairs.length ? null : <First />}
      {today.pairs.map((pair) => (
        <OfPair key={`${pair.org_id}/${pair.business_id}`} pair={pair} named={today.pairs.length > 1} />
      ))}
      <C.SimpleGrid columns={{ base: 1, lg: 2 }} gap={4}>
        <Limits {...today} />
        <Schedules schedules={today.schedules} />
      </C.SimpleGrid>
    </C.Stack>
  );
}

function Warnings({ schedules, closed_until, pairs }: TodayOf) {
  const failed = pairs.flatMap((pair) => newestOfEach(pair.runs)).filter((run) => run.state === "failed");
  if (!failed.length && !closed_until && !schedules.some((each) => each.late)) return null;
  return (
    <C.Stack gap={2}>
      {schedules
        .filter((each) => each.late)
        .map((each) => (
          <Notice
            key={each.sync}
            tone="warning"
            what={`${sync(each.sync)} is late.`}
            then={`Its run of ${time(each.next_at)} has not begun. Is the scheduler running, and is no earlier run stuck?`}
          />
        ))}
      {failed.map((run) => (
        <Notice
          key={run.run_id}
          tone="error"
          what={`The last run of ${sync(run.sync)} failed.`}
          then={<To to={`/dags/${run.sync}/runs/${encodeURIComponent(run.run_id)}`}>Open the run to see at which task.</To>}
        />
      ))}
      {closed_until ? (
        <Notice tone="warning" what="Kashoo asked for a pause." then={`No request is sent before ${time(closed_until)}.`} />
      ) : null}
    </C.Stack>
  );
}

function First() {
  return (
    <Card title="Nothing was synced yet">
      <C.Text mb={2}>Three steps to the first invoices:</C.Text>
      <C.List.Root as="ol" ps={5} gap={1}>
        <C.List.Item>
          Create the connections <Code>salesforce_default</Code> and <Code>kashoo_default</Code> under{" "}
          <To to="/connections">Admin, Connections</To>.
        </C.List.Item>
        <C.List.Item>
          See what would be billed, without writing anything: <Code>airflow kashoo plan</Code>
        </C.List.Item>
        <C.List.Item>
          Trigger <To to="/dags/salesforce_to_kashoo">salesforce_to_kashoo</To> with <Code>limit</Code> 10: a test batch of
          ten invoices.
        </C.List.Item>
      </C.List.Root>
    </Card>
  );
}

function OfPair({ pair, named }: { pair: Pair; named: boolean }) {
  const waits = waitsFor(pair);
  const newest = pair.runs[0];
  return (
    <C.Stack gap={4}>
      {named ? (
        <C.Text color="fg.muted" fontSize="sm">
          Salesforce org {pair.org_id}, Kashoo business {pair.business_id}
        </C.Text>
      ) : null}
      {pair.running.map((each) => (
        <Running key={each.run_id} run={each} />
      ))}
      <Card title="Invoices" aside={pair.counted_at ? `counted ${time(pair.counted_at)}` : "being counted"}>
        <MoneyTable money={pair.money} />
      </Card>
      <Card title="Records">
        <C.Flex gap={6} wrap="wrap">
          <Figure label="read by the last run" value={newest ? number(newest.looked_at) : "none"} />
          <Figure label="written in all" value={number(pair.writes ? (pair.writes.done ?? 0) : null)} />
          <Figure label="parked" value={number(pair.writes ? (pair.writes.parked ?? 0) : null)} tone={pair.writes?.parked ? "bad" : undefined} />
          <Figure label="in doubt" value={number(pair.writes ? (pair.writes.in_doubt ?? 0) : null)} tone={pair.writes?.in_doubt ? "bad" : undefined} />
          <Figure label="to review" value={number(pair.asked)} tone={pair.asked ? "bad" : undefined} />
        </C.Flex>
        <C.Text fontSize="sm" color="fg.muted" mt={3}>
          {waits ? (
            <span>
              {many(waits, "record")} {waits === 1 ? "waits" : "wait"} for a person.{" "}
              <To to="/plugin/kashoo/todo">See why, and what to do</To>
            </span>
          ) : (
            "Nothing waits for a person."
          )}
        </C.Text>
      </Card>
      <C.SimpleGrid columns={{ base: 1, lg: 2 }} gap={4}>
        <Card title="Last runs" aside="written, and not written">
          <Runs runs={pair.runs} />
        </Card>
        <Card title="Read up to">
          {pair.watermarks.length ? (
            <Rows
              label="How far each source was read"
              rows={pair.watermarks}
              columns={[
                { title: "Source", cell: (row) => row.source.replace(".", ", ") },
                { title: "Read up to", cell: (row) => time(row.value), right: true },
              ]}
            />
          ) : (
            <Empty what="No run has finished yet.">A finished run says here how far it read.</Empty>
          )}
        </Card>
      </C.SimpleGrid>
    </C.Stack>
  );
}

export function MoneyTable({ money }: { money: Money[] | null }) {
  if (money === null) return <Empty what="The invoices are being counted.">In a large store this takes some seconds.</Empty>;
  if (!money.length) return <Empty what="No invoice was made yet." />;
  return (
    <Rows
      label="Invoices by currency"
      rows={money}
      columns={[
        { title: "Currency", cell: (row) => row.currency || "unknown" },
        { title: "Invoices", cell: (row) => number(row.invoices), right: true },
        { title: "Invoiced", cell: (row) => row.invoiced, right: true },
        { title: "Paid", cell: (row) => row.paid, right: true },
        { title: "Partly paid", cell: (row) => row.partly_paid, right: true },
        { title: "Nothing paid yet", cell: (row) => row.open, right: true },
      ]}
    />
  );
}

function Running({ run }: { run: Progress }) {
  const part = run.planned ? Math.floor((100 * run.done) / run.planned) : 0;
  return (
    <Card title={`${sync(run.sync)} is running`} aside={run.done_at ? `done about ${time(run.done_at)}` : undefined}>
      {run.planned ? (
        <C.Progress.Root value={part} size="sm" aria-label={`${run.done} of ${run.planned} writes done`}>
          <C.Progress.Track>
            <C.Progress.Range />
          </C.Progress.Track>
        </C.Progress.Root>
      ) : null}
      <C.Text fontSize="sm" mt={2}>
        {run.planned
          ? `${number(run.done)} of ${many(run.planned, "write")} done, about ${many(run.requests_left, "request")} to Kashoo left. `
          : "It reads both sides, and has no plan yet. "}
        <To to={`/dags/${run.sync}/runs/${encodeURIComponent(run.run_id)}`}>Open the run</To>
      </C.Text>
    </Card>
  );
}

function newestOfEach(runs: Run[]): Run[] {
  return [...new Map([...runs].reverse().map((run) => [run.sync, run])).values()];
}

/** Each run as a line of two bars, with both numbers beside them. */
export function Runs({ runs }: { runs: Run[] }) {
  if (!runs.length) return <Empty what="No run yet." />;
  const most = Math.max(1, ...runs.map((run) => (run.written ?? 0) + (run.failed ?? 0)));
  const wide = (count: number | null) => `${(100 * (count ?? 0)) / most}%`;
  return (
    <Rows
      label="Last runs"
      rows={runs}
      columns={[
        {
          title: "Run",
          cell: (run) => (
            <C.Box whiteSpace="nowrap">
              <To to={`/dags/${run.sync}/runs/${encodeURIComponent(run.run_id)}`}>{time(run.started_at)}</To>
              <C.Text fontSize="xs" color="fg.muted">
                {sync(run.sync)}
              </C.Text>
            </C.Box>
          ),
        },
        {
          title: "",
          cell: (run) => (
            <C.Flex aria-hidden h="0.6rem" mt={1} minW="5rem" bg="bg.muted" borderRadius="sm" overflow="hidden">
              <C.Box w={wide(run.written)} bg="green.solid" />
              <C.Box w={wide(run.failed)} bg="red.solid" />
            </C.Flex>
          ),
        },
        { title: "Written", cell: (run) => number(run.written), right: true },
        {
          title: "Not written",
          cell: (run) => <C.Text color={run.failed ? BAD : undefined}>{number(run.failed)}</C.Text>,
          right: true,
        },
        { title: "State", cell: (run) => (run.state ? <Tag tone={run.state === "failed" ? "red" : run.state === "success" ? "green" : "blue"}>{run.state}</Tag> : "") },
      ]}
    />
  );
}

function Limits({ limits, no_limits }: TodayOf) {
  return (
    <Card title="Requests to Kashoo" aside="left in each window">
      {no_limits ? (
        <Empty what="The limits are not known.">{no_limits}</Empty>
      ) : (
        <Rows
          label="Requests left"
          rows={limits}
          columns={[
            { title: "Window", cell: (row) => `per ${window(row.seconds)}` },
            { title: "Allowed", cell: (row) => number(row.requests), right: true },
            { title: "Left", cell: (row) => number(row.left), right: true },
          ]}
        />
      )}
    </Card>
  );
}

function Schedules({ schedules }: { schedules: Schedule[] }) {
  const said = (each: Schedule) => {
    if (each.paused === null) return "Airflow does not know this DAG. Run: airflow kashoo init";
    if (each.paused) return "paused: it does not run by itself";
    return each.next_at ? `next run ${time(each.next_at)}` : "runs when it is triggered";
  };
  return (
    <Card title="Schedule">
      <Rows
        label="Schedule of the syncs"
        rows={schedules}
        columns={[
          { title: "Sync", cell: (row) => <To to={`/dags/${row.sync}`}>{sync(row.sync)}</To> },
          { title: "When", cell: (row) => said(row) },
        ]}
      />
    </Card>
  );
}
