// The pieces that every view is made of: what it shows while it loads, when it fails, and when there is nothing.

import type { Asked } from "./api";
import { C, Fragment, RouterLink, h } from "./shared";
import { number } from "./words";

/** Airflow's own colours of errors and warnings are too pale to read on white. */
export const BAD = { base: "red.700", _dark: "red.300" };
export const ODD = { base: "orange.700", _dark: "orange.300" };

type Children = { children?: unknown };

export function Card({ title, aside, children }: Children & { title: string; aside?: unknown }) {
  return (
    <C.Box as="section" aria-label={title} borderWidth="1px" borderColor="border" borderRadius="md" bg="bg" p={4} minW={0}>
      <C.Flex justify="space-between" align="baseline" gap={3} mb={3} wrap="wrap">
        <C.Heading as="h2" size="sm">
          {title}
        </C.Heading>
        {aside ? (
          <C.Text fontSize="xs" color="fg.muted">
            {aside}
          </C.Text>
        ) : null}
      </C.Flex>
      {children}
    </C.Box>
  );
}

/** One number with what it is. */
export function Figure({ label, value, tone }: { label: string; value: unknown; tone?: "bad" }) {
  return (
    <C.Box minW="5rem">
      <C.Text fontSize="xs" color="fg.muted">
        {label}
      </C.Text>
      <C.Text fontSize="xl" fontWeight="semibold" color={tone === "bad" ? BAD : "fg"} fontVariantNumeric="tabular-nums">
        {value}
      </C.Text>
    </C.Box>
  );
}

export interface Column<Row> {
  title: string;
  cell: (row: Row) => unknown;
  right?: boolean;
  wide?: boolean;
}

/** A table that scrolls sideways where the window is narrow. */
export function Rows<Row>({ label, columns, rows }: { label: string; columns: Column<Row>[]; rows: Row[] }) {
  return (
    <C.Box overflowX="auto" tabIndex={0} role="region" aria-label={label}>
      <C.Table.Root size="sm" variant="line" bg="transparent">
        <C.Table.Header>
          <C.Table.Row bg="transparent">
            {columns.map((each) => (
              <C.Table.ColumnHeader
                key={each.title}
                scope="col"
                textAlign={each.right ? "end" : "start"}
                color="fg.muted"
                fontWeight="medium"
                whiteSpace="nowrap"
              >
                {each.title}
              </C.Table.ColumnHeader>
            ))}
          </C.Table.Row>
        </C.Table.Header>
        <C.Table.Body>
          {rows.map((row, place) => (
            <C.Table.Row key={place} bg="transparent">
              {columns.map((each) => (
                <C.Table.Cell
                  key={each.title}
                  textAlign={each.right ? "end" : "start"}
                  verticalAlign="top"
                  fontVariantNumeric={each.right ? "tabular-nums" : undefined}
                  whiteSpace={each.right ? "nowrap" : "normal"}
                  minW={each.wide ? "16rem" : undefined}
                >
                  {each.cell(row)}
                </C.Table.Cell>
              ))}
            </C.Table.Row>
          ))}
        </C.Table.Body>
      </C.Table.Root>
    </C.Box>
  );
}

export function Notice({ tone, what, then }: { tone: "error" | "warning" | "info"; what: string; then?: unknown }) {
  return (
    <C.Alert.Root status={tone} role={tone === "error" ? "alert" : "status"}>
      <C.Alert.Indicator />
      <C.Alert.Content>
        <C.Alert.Title>{what}</C.Alert.Title>
        {then ? <C.Alert.Description>{then}</C.Alert.Description> : null}
      </C.Alert.Content>
    </C.Alert.Root>
  );
}

/** Nothing is there: say so, and say the next step. */
export function Empty({ what, children }: Children & { what: string }) {
  return (
    <C.Box py={6} textAlign="center">
      <C.Text fontWeight="medium">{what}</C.Text>
      {children ? (
        <C.Box color="fg.muted" mt={1} fontSize="sm">
          {children}
        </C.Box>
      ) : null}
    </C.Box>
  );
}

export function Loading() {
  return (
    <C.Stack gap={3} role="status" aria-label="Loading">
      <C.Skeleton height="5rem" />
      <C.Skeleton height="5rem" />
    </C.Stack>
  );
}

/** Shows an answer; until then that it loads, and above an old one that the newest failed. */
export function Shown<T>({ asked, children }: { asked: Asked<T>; children: (value: T) => unknown }) {
  const { value, error, again } = asked;
  return (
    <C.Stack gap={4}>
      {error ? (
        <C.Stack gap={2} align="start">
          <Notice tone="error" what={error.what} then={error.remedy} />
          <Button onClick={again}>Try again</Button>
        </C.Stack>
      ) : null}
      {value !== null ? <Fragment>{children(value) as any}</Fragment> : error ? null : <Loading />}
    </C.Stack>
  );
}

export function Button({ children, ...more }: Children & Record<string, unknown>) {
  return (
    <C.Button size="sm" variant="outline" {...more}>
      {children}
    </C.Button>
  );
}

/** A link within Airflow; `to` is below its base path. */
export function To({ to, children }: Children & { to: string }) {
  return (
    <C.Link asChild color="fg.info" textDecoration="underline">
      <RouterLink to={to}>{children}</RouterLink>
    </C.Link>
  );
}

/** Where a person opens a record in Salesforce and in Kashoo, as far as the addresses are known. */
export function Opens({ opens }: { opens: Record<string, string> }) {
  return (
    <Fragment>
      {Object.entries(opens).map(([side, address]) => (
        <C.Link key={side} href={address} target="_blank" rel="noreferrer" fontSize="xs" color="fg.info" textDecoration="underline" me={2}>
          open in {side}
        </C.Link>
      ))}
    </Fragment>
  );
}

/** Where one is in many rows, and the way to the others. */
export function Pages({ at, go }: { at: { offset: number; page: number; matching: number }; go: (offset: number) => void }) {
  if (at.matching <= at.page) return null;
  const last = Math.min(at.offset + at.page, at.matching);
  return (
    <C.HStack mt={3} gap={3}>
      <Button disabled={!at.offset} onClick={() => go(Math.max(0, at.offset - at.page))}>
        Earlier
      </Button>
      <C.Text fontSize="sm">
        {number(at.offset + 1)} to {number(last)} of {number(at.matching)}
      </C.Text>
      <Button disabled={last >= at.matching} onClick={() => go(at.offset + at.page)}>
        Later
      </Button>
    </C.HStack>
  );
}

export function Tag({ children, tone }: Children & { tone?: string }) {
  return (
    <C.Badge colorPalette={tone ?? "gray"} variant="subtle">
      {children}
    </C.Badge>
  );
}

export function Code({ children }: Children) {
  return (
    <C.Code size="sm" bg="bg.muted" color="fg" whiteSpace="pre-wrap" wordBreak="break-word">
      {children}
    </C.Code>
  );
}
