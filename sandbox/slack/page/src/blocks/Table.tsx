import type { Block, TableCell } from "../types";
import { RichText } from "./RichText";

/** Slack draws a table's first row as its header. */
export function Table({ block }: { block: Block }) {
  const [header, ...rows] = block.rows ?? [];
  const style = (index: number) => {
    const column = block.column_settings?.[index];
    return { textAlign: column?.align ?? "left", whiteSpace: column?.is_wrapped ? "normal" : undefined } as const;
  };
  return (
    <div class="table" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>
            {header?.map((cell, index) => (
              <th key={index} scope="col" style={style(index)}>
                <Cell cell={cell} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, line) => (
            <tr key={line}>
              {row.map((cell, index) => (
                <td key={index} style={style(index)}>
                  <Cell cell={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ cell }: { cell: TableCell }) {
  if (cell.type === "rich_text") return <RichText elements={cell.elements ?? []} />;
  if (cell.type === "raw_number") return <>{cell.text ?? cell.value?.toLocaleString("en-US")}</>;
  if (cell.type === "raw_text") return <>{cell.text}</>;
  return <span class="unsupported">Unsupported cell: {cell.type}</span>;
}
