import type { Action, LiveEvent, Message, StateValues, WorkspaceState } from "./types";

async function answer<T>(request: Promise<Response>): Promise<T> {
  let response: Response;
  try {
    response = await request;
  } catch {
    throw new Error("The sandbox server does not answer. Is it still running?");
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const told = body && typeof body === "object" && "error" in body ? String(body.error) : "";
    throw new Error(told || `The sandbox server answered ${response.status}.`);
  }
  return body as T;
}

const get = <T>(path: string, query: Record<string, string>): Promise<T> =>
  answer<T>(fetch(`${path}?${new URLSearchParams(query).toString()}`, { cache: "no-store" }));

const post = <T>(path: string, body: object): Promise<T> =>
  answer<T>(
    fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  );

export const fetchState = (user: string) => get<WorkspaceState>("/page/state", { user });

export const fetchMessages = (user: string, channel: string) =>
  get<{ messages: Message[] }>("/page/messages", { user, channel }).then((body) => body.messages);

export interface Posting {
  user: string;
  channel: string;
  text: string;
  thread_ts?: string;
}

export const postMessage = (posting: Posting) => post<{ ts: string }>("/page/message", posting);

export function uploadFiles(posting: Posting, files: File[]) {
  const form = new FormData();
  for (const [name, value] of Object.entries(posting)) {
    if (value !== undefined) form.append(name, value as string);
  }
  for (const file of files) form.append("file", file, file.name);
  return answer<{ ts: string }>(fetch("/page/upload", { method: "POST", body: form }));
}

export const runCommand = (user: string, channel: string, command: string, text: string) =>
  post("/page/command", { user, channel, command, text });

export interface ActionPlace {
  channel?: string;
  message_ts?: string;
  view_id?: string;
}

export const sendAction = (user: string, place: ActionPlace, action: Action, values: StateValues) =>
  post("/page/action", { user, ...place, action, state: { values } });

export const submitView = (user: string, view_id: string, values: StateValues) =>
  post<{ ok: boolean; errors?: Record<string, string> }>("/page/view_submit", { user, view_id, state: { values } });

export const closeView = (user: string, view_id: string) => post("/page/view_close", { user, view_id });

/**
 * Keep one live connection for a user until the returned function is called.
 * `onOpen` comes at every (re)connection: what happened in between has to be fetched again.
 */
export function connectLive(
  user: string,
  on: { open: () => void; lost: () => void; event: (event: LiveEvent) => void },
): () => void {
  let socket: WebSocket | undefined;
  let timer: number | undefined;
  let delay = 300;
  let stopped = false;

  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/page/live?${new URLSearchParams({ user }).toString()}`);
    socket.onopen = () => {
      delay = 300;
      on.open();
    };
    socket.onmessage = (frame) => {
      if (!stopped) on.event(JSON.parse(frame.data as string) as LiveEvent);
    };
    socket.onclose = () => {
      if (stopped) return;
      on.lost();
      timer = window.setTimeout(connect, delay);
      delay = Math.min(delay * 2, 5000);
    };
  };
  connect();
  return () => {
    stopped = true;
    window.clearTimeout(timer);
    socket?.close();
  };
}
