import { useEffect, useRef, useState } from "preact/hooks";
import type { Option } from "../types";
import { useElement, type ElementProps } from "./surface";
import { plain } from "./Text";

const ROW = 34;

/** The "…" menu. It hangs over everything at a fixed place, so that no scrolling container cuts it. */
export function Overflow(props: ElementProps) {
  const { element } = props;
  const { busy, act } = useElement(props);
  const [place, setPlace] = useState<{ top: number; right: number } | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const options = element.options ?? [];

  const open = () => {
    const box = button.current?.getBoundingClientRect();
    if (!box || busy) return;
    const height = options.length * ROW + 14;
    const below = box.bottom + height + 4 < window.innerHeight;
    setPlace({ top: below ? box.bottom + 4 : box.top - height - 4, right: window.innerWidth - box.right });
  };
  const close = () => {
    setPlace(null);
    button.current?.focus();
  };
  const pick = (option: Option) => {
    close();
    if (option.url) window.open(option.url, "_blank", "noopener");
    void act({ selected_option: option });
  };
  return (
    <span class="overflow">
      <button
        ref={button}
        type="button"
        class={`button icon${busy ? " busy" : ""}`}
        aria-label={element.accessibility_label ?? "More options"}
        aria-haspopup="menu"
        aria-expanded={place !== null}
        aria-busy={busy}
        onClick={() => (place ? close() : open())}
      >
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <circle cx="3" cy="8" r="1.4" />
          <circle cx="8" cy="8" r="1.4" />
          <circle cx="13" cy="8" r="1.4" />
        </svg>
      </button>
      {place && <Menu options={options} place={place} onPick={pick} onClose={close} />}
    </span>
  );
}

interface MenuProps {
  options: Option[];
  place: { top: number; right: number };
  onPick: (option: Option) => void;
  onClose: () => void;
}

function Menu({ options, place, onPick, onClose }: MenuProps) {
  const menu = useRef<HTMLDivElement>(null);
  const items = () => [...(menu.current?.querySelectorAll<HTMLButtonElement>("[role=menuitem]") ?? [])];

  useEffect(() => {
    items()[0]?.focus();
    const around = menu.current?.parentElement;
    const openedAt = around?.getBoundingClientRect().top;
    const outside = (event: Event) => {
      // The button beside it closes the menu itself.
      if (!around?.contains(event.target as Node)) onClose();
    };
    const moved = () => {
      if (around?.getBoundingClientRect().top !== openedAt) onClose();
    };
    document.addEventListener("pointerdown", outside, true);
    document.addEventListener("scroll", moved, true);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      document.removeEventListener("scroll", moved, true);
    };
  }, []);

  const keyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
    } else if (step) {
      event.preventDefault();
      const all = items();
      const now = all.indexOf(document.activeElement as HTMLButtonElement);
      all[(now + step + all.length) % all.length]?.focus();
    }
  };
  return (
    <div
      ref={menu}
      class="menu"
      role="menu"
      style={{ top: `${place.top}px`, right: `${place.right}px` }}
      onKeyDown={keyDown}
    >
      {options.map((option) => (
        <button key={option.value} type="button" role="menuitem" onClick={() => onPick(option)}>
          {plain(option.text)}
          {option.description && <small>{plain(option.description)}</small>}
        </button>
      ))}
    </div>
  );
}
