import type { Ref } from "preact";
import { useEffect, useId, useImperativeHandle, useLayoutEffect, useRef, useState } from "preact/hooks";
import { postMessage, runCommand, uploadFiles } from "../api";
import { useWorkspace } from "../workspace";
import type { Channel } from "../types";
import { CommandList, matching, usageFor, useCommands } from "./commands";
import { ClipIcon, SendIcon } from "./icons";
import { StagedFiles } from "./StagedFiles";

export interface ComposerHandle {
  /** Puts files above the composer until they are sent with its text. */
  stage: (files: File[]) => void;
}

interface ComposerProps {
  channel: Channel;
  thread?: string;
  label: string;
  ref: Ref<ComposerHandle>;
}

/** What was typed and not sent stays with its place. */
const drafts = new Map<string, string>();

export function Composer({ channel, thread, label, ref }: ComposerProps) {
  const { me } = useWorkspace();
  const commands = useCommands();
  const place = `${me.id}/${channel.id}/${thread ?? ""}`;
  const [text, setText] = useState(() => drafts.get(place) ?? "");
  const [files, setFiles] = useState<File[]>([]);
  const [sending, setSending] = useState(false);
  const [trouble, setTrouble] = useState("");
  const [active, setActive] = useState(0);
  const [dismissed, setDismissed] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const listId = useId();

  const offered = thread || dismissed ? [] : matching(commands, text);
  const usage = thread ? undefined : usageFor(commands, text);

  const stage = (added: File[]) => {
    setFiles((staged) => [...staged, ...added]);
    field.current?.focus();
  };
  useImperativeHandle(ref, () => ({ stage }));
  useEffect(() => field.current?.focus(), []);
  useGrowing(field, text);
  useEffect(() => void drafts.set(place, text), [place, text]);

  const type = (typed: string) => {
    setText(typed);
    setTrouble("");
    setActive(0);
    setDismissed(false);
  };
  const complete = (index: number) => {
    const command = offered[index];
    if (!command) return;
    type(command.completion);
    field.current?.focus();
  };
  const send = async () => {
    if (sending || (!text.trim() && files.length === 0)) return;
    const unsent = { text, files };
    const problem = files.length
      ? undefined
      : refusal(
          text,
          thread,
          commands.map(({ command }) => command),
        );
    if (problem) return setTrouble(problem);
    type("");
    setFiles([]);
    setSending(true);
    field.current?.focus();
    try {
      await deliver(
        { user: me.id, channel: channel.id, text: text.trim(), ...(thread && { thread_ts: thread }) },
        files,
      );
    } catch (error) {
      setTrouble((error as Error).message);
      setText((typed) => typed || unsent.text);
      setFiles((staged) => [...unsent.files, ...staged]);
    } finally {
      setSending(false);
    }
  };
  const keyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (offered.length > 0 && completionKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void send();
    }
  };
  /** True when the list of commands took the key. A command typed in full is not completed but sent. */
  const completionKey = (event: KeyboardEvent): boolean => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const picks = event.key === "Tab" || (event.key === "Enter" && !event.shiftKey);
    if (step) setActive((active + step + offered.length) % offered.length);
    else if (event.key === "Escape") setDismissed(true);
    else if (picks && !(event.key === "Enter" && offered[active]?.command === text)) complete(active);
    else return false;
    event.preventDefault();
    return true;
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {offered.length > 0 && (
        <CommandList id={listId} commands={offered} active={active} onHover={setActive} onPick={complete} />
      )}
      {offered.length === 0 && usage && !trouble && (
        <p class="usage">
          <strong>{usage.command}</strong> {usage.usage_hint}
          <span>{usage.description}</span>
        </p>
      )}
      <div class={`composer-box${sending ? " sending" : ""}`}>
        <StagedFiles files={files} onRemove={(gone) => setFiles(files.filter((_, index) => index !== gone))} />
        <textarea
          ref={field}
          rows={1}
          aria-label={label}
          placeholder={label}
          aria-autocomplete="list"
          aria-controls={offered.length ? listId : undefined}
          aria-activedescendant={offered.length ? `${listId}-${active}` : undefined}
          value={text}
          onInput={(event) => type(event.currentTarget.value)}
          onKeyDown={keyDown}
          onPaste={(event) => {
            const pasted = [...(event.clipboardData?.files ?? [])];
            if (!pasted.length) return;
            event.preventDefault();
            stage(pasted);
          }}
        />
        <div class="composer-tools">
          <input
            ref={picker}
            class="sr-only"
            type="file"
            multiple
            tabIndex={-1}
            aria-label="Attach files"
            onChange={(event) => {
              stage([...(event.currentTarget.files ?? [])]);
              event.currentTarget.value = "";
            }}
          />
          <button
            type="button"
            class="plain"
            title="Choose files"
            aria-label="Choose files"
            onClick={() => picker.current?.click()}
          >
            <ClipIcon />
          </button>
          <span class="composer-note">{sending ? "Sending…" : "Enter to send · Shift+Enter for a new line"}</span>
          <button
            type="submit"
            class="send"
            aria-label={thread ? "Send reply" : "Send message"}
            title="Send"
            disabled={sending || (!text.trim() && files.length === 0)}
          >
            <SendIcon />
          </button>
        </div>
      </div>
      {trouble && (
        <p class="trouble" role="alert">
          {trouble}
        </p>
      )}
    </form>
  );
}

/** What Slack's client itself says no to. */
function refusal(text: string, thread: string | undefined, known: string[]): string | undefined {
  if (!text.startsWith("/")) return undefined;
  const command = text.split(/\s/, 1)[0] ?? "";
  if (thread) return `${command} is not supported in threads. Sorry!`;
  if (known.includes(command)) return undefined;
  return `${command} is not a valid command. To send it as a message, put a space before the slash.`;
}

async function deliver(posting: { user: string; channel: string; text: string; thread_ts?: string }, files: File[]) {
  if (files.length) return uploadFiles(posting, files);
  if (!posting.text.startsWith("/")) return postMessage(posting);
  const [, command = "", rest = ""] = /^(\S+)\s*([^]*)$/.exec(posting.text) ?? [];
  return runCommand(posting.user, posting.channel, command, rest);
}

function useGrowing(field: { current: HTMLTextAreaElement | null }, text: string) {
  useLayoutEffect(() => {
    const box = field.current;
    if (!box) return;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
  }, [text]);
}
