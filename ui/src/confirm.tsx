// Asks once before something is done, and shows where it failed. A field is asked for only if the act needs one.

import { type Failed, post } from "./api";
import { Button, Notice } from "./parts";
import { C, h, useRef, useState } from "./shared";

export interface Act {
  /** The button. */
  title: string;
  /** What will happen, in a sentence or two. */
  says: string;
  path: string;
  body: Record<string, unknown>;
  /** What the person has to write. */
  field?: { name: string; label: string; number?: boolean; optional?: boolean };
}

export interface Done {
  said: string;
  dag_id?: string;
  run_id?: string;
}

export function Confirm({ act, close, done }: { act: Act; close: () => void; done: (answer: Done) => void }) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Failed | null>(null);
  const input = useRef<HTMLInputElement | null>(null);
  const field = act.field;
  const given = text.trim();
  const ready = !field || field.optional || (field.number ? /^[1-9]\d{0,14}$/.test(given) : given !== "");
  const send = async () => {
    if (!ready || busy) return;
    setBusy(true);
    setError(null);
    try {
      const filled = field ? { [field.name]: field.number ? Number(given) : given } : {};
      done(await post<Done>(act.path, { ...act.body, ...filled }));
    } catch (failed) {
      setError(failed as Failed);
      setBusy(false);
    }
  };
  return (
    <C.Dialog.Root
      open
      role="alertdialog"
      initialFocusEl={field ? () => input.current : undefined}
      onOpenChange={(change: { open: boolean }) => change.open || busy || close()}
    >
      <C.Dialog.Backdrop />
      <C.Dialog.Positioner>
        <C.Dialog.Content>
          <form
            onSubmit={(event: { preventDefault: () => void }) => {
              event.preventDefault();
              void send();
            }}
          >
            <C.Dialog.Header>
              <C.Dialog.Title>{act.title}</C.Dialog.Title>
            </C.Dialog.Header>
            <C.Dialog.Body>
              <C.Stack gap={3}>
                <C.Text>{act.says}</C.Text>
                {field ? (
                  <C.Input
                    ref={input}
                    size="sm"
                    aria-label={field.label}
                    placeholder={field.label}
                    inputMode={field.number ? "numeric" : undefined}
                    maxLength={field.number ? 15 : 1000}
                    value={text}
                    onChange={(event: { target: { value: string } }) => setText(event.target.value)}
                  />
                ) : null}
                {error ? <Notice tone="error" what={error.what} then={error.remedy} /> : null}
              </C.Stack>
            </C.Dialog.Body>
            <C.Dialog.Footer>
              <Button type="button" disabled={busy} onClick={close}>
                Cancel
              </Button>
              <Button type="submit" variant="solid" disabled={!ready || busy}>
                {act.title}
              </Button>
            </C.Dialog.Footer>
          </form>
        </C.Dialog.Content>
      </C.Dialog.Positioner>
    </C.Dialog.Root>
  );
}
