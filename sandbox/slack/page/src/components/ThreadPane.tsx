import { useMemo, useRef } from "preact/hooks";
import { channelTitle, useWorkspace } from "../workspace";
import type { Channel, Message } from "../types";
import { Composer, type ComposerHandle } from "./Composer";
import { DropZone } from "./DropZone";
import { CloseIcon } from "./icons";
import { MessageItem } from "./MessageItem";
import { useStickToBottom } from "./scrolling";

interface ThreadPaneProps {
  channel: Channel;
  root: Message;
  messages: Message[];
}

export function ThreadPane({ channel, root, messages }: ThreadPaneProps) {
  const { me, openThread } = useWorkspace();
  const composer = useRef<ComposerHandle>(null);
  const replies = useMemo(
    () => messages.filter(({ thread_ts, ts }) => thread_ts === root.ts && ts !== root.ts),
    [messages, root.ts],
  );
  const { scroller, content } = useStickToBottom(replies, me.id);
  const shared = replies.filter(({ ephemeral }) => !ephemeral).length;
  return (
    <DropZone as="aside" label="Thread" className="thread" onFiles={(files) => composer.current?.stage(files)}>
      <header class="channel-head">
        <div class="channel-title">
          <h2>Thread</h2>
          <p class="topic">{channelTitle(channel)}</p>
        </div>
        <button type="button" class="plain" aria-label="Close thread" onClick={() => openThread(null)}>
          <CloseIcon />
        </button>
      </header>
      <div ref={scroller} class="messages" tabIndex={0} role="group" aria-label="Replies" aria-live="polite">
        <div ref={content} class="messages-content">
          <MessageItem message={root} inThread />
          {shared > 0 && (
            <div class="thread-count">
              <span>{shared === 1 ? "1 reply" : `${shared} replies`}</span>
            </div>
          )}
          {replies.map((message) => (
            <MessageItem key={message.ts} message={message} inThread />
          ))}
        </div>
      </div>
      <Composer ref={composer} channel={channel} thread={root.ts} label="Reply" />
    </DropZone>
  );
}
