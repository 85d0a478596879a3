import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Channel, Confirm, Person, WorkspaceState } from "./types";

/** What any component may need to know or ask for; the page's root provides it. */
export interface Workspace extends WorkspaceState {
  openChannel: (channel: string) => void;
  openThread: (ts: string | null) => void;
  toast: (text: string) => void;
  /** Shows Slack's confirmation dialog; true when the person goes on. */
  confirm: (confirm: Confirm) => Promise<boolean>;
}

export const WorkspaceContext = createContext<Workspace | null>(null);

export function useWorkspace(): Workspace {
  const workspace = useContext(WorkspaceContext);
  if (!workspace) throw new Error("A component was used outside of the workspace.");
  return workspace;
}

const UNKNOWN = { name: "unknown", real_name: "Unknown member", tz: "UTC", color: "#8a8f98", avatar_initials: "?" };

export const findPerson = (workspace: WorkspaceState, id: string): Person =>
  workspace.users.find((user) => user.id === id) ?? { id, is_bot: false, ...UNKNOWN };

/** People are mentioned by their name, bots by the short one that /invite takes. */
export const mentionName = (person: Person): string => (person.is_bot ? person.name : person.real_name);

export const channelTitle = (channel: Channel): string => (channel.kind === "im" ? channel.name : `#${channel.name}`);
