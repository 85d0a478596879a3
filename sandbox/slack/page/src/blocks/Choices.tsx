import { useId } from "preact/hooks";
import type { Option } from "../types";
import { useElement, type ElementProps } from "./surface";
import { Text } from "./Text";

interface ChoiceProps {
  kind: "radio" | "checkbox";
  name: string;
  option: Option;
  checked: boolean;
  busy: boolean;
  onPick: () => void;
}

function Choice({ kind, name, option, checked, busy, onPick }: ChoiceProps) {
  return (
    <label class="choice">
      <input type={kind} name={name} checked={checked} disabled={busy} onChange={onPick} />
      <span>
        <Text text={option.text} />
        {option.description && (
          <small>
            <Text text={option.description} />
          </small>
        )}
      </span>
    </label>
  );
}

export function RadioButtons(props: ElementProps) {
  const { element, id, describedBy } = props;
  const { value, busy, change } = useElement(props);
  const name = useId();
  return (
    <div class="choices" role="radiogroup" aria-labelledby={id && `${id}-label`} aria-describedby={describedBy}>
      {element.options?.map((option) => (
        <Choice
          key={option.value}
          kind="radio"
          name={name}
          option={option}
          checked={value.selected_option?.value === option.value}
          busy={busy}
          onPick={() => void change({ selected_option: option })}
        />
      ))}
    </div>
  );
}

export function Checkboxes(props: ElementProps) {
  const { element, id, describedBy } = props;
  const { value, busy, change } = useElement(props);
  const name = useId();
  const chosen = value.selected_options ?? [];
  const isChosen = (option: Option) => chosen.some((other) => other.value === option.value);
  // In the order of the options, whatever the order of the clicks.
  const toggled = (option: Option) =>
    (element.options ?? []).filter((other) => isChosen(other) !== (other.value === option.value));
  return (
    <div class="choices" role="group" aria-labelledby={id && `${id}-label`} aria-describedby={describedBy}>
      {element.options?.map((option) => (
        <Choice
          key={option.value}
          kind="checkbox"
          name={name}
          option={option}
          checked={isChosen(option)}
          busy={busy}
          onPick={() => void change({ selected_options: toggled(option) })}
        />
      ))}
    </div>
  );
}
