import { useContext, useId } from "preact/hooks";
import type { Block, RichNode, TextObject } from "../types";
import { Elements } from "./elements";
import { Markdown } from "./Markdown";
import { RichText } from "./RichText";
import { SurfaceContext, type Surface } from "./surface";
import { Table } from "./Table";
import { plain, Text } from "./Text";
import { blockIdOf } from "./values";

/** Every block of a message or view, in order. A type not known here says so. */
export function Blocks({ blocks, surface }: { blocks: Block[]; surface: Surface }) {
  return (
    <SurfaceContext.Provider value={surface}>
      <div class="blocks">
        {blocks.map((block, index) => {
          const blockId = blockIdOf(block, index);
          return <OneBlock key={`${blockId}/${block.type}`} block={block} blockId={blockId} />;
        })}
      </div>
    </SurfaceContext.Provider>
  );
}

interface BlockProps {
  block: Block;
  blockId: string;
}

function OneBlock({ block, blockId }: BlockProps) {
  switch (block.type) {
    case "section":
      return <Section block={block} blockId={blockId} />;
    case "header":
      return <Header block={block} />;
    case "divider":
      return <hr class="block divider" />;
    case "context":
      return <Context block={block} />;
    case "actions":
      return (
        <div class="block actions">
          {block.elements?.map((element, index) => (
            <Elements key={element.action_id ?? index} element={element} blockId={blockId} dispatches />
          ))}
        </div>
      );
    case "input":
      return <Input block={block} blockId={blockId} />;
    case "image":
      return <Picture block={block} />;
    case "rich_text":
      return (
        <div class="block rich-text">
          <RichText elements={(block.elements ?? []) as RichNode[]} />
        </div>
      );
    case "markdown":
      return (
        <div class="block">
          <Markdown text={plainSource(block.text)} />
        </div>
      );
    case "table":
      return <Table block={block} />;
    case "alert":
      return (
        <div class={`block alert ${block.level ?? "default"}`} role="note">
          <Text text={block.text} />
        </div>
      );
    default:
      return <p class="block unsupported">Unsupported block: {block.type}</p>;
  }
}

const plainSource = (text: Block["text"]): string => (typeof text === "string" ? text : (text?.text ?? ""));

function Section({ block, blockId }: BlockProps) {
  return (
    <div class="block section">
      <div class="section-body">
        {block.text && (
          <div class="section-text">
            <Text text={block.text} />
          </div>
        )}
        {block.fields && (
          <div class="section-fields">
            {block.fields.map((field, index) => (
              <div key={index} class="field">
                <Text text={field} />
              </div>
            ))}
          </div>
        )}
      </div>
      {block.accessory && (
        <div class="section-accessory">
          <Elements element={block.accessory} blockId={blockId} dispatches />
        </div>
      )}
    </div>
  );
}

function Header({ block }: { block: Block }) {
  const level = Number(String(block.level ?? 3).replace(/\D/g, "")) || 3;
  return (
    <div class={`block header level-${level}`} role="heading" aria-level={level}>
      <Text text={block.text} />
    </div>
  );
}

function Context({ block }: { block: Block }) {
  return (
    <div class="block context">
      {block.elements?.map((element, index) =>
        element.type === "image" ? (
          <img key={index} src={element.image_url} alt={element.alt_text} />
        ) : element.type === "mrkdwn" || element.type === "plain_text" ? (
          <span key={index}>
            <Text text={element as TextObject} />
          </span>
        ) : (
          <span key={index} class="unsupported">
            Unsupported element: {element.type}
          </span>
        ),
      )}
    </div>
  );
}

function Picture({ block }: { block: Block }) {
  return (
    <figure class="block picture">
      {block.title && (
        <figcaption>
          <Text text={block.title} />
        </figcaption>
      )}
      <img src={block.image_url} alt={block.alt_text ?? ""} />
    </figure>
  );
}

const GROUPED = new Set(["radio_buttons", "checkboxes", "multi_static_select"]);

function Input({ block, blockId }: BlockProps) {
  const id = useId();
  const error = useContext(SurfaceContext)?.errors[blockId];
  const { element } = block;
  if (!element) return <p class="block unsupported">Unsupported block: input without an element</p>;
  const label = (
    <>
      {plain(block.label)}
      {block.optional && <span class="optional"> (optional)</span>}
    </>
  );
  const grouped = GROUPED.has(element.type);
  const describedBy = [block.hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const control = (
    <Elements
      element={element}
      blockId={blockId}
      dispatches={block.dispatch_action ?? false}
      id={id}
      describedBy={describedBy}
      required={!block.optional}
    />
  );
  return (
    <div class={`block input${error ? " invalid" : ""}`} data-block-id={blockId}>
      {grouped ? (
        <div class="input-label" id={`${id}-label`}>
          {label}
        </div>
      ) : (
        <label class="input-label" for={id}>
          {label}
        </label>
      )}
      {control}
      {error && (
        <p class="input-error" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
      {block.hint && (
        <p class="input-hint" id={`${id}-hint`}>
          {plain(block.hint)}
        </p>
      )}
    </div>
  );
}
