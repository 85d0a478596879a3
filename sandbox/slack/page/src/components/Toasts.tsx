import { useEffect, useRef } from "preact/hooks";
import type { Toast } from "../state";
import { CloseIcon } from "./icons";

const SHOWN_FOR = 8000;

/** Native dialogs cover the rest of the page, so the notices are a popover, raised above them with every new one. */
export function Toasts({ toasts, onGone }: { toasts: Toast[]; onGone: (id: number) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const newest = toasts.at(-1)?.id;
  useEffect(() => {
    box.current?.hidePopover();
    if (newest !== undefined) box.current?.showPopover();
  }, [newest]);
  return (
    <div ref={box} class="toasts" popover="manual" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <ToastLine key={toast.id} toast={toast} onGone={() => onGone(toast.id)} />
      ))}
    </div>
  );
}

function ToastLine({ toast, onGone }: { toast: Toast; onGone: () => void }) {
  useEffect(() => {
    const timer = window.setTimeout(onGone, SHOWN_FOR);
    return () => window.clearTimeout(timer);
  }, [toast.id]);
  return (
    <div class="toast">
      <p>{toast.text}</p>
      <button type="button" class="plain" aria-label="Dismiss" onClick={onGone}>
        <CloseIcon />
      </button>
    </div>
  );
}
