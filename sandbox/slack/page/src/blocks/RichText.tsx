import type { ComponentChildren } from "preact";
import type { RichNode } from "../types";
import { Broadcast, ChannelMention, Emoji, Link, Moment, UserMention } from "./Mrkdwn";

/** The parts of a rich_text block: sections, lists, quotes and preformatted text. */
export function RichText({ elements }: { elements: RichNode[] }) {
  return (
    <>
      {elements.map((element, index) => (
        <RichPart key={index} node={element} />
      ))}
    </>
  );
}

const inline = (node: RichNode) => (node.elements ?? []).map((child, index) => <Inline key={index} node={child} />);

function RichPart({ node }: { node: RichNode }) {
  switch (node.type) {
    case "rich_text_section":
      return <div class="rich-section">{inline(node)}</div>;
    case "rich_text_preformatted":
      return <pre>{inline(node)}</pre>;
    case "rich_text_quote":
      return <blockquote>{inline(node)}</blockquote>;
    case "rich_text_list":
      return <RichList node={node} />;
    default:
      return <p class="unsupported">Unsupported block: {node.type}</p>;
  }
}

function RichList({ node }: { node: RichNode }) {
  const items = (node.elements ?? []).map((item, index) => <li key={index}>{inline(item)}</li>);
  const indent = { marginLeft: `${(node.indent ?? 0) * 1.75}em` };
  if (node.style !== "ordered") return <ul style={indent}>{items}</ul>;
  return (
    <ol style={indent} start={(node.offset ?? 0) + 1}>
      {items}
    </ol>
  );
}

function Inline({ node }: { node: RichNode }) {
  return <>{styled(node, content(node))}</>;
}

function content(node: RichNode): ComponentChildren {
  switch (node.type) {
    case "text":
      return node.text;
    case "link":
      return <Link url={node.url ?? ""}>{node.text || node.url}</Link>;
    case "emoji":
      return <Emoji name={node.name ?? ""} unicode={codePoints(node.unicode)} />;
    case "user":
      return <UserMention id={node.user_id ?? ""} />;
    case "channel":
      return <ChannelMention id={node.channel_id ?? ""} />;
    case "usergroup":
      return <span class="mention">@{node.usergroup_id}</span>;
    case "broadcast":
      return <Broadcast range={node.range ?? "channel"} />;
    case "date":
      return (
        <Moment at={node.timestamp ?? NaN} format={node.format ?? ""} fallback={node.fallback ?? ""} url={node.url} />
      );
    case "color":
      return <code>{node.value}</code>;
    default:
      return <span class="unsupported">Unsupported element: {node.type}</span>;
  }
}

const codePoints = (unicode?: string) =>
  unicode && String.fromCodePoint(...unicode.split("-").map((part) => parseInt(part, 16)));

function styled(node: RichNode, shown: ComponentChildren): ComponentChildren {
  const style = typeof node.style === "object" ? node.style : {};
  if (style.code) shown = <code>{shown}</code>;
  if (style.bold) shown = <strong>{shown}</strong>;
  if (style.italic) shown = <em>{shown}</em>;
  if (style.strike) shown = <s>{shown}</s>;
  if (style.underline) shown = <u>{shown}</u>;
  return shown;
}
