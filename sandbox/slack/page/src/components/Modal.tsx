import { useCallback, useEffect, useId, useState } from "preact/hooks";
import { closeView, sendAction, submitView } from "../api";
import { Blocks } from "../blocks/Blocks";
import { useSurface } from "../blocks/surface";
import { plain } from "../blocks/Text";
import { fieldErrors, stateValues } from "../blocks/values";
import { findPerson, useWorkspace } from "../workspace";
import type { Action, StateValues, View } from "../types";
import { Avatar } from "./Avatar";
import { Dialog } from "./Dialog";
import { CloseIcon } from "./icons";

type Errors = Record<string, string>;

const NONE: Errors = {};

interface ModalStackProps {
  views: View[];
  errors: Record<string, Errors>;
  onGone: (viewId: string) => void;
}

/** Only the top view shows; those below keep what was typed in them. */
export function ModalStack({ views, errors, onGone }: ModalStackProps) {
  return (
    <>
      {views.map((view, index) => (
        <Modal
          key={view.id}
          view={view}
          told={errors[view.id] ?? NONE}
          top={index === views.length - 1}
          onGone={onGone}
        />
      ))}
    </>
  );
}

interface ModalProps {
  view: View;
  /** Field errors that came over the live connection. */
  told: Errors;
  top: boolean;
  onGone: (viewId: string) => void;
}

function Modal({ view, told, top, onGone }: ModalProps) {
  const workspace = useWorkspace();
  const { me, bot, toast } = workspace;
  const id = useId();
  const [errors, setErrors] = useState(told);
  const [busy, setBusy] = useState(false);
  useEffect(() => setErrors(told), [told]);

  const send = useCallback(
    (action: Action, values: StateValues) => sendAction(me.id, { view_id: view.id }, action, values),
    [me.id, view.id],
  );
  const corrected = useCallback((blockId: string) => {
    setErrors(({ [blockId]: gone, ...rest }) => rest);
  }, []);
  const surface = useSurface(view.blocks, send, errors, corrected);

  const close = useCallback(() => {
    onGone(view.id);
    closeView(me.id, view.id).catch((problem: Error) => toast(problem.message));
  }, [me.id, view.id, onGone, toast]);

  const submit = async () => {
    if (busy) return;
    const missing = fieldErrors(view.blocks, surface.typed);
    setErrors(missing);
    if (Object.keys(missing).length) return;
    setBusy(true);
    try {
      const answer = await submitView(me.id, view.id, stateValues(view.blocks, surface.typed));
      if (!answer.ok) setErrors(answer.errors ?? NONE);
    } catch (problem) {
      toast((problem as Error).message);
    } finally {
      setBusy(false);
    }
  };
  const bySubmit = (event: Event) => {
    event.preventDefault();
    if (view.submit) void submit();
  };

  return (
    <Dialog className="dialog modal" labelledBy={`${id}-title`} shown={top} onClose={close}>
      <form noValidate onSubmit={bySubmit}>
        <header class="dialog-head">
          <Avatar person={findPerson(workspace, bot.user_id)} small />
          <h2 id={`${id}-title`}>{plain(view.title)}</h2>
          <button type="button" class="plain" aria-label="Close" onClick={close}>
            <CloseIcon />
          </button>
        </header>
        <div class="dialog-body">
          <Blocks blocks={view.blocks} surface={surface} />
        </div>
        <footer class="dialog-foot">
          <button type="button" class="button default" onClick={close}>
            {plain(view.close) || "Cancel"}
          </button>
          {view.submit && (
            <button
              type="submit"
              class={`button primary solid${busy ? " busy" : ""}`}
              aria-busy={busy}
              aria-disabled={busy}
            >
              <span class="button-text">{plain(view.submit)}</span>
            </button>
          )}
        </footer>
      </form>
    </Dialog>
  );
}
