import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { useSession } from "../session";
import type { Confirm } from "../types";
import { channelTitle, WorkspaceContext, type Workspace } from "../workspace";
import { ChannelView } from "./ChannelView";
import { ConfirmDialog } from "./ConfirmDialog";
import { ModalStack } from "./Modal";
import { Sidebar } from "./Sidebar";
import { ThreadPane } from "./ThreadPane";
import { Toasts } from "./Toasts";

interface Question {
  confirm: Confirm;
  answer: (goOn: boolean) => void;
}

export function App() {
  const { state, dispatch, toast, openChannel, openThread } = useSession();
  const [question, setQuestion] = useState<Question | null>(null);
  const confirm = useCallback(
    (asked: Confirm) => new Promise<boolean>((answer) => setQuestion({ confirm: asked, answer })),
    [],
  );
  const workspace = useMemo<Workspace | null>(
    () => state.workspace && { ...state.workspace, openChannel, openThread, toast, confirm },
    [state.workspace, openChannel, openThread, toast, confirm],
  );
  const channel = workspace?.channels.find(({ id }) => id === state.channel);
  useDroppedBeside();
  useEffect(() => {
    if (workspace && channel) document.title = `${channelTitle(channel)} · ${workspace.team.name}`;
  }, [workspace, channel]);

  if (!workspace || !channel) {
    return (
      <div class="starting" role="status">
        {state.live === "lost" ? "The sandbox server does not answer. Trying again…" : "Opening the workspace…"}
        <Toasts toasts={state.toasts} onGone={(id) => dispatch({ type: "toast_gone", id })} />
      </div>
    );
  }
  const messages = state.messages[channel.id];
  const root = state.thread ? messages?.find(({ ts }) => ts === state.thread) : undefined;
  return (
    <WorkspaceContext.Provider value={workspace}>
      <div class={`page${root ? " with-thread" : ""}`}>
        <Sidebar
          unread={state.unread}
          current={channel.id}
          onActAs={(user) => dispatch({ type: "act_as", user, channel: channel.kind === "im" ? "" : channel.id })}
        />
        <ChannelView key={`${state.user}/${channel.id}`} channel={channel} messages={messages} live={state.live} />
        {root && (
          <ThreadPane key={`${state.user}/${root.ts}`} channel={channel} root={root} messages={messages ?? []} />
        )}
      </div>
      <ModalStack
        views={state.views}
        errors={state.viewErrors}
        onGone={(view_id) => dispatch({ type: "view_closed", view_id })}
      />
      {question && (
        <ConfirmDialog
          confirm={question.confirm}
          onAnswer={(goOn) => {
            setQuestion(null);
            question.answer(goOn);
          }}
        />
      )}
      <Toasts toasts={state.toasts} onGone={(id) => dispatch({ type: "toast_gone", id })} />
    </WorkspaceContext.Provider>
  );
}

/** A file dropped beside a drop zone would make the browser leave the page. */
function useDroppedBeside() {
  useEffect(() => {
    const stay = (event: DragEvent) => event.preventDefault();
    window.addEventListener("dragover", stay);
    window.addEventListener("drop", stay);
    return () => {
      window.removeEventListener("dragover", stay);
      window.removeEventListener("drop", stay);
    };
  }, []);
}
