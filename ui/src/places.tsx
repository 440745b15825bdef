// The three places in Airflow: the page, the dashboard, and the tab of a run.

import { Dashboard } from "./views/Dashboard";
import { Page } from "./Page";
import { RunTab } from "./views/RunTab";

export const components: Record<string, unknown> = {
  Kashoo: Page,
  "Kashoo today": Dashboard,
  "Kashoo plan": RunTab,
};
