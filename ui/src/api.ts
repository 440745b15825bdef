// Asks the page's API. Addresses are relative to Airflow's base URL, so that a path in it changes nothing.

import { useCallback, useEffect, useRef, useState } from "./shared";

export class Failed extends Error {
  constructor(
    readonly what: string,
    readonly remedy: string,
    readonly status: number,
  ) {
    super(what);
  }
}

export const at = (path: string) => new URL(`kashoo/${path}`, document.baseURI).href;

const AWAY = ["Airflow does not answer.", "Check the connection to Airflow; the page tries again by itself."] as const;

function refused(status: number, acts: boolean): [string, string] {
  if (status === 401) return ["You are not logged in any more.", "Load the page again to log in."];
  if (status === 403 && acts) return ["You may not do this.", "Ask your Airflow administrator to let you edit the DAG salesforce_to_kashoo."];
  if (status === 422) return ["What you wrote cannot be used.", "Check the number, or write less."];
  if (status === 403) return ["You may not see this.", "Ask your Airflow administrator for access to the DAG salesforce_to_kashoo."];
  return [`The API server answered with an error (${status}).`, "Its log says why."];
}

export const get = <T>(path: string, signal?: AbortSignal) => ask<T>(path, { signal });

async function ask<T>(path: string, { signal, headers, ...more }: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(at(`api/${path}`), { signal, headers: { Accept: "application/json", ...headers }, ...more });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failed(...AWAY, 0);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body as T;
  if (body?.what) throw new Failed(body.what, body.remedy ?? "", answer.status);
  if (typeof body?.detail === "string" && body.detail !== "Forbidden") throw new Failed(body.detail, "", answer.status);
  throw new Failed(...refused(answer.status, more.method === "POST"), answer.status);
}

/** Do something. An answer of the API says what happened, or why not and what to do. */
export async function post<T>(path: string, given: object): Promise<T> {
  try {
    const headers = { "Content-Type": "application/json" };
    return await ask<T>(path, { method: "POST", body: JSON.stringify(given), headers });
  } catch (failed) {
    if (failed instanceof Failed && failed.status === 0)
      throw new Failed(failed.what, "It is not known whether it was done. Load the page again, and look.", 0);
    throw failed;
  }
}

export interface Asked<T> {
  value: T | null;
  error: Failed | null;
  again: () => void;
}

/** Ask once, again when the path changes, and every few seconds if wanted. An old answer stays while a new one is on
 * its way, and beside the error if that fails. No path: nothing is asked. */
export function useAsked<T>(path: string | null, everySeconds = 0): Asked<T> {
  const [state, setState] = useState<{ path: string | null; value: T | null; error: Failed | null }>({
    path,
    value: null,
    error: null,
  });
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((last) => last + 1), []);
  const newest = useRef(path);
  newest.current = path;
  useEffect(() => {
    if (path === null) return undefined;
    const stop = new AbortController();
    get<T>(path, stop.signal).then(
      (value) => newest.current === path && setState({ path, value, error: null }),
      (error) =>
        !stop.signal.aborted &&
        setState((last) => ({
          path,
          value: last.path === path ? last.value : null,
          error: error instanceof Failed ? error : new Failed(String(error), "", 0),
        })),
    );
    return () => stop.abort();
  }, [path, turn]);
  useEffect(() => {
    if (!everySeconds || path === null) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && again(), everySeconds * 1000);
    return () => clearInterval(timer);
  }, [path, everySeconds, again]);
  return state.path === path ? { value: state.value, error: state.error, again } : { value: null, error: null, again };
}
