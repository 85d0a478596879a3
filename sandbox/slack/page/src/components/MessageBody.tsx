import { useCallback } from "preact/hooks";
import { sendAction } from "../api";
import { Blocks } from "../blocks/Blocks";
import { Mrkdwn } from "../blocks/Mrkdwn";
import { useSurface } from "../blocks/surface";
import { useWorkspace } from "../workspace";
import type { Action, Block, Message, StateValues } from "../types";

/** A message with blocks shows these; its text is for notifications then, as in Slack. */
export function MessageBody({ message }: { message: Message }) {
  const blocks = message.blocks ?? [];
  return (
    <>
      {blocks.length > 0 ? (
        <BlockBody message={message} blocks={blocks} />
      ) : (
        // A command repeated in the channel stands above already.
        message.text &&
        message.text !== message.command && (
          <div class="message-text">
            <Mrkdwn text={message.text} />
          </div>
        )
      )}
      {message.attachments && <p class="unsupported">Unsupported: attachments</p>}
      {message.edited && <span class="edited">(edited)</span>}
    </>
  );
}

function BlockBody({ message, blocks }: { message: Message; blocks: Block[] }) {
  const { me } = useWorkspace();
  const { channel, ts } = message;
  const send = useCallback(
    (action: Action, values: StateValues) => sendAction(me.id, { channel, message_ts: ts }, action, values),
    [me.id, channel, ts],
  );
  return <Blocks blocks={blocks} surface={useSurface(blocks, send)} />;
}
