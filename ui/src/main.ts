// The entry: checks what Airflow shares before anything uses it, then leaves one component for each place.
// The names are those of react_apps in plugins/kashoo.py; Airflow looks for its component under its name.

const SHARED = ["React", "ReactRouterDOM", "ChakraUI"];
const PLACES = ["Kashoo", "Kashoo today", "Kashoo plan"];

const given = globalThis as unknown as Record<string, unknown>;
const missing = SHARED.filter((name) => given[name] === undefined);

if (missing.length) {
  const said =
    `The Kashoo page cannot be shown: this version of Airflow does not share ${missing.join(" and ")} with plugins. ` +
    "Install a version of airflow-provider-kashoo that was made for it. The syncs and the command line are not affected.";
  console.error(said);
  for (const place of PLACES) given[place] = () => said;
} else {
  // Asked for only now: its modules take React and Chakra when they are loaded.
  const { components } = require("./places") as typeof import("./places");
  for (const place of PLACES) given[place] = components[place];
}

export {};
