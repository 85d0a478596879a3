import { useElement, type ElementProps } from "./surface";
import { plain } from "./Text";

const KEYBOARDS: Record<string, "email" | "url"> = { email_text_input: "email", url_text_input: "url" };

/** With dispatch_action the app hears of Enter (unless its configuration says otherwise) or of every character. */
export function TextInput(props: ElementProps) {
  const { element, dispatches } = props;
  const { value, hold, act, invalid } = useElement(props);
  const triggers = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const input = (typed: string) => {
    const next = { value: typed === "" ? null : typed };
    hold(next);
    if (dispatches && triggers.includes("on_character_entered")) void act(next);
  };
  const keyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.isComposing || !dispatches || !triggers.includes("on_enter_pressed")) return;
    event.preventDefault();
    void act(value);
  };
  const shared = {
    id: props.id,
    "aria-label": props.id ? undefined : plain(element.placeholder) || "Text",
    "aria-describedby": props.describedBy,
    "aria-invalid": invalid,
    "aria-required": props.required,
    placeholder: plain(element.placeholder),
    maxLength: element.max_length,
    value: value.value ?? "",
    autofocus: element.focus_on_load,
    onKeyDown: keyDown,
  };
  if (element.multiline) {
    return <textarea {...shared} class="text-input" rows={5} onInput={(event) => input(event.currentTarget.value)} />;
  }
  return (
    <input
      {...shared}
      class="text-input"
      type="text"
      inputMode={KEYBOARDS[element.type]}
      autoComplete="off"
      onInput={(event) => input(event.currentTarget.value)}
    />
  );
}

/** A text field for digits: a browser's number field hides what it cannot read, and the person's mistake with it. */
export function NumberInput(props: ElementProps) {
  const { element, id, describedBy, required } = props;
  const { value, hold, invalid } = useElement(props);
  return (
    <input
      id={id}
      class="text-input"
      type="text"
      inputMode={element.is_decimal_allowed ? "decimal" : "numeric"}
      autoComplete="off"
      aria-label={id ? undefined : plain(element.placeholder) || "Number"}
      aria-describedby={describedBy}
      aria-invalid={invalid}
      aria-required={required}
      placeholder={plain(element.placeholder)}
      value={value.value ?? ""}
      onInput={(event) => hold({ value: event.currentTarget.value.trim() || null })}
    />
  );
}
