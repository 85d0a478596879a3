import { memo } from "./memo";
import { clock, formatDate, fullDate } from "../blocks/dates";
import { Emoji } from "../blocks/Mrkdwn";
import { findPerson, useWorkspace } from "../workspace";
import type { Message } from "../types";
import { Avatar } from "./Avatar";
import { FileCard } from "./FileCard";
import { EyeIcon, ReplyIcon } from "./icons";
import { MessageBody } from "./MessageBody";

interface MessageItemProps {
  message: Message;
  /** Follows its author's previous message closely: without name and picture. */
  follows?: boolean;
  replies?: Message[];
  inThread?: boolean;
}

export const MessageItem = memo(function MessageItem({ message, follows, replies, inThread }: MessageItemProps) {
  const workspace = useWorkspace();
  const author = findPerson(workspace, message.user);
  const joined = message.subtype === "channel_join" || message.subtype === "channel_leave";
  const classes = ["message", follows && "follows", message.ephemeral && "private", joined && "notice"];
  const name = author.real_name;
  return (
    <article class={classes.filter(Boolean).join(" ")} data-ts={message.ts} aria-label={`Message from ${name}`}>
      {message.ephemeral && (
        <p class="only-you">
          <EyeIcon /> Only visible to you
        </p>
      )}
      {message.broadcast && <p class="only-you">replied to a thread</p>}
      <div class="message-row">
        {follows ? <Time ts={message.ts} /> : <Avatar person={author} />}
        <div class="message-main">
          {!follows && (
            <p class="message-head">
              <strong>{name}</strong>
              {author.is_bot && <span class="app-mark">APP</span>}
              <Time ts={message.ts} />
            </p>
          )}
          {message.command && <p class="command-line">{message.command}</p>}
          {message.failed ? <p class="failed-line">{message.failed}</p> : <MessageBody message={message} />}
          {message.files && message.files.length > 0 && (
            <div class="files">
              {message.files.map((file) => (
                <FileCard key={file.id} file={file} />
              ))}
            </div>
          )}
          {message.reactions && <Reactions reactions={message.reactions} />}
          {!inThread && <Replies message={message} replies={replies} />}
        </div>
      </div>
      {!inThread && !message.ephemeral && (
        <div class="message-tools">
          <button
            type="button"
            class="plain"
            title="Reply in thread"
            aria-label="Reply in thread"
            onClick={() => workspace.openThread(message.thread_ts ?? message.ts)}
          >
            <ReplyIcon />
          </button>
        </div>
      )}
    </article>
  );
});

function Time({ ts }: { ts: string }) {
  const { me } = useWorkspace();
  const at = Number(ts);
  return (
    <time class="message-time" dateTime={new Date(at * 1000).toISOString()} title={fullDate(at, me.tz)}>
      {clock(me.tz, new Date(at * 1000))}
    </time>
  );
}

function Reactions({ reactions }: { reactions: NonNullable<Message["reactions"]> }) {
  return (
    <ul class="reactions" aria-label="Reactions">
      {reactions.map(({ name, count }) => (
        <li key={name}>
          <Emoji name={name} /> {count}
        </li>
      ))}
    </ul>
  );
}

function Replies({ message, replies }: { message: Message; replies?: Message[] }) {
  const workspace = useWorkspace();
  const count = Math.max(replies?.length ?? 0, message.reply_count ?? 0);
  if (!count || message.broadcast) return null;
  const ids = new Set(replies?.map(({ user }) => user) ?? message.reply_users);
  const last = replies?.at(-1);
  const when = last && formatDate(Number(last.ts), "{date_short_pretty} at {time}", "", workspace.me.tz);
  return (
    <button type="button" class="replies" onClick={() => workspace.openThread(message.ts)}>
      {[...ids].slice(0, 3).map((id) => (
        <Avatar key={id} person={findPerson(workspace, id)} small />
      ))}
      <span class="replies-count">{count === 1 ? "1 reply" : `${count} replies`}</span>
      {when && <span class="replies-when">Last reply {when}</span>}
    </button>
  );
}
