// The tab on a run of a DAG: what it planned, and what came of it.

import { at, useAsked } from "../api";
import { Card, Empty, Figure, Notice, Rows, Shown, To } from "../parts";
import { C, h } from "../shared";
import { action, many, number, reason, state, time } from "../words";

interface RunOf {
  known: boolean;
  started_at: string;
  finished_at: string | null;
  planned: boolean;
  digest: string;
  actions: Record<string, Record<string, number>>;
  new_invoices: string[];
  requests: number;
  asks: Record<string, number>;
  reasons: Record<string, number>;
  outcome: Record<string, number> | null;
  test_batch: string[];
  has_report: boolean;
}

const encoded = encodeURIComponent;

export function RunTab({ dagId, runId }: { dagId?: string; runId?: string }) {
  const asked = useAsked<RunOf>(dagId && runId ? `runs/${encoded(dagId)}/${encoded(runId)}` : null, 10);
  return (
    <C.Box p={4} fontSize="sm" data-kashoo="run">
      <Shown asked={asked}>{(value: RunOf) => <One run={value} dagId={dagId ?? ""} runId={runId ?? ""} />}</Shown>
    </C.Box>
  );
}

function One({ run, dagId, runId }: { run: RunOf; dagId: string; runId: string }) {
  if (!run.known)
    return (
      <Empty what="Nothing of Kashoo is known of this run.">
        Either its DAG is no sync of Kashoo, or its first task has not begun.
      </Empty>
    );
  if (!run.planned) return <Empty what="This run has no plan yet.">The task plan works out what will be written.</Empty>;
  const counts = Object.entries(run.actions).flatMap(([target, each]) =>
    Object.entries(each).map(([name, count]) => ({ target, name, count })),
  );
  const reasons = Object.entries(run.reasons).map(([why, count]) => ({ why, count }));
  return (
    <C.Stack gap={4}>
      {Object.entries(run.asks).map(([why, count]) => (
        <Notice key={why} tone="info" what={`A person has to approve this plan: ${why} (${number(count)}).`} />
      ))}
      <C.SimpleGrid columns={{ base: 1, lg: 2 }} gap={4}>
        <Card title="Plan" aside={run.digest}>
          <C.Flex gap={6} wrap="wrap" mb={3}>
            <Figure
              label="new invoices"
              value={run.new_invoices.length ? run.new_invoices.map((each) => <C.Text key={each}>{each}</C.Text>) : "none"}
            />
            <Figure label="requests to Kashoo" value={number(run.requests)} />
          </C.Flex>
          <Rows
            label="What was planned"
            rows={counts}
            columns={[
              { title: "Record", cell: (row) => row.target },
              { title: "What", cell: (row) => action(row.name) },
              { title: "How many", cell: (row) => number(row.count), right: true },
            ]}
          />
          {run.has_report ? (
            <C.HStack mt={3} gap={4}>
              <To to={`/plugin/kashoo/plan?dag=${encoded(dagId)}&run=${encoded(runId)}`}>Look at each row</To>
              <C.Link href={at(`plan/${encoded(dagId)}/${encoded(runId)}`)} color="fg.info" textDecoration="underline">
                Open the report to print or sign
              </C.Link>
            </C.HStack>
          ) : null}
        </Card>
        <Card title="Outcome" aside={run.finished_at ? `finished ${time(run.finished_at)}` : `began ${time(run.started_at)}`}>
          <Outcome outcome={run.outcome} />
          {run.test_batch.map((each) => (
            <C.Text key={each} fontSize="sm">
              {each}
            </C.Text>
          ))}
        </Card>
      </C.SimpleGrid>
      {reasons.length ? (
        <Card title="Why the rest was not written" aside={many(reasons.length, "reason")}>
          <Rows
            label="Reasons"
            rows={reasons}
            columns={[
              { title: "Records", cell: (row) => number(row.count), right: true },
              { title: "Why", cell: (row) => reason(row.why), wide: true },
            ]}
          />
        </Card>
      ) : null}
    </C.Stack>
  );
}

function Outcome({ outcome }: { outcome: Record<string, number> | null }) {
  if (outcome === null) return <Empty what="The writes are being counted." />;
  if (!Object.keys(outcome).length) return <Empty what="Nothing was written yet." />;
  return (
    <C.Flex gap={6} wrap="wrap">
      {Object.entries(outcome).map(([name, count]) => (
        <Figure key={name} label={state(name)} value={number(count)} tone={["parked", "in_doubt"].includes(name) ? "bad" : undefined} />
      ))}
    </C.Flex>
  );
}
