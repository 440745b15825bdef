// What the runs wanted to write: a list of plans, and the rows of one.

import { at, useAsked } from "../api";
import { Button, Card, Code, Empty, Figure, Notice, ODD, Opens, Pages, Rows, Shown, Tag, To } from "../parts";
import { C, h, useRef, useSearchParams, useState } from "../shared";
import { action, many, number, sync, time } from "../words";

const DAGS = ["salesforce_to_kashoo", "kashoo_to_salesforce"];

interface Listed {
  run_id: string;
  at: string;
  digest: string;
  actions: Record<string, Record<string, number>>;
  new_invoices: string[];
  requests: number;
  asks: boolean;
}

interface Row {
  action: string;
  target: string;
  source_id: string;
  part: number;
  name: string;
  customer: string;
  reason: string;
  fix: string;
  total: string | null;
  before: string | null;
  odd: string[];
  opens: Record<string, string>;
}

interface PlanOf {
  digest: string;
  sync: string;
  business: string;
  made_at: string;
  done_at: string;
  requests: number;
  actions: Record<string, Record<string, number>>;
  money: { currency: string; create: string; update_before: string; update_after: string; void: string }[];
  reasons: Record<string, number>;
  asks: Record<string, number>;
  notes: string[];
  rows: Row[];
  matching: number;
  more_rows: number;
  offset: number;
  page: number;
}

const encoded = encodeURIComponent;

export function Plan() {
  const [search, setSearch] = useSearchParams();
  const dag = search.get("dag") ?? DAGS[0];
  const run = search.get("run");
  return (
    <C.Stack gap={4}>
      <C.HStack gap={2} role="group" aria-label="Which sync">
        {DAGS.map((each) => (
          <Button key={each} aria-pressed={each === dag} variant={each === dag ? "solid" : "outline"} onClick={() => setSearch({ dag: each })}>
            {sync(each)}
          </Button>
        ))}
      </C.HStack>
      {run ? <OnePlan key={run} dag={dag} run={run} /> : <Plans dag={dag} />}
    </C.Stack>
  );
}

function Plans({ dag }: { dag: string }) {
  const asked = useAsked<{ plans: Listed[] }>(`plans/${encoded(dag)}`, 30);
  const writes = (plan: Listed) => {
    const names = ["create", "update", "void", "write_back"];
    const found = Object.entries(plan.actions).flatMap(([target, each]) =>
      names.filter((name) => each[name]).map((name) => `${action(name)} ${many(each[name], target)}`),
    );
    return found.join(", ") || "nothing to write";
  };
  return (
    <Shown asked={asked}>
      {({ plans }: { plans: Listed[] }) => (
        <Card title="Plans" aside="those whose files are still kept">
          {plans.length ? (
            <Rows
              label="Plans"
              rows={plans}
              columns={[
                { title: "Made", cell: (row) => <To to={`/plugin/kashoo/plan?dag=${encoded(dag)}&run=${encoded(row.run_id)}`}>{time(row.at)}</To> },
                { title: "Plan", cell: (row) => <Code>{row.digest}</Code> },
                { title: "What it writes", cell: writes, wide: true },
                { title: "New invoices", cell: (row) => row.new_invoices.map((each) => <C.Text key={each}>{each}</C.Text>), right: true },
                { title: "Requests", cell: (row) => number(row.requests), right: true },
                { title: "", cell: (row) => (row.asks ? <Tag tone="blue">asks for approval</Tag> : "") },
              ]}
            />
          ) : (
            <Empty what="No plan is kept.">
              Trigger <To to={`/dags/${dag}`}>{dag}</To>, or see what the next run would do: <Code>airflow kashoo plan --sync {dag}</Code>
            </Empty>
          )}
        </Card>
      )}
    </Shown>
  );
}

function OnePlan({ dag, run }: { dag: string; run: string }) {
  const [only, setOnly] = useState("");
  const [text, setText] = useState("");
  const [offset, setOffset] = useState(0);
  const asked = useAsked<PlanOf>(
    `plans/${encoded(dag)}/${encoded(run)}?action=${encoded(only)}&text=${encoded(text)}&offset=${offset}`,
  );
  // The last answer stays while the next one comes: whoever types must not lose what is above.
  const last = useRef<PlanOf | null>(null);
  if (asked.value) last.current = asked.value;
  const plan = last.current;
  return (
    <C.Stack gap={4}>
      <To to={`/plugin/kashoo/plan?dag=${encoded(dag)}`}>All plans</To>
      {plan ? <Head plan={plan} dag={dag} run={run} /> : null}
      {plan ? (
        <C.HStack gap={2} wrap="wrap">
          <Filter only={only} choose={(name) => (setOnly(name), setOffset(0))} actions={plan.actions} />
          <C.Input
            size="sm"
            maxW="20rem"
            aria-label="Find in this plan"
            placeholder="Find a name, an id or a reason"
            value={text}
            onChange={(event: { target: { value: string } }) => (setText(event.target.value), setOffset(0))}
          />
        </C.HStack>
      ) : null}
      <Shown asked={{ ...asked, value: plan }}>
        {(shown: PlanOf) => (
          <Card title="Rows" aside={`${number(shown.matching)} match`}>
            {shown.rows.length ? <PlanRows rows={shown.rows} /> : <Empty what="No row matches." />}
            <Pages at={shown} go={setOffset} />
            {shown.more_rows ? (
              <C.Text color="fg.muted" mt={2}>
                The plan has {number(shown.more_rows)} more rows, which are not shown here. All of them:{" "}
                <Code>airflow kashoo plan --format html --output plan.html</Code>
              </C.Text>
            ) : null}
          </Card>
        )}
      </Shown>
    </C.Stack>
  );
}

function Filter({ only, choose, actions }: { only: string; choose: (name: string) => void; actions: PlanOf["actions"] }) {
  const names = new Set(Object.values(actions).flatMap((each) => Object.keys(each)));
  const rows = [...names].filter((name) => !["skip", "unchanged"].includes(name));
  if (only && !rows.includes(only)) rows.push(only);
  return (
    <C.NativeSelect.Root size="sm" width="14rem">
      <C.NativeSelect.Field aria-label="Show only" value={only} onChange={(event: { target: { value: string } }) => choose(event.target.value)}>
        <option value="">everything</option>
        {rows.map((name) => (
          <option key={name} value={name}>
            {action(name)}
          </option>
        ))}
      </C.NativeSelect.Field>
      <C.NativeSelect.Indicator />
    </C.NativeSelect.Root>
  );
}

function Head({ plan, dag, run }: { plan: PlanOf; dag: string; run: string }) {
  return (
    <Card title={`Plan ${plan.digest.slice(0, 12)}`} aside={`made ${time(plan.made_at)}${plan.business ? ` for ${plan.business}` : ""}`}>
      <C.Stack gap={3}>
        {Object.entries(plan.asks).map(([why, count]) => (
          <Notice key={why} tone="info" what={`A person has to approve this plan: ${why} (${number(count)}).`} />
        ))}
        {plan.money.length ? (
          <Rows
            label="Money of the plan"
            rows={plan.money}
            columns={[
              { title: "Currency", cell: (row) => row.currency },
              { title: "To be invoiced", cell: (row) => row.create, right: true },
              { title: "Changed from", cell: (row) => row.update_before, right: true },
              { title: "to", cell: (row) => row.update_after, right: true },
              { title: "Voided", cell: (row) => row.void, right: true },
            ]}
          />
        ) : null}
        <C.Flex gap={6} wrap="wrap">
          <Figure label="requests to Kashoo" value={number(plan.requests)} />
          {plan.requests ? <Figure label="done, if it began when it was made" value={time(plan.done_at)} /> : null}
        </C.Flex>
        {plan.notes.map((each) => (
          <C.Text key={each} fontSize="sm" color="fg.muted">
            {each}
          </C.Text>
        ))}
        <C.HStack gap={4}>
          <To to={`/dags/${encoded(dag)}/runs/${encoded(run)}`}>Open the run</To>
          <C.Link href={at(`plan/${encoded(dag)}/${encoded(run)}`)} color="fg.info" textDecoration="underline">
            Open the report to print or sign
          </C.Link>
        </C.HStack>
      </C.Stack>
    </Card>
  );
}

function PlanRows({ rows }: { rows: Row[] }) {
  return (
    <Rows
      label="Rows of the plan"
      rows={rows}
      columns={[
        { title: "What", cell: (row) => <Tag tone={["park", "review"].includes(row.action) ? "red" : undefined}>{action(row.action)}</Tag> },
        {
          title: "Record",
          wide: true,
          cell: (row) => (
            <C.Box>
              <C.Text fontWeight="medium">{row.name || row.target}</C.Text>
              <C.Text fontSize="xs" color="fg.muted">
                {row.customer && row.customer !== row.name ? `${row.customer}, ` : ""}
                {row.target} <To to={`/plugin/kashoo/invoices?record=${row.source_id}`}>{row.source_id}</To>
                {row.part > 1 ? `, part ${row.part}` : ""}
              </C.Text>
              <Opens opens={row.opens} />
            </C.Box>
          ),
        },
        {
          title: "Why",
          wide: true,
          cell: (row) => (
            <C.Box fontSize="sm">
              {row.odd.map((each) => (
                <C.Text key={each} color={ODD} fontWeight="medium">
                  {each}
                </C.Text>
              ))}
              <C.Text>{row.reason}</C.Text>
              {row.fix ? <C.Text color="fg.muted">{row.fix}</C.Text> : null}
            </C.Box>
          ),
        },
        { title: "Before", cell: (row) => row.before ?? "", right: true },
        { title: "Total", cell: (row) => row.total ?? "", right: true },
      ]}
    />
  );
}
