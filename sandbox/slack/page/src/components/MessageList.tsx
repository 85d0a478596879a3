import { useMemo } from "preact/hooks";
import { dayNumber, formatDate } from "../blocks/dates";
import { channelTitle, useWorkspace } from "../workspace";
import type { Channel, Message } from "../types";
import { MessageItem } from "./MessageItem";
import { useStickToBottom } from "./scrolling";

const GROUPED_WITHIN = 5 * 60;

interface MessageListProps {
  channel: Channel;
  messages: Message[] | undefined;
  replies: Map<string, Message[]>;
}

export function MessageList({ channel, messages, replies }: MessageListProps) {
  const { me } = useWorkspace();
  const { scroller, content, away, toBottom } = useStickToBottom(messages, me.id);
  return (
    <div class="messages-frame">
      <div ref={scroller} class="messages" role="log" aria-label={`Messages in ${channelTitle(channel)}`} tabIndex={0}>
        <div ref={content} class="messages-content">
          {messages && <Beginning channel={channel} />}
          {messages && <Days messages={messages} replies={replies} zone={me.tz} />}
        </div>
      </div>
      {away > 0 && (
        <button type="button" class="jump" onClick={toBottom}>
          {away === 1 ? "1 new message" : `${away} new messages`} ↓
        </button>
      )}
    </div>
  );
}

function Beginning({ channel }: { channel: Channel }) {
  const title = channelTitle(channel);
  return (
    <div class="beginning">
      <h3>{title}</h3>
      <p>
        {channel.kind === "im"
          ? `This is the beginning of your direct messages with ${title}.`
          : `This is the beginning of ${title}. Type / to see what the bot can do, or drop a file anywhere here.`}
      </p>
    </div>
  );
}

function Days({ messages, replies, zone }: { messages: Message[]; replies: Map<string, Message[]>; zone: string }) {
  const lines = useMemo(() => withDays(messages, zone), [messages, zone]);
  return (
    <>
      {lines.map(({ message, day, follows }) => [
        day && (
          <div key={`day-${message.ts}`} class="day" role="separator" aria-label={day}>
            <span>{day}</span>
          </div>
        ),
        <MessageItem key={message.ts} message={message} follows={follows} replies={replies.get(message.ts)} />,
      ])}
    </>
  );
}

/** Names the day where it changes, and marks what follows its author's previous message closely. */
function withDays(messages: Message[], zone: string) {
  let last: Message | undefined;
  return messages.map((message) => {
    const at = Number(message.ts);
    const before = last && Number(last.ts);
    const newDay =
      before === undefined || dayNumber(zone, new Date(before * 1000)) !== dayNumber(zone, new Date(at * 1000));
    const day = newDay ? capital(formatDate(at, "{date_long_pretty}", "", zone)) : "";
    const follows = !newDay && last !== undefined && canFollow(last, message) && at - Number(last.ts) < GROUPED_WITHIN;
    last = message;
    return { message, day, follows };
  });
}

const canFollow = (last: Message, message: Message) =>
  last.user === message.user &&
  !last.ephemeral &&
  !message.ephemeral &&
  !message.broadcast &&
  !message.failed &&
  last.subtype === message.subtype;

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
