import type { ComponentChildren } from "preact";
import { lexer, type Token, type Tokens } from "marked";
import { withEmoji } from "./emoji";
import { Link } from "./Mrkdwn";

/** Standard Markdown of a markdown block. HTML in it is shown as text, as Slack does. */
export const Markdown = ({ text }: { text: string }) => (
  <div class="markdown">{tokens(lexer(text, { gfm: true }))}</div>
);

const tokens = (list: Token[] = []): ComponentChildren =>
  list.map((token, index) => <Part key={index} token={token} />);

// marked escapes nothing in a lexer's text, but leaves the entities that the author wrote.
const entities = document.createElement("textarea");
function decoded(text: string): string {
  if (!text.includes("&")) return text;
  entities.innerHTML = text.replace(/</g, "&lt;");
  return entities.value;
}

function Part({ token }: { token: Token }): ComponentChildren {
  const inner = "tokens" in token ? token.tokens : undefined;
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return <p class={`markdown-heading depth-${(token as Tokens.Heading).depth}`}>{tokens(inner)}</p>;
    case "paragraph":
      return <p>{tokens(inner)}</p>;
    case "text":
      return inner ? tokens(inner) : withEmoji(decoded((token as Tokens.Text).text));
    case "escape":
      return (token as Tokens.Escape).text;
    case "strong":
      return <strong>{tokens(inner)}</strong>;
    case "em":
      return <em>{tokens(inner)}</em>;
    case "del":
      return <s>{tokens(inner)}</s>;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "code":
      return <pre>{(token as Tokens.Code).text}</pre>;
    case "br":
      return <br />;
    case "hr":
      return <hr />;
    case "blockquote":
      return <blockquote>{tokens(inner)}</blockquote>;
    case "link":
    case "image":
      return <Link url={(token as Tokens.Link).href}>{tokens(inner) ?? (token as Tokens.Image).text}</Link>;
    case "list":
      return <List list={token as Tokens.List} />;
    case "table":
      return <Table table={token as Tokens.Table} />;
    default:
      return token.raw;
  }
}

function List({ list }: { list: Tokens.List }) {
  const items = list.items.map((item, index) => (
    <li key={index}>
      {item.task && <input type="checkbox" checked={item.checked ?? false} disabled />}
      {tokens(item.tokens)}
    </li>
  ));
  return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ table }: { table: Tokens.Table }) {
  const style = (index: number) => ({ textAlign: table.align[index] ?? "left" }) as const;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            {table.header.map((cell, index) => (
              <th key={index} scope="col" style={style(index)}>
                {tokens(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, line) => (
            <tr key={line}>
              {row.map((cell, index) => (
                <td key={index} style={style(index)}>
                  {tokens(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
