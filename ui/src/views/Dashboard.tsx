// On Airflow's dashboard: the three numbers that matter.

import { useAsked } from "../api";
import { Card, Figure, Shown, To } from "../parts";
import { C, h } from "../shared";
import { number, sync } from "../words";
import { type TodayOf, waitsFor } from "./Today";

export function Dashboard() {
  const asked = useAsked<TodayOf>("today", 30);
  return (
    <C.Box data-kashoo="dashboard">
      <Card title="Kashoo" aside={<To to="/plugin/kashoo">Open</To>}>
        <Shown asked={asked}>{(value: TodayOf) => <Three {...value} />}</Shown>
      </Card>
    </C.Box>
  );
}

function Three({ pairs, schedules }: TodayOf) {
  if (!pairs.length) return <To to="/plugin/kashoo">Nothing was synced yet. See the first steps.</To>;
  const open = pairs.flatMap((pair) => pair.money ?? []).map((each) => each.open);
  const waits = pairs.reduce((sum, pair) => sum + waitsFor(pair), 0);
  const late = schedules.filter((each) => each.late).map((each) => sync(each.sync));
  const failed = pairs.some((pair) => pair.runs[0]?.state === "failed");
  const health = late.length ? `${late.join(" and ")} late` : failed ? "the last run failed" : "in time";
  return (
    <C.Flex gap={8} wrap="wrap">
      <Figure
        label="Invoices, nothing paid yet"
        value={open.length ? open.map((each) => <C.Text key={each}>{each}</C.Text>) : pairs.some((pair) => pair.money === null) ? "…" : "none"}
      />
      <Figure label="Waits for a person" value={number(waits)} tone={waits ? "bad" : undefined} />
      <Figure label="Syncs" value={health} tone={late.length || failed ? "bad" : undefined} />
    </C.Flex>
  );
}
