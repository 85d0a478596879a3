import { useCallback, useEffect, useReducer, useRef } from "preact/hooks";
import { connectLive, fetchMessages, fetchState } from "./api";
import { reduce, startState, type PageEvent } from "./state";
import type { LiveEvent } from "./types";

const FIRST_USER = "U0ANA";

/** Person and channel stand in the address, so that two tabs can be two people and a reload changes nothing. */
function fromAddress(): { user: string; channel: string } {
  const query = new URLSearchParams(location.search);
  return { user: query.get("user") || FIRST_USER, channel: query.get("channel") ?? "" };
}

/** The page's state, kept up to date: over the live connection, and by fetching again whenever that was away. */
export function useSession() {
  const [state, dispatch] = useReducer(reduce, undefined, () => {
    const { user, channel } = fromAddress();
    return startState(user, channel);
  });
  const { user, channel, live } = state;
  /** Events for a channel that is being fetched: the answer may be older than they are. */
  const during = useRef(new Map<string, PageEvent[]>());

  const toast = useCallback((text: string) => dispatch({ type: "toast", text }), []);

  useEffect(() => {
    let gone = false;
    const tell = (event: PageEvent) => {
      if (!gone) dispatch(event);
    };
    const stop = connectLive(user, {
      open: () => {
        fetchState(user).then(
          (fetched) => {
            tell({ type: "state", state: fetched });
            tell({ type: "live", live: "open" });
          },
          (problem: Error) => tell({ type: "toast", text: problem.message }),
        );
      },
      lost: () => tell({ type: "live", live: "lost" }),
      event: (event: LiveEvent) => {
        tell(event);
        const place = "message" in event ? event.message.channel : "channel" in event ? event.channel : "";
        during.current.get(place)?.push(event);
      },
    });
    return () => {
      gone = true;
      stop();
    };
  }, [user]);

  useEffect(() => {
    if (!channel || live !== "open") return;
    let gone = false;
    const missed: PageEvent[] = [];
    during.current.set(channel, missed);
    fetchMessages(user, channel)
      .then((messages) => {
        if (gone) return;
        dispatch({ type: "messages_loaded", channel, messages });
        missed.forEach(dispatch);
      })
      .catch((problem: Error) => !gone && toast(problem.message))
      .finally(() => during.current.get(channel) === missed && during.current.delete(channel));
    return () => {
      gone = true;
    };
  }, [user, channel, live, toast]);

  useEffect(() => {
    history.replaceState(null, "", `?${new URLSearchParams({ user, channel }).toString()}`);
  }, [user, channel]);

  const openChannel = useCallback((id: string) => dispatch({ type: "open_channel", channel: id }), []);
  const openThread = useCallback((ts: string | null) => dispatch({ type: "open_thread", ts }), []);
  return { state, dispatch, toast, openChannel, openThread };
}
