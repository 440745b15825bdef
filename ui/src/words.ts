// Words and numbers for people.

const ACTIONS: Record<string, string> = {
  create: "create",
  update: "change",
  void: "void",
  link: "link to one that is there",
  follow: "move the link",
  write_back: "write back",
  park: "parked",
  review: "ask a person",
  wait: "wait",
  skip: "not billed",
  unchanged: "unchanged",
};

const STATES: Record<string, string> = {
  done: "written",
  parked: "parked",
  in_doubt: "in doubt",
  retry: "to be sent again",
  sent: "just sent",
  not_written: "not written",
  closed: "dealt with later",
};

const SYNCS: Record<string, string> = {
  salesforce_to_kashoo: "Salesforce to Kashoo",
  kashoo_to_salesforce: "Kashoo to Salesforce",
};

const WOULD: Record<string, string> = {
  create: "creates the {}",
  update: "changes the {}",
  follow: "only moves the link of the {}",
  void: "voids the {}",
  link: "links the {} that is in Kashoo already",
  write_back: "writes the {} back",
  park: "parks the {}",
  review: "asks a person about the {}",
  wait: "waits with the {}",
  skip: "makes no {}",
  unchanged: "leaves the {} as it is",
};

export const would = (name: string, target: string) => (WOULD[name] ?? `${name} {}`).replace("{}", target);
/** A counted reason, such as "skip: not IsWon", with its first word in words. */
export const reason = (text: string) => text.replace(/^(\w+): /, (_, name: string) => `${action(name)}: `);
export const action = (name: string) => ACTIONS[name] ?? name;
export const state = (name: string) => STATES[name] ?? name;
export const sync = (name: string) => SYNCS[name] ?? name;
export const number = (value: number | null | undefined) => (value == null ? "…" : value.toLocaleString("en"));
export const many = (count: number, one: string, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;

/** An instant in the reader's time zone, short. */
export function time(instant: string | null | undefined): string {
  if (!instant) return "";
  const day = new Date(instant);
  const today = day.toDateString() === new Date().toDateString();
  const clock = day.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return today ? `today ${clock}` : `${day.toLocaleDateString("en-CA")} ${clock}`;
}

/** How long something waits, in the largest unit of which there are two. */
export function age(since: string | null, now: string): string {
  if (!since) return "";
  const seconds = Math.max(0, (Date.parse(now) - Date.parse(since)) / 1000);
  if (seconds >= 2 * 86400) return `${number(Math.floor(seconds / 86400))} days`;
  if (seconds >= 2 * 3600) return `${Math.floor(seconds / 3600)} hours`;
  return `${Math.floor(seconds / 60)} minutes`;
}

export function window(seconds: number): string {
  if (seconds === 1) return "second";
  if (seconds === 60) return "minute";
  if (seconds === 3600) return "hour";
  if (seconds === 86400) return "day";
  return `${number(seconds)} seconds`;
}
