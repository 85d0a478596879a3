import type { LiveEvent, Message, View, WorkspaceState } from "./types";

export interface Toast {
  id: number;
  text: string;
}

export interface PageState {
  user: string;
  channel: string;
  thread: string | null;
  workspace: WorkspaceState | null;
  /** Channel id → messages, oldest first. A channel not opened yet is absent. */
  messages: Record<string, Message[]>;
  unread: Record<string, number>;
  views: View[];
  viewErrors: Record<string, Record<string, string>>;
  toasts: Toast[];
  live: "connecting" | "open" | "lost";
}

export type PageEvent =
  | LiveEvent
  | { type: "act_as"; user: string; channel: string }
  | { type: "open_channel"; channel: string }
  | { type: "open_thread"; ts: string | null }
  | { type: "messages_loaded"; channel: string; messages: Message[] }
  | { type: "live"; live: PageState["live"] }
  | { type: "toast_gone"; id: number };

export const startState = (user: string, channel: string): PageState => ({
  user,
  channel,
  thread: null,
  workspace: null,
  messages: {},
  unread: {},
  views: [],
  viewErrors: {},
  toasts: [],
  live: "connecting",
});

const byTime = (a: Message, b: Message) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0);

/** A message told of twice (by the fetch and by the live connection) stays one. */
function put(messages: Message[], message: Message): Message[] {
  const known = messages.findIndex((other) => other.ts === message.ts);
  if (known >= 0) return messages.map((other, index) => (index === known ? message : other));
  const last = messages.at(-1);
  return last && last.ts > message.ts ? [...messages, message].sort(byTime) : [...messages, message];
}

function withMessage(state: PageState, message: Message, isNew: boolean): PageState {
  const { channel } = message;
  const known = state.messages[channel];
  const messages = known ? { ...state.messages, [channel]: put(known, message) } : state.messages;
  const seenAlready = known?.some((other) => other.ts === message.ts);
  const onlyInThread = message.thread_ts && message.thread_ts !== message.ts && !message.broadcast;
  if (!isNew || seenAlready || onlyInThread || channel === state.channel || message.user === state.user) {
    return { ...state, messages };
  }
  return { ...state, messages, unread: { ...state.unread, [channel]: (state.unread[channel] ?? 0) + 1 } };
}

function withoutMessage(state: PageState, channel: string, ts: string): PageState {
  const known = state.messages[channel];
  if (!known) return state;
  return { ...state, messages: { ...state.messages, [channel]: known.filter((message) => message.ts !== ts) } };
}

/** What the person has read is counted here once the channel is known, so that a later state does not undo it. */
function withWorkspace(state: PageState, workspace: WorkspaceState): PageState {
  if (workspace.me.id !== state.user) return state;
  const unread: Record<string, number> = {};
  for (const { id, unread: told } of workspace.channels) unread[id] = state.unread[id] ?? told;
  const known = workspace.channels.some(({ id }) => id === state.channel);
  const first = workspace.channels.find((channel) => channel.kind === "channel" && channel.bot_is_member);
  const channel = known ? state.channel : ((first ?? workspace.channels[0])?.id ?? "");
  return { ...state, workspace, channel, unread: { ...unread, [channel]: 0 } };
}

function withView(state: PageState, view: View): PageState {
  const viewErrors = { ...state.viewErrors, [view.id]: {} };
  if (state.views.some(({ id }) => id === view.id)) {
    return { ...state, viewErrors, views: state.views.map((other) => (other.id === view.id ? view : other)) };
  }
  const below = view.previous_view_id === null ? [] : state.views;
  return { ...state, viewErrors, views: [...below, view] };
}

let toastCount = 0;

export function reduce(state: PageState, event: PageEvent): PageState {
  switch (event.type) {
    case "act_as":
      return { ...startState(event.user, event.channel), toasts: state.toasts };
    case "open_channel":
      return { ...state, channel: event.channel, thread: null, unread: { ...state.unread, [event.channel]: 0 } };
    case "open_thread":
      return { ...state, thread: event.ts };
    case "messages_loaded":
      return { ...state, messages: { ...state.messages, [event.channel]: [...event.messages].sort(byTime) } };
    case "state":
      return withWorkspace(state, event.state);
    case "message":
    case "message_changed":
      return withMessage(state, event.message, event.type === "message");
    case "message_deleted":
    case "ephemeral_deleted":
      return withoutMessage(state, event.channel, event.ts);
    case "view_opened":
    case "view_updated":
      return withView(state, event.view);
    case "view_errors":
      return { ...state, viewErrors: { ...state.viewErrors, [event.view_id]: event.errors } };
    case "view_closed":
      return { ...state, views: state.views.filter(({ id }) => id !== event.view_id) };
    case "live":
      return { ...state, live: event.live };
    case "toast":
      toastCount += 1;
      return { ...state, toasts: [...state.toasts.slice(-3), { id: toastCount, text: event.text }] };
    case "toast_gone":
      return { ...state, toasts: state.toasts.filter(({ id }) => id !== event.id) };
  }
}
