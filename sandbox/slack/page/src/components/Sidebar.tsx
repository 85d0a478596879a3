import { useWorkspace } from "../workspace";
import type { Channel } from "../types";
import { Avatar } from "./Avatar";
import { LockIcon } from "./icons";

interface SidebarProps {
  unread: Record<string, number>;
  current: string;
  onActAs: (user: string) => void;
}

export function Sidebar({ unread, current, onActAs }: SidebarProps) {
  const { team, me, users, channels, bot, bot_connected } = useWorkspace();
  const botName = bot.display_name || bot.name;
  const row = (channel: Channel) => (
    <ChannelLink key={channel.id} channel={channel} unread={unread[channel.id] ?? 0} current={channel.id === current} />
  );
  return (
    <aside class="sidebar" aria-label="Workspace">
      <header class="workspace-head">
        <p class="workspace-label">Sandbox workspace</p>
        <h1>{team.name}</h1>
        <p class={`bot-state ${bot_connected ? "on" : "off"}`} role="status">
          <span class="dot" aria-hidden="true" />
          {bot_connected ? `${botName} is connected` : `${botName} is not connected`}
        </p>
      </header>
      <nav class="channels" aria-label="Channels">
        <h2>Channels</h2>
        <ul>{channels.filter(({ kind }) => kind !== "im").map(row)}</ul>
        <h2>Direct messages</h2>
        <ul>{channels.filter(({ kind }) => kind === "im").map(row)}</ul>
      </nav>
      <footer class="acting">
        <Avatar person={me} />
        <label>
          <span>Acting as</span>
          <select value={me.id} onChange={(event) => onActAs(event.currentTarget.value)}>
            {users
              .filter(({ is_bot }) => !is_bot)
              .map(({ id, real_name }) => (
                <option key={id} value={id}>
                  {real_name}
                </option>
              ))}
          </select>
          <small title="Slack time zone of this person">{me.tz.replace(/_/g, " ")}</small>
        </label>
      </footer>
    </aside>
  );
}

function ChannelLink({ channel, unread, current }: { channel: Channel; unread: number; current: boolean }) {
  const { me, openChannel, bot_connected } = useWorkspace();
  const query = new URLSearchParams({ user: me.id, channel: channel.id }).toString();
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openChannel(channel.id);
  };
  return (
    <li>
      <a href={`?${query}`} class={unread ? "unread" : ""} aria-current={current ? "page" : undefined} onClick={open}>
        <span class="channel-mark" aria-hidden="true">
          {channel.kind === "private" ? <LockIcon /> : channel.kind === "im" ? <Presence on={bot_connected} /> : "#"}
        </span>
        <span class="channel-name">{channel.name}</span>
        {channel.kind === "private" && <span class="sr-only">(private)</span>}
        {unread > 0 && (
          <span class="count">
            {unread}
            <span class="sr-only"> unread</span>
          </span>
        )}
      </a>
    </li>
  );
}

const Presence = ({ on }: { on: boolean }) => <span class={`presence ${on ? "on" : "off"}`} />;
