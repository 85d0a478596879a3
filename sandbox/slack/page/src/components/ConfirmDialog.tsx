import { useCallback, useId } from "preact/hooks";
import { plain, Text } from "../blocks/Text";
import type { Confirm } from "../types";
import { Dialog } from "./Dialog";

/** What cannot be undone is not one careless Enter away: there the way back has the focus. */
export function ConfirmDialog({ confirm, onAnswer }: { confirm: Confirm; onAnswer: (goOn: boolean) => void }) {
  const id = useId();
  const danger = confirm.style === "danger";
  const close = useCallback(() => onAnswer(false), [onAnswer]);
  return (
    <Dialog className="dialog confirm" labelledBy={`${id}-title`} describedBy={`${id}-text`} onClose={close}>
      <header class="dialog-head">
        <h2 id={`${id}-title`}>{plain(confirm.title)}</h2>
      </header>
      <div class="dialog-body" id={`${id}-text`}>
        <Text text={confirm.text} />
      </div>
      <footer class="dialog-foot">
        <button type="button" class="button default" data-focus={danger || undefined} onClick={close}>
          {plain(confirm.deny)}
        </button>
        <button
          type="button"
          class={`button ${danger ? "danger" : "primary"} solid`}
          data-focus={danger ? undefined : true}
          onClick={() => onAnswer(true)}
        >
          {plain(confirm.confirm)}
        </button>
      </footer>
    </Dialog>
  );
}
