import { readableSize } from "./FileCard";
import { CloseIcon } from "./icons";

export function StagedFiles({ files, onRemove }: { files: File[]; onRemove: (index: number) => void }) {
  if (files.length === 0) return null;
  return (
    <ul class="staged" aria-label="Files to send">
      {files.map((file, index) => (
        <li key={`${index}-${file.name}`}>
          <span class="staged-name">{file.name}</span>
          <small>{readableSize(file.size)}</small>
          <button type="button" class="plain" aria-label={`Remove ${file.name}`} onClick={() => onRemove(index)}>
            <CloseIcon />
          </button>
        </li>
      ))}
    </ul>
  );
}
