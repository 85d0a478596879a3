import type { TextObject } from "../types";
import { withEmoji } from "./emoji";
import { Mrkdwn } from "./Mrkdwn";

/** Slack's text object; plain text keeps every character but emoji names. */
export function Text({ text }: { text: TextObject | string | undefined }) {
  if (!text) return null;
  if (typeof text === "string") return <>{text}</>;
  return text.type === "mrkdwn" ? <Mrkdwn text={text.text} /> : <>{withEmoji(text.text)}</>;
}

export const plain = (text: TextObject | string | undefined): string =>
  text === undefined ? "" : withEmoji(typeof text === "string" ? text : text.text);
