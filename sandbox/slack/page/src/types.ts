/** What the server sends and takes; ids and timestamps look like Slack's ("1763778901.000100"). */

export interface Person {
  id: string;
  name: string;
  real_name: string;
  tz: string;
  color: string;
  is_bot: boolean;
  avatar_initials: string;
}

export interface Channel {
  id: string;
  name: string;
  kind: "channel" | "private" | "im";
  topic: string;
  bot_is_member: boolean;
  members: string[];
  unread: number;
}

export interface SlashCommand {
  command: string;
  usage_hint: string;
  description: string;
}

export interface WorkspaceState {
  team: { id: string; name: string; domain: string };
  me: Person;
  users: Person[];
  channels: Channel[];
  commands: SlashCommand[];
  bot: { id: string; user_id: string; name: string; display_name: string };
  bot_connected: boolean;
}

export interface SharedFile {
  id: string;
  name: string;
  title: string;
  mimetype: string;
  filetype: string;
  size: number;
  url: string;
}

export interface Message {
  channel: string;
  ts: string;
  user: string;
  text: string;
  blocks?: Block[];
  files?: SharedFile[];
  thread_ts?: string;
  reply_count?: number;
  reply_users?: string[];
  subtype?: string;
  attachments?: object[];
  reactions?: { name: string; users: string[]; count: number }[];
  edited?: boolean;
  ephemeral?: boolean;
  broadcast?: boolean;
  command?: string;
  failed?: string;
}

export interface View {
  id: string;
  type: string;
  /** Null for a view that was opened and not pushed: it replaces all that was open. */
  previous_view_id?: string | null;
  title: TextObject | string;
  submit?: TextObject | string;
  close?: TextObject | string;
  blocks: Block[];
}

export type LiveEvent =
  | { type: "message" | "message_changed"; message: Message }
  | { type: "message_deleted" | "ephemeral_deleted"; channel: string; ts: string }
  | { type: "view_opened" | "view_updated"; view: View }
  | { type: "view_errors"; view_id: string; errors: Record<string, string> }
  | { type: "view_closed"; view_id: string }
  | { type: "state"; state: WorkspaceState }
  | { type: "toast"; text: string };

export interface TextObject {
  type: "plain_text" | "mrkdwn";
  text: string;
}

export interface Option {
  text: TextObject;
  value: string;
  description?: TextObject;
  url?: string;
}

export interface OptionGroup {
  label: TextObject;
  options: Option[];
}

export interface Confirm {
  title: TextObject;
  text: TextObject;
  confirm: TextObject;
  deny: TextObject;
  style?: "primary" | "danger";
}

/** A block as it comes: checked by the server, read field by field by the component of its type. */
export interface Block {
  type: string;
  block_id?: string;
  text?: TextObject | string;
  fields?: TextObject[];
  elements?: Element[];
  element?: Element;
  accessory?: Element;
  label?: TextObject;
  hint?: TextObject;
  optional?: boolean;
  dispatch_action?: boolean;
  image_url?: string;
  alt_text?: string;
  title?: TextObject | string;
  level?: number | string;
  rows?: TableCell[][];
  column_settings?: ({ align?: "left" | "center" | "right"; is_wrapped?: boolean } | null)[];
}

export interface Element {
  type: string;
  action_id?: string;
  text?: TextObject | string;
  value?: string;
  url?: string;
  style?: unknown;
  confirm?: Confirm;
  accessibility_label?: string;
  placeholder?: TextObject;
  options?: Option[];
  option_groups?: OptionGroup[];
  initial_option?: Option;
  initial_options?: Option[];
  initial_value?: string;
  initial_date?: string;
  initial_time?: string;
  initial_date_time?: number;
  initial_user?: string;
  initial_channel?: string;
  initial_conversation?: string;
  max_selected_items?: number;
  multiline?: boolean;
  min_length?: number;
  max_length?: number;
  is_decimal_allowed?: boolean;
  min_value?: string;
  max_value?: string;
  focus_on_load?: boolean;
  dispatch_action_config?: { trigger_actions_on?: string[] };
  image_url?: string;
  alt_text?: string;
}

export type RichNode = {
  type: string;
  elements?: RichNode[];
  text?: string;
  url?: string;
  name?: string;
  unicode?: string;
  user_id?: string;
  channel_id?: string;
  usergroup_id?: string;
  range?: string;
  value?: string;
  timestamp?: number;
  format?: string;
  fallback?: string;
  indent?: number;
  offset?: number;
  border?: number;
  style?: string | { bold?: boolean; italic?: boolean; strike?: boolean; code?: boolean; underline?: boolean };
};

export type TableCell = { type: string; text?: string; value?: number; elements?: RichNode[] };

/** The part of an element's value that differs by its type, as Slack's payloads name it. */
export interface ElementValue {
  value?: string | null;
  selected_option?: Option | null;
  selected_options?: Option[];
  selected_date?: string | null;
  selected_time?: string | null;
  selected_date_time?: number | null;
  selected_user?: string | null;
  selected_channel?: string | null;
  selected_conversation?: string | null;
}

export type Action = ElementValue & { type: string; action_id: string; block_id: string; text?: TextObject | string };

export type StateValues = Record<string, Record<string, ElementValue & { type: string }>>;
