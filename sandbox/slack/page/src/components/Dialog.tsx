import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

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
  const showing = useRef(false);
  useLayoutEffect(() => {
    const box = dialog.current;
    if (!shown || !box) return;
    box.showModal();
    showing.current = true;
    firstField(box)?.focus();
    return () => {
      showing.current = false;
      box.close();
    };
  }, [shown]);
  // A browser may close a dialog at the second Escape without asking: then it only tells that it did.
  const cancelled = (event: Event) => {
    event.preventDefault();
    onClose();
  };
  const closed = () => {
    if (showing.current) onClose();
  };
  return (
    <dialog
      ref={dialog}
      class={className}
      aria-labelledby={labelledBy}
      aria-describedby={describedBy}
      onCancel={cancelled}
      onClose={closed}
    >
      {children}
    </dialog>
  );
}

const firstField = (dialog: HTMLDialogElement | null) =>
  dialog?.querySelector<HTMLElement>(
    "[data-focus], .dialog-body :is(input, select, textarea, button):not([disabled]), .dialog-foot button[type=submit]",
  );
