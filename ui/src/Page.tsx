// The page: one tab for each view. To add a view, write it in views/ and name it here.

import { C, RouterLink, h, useLocation } from "./shared";
import { Invoices } from "./views/Invoices";
import { Mapping } from "./views/Mapping";
import { Plan } from "./views/Plan";
import { TieOut } from "./views/TieOut";
import { Today } from "./views/Today";
import { Todo } from "./views/Todo";

const HOME = "/plugin/kashoo";

const VIEWS: { path: string; title: string; view: () => unknown }[] = [
  { path: "", title: "Today", view: Today },
  { path: "todo", title: "To do", view: Todo },
  { path: "invoices", title: "Invoices", view: Invoices },
  { path: "plan", title: "Plan", view: Plan },
  { path: "tie-out", title: "Tie-out", view: TieOut },
  { path: "mapping", title: "Mapping", view: Mapping },
];

export function Page() {
  const { pathname } = useLocation();
  const name = pathname.replace(/\/+$/, "").split("/plugin/kashoo")[1]?.replace(/^\//, "") ?? "";
  const shown = VIEWS.find((each) => each.path === name) ?? VIEWS[0];
  const View = shown.view as any;
  return (
    <C.Box p={4} fontSize="sm" maxW="80rem" mx="auto" w="100%" h="100%" overflowY="auto" data-kashoo={shown.path || "today"}>
      <C.Heading as="h1" size="lg" mb={3}>
        Kashoo
      </C.Heading>
      <C.HStack as="nav" aria-label="Views of Kashoo" gap={1} mb={4} borderBottomWidth="1px" borderColor="border" wrap="wrap">
        {VIEWS.map((each) => (
          <C.Link
            key={each.path}
            asChild
            px={3}
            py={2}
            fontWeight={each === shown ? "semibold" : "normal"}
            color={each === shown ? "fg" : "fg.muted"}
            borderBottomWidth="2px"
            borderColor={each === shown ? "fg" : "transparent"}
            borderRadius={0}
          >
            <RouterLink to={each.path ? `${HOME}/${each.path}` : HOME} aria-current={each === shown ? "page" : undefined}>
              {each.title}
            </RouterLink>
          </C.Link>
        ))}
      </C.HStack>
      <View />
    </C.Box>
  );
}
