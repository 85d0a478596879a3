import { createContext } from "preact";
import { useContext, useMemo, useRef, useState } from "preact/hooks";
import { useWorkspace } from "../workspace";
import type { Action, Block, Element, ElementValue, StateValues } from "../types";
import { actionOf, initialValue, placeOf, stateValues, type Typed } from "./values";

/** The message or view that blocks stand in: it holds what people gave and tells the server of actions. */
export interface Surface {
  typed: Typed;
  set: (place: string, value: ElementValue, blockId: string) => void;
  act: (action: Action) => Promise<void>;
  errors: Record<string, string>;
}

export const SurfaceContext = createContext<Surface | null>(null);

/** `send` gets an action with the surface's values at that moment; what it throws is shown as a notice. */
export function useSurface(
  blocks: Block[],
  send: (action: Action, values: StateValues) => Promise<unknown>,
  errors: Record<string, string> = {},
  onChange?: (blockId: string) => void,
): Surface {
  const { toast } = useWorkspace();
  const [typed, setTyped] = useState<Typed>({});
  // An action right after a change must carry it, before the next rendering.
  const latest = useRef(typed);
  return useMemo(
    () => ({
      typed,
      errors,
      set: (place, value, blockId) => {
        latest.current = { ...latest.current, [place]: value };
        setTyped(latest.current);
        onChange?.(blockId);
      },
      act: async (action) => {
        try {
          await send(action, stateValues(blocks, latest.current));
        } catch (problem) {
          toast((problem as Error).message);
        }
      },
    }),
    [blocks, typed, errors, send, onChange, toast],
  );
}

/** How an element takes part: within an input block it only holds its value, unless the block dispatches. */
export interface ElementProps {
  element: Element;
  blockId: string;
  dispatches: boolean;
  /** DOM ids: of the control itself, and of what describes it. */
  id?: string;
  describedBy?: string;
  required?: boolean;
}

export function useElement({ element, blockId, dispatches }: ElementProps) {
  const surface = useContext(SurfaceContext);
  const workspace = useWorkspace();
  const [busy, setBusy] = useState(false);
  if (!surface) throw new Error("An element stands outside of a message or view.");
  const place = placeOf(blockId, element);
  const value = surface.typed[place] ?? initialValue(element) ?? {};

  /** False when the person chose not to go on. */
  const act = async (sent: ElementValue & { text?: Element["text"] }): Promise<boolean> => {
    if (busy) return false;
    if (element.confirm && !(await workspace.confirm(element.confirm))) return false;
    setBusy(true);
    try {
      await surface.act(actionOf(blockId, element, sent));
    } finally {
      setBusy(false);
    }
    return true;
  };

  const hold = (next: ElementValue) => surface.set(place, next, blockId);

  const change = async (next: ElementValue) => {
    hold(next);
    if (dispatches && !(await act(next))) hold(value);
  };

  return { value, busy, act, hold, change, invalid: blockId in surface.errors };
}
