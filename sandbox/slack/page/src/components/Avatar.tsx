import type { Person } from "../types";

/** Decoration: the name always stands beside it. */
export function Avatar({ person, small }: { person: Person; small?: boolean }) {
  const colour = person.color.startsWith("#") ? person.color : `#${person.color}`;
  return (
    <span
      class={`avatar${small ? " small" : ""}${person.is_bot ? " bot" : ""}`}
      style={{ background: colour }}
      aria-hidden="true"
    >
      {person.avatar_initials}
    </span>
  );
}
