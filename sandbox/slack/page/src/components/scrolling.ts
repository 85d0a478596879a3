import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../types";

const NEAR = 60;

/**
 * Keeps a list at its end while the reader is there, also when a message in it grows.
 * Away from the end nothing moves, and `away` counts what came since; one's own message always goes to the end.
 */
export function useStickToBottom(messages: Message[] | undefined, me: string) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const atBottom = useRef(true);
  const lastSeen = useRef("");
  const [away, setAway] = useState(0);

  const toBottom = () => {
    const box = scroller.current;
    if (box) box.scrollTop = box.scrollHeight;
    atBottom.current = true;
    setAway(0);
  };

  useLayoutEffect(() => {
    const newest = messages?.at(-1);
    if (!newest) return;
    const fresh = messages?.filter(({ ts }) => ts > lastSeen.current) ?? [];
    if (atBottom.current || fresh.some(({ user }) => user === me)) toBottom();
    else setAway((count) => count + fresh.length);
    lastSeen.current = newest.ts > lastSeen.current ? newest.ts : lastSeen.current;
  }, [messages, me]);

  useEffect(() => {
    const box = scroller.current;
    const inner = content.current;
    if (!box || !inner) return;
    const scrolled = () => {
      atBottom.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
      if (atBottom.current) setAway(0);
    };
    const grown = new ResizeObserver(() => {
      if (atBottom.current) box.scrollTop = box.scrollHeight;
    });
    box.addEventListener("scroll", scrolled, { passive: true });
    grown.observe(inner);
    grown.observe(box);
    return () => {
      box.removeEventListener("scroll", scrolled);
      grown.disconnect();
    };
  }, []);

  return { scroller, content, away, toBottom };
}
