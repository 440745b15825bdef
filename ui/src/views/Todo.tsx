// What waits for a person, by its cause, with what can be done about it.

import { get, useAsked } from "../api";
import { type Act, Confirm, type Done } from "../confirm";
import { Button, Card, Code, Empty, Notice, Opens, Rows, Shown, Tag, To } from "../parts";
import { C, Fragment, h, useEffect, useState } from "../shared";
import { age, many, number, state, sync, time } from "../words";

interface Group {
  state: "parked" | "in_doubt" | "asked";
  cause: string;
  count: number;
  totals: string[];
  since: string;
  fix: string;
}

interface Pair {
  id: number;
  org_id: string;
  business_id: string;
  groups: Group[];
}

interface Plan {
  digest: string;
  sync: string;
  run_id: string;
  asks: Record<string, number>;
  totals: string[];
}

interface TodoOf {
  now: string;
  may_act: boolean;
  pairs: Pair[];
  plans: Plan[];
}

interface Item {
  id: string;
  number: string;
  state: string;
  target: string;
  source_object: string;
  source_id: string;
  part: number;
  kashoo_id: number | null;
  total: string | null;
  since: string | null;
  cause: string;
  fix: string;
  sides: string[];
  sync: string;
  run_id: string | null;
  opens: Record<string, string>;
}

interface Names {
  names: Record<string, { name: string; customer: string; amount: string; invoice: string }>;
  missing: string;
}

const encoded = encodeURIComponent;
const HEADS = { parked: "could not be written", in_doubt: "in doubt", asked: "to review" };
const words = (cause: string) => cause.replaceAll("_", " ");

type Ask = (act: Act) => void;

export function Todo() {
  const asked = useAsked<TodoOf>("todo", 30);
  const [act, setAct] = useState<Act | null>(null);
  const [last, setLast] = useState<Done | null>(null);
  const [turn, setTurn] = useState(0);
  const close = () => {
    setAct(null);
    setTurn((before) => before + 1);
    asked.again();
  };
  const done = (answer: Done) => {
    setLast(answer);
    close();
  };
  return (
    <C.Stack gap={4}>
      {last ? <Notice tone="info" what={last.said} then={last.run_id ? <RunLink done={last} /> : undefined} /> : null}
      <Shown asked={asked}>{(value: TodoOf) => <All todo={value} turn={turn} ask={setAct} />}</Shown>
      {act ? <Confirm act={act} close={close} done={done} /> : null}
    </C.Stack>
  );
}

function RunLink({ done }: { done: Done }) {
  return <To to={`/dags/${done.dag_id}/runs/${encoded(done.run_id ?? "")}`}>Open the run to see what comes of it.</To>;
}

function All({ todo, turn, ask }: { todo: TodoOf; turn: number; ask: Ask }) {
  const groups = todo.pairs.flatMap((pair) => pair.groups);
  const parked = groups.filter((each) => each.state === "parked").reduce((sum, each) => sum + each.count, 0);
  if (!groups.length && !todo.plans.length) {
    return (
      <Empty what="Nothing waits for you.">
        What a run cannot write, and what it must not decide, is shown here, with what to do. <To to="/plugin/kashoo">Today</To>{" "}
        says when the next run begins.
      </Empty>
    );
  }
  return (
    <C.Stack gap={4}>
      {todo.may_act ? null : <Notice tone="info" what="You may look, but not act: that needs the right to edit salesforce_to_kashoo." />}
      {todo.may_act && parked > 1 ? (
        <C.HStack>
          <Button onClick={() => ask(again(`Try all ${number(parked)} again`, parked, { all: true }))}>
            {`Try all ${number(parked)} again`}
          </Button>
        </C.HStack>
      ) : null}
      {todo.plans.map((plan) => (
        <PlanAsks key={plan.digest} plan={plan} ask={todo.may_act ? ask : null} />
      ))}
      {todo.pairs.map((pair) => (
        <Fragment key={pair.id}>
          {todo.pairs.length > 1 ? (
            <C.Text color="fg.muted">
              Salesforce org {pair.org_id}, Kashoo business {pair.business_id}
            </C.Text>
          ) : null}
          {pair.groups.map((group) => (
            <OneGroup key={`${group.state}/${group.cause}`} pair={pair} group={group} todo={todo} turn={turn} ask={ask} />
          ))}
        </Fragment>
      ))}
    </C.Stack>
  );
}

const again = (title: string, count: number, body: Record<string, unknown>): Act => ({
  title,
  says: `${many(count, "record")} ${count === 1 ? "is" : "are"} read again in Salesforce, and written to Kashoo if that works now. A run of the DAG kashoo_replay does it.`,
  path: "todo/replay",
  body,
});

function PlanAsks({ plan, ask }: { plan: Plan; ask: Ask | null }) {
  const said = Object.entries(plan.asks).map(([reason, count]) => `${count} × ${reason}`);
  const decide = (decision: string, title: string, says: string, optional: boolean): Act => ({
    title,
    says,
    path: "todo/decide",
    body: { digest: plan.digest, decision },
    field: { name: "reason", label: "Why", optional },
  });
  const plans = `/plugin/kashoo/plan?dag=${encoded(plan.sync)}&run=${encoded(plan.run_id)}`;
  return (
    <Card title={`Plan ${plan.digest} waits for an approval`} aside={sync(plan.sync)}>
      <C.Stack gap={2}>
        <C.Text>
          It asks because of {said.join("; ")}.{plan.totals.length ? ` New invoices: ${plan.totals.join(", ")}.` : ""}
        </C.Text>
        <C.HStack gap={3} wrap="wrap">
          <To to={plans}>Read the plan</To>
          {ask ? (
            <Fragment>
              <Button onClick={() => ask(decide("approve", "Approve the plan", `Exactly the plan ${plan.digest} is written; the task that waits for it goes on.`, true))}>
                Approve the plan
              </Button>
              <Button onClick={() => ask(decide("reject", "Reject the plan", "What asks is not written. If the plan asks as a whole, nothing of it is.", false))}>
                Reject the plan
              </Button>
            </Fragment>
          ) : null}
        </C.HStack>
      </C.Stack>
    </Card>
  );
}

interface OfGroup {
  pair: Pair;
  group: Group;
  todo: TodoOf;
  turn: number;
  ask: Ask;
}

function OneGroup({ pair, group, todo, turn, ask }: OfGroup) {
  const title = `${words(group.cause)}: ${group.cause === "settled" ? "the next run does what was said" : HEADS[group.state]}`;
  const retry = todo.may_act && group.state === "parked";
  return (
    <Card title={`${title}, ${many(group.count, "record")}`} aside={`oldest: ${age(group.since, todo.now)}`}>
      <C.Stack gap={3}>
        {group.totals.length ? <C.Text>In all {group.totals.join(", ")}</C.Text> : null}
        {group.fix ? <C.Text>What to do: {group.fix}</C.Text> : null}
        {retry && group.count > 1 ? (
          <C.HStack>
            <Button onClick={() => ask(again(`Try these ${number(group.count)} again`, group.count, { cause: group.cause }))}>
              {`Try these ${number(group.count)} again`}
            </Button>
          </C.HStack>
        ) : null}
        <Items pair={pair} group={group} todo={todo} turn={turn} ask={ask} />
      </C.Stack>
    </Card>
  );
}

function Items({ pair, group, todo, turn, ask }: OfGroup) {
  const [after, setAfter] = useState(0);
  const place = `pair=${pair.id}&state=${group.state}&cause=${encoded(group.cause)}&after=${after}`;
  const asked = useAsked<{ items: Item[]; after: number | null }>(`todo/items?${place}`, 30);
  const { again: read } = asked;
  useEffect(() => {
    if (turn) read();
  }, [turn, read]);
  const [names, setNames] = useState<{ place: string; found?: Names; error?: string } | null>(null);
  const shown = names?.place === place ? names : null;
  const show = () => {
    setNames({ place });
    get<Names>(`todo/names?${place}`).then(
      (found) => setNames({ place, found }),
      (error) => setNames({ place, error: `${error.what} ${error.remedy}` }),
    );
  };
  return (
    <Shown asked={asked}>
      {({ items, after: next }: { items: Item[]; after: number | null }) => (
        <C.Stack gap={2}>
          <Rows label={words(group.cause)} rows={items} columns={columns(group, todo, shown?.found, ask)} />
          {shown?.error ? <Notice tone="warning" what="The names cannot be shown." then={shown.error} /> : null}
          {shown?.found?.missing ? <Notice tone="warning" what="Not all names and numbers are shown." then={shown.found.missing} /> : null}
          <C.HStack gap={2} wrap="wrap">
            {todo.may_act && !shown?.found ? (
              <Button disabled={shown !== null && !shown.error} onClick={show}>
                Show names
              </Button>
            ) : null}
            {after ? <Button onClick={() => setAfter(0)}>First</Button> : null}
            {next ? <Button onClick={() => setAfter(next)}>More</Button> : null}
          </C.HStack>
        </C.Stack>
      )}
    </Shown>
  );
}

function columns(group: Group, todo: TodoOf, names: Names | undefined, ask: Ask) {
  return [
    { title: "Record", cell: (item: Item) => <Which item={item} named={names?.names[item.number]} /> },
    { title: "Amount", cell: (item: Item) => names?.names[item.number]?.amount || item.total || "", right: true },
    { title: "Waits", cell: (item: Item) => <span title={time(item.since)}>{age(item.since, todo.now)}</span>, right: true },
    {
      title: "Why",
      wide: true,
      cell: (item: Item) => (
        <C.Box wordBreak="break-word">
          <C.Text>{item.cause}</C.Text>
          {group.fix || !item.fix ? null : <C.Text color="fg.muted">What to do: {item.fix}</C.Text>}
        </C.Box>
      ),
    },
    ...(todo.may_act ? [{ title: "Decide", cell: (item: Item) => <Buttons item={item} ask={ask} /> }] : []),
  ];
}

function Which({ item, named }: { item: Item; named?: Names["names"][string] }) {
  return (
    <C.Box>
      {named?.name ? <C.Text fontWeight="medium">{named.name}</C.Text> : null}
      {named?.customer ? <C.Text>{named.customer}</C.Text> : null}
      <Code>{item.id}</Code>
      <C.Text fontSize="xs" color="fg.muted">
        {item.target} of {item.source_object}
        {item.part > 1 ? `, part ${item.part}` : ""}
        {item.kashoo_id ? `, Kashoo id ${item.kashoo_id}` : ""}
        {named?.invoice ? `, number ${named.invoice}` : ""} <Tag>{item.state === "asked" ? item.number : state(item.state)}</Tag>
      </C.Text>
      <C.HStack gap={3} fontSize="xs" wrap="wrap">
        <Opens opens={item.opens} />
        {item.run_id ? <To to={`/dags/${item.sync}/runs/${encoded(item.run_id)}`}>Run</To> : null}
        <To to={`/plugin/kashoo/invoices?record=${encoded(item.source_id)}`}>Story</To>
      </C.HStack>
    </C.Box>
  );
}

function Buttons({ item, ask }: { item: Item; ask: Ask }) {
  const found = acts(item);
  return (
    <C.Stack gap={1} align="start">
      {found.map((act) => (
        <Button key={act.title} size="xs" aria-label={`${act.title}: ${item.id}`} onClick={() => ask(act)}>
          {act.title}
        </Button>
      ))}
    </C.Stack>
  );
}

const WHY = { name: "reason", label: "Why, for whoever audits the books later" };

function acts(item: Item): Act[] {
  if (item.state === "parked" || item.state === "retry") return [again("Try again", 1, { ids: [item.id] })];
  if (item.state !== "asked") {
    const body = { item: item.number };
    return [
      {
        title: "It exists",
        says: `Look in Kashoo for the ${item.target} of ${item.source_object} ${item.id}. Its id is in the address of its page; it is read before it is linked.`,
        path: "todo/resolve",
        body,
        field: { name: "kashoo_id", label: "Its id in Kashoo", number: true },
      },
      {
        title: "It does not exist",
        says: `Kashoo has no ${item.target} of ${item.source_object} ${item.id}: you looked. The next run plans it again.`,
        path: "todo/resolve",
        body: { ...body, kashoo_id: null },
      },
    ];
  }
  const body = { item: item.number };
  const settled = { path: "todo/settle", field: WHY };
  return [
    ...(item.sides.includes("books")
      ? [{ ...settled, title: "The books are right", says: "Kashoo stays as it is. Nothing is asked until one side changes.", body: { ...body, side: "books" } }]
      : []),
    ...(item.sides.includes("salesforce")
      ? [{ ...settled, title: "Salesforce is right", says: "The next run writes Salesforce's values to Kashoo, unless the invoice is paid or locked by then.", body: { ...body, side: "salesforce" } }]
      : []),
    { title: "Dismiss", says: "It stays as it is, and is shown again only if what it says changes.", path: "todo/dismiss", body, field: WHY },
  ];
}
