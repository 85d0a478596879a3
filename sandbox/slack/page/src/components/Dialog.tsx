import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

interface DialogProps {
  className: string;
  labelledBy: string;
  describedBy?: string;
  /** Hidden ones keep what they hold. */
  shown?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}

/** The browser's modal dialog: it holds the focus, makes the rest of the page inert and gives the focus back. */
export function Dialog({ className, labelledBy, describedBy, shown = true, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    if (!shown) return;
    dialog.current?.showModal();
    firstField(dialog.current)?.focus();
    return () => dialog.current?.close();
  }, [shown]);
  useEffect(() => {
    const cancelled = (event: Event) => {
      event.preventDefault();
      onClose();
    };
    const box = dialog.current;
    box?.addEventListener("cancel", cancelled);
    return () => box?.removeEventListener("cancel", cancelled);
  }, [onClose]);
  return (
    <dialog ref={dialog} class={className} aria-labelledby={labelledBy} aria-describedby={describedBy}>
      {children}
    </dialog>
  );
}

const firstField = (dialog: HTMLDialogElement | null) =>
  dialog?.querySelector<HTMLElement>(
    "[data-focus], .dialog-body :is(input, select, textarea, button):not([disabled]), .dialog-foot button[type=submit]",
  );
