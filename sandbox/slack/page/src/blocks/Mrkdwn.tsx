import type { ComponentChildren } from "preact";
import { NodeType, parse, type Node } from "slack-message-parser";
import { findPerson, mentionName, useWorkspace } from "../workspace";
import { formatDate, fullDate } from "./dates";
import { emojiCharacter } from "./emoji";

/** The three characters Slack escapes; done last, so that an escaped `<!channel>` stays text. */
export const unescape = (text: string): string =>
  text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

/** Slack takes a quote's sign escaped or plain; the parser takes it escaped. */
const escapeQuotes = (text: string): string =>
  text.replace(/^(>{1,3})(?=[^>]|$)/gm, (signs: string) => "&gt;".repeat(signs.length));

export function Mrkdwn({ text }: { text: string }) {
  return <>{nodes(parse(escapeQuotes(text)).children)}</>;
}

const nodes = (list: readonly Node[]): ComponentChildren =>
  list.map((node, index) => <Part key={index} node={node} after={list[index - 1]} />);

/** A quote or preformatted text ends its own line: the break after it would be an empty one. */
const endsLine = (node: Node | undefined): boolean => node?.type === NodeType.Quote || node?.type === NodeType.PreText;

function Part({ node, after }: { node: Node; after?: Node }) {
  switch (node.type) {
    case NodeType.Text:
      return <>{unescape(endsLine(after) ? node.text.replace(/^ *\n?/, "") : node.text)}</>;
    case NodeType.Bold:
      return <strong>{nodes(node.children)}</strong>;
    case NodeType.Italic:
      return <em>{nodes(node.children)}</em>;
    case NodeType.Strike:
      return <s>{nodes(node.children)}</s>;
    case NodeType.Code:
      return <code>{unescape(node.text)}</code>;
    case NodeType.PreText:
      return <pre>{unescape(node.text).replace(/^\n|\n$/g, "")}</pre>;
    case NodeType.Quote:
      return <blockquote>{nodes(withoutMargin(node.children))}</blockquote>;
    case NodeType.Emoji:
      return <Emoji name={node.name} />;
    case NodeType.URL:
      return <Link url={unescape(node.url)}>{node.label ? nodes(node.label) : unescape(node.url)}</Link>;
    case NodeType.UserLink:
      return <UserMention id={node.userID} />;
    case NodeType.ChannelLink:
      return <ChannelMention id={node.channelID} />;
    case NodeType.Command:
      return <Command name={node.name} args={node.arguments} label={node.label} />;
    case NodeType.Root:
      return <>{nodes(node.children)}</>;
  }
}

/** The parser keeps the space that stands between a quote's sign and its text, on every line. */
const withoutMargin = (children: readonly Node[]): Node[] =>
  children.map((child, index) => {
    const before = children[index - 1];
    const startsLine = !before || (before.type === NodeType.Text && before.text.endsWith("\n"));
    return startsLine && child.type === NodeType.Text ? { ...child, text: child.text.replace(/^ /, "") } : child;
  });

export function Emoji({ name, unicode }: { name: string; unicode?: string }) {
  const character = emojiCharacter(name) ?? unicode;
  if (!character) return <>{`:${name}:`}</>;
  return (
    <span class="emoji" role="img" aria-label={name.replace(/_/g, " ")} title={`:${name}:`}>
      {character}
    </span>
  );
}

export function Link({ url, children }: { url: string; children: ComponentChildren }) {
  const safe = /^(https?:|mailto:|tel:|\/)/i.test(url);
  if (!safe) return <>{children}</>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

export function UserMention({ id }: { id: string }) {
  const workspace = useWorkspace();
  const mine = id === workspace.me.id ? " mine" : "";
  return <span class={`mention${mine}`}>@{mentionName(findPerson(workspace, id))}</span>;
}

export function ChannelMention({ id }: { id: string }) {
  const { channels, openChannel } = useWorkspace();
  const channel = channels.find((other) => other.id === id);
  if (!channel) return <span class="mention">#private-channel</span>;
  return (
    <button type="button" class="mention" onClick={() => openChannel(id)}>
      #{channel.name}
    </button>
  );
}

export const Broadcast = ({ range }: { range: string }) => <span class="mention mine broadcast">@{range}</span>;

export function Moment({ at, format, fallback, url }: { at: number; format: string; fallback: string; url?: string }) {
  const { me } = useWorkspace();
  const moment = new Date(at * 1000);
  if (Number.isNaN(moment.getTime())) return <>{fallback}</>;
  const shown = (
    <time dateTime={moment.toISOString()} title={fullDate(at, me.tz)}>
      {formatDate(at, format, fallback, me.tz)}
    </time>
  );
  return url ? <Link url={url}>{shown}</Link> : shown;
}

function Command({ name, args, label }: { name: string; args: readonly string[]; label?: readonly Node[] }) {
  const said = label?.map((node) => unescape(node.source)).join("") ?? "";
  if (name === "date") {
    const [at = "", format = "", url] = args;
    if (!/^\d+$/.test(at)) return <>{said}</>;
    return <Moment at={Number(at)} format={unescape(format)} fallback={said} url={url && unescape(url)} />;
  }
  if (name === "channel" || name === "here" || name === "everyone") return <Broadcast range={name} />;
  return <span class="mention">{said || `@${args[0] ?? name}`}</span>;
}
