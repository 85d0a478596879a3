import { useRef } from "preact/hooks";
import { useWorkspace } from "../workspace";
import type { ElementValue } from "../types";
import { momentOf, wallClockOf } from "./dates";
import { useElement, type ElementProps } from "./surface";
import { plain } from "./Text";

const SETTLED = 700;

const NAMES = { date: "Date", time: "Time", "datetime-local": "Date and time" };

interface PickerProps extends ElementProps {
  kind: "date" | "time" | "datetime-local";
  shown: (value: ElementValue) => string;
  read: (typed: string) => ElementValue;
}

/** A browser's date field tells of every digit typed; the app is told of what the person settled on. */
function Picker({ kind, shown, read, ...props }: PickerProps) {
  const { element, id, describedBy, dispatches, required } = props;
  const { value, busy, act, hold, invalid } = useElement(props);
  const timer = useRef<number>(undefined);
  const settled = useRef(value);

  const settle = async (next: ElementValue) => {
    window.clearTimeout(timer.current);
    timer.current = undefined;
    if (shown(next) === shown(settled.current) || !shown(next)) return;
    if (await act(next)) settled.current = next;
    else hold(settled.current);
  };
  const change = (typed: string) => {
    const next = read(typed);
    hold(next);
    window.clearTimeout(timer.current);
    if (dispatches) timer.current = window.setTimeout(() => void settle(next), SETTLED);
  };
  return (
    <input
      type={kind}
      id={id}
      class={`picker${busy ? " busy" : ""}`}
      aria-label={id ? undefined : plain(element.placeholder) || NAMES[kind]}
      aria-describedby={describedBy}
      aria-invalid={invalid}
      aria-busy={busy}
      aria-required={required}
      value={shown(value)}
      onChange={(event) => change(event.currentTarget.value)}
      onBlur={() => timer.current !== undefined && void settle(value)}
    />
  );
}

export const DatePicker = (props: ElementProps) => (
  <Picker
    {...props}
    kind="date"
    shown={(value) => value.selected_date ?? ""}
    read={(typed) => ({ selected_date: typed || null })}
  />
);

export const TimePicker = (props: ElementProps) => (
  <Picker
    {...props}
    kind="time"
    shown={(value) => value.selected_time ?? ""}
    read={(typed) => ({ selected_time: typed || null })}
  />
);

/** People pick in their own time zone; the payload holds seconds since 1970. */
export function DateTimePicker(props: ElementProps) {
  const { tz } = useWorkspace().me;
  return (
    <Picker
      {...props}
      kind="datetime-local"
      shown={({ selected_date_time: at }) => (at == null ? "" : wallClockOf(at, tz))}
      read={(typed) => ({ selected_date_time: typed ? momentOf(typed, tz) : null })}
    />
  );
}
