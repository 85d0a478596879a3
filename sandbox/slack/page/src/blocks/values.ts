import type { Action, Block, Element, ElementValue, StateValues } from "../types";

/** Values people gave, by place; what was not touched has its element's initial value. */
export type Typed = Record<string, ElementValue>;

export const blockIdOf = (block: Block, index: number): string => block.block_id ?? `block-${index}`;

export const actionIdOf = (element: Element): string => element.action_id ?? element.type;

export const placeOf = (blockId: string, element: Element): string => JSON.stringify([blockId, actionIdOf(element)]);

/** What an element holds before anybody touches it; nothing for an element without a value, such as a button. */
export function initialValue(element: Element): ElementValue | undefined {
  switch (element.type) {
    case "plain_text_input":
    case "email_text_input":
    case "url_text_input":
    case "number_input":
      return { value: element.initial_value ?? null };
    case "static_select":
    case "radio_buttons":
      return { selected_option: element.initial_option ?? null };
    case "checkboxes":
    case "multi_static_select":
      return { selected_options: element.initial_options ?? [] };
    case "datepicker":
      return { selected_date: element.initial_date ?? null };
    case "timepicker":
      return { selected_time: element.initial_time ?? null };
    case "datetimepicker":
      return { selected_date_time: element.initial_date_time ?? null };
    case "users_select":
      return { selected_user: element.initial_user ?? null };
    case "channels_select":
      return { selected_channel: element.initial_channel ?? null };
    case "conversations_select":
      return { selected_conversation: element.initial_conversation ?? null };
    default:
      return undefined;
  }
}

function elementsOf(block: Block): Element[] {
  const found = [block.element, block.accessory, ...(block.type === "actions" ? (block.elements ?? []) : [])];
  return found.filter((element) => element !== undefined);
}

/** `state.values` of a message or view: every element that has a value, also the untouched ones. */
export function stateValues(blocks: Block[], typed: Typed): StateValues {
  const values: StateValues = {};
  blocks.forEach((block, index) => {
    const blockId = blockIdOf(block, index);
    for (const element of elementsOf(block)) {
      const initial = initialValue(element);
      if (!initial) continue;
      const value = typed[placeOf(blockId, element)] ?? initial;
      values[blockId] = { ...values[blockId], [actionIdOf(element)]: { type: element.type, ...value } };
    }
  });
  return values;
}

export const actionOf = (blockId: string, element: Element, value: ElementValue): Action => ({
  type: element.type,
  action_id: actionIdOf(element),
  block_id: blockId,
  ...value,
});

const isEmpty = (value: ElementValue): boolean =>
  Object.values(value).every((held) => held == null || held === "" || (Array.isArray(held) && held.length === 0));

/** What Slack's own client refuses before it asks the app: block id → sentence. */
export function fieldErrors(blocks: Block[], typed: Typed): Record<string, string> {
  const errors: Record<string, string> = {};
  blocks.forEach((block, index) => {
    if (block.type !== "input" || !block.element) return;
    const blockId = blockIdOf(block, index);
    const value = typed[placeOf(blockId, block.element)] ?? initialValue(block.element);
    const error = value && fieldError(block, block.element, value);
    if (error) errors[blockId] = error;
  });
  return errors;
}

function fieldError(block: Block, element: Element, value: ElementValue): string | undefined {
  if (isEmpty(value)) return block.optional ? undefined : "Please complete this required field.";
  const text = value.value ?? "";
  if (element.type === "number_input") return numberError(element, text);
  if (element.min_length && text.length < element.min_length) {
    return `Please enter at least ${element.min_length} characters.`;
  }
  return undefined;
}

function numberError(element: Element, text: string): string | undefined {
  const number = Number(text);
  if (Number.isNaN(number)) return "Please enter a valid number.";
  if (!element.is_decimal_allowed && !Number.isInteger(number)) return "Please enter a whole number.";
  if (element.min_value && number < Number(element.min_value)) return `Please enter ${element.min_value} or more.`;
  if (element.max_value && number > Number(element.max_value)) return `Please enter ${element.max_value} or less.`;
  return undefined;
}
