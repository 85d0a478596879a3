import { useState } from "preact/hooks";
import type { Option } from "../types";
import { useElement, type ElementProps } from "./surface";
import { plain, Text } from "./Text";

/** Checkboxes that unfold below a field showing what is chosen. */
export function MultiSelect(props: ElementProps) {
  const { element, id, describedBy } = props;
  const { value, busy, change, invalid } = useElement(props);
  const [open, setOpen] = useState(false);
  const chosen = value.selected_options ?? [];
  const isChosen = (option: Option) => chosen.some((other) => other.value === option.value);
  const full = element.max_selected_items !== undefined && chosen.length >= element.max_selected_items;
  const toggle = (option: Option) => {
    const rest = chosen.filter((other) => other.value !== option.value);
    void change({ selected_options: isChosen(option) ? rest : [...chosen, option] });
  };
  const groups = element.option_groups ?? [{ label: undefined, options: element.options ?? [] }];
  return (
    <div
      class={`multi-select${open ? " open" : ""}`}
      role="group"
      aria-labelledby={id && `${id}-label`}
      aria-describedby={describedBy}
      aria-busy={busy}
    >
      <button
        type="button"
        id={id}
        class="multi-select-field"
        aria-expanded={open}
        aria-invalid={invalid}
        onClick={() => setOpen(!open)}
      >
        {chosen.length === 0 && <span class="empty">{plain(element.placeholder) || "Select options"}</span>}
        {chosen.map((option) => (
          <span key={option.value} class="chip">
            {plain(option.text)}
          </span>
        ))}
      </button>
      {open && (
        <div class="multi-select-options">
          {groups.map(({ label, options }) => (
            <div key={label ? plain(label) : ""} role={label && "group"} aria-label={label && plain(label)}>
              {label && <p class="group-label">{plain(label)}</p>}
              {options.map((option) => (
                <label key={option.value} class="choice">
                  <input
                    type="checkbox"
                    checked={isChosen(option)}
                    disabled={busy || (full && !isChosen(option))}
                    onChange={() => toggle(option)}
                  />
                  <span>
                    <Text text={option.text} />
                    {option.description && <small>{plain(option.description)}</small>}
                  </span>
                </label>
              ))}
            </div>
          ))}
        </div>
      )}
    </div>
  );
}
