import { useWorkspace } from "../workspace";
import type { ElementValue, Option } from "../types";
import { useElement, type ElementProps } from "./surface";
import { plain } from "./Text";

interface NativeProps extends ElementProps {
  groups: { label?: string; options: { value: string; text: string }[] }[];
  selected: string;
  onPick: (value: string) => void;
  busy: boolean;
  invalid: boolean;
}

/** The browser's own select: keyboard, screen readers and small screens are its business. */
function NativeSelect({ element, id, describedBy, groups, selected, onPick, busy, invalid }: NativeProps) {
  const placeholder = plain(element.placeholder) || "Select an option";
  const options = (list: { value: string; text: string }[]) =>
    list.map(({ value, text }) => (
      <option key={value} value={value}>
        {text}
      </option>
    ));
  return (
    <span class={`select${busy ? " busy" : ""}`}>
      <select
        id={id}
        class={selected ? "" : "empty"}
        aria-label={id ? undefined : placeholder}
        aria-describedby={describedBy}
        aria-invalid={invalid}
        aria-busy={busy}
        disabled={busy}
        value={selected}
        onChange={(event) => onPick(event.currentTarget.value)}
      >
        <option value="" disabled hidden>
          {placeholder}
        </option>
        {groups.map(({ label, options: list }) =>
          label === undefined ? (
            options(list)
          ) : (
            <optgroup key={label} label={label}>
              {options(list)}
            </optgroup>
          ),
        )}
      </select>
    </span>
  );
}

const shown = ({ value, text, description }: Option) => ({
  value,
  text: description ? `${plain(text)} — ${plain(description)}` : plain(text),
});

export function StaticSelect(props: ElementProps) {
  const { element } = props;
  const { value, busy, change, invalid } = useElement(props);
  const groups = element.option_groups
    ? element.option_groups.map((group) => ({ label: plain(group.label), options: group.options.map(shown) }))
    : [{ options: (element.options ?? []).map(shown) }];
  const all = [...(element.options ?? []), ...(element.option_groups ?? []).flatMap((group) => group.options)];
  const pick = (picked: string) => void change({ selected_option: all.find((option) => option.value === picked) });
  const selected = value.selected_option?.value ?? "";
  return <NativeSelect {...props} groups={groups} selected={selected} onPick={pick} busy={busy} invalid={invalid} />;
}

/** users_select, channels_select and conversations_select: the workspace itself is the list. */
export function MemberSelect(props: ElementProps) {
  const { users, channels } = useWorkspace();
  const { value, busy, change, invalid } = useElement(props);
  const people = users.map(({ id, real_name }) => ({ value: id, text: real_name }));
  const places = channels.filter(({ kind }) => kind !== "im").map(({ id, name }) => ({ value: id, text: `#${name}` }));
  const { key, options } = {
    users_select: { key: "selected_user" as const, options: people },
    channels_select: { key: "selected_channel" as const, options: places },
    conversations_select: { key: "selected_conversation" as const, options: places },
  }[props.element.type as "users_select" | "channels_select" | "conversations_select"];
  const pick = (picked: string) => void change({ [key]: picked } as ElementValue);
  return (
    <NativeSelect
      {...props}
      groups={[{ options }]}
      selected={value[key] ?? ""}
      onPick={pick}
      busy={busy}
      invalid={invalid}
    />
  );
}
