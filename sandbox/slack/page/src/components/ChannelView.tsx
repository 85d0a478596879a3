import { useMemo, useRef } from "preact/hooks";
import { channelTitle, findPerson, useWorkspace } from "../workspace";
import type { PageState } from "../state";
import type { Channel, Message } from "../types";
import { Avatar } from "./Avatar";
import { Composer, type ComposerHandle } from "./Composer";
import { DropZone } from "./DropZone";
import { LockIcon } from "./icons";
import { MessageList } from "./MessageList";

interface ChannelViewProps {
  channel: Channel;
  messages: Message[] | undefined;
  live: PageState["live"];
}

export function ChannelView({ channel, messages, live }: ChannelViewProps) {
  const composer = useRef<ComposerHandle>(null);
  const shown = useMemo(() => messages?.filter(isInChannel), [messages]);
  const replies = useMemo(() => repliesByThread(messages ?? []), [messages]);
  const title = channelTitle(channel);
  return (
    <DropZone as="main" label={title} className="channel" onFiles={(files) => composer.current?.stage(files)}>
      <ChannelHead channel={channel} />
      {live === "lost" && (
        <p class="banner" role="alert">
          The connection was lost. Trying again…
        </p>
      )}
      <MessageList channel={channel} messages={shown} replies={replies} />
      <Composer ref={composer} channel={channel} label={`Message ${title}`} />
    </DropZone>
  );
}

const isInChannel = (message: Message) =>
  !message.thread_ts || message.thread_ts === message.ts || message.broadcast === true;

/** Thread's ts → its replies, without those that only this person sees. */
function repliesByThread(messages: Message[]): Map<string, Message[]> {
  const replies = new Map<string, Message[]>();
  for (const message of messages) {
    if (!message.thread_ts || message.thread_ts === message.ts || message.ephemeral) continue;
    replies.set(message.thread_ts, [...(replies.get(message.thread_ts) ?? []), message]);
  }
  return replies;
}

function ChannelHead({ channel }: { channel: Channel }) {
  const workspace = useWorkspace();
  const members = channel.members.map((id) => findPerson(workspace, id));
  const names = members.map(({ real_name }) => real_name).join(", ");
  return (
    <header class="channel-head">
      <div class="channel-title">
        <h2>
          {channel.kind === "private" && (
            <span class="channel-mark">
              <LockIcon />
            </span>
          )}
          {channel.kind === "private" ? channel.name : channelTitle(channel)}
        </h2>
        {channel.topic && <p class="topic">{channel.topic}</p>}
      </div>
      {channel.kind !== "im" && (
        <div class="members" title={names}>
          {!channel.bot_is_member && <span class="not-member">{workspace.bot.name} is not in this channel</span>}
          <span class="faces">
            {members.slice(0, 4).map((person) => (
              <Avatar key={person.id} person={person} small />
            ))}
          </span>
          <span class="sr-only">Members: </span>
          <span aria-label={names}>{members.length}</span>
        </div>
      )}
    </header>
  );
}
