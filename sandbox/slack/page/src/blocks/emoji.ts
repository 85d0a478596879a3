import byHexcode from "emojibase-data/en/shortcodes/iamcal.json";

const SKIN_TONES = ["\u{1F3FB}", "\u{1F3FC}", "\u{1F3FD}", "\u{1F3FE}", "\u{1F3FF}"];

const characters = new Map<string, string>();
for (const [hexcode, names] of Object.entries(byHexcode as Record<string, string | string[]>)) {
  const character = String.fromCodePoint(...hexcode.split("-").map((part) => parseInt(part, 16)));
  for (const name of Array.isArray(names) ? names : [names]) characters.set(name, character);
}

/** The character of Slack's name for it (`tada`, `wave::skin-tone-3`), or nothing when there is no such emoji. */
export function emojiCharacter(name: string): string | undefined {
  const [base, tone] = name.split("::skin-tone-");
  const character = characters.get(base ?? "");
  if (!character) return undefined;
  // Text-style symbols (ℹ, ⚠) are drawn in colour only with the emoji variation selector.
  const coloured = [...character].length === 1 ? `${character}\uFE0F` : character;
  return tone ? character + (SKIN_TONES[Number(tone) - 2] ?? "") : coloured;
}

/** plain_text objects know emoji names too. */
export const withEmoji = (text: string): string =>
  text.replace(/:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/g, (whole, name: string) => emojiCharacter(name) ?? whole);
