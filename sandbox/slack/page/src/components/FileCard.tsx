import type { SharedFile } from "../types";
import { DownloadIcon } from "./icons";

const KINDS: Record<string, string> = { xlsx: "Excel workbook", xls: "Excel workbook", csv: "CSV", txt: "Plain text" };

export function FileCard({ file }: { file: SharedFile }) {
  const [, kind = file.filetype] = /\.([A-Za-z0-9]{1,5})$/.exec(file.name.toLowerCase()) ?? [];
  return (
    <div class="file-card" role="group" aria-label={`File ${file.name}`}>
      {file.mimetype.startsWith("image/") ? (
        <img class="file-preview" src={file.url} alt={file.title || file.name} />
      ) : (
        <span class={`file-icon kind-${kind}`} aria-hidden="true">
          {kind.slice(0, 4).toUpperCase()}
        </span>
      )}
      <span class="file-words">
        <strong>{file.name}</strong>
        <small>
          {KINDS[kind] ?? kind.toUpperCase()} · {readableSize(file.size)}
        </small>
      </span>
      <a
        class="file-download"
        href={file.url}
        download={file.name}
        aria-label={`Download ${file.name}`}
        title="Download"
      >
        <DownloadIcon />
      </a>
    </div>
  );
}

export function readableSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
